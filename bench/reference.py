#!/usr/bin/env python3
"""Trains the published systems in plain numpy, with numpy's initial weights, order and noise, to show how much seeds
differ.

    bench/reference.py keras-frey|flex-frey|flex-frey-fresh|flex-mnist|flex-mnist-fresh [first seed] [seeds]

Prints one line per seed: the loss of epoch 1 and of the last epoch (training, validation), the KL of the validation
set, and the standard deviation of the decoded pixels over the training set (root mean square over the pixels, and
mean). Requires numpy.
"""
import gzip
import os
import sys

import numpy as np

BATCH, FOLDER = 100, os.environ.get("GPUVAE_DATA_DIR", "data")


def faces(training, validation):
    file, size = open(os.path.join(FOLDER, "frey_rawface.mat"), "rb").read(), 560 * 1965
    pad = -size % 8  # the matrix is the last element of the file, padded to 8 bytes
    pixels = np.frombuffer(file[len(file) - size - pad:len(file) - pad], np.uint8).reshape(1965, 560)
    pixels = (pixels / np.float32(255)).astype("f")
    return pixels[:training], pixels[training:training + validation]


def digits():
    def read(name):
        file = gzip.open(os.path.join(FOLDER, name + "-images-idx3-ubyte.gz")).read()
        return (np.frombuffer(file, np.uint8, offset=16).reshape(-1, 784) / np.float32(255)).astype("f")

    return read("train"), read("t10k")


# Data, hidden units, Gaussian likelihood, standard deviation of the noise, epochs, and whether the noise is
# drawn only once.
SYSTEMS = {
    "keras-frey": (lambda: faces(1800, 100), 256, False, 0.01, 100, False),
    "flex-frey": (lambda: faces(1800, 165), 200, True, 1, 30, True),
    "flex-frey-fresh": (lambda: faces(1800, 165), 200, True, 1, 30, False),
    "flex-mnist": (digits, 200, False, 1, 50, True),
    "flex-mnist-fresh": (digits, 200, False, 1, 50, False),
}


class Model:
    """Weights as pairs (matrix, bias): hidden, mean, log variance, hidden, output, and for a Gaussian likelihood log
    variance."""

    def __init__(self, random, pixels, hidden, gaussian, noise_std, mean_over_pixels):
        sizes = [(pixels, hidden), (hidden, 2), (hidden, 2), (2, hidden), (hidden, pixels)]
        sizes += [(hidden, pixels)] if gaussian else []
        self.weights = []
        for fan_in, fan_out in sizes:  # initialisation of Glorot and Bengio, 2010
            bound = np.sqrt(6 / (fan_in + fan_out))
            self.weights += [random.uniform(-bound, bound, (fan_in, fan_out)).astype("f"), np.zeros(fan_out, "f")]
        self.gaussian, self.noise_std, self.share = gaussian, noise_std, 1 / pixels if mean_over_pixels else 1
        self.first = [np.zeros_like(w) for w in self.weights]
        self.second = [np.zeros_like(w) for w in self.weights]
        self.steps = 0

    def forward(self, x, epsilon):
        w = self.weights
        self.x, self.epsilon = x, epsilon
        self.h = np.maximum(x @ w[0] + w[1], 0)
        self.mean, self.log_variance = self.h @ w[2] + w[3], self.h @ w[4] + w[5]
        self.sigma = np.exp(self.log_variance / 2)
        self.z = self.mean + self.noise_std * epsilon * self.sigma
        self.d = np.maximum(self.z @ w[6] + w[7], 0)
        logits = self.d @ w[8] + w[9]
        self.p = (1 + np.tanh(logits / 2)) / 2
        kl = 0.5 * (self.sigma**2 + self.mean**2 - 1 - self.log_variance).sum(1)
        if not self.gaussian:
            return self.share * (np.logaddexp(0, logits) - logits * x).sum(1), kl
        self.raw = self.d @ w[10] + w[11]
        self.v = np.clip(self.raw, -5, 5)
        return 0.5 * (self.v + np.log(2 * np.pi) + (x - self.p) ** 2 * np.exp(-self.v)).sum(1), kl

    def backward(self):
        w, g, rows = self.weights, [None] * len(self.weights), len(self.x)
        if self.gaussian:
            precision = np.exp(-self.v)
            d_out = (self.p - self.x) * precision * self.p * (1 - self.p) / rows
            d_raw = 0.5 * (1 - (self.x - self.p) ** 2 * precision) / rows * (np.abs(self.raw) <= 5)
            g[10], g[11] = self.d.T @ d_raw, d_raw.sum(0)
            d_d = d_out @ w[8].T + d_raw @ w[10].T
        else:
            d_out = (self.p - self.x) * self.share / rows
            d_d = d_out @ w[8].T
        g[8], g[9] = self.d.T @ d_out, d_out.sum(0)
        d_d = d_d * (self.d > 0)
        g[6], g[7] = self.z.T @ d_d, d_d.sum(0)
        d_z = d_d @ w[6].T
        d_mean = d_z + self.mean / rows
        d_log_variance = d_z * self.noise_std * self.epsilon * self.sigma / 2 + 0.5 * (self.sigma**2 - 1) / rows
        g[2], g[3] = self.h.T @ d_mean, d_mean.sum(0)
        g[4], g[5] = self.h.T @ d_log_variance, d_log_variance.sum(0)
        d_h = (d_mean @ w[2].T + d_log_variance @ w[4].T) * (self.h > 0)
        g[0], g[1] = self.x.T @ d_h, d_h.sum(0)
        return g

    def adam(self, gradients):  # Kingma and Ba, 2015
        self.steps += 1
        rate = 1e-3 * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for w, g, m, v in zip(self.weights, gradients, self.first, self.second):
            m += 0.1 * (g - m)
            v += 0.001 * (g**2 - v)
            w -= (rate * m / (np.sqrt(v) + 1e-8)).astype("f")


def train(seed, training, validation, hidden, gaussian, noise_std, epochs, frozen):
    random = np.random.default_rng(seed)
    model = Model(random, training.shape[1], hidden, gaussian, noise_std, mean_over_pixels=noise_std < 1)
    noise = [random.standard_normal((len(s), 2)).astype("f") for s in (training, validation)]
    history = []
    for _ in range(epochs):
        if not frozen:
            noise = [random.standard_normal((len(s), 2)).astype("f") for s in (training, validation)]
        order, total = random.permutation(len(training)), 0
        for i in range(0, len(training), BATCH):
            batch = order[i:i + BATCH]
            reconstruction, kl = model.forward(training[batch], noise[0][batch])
            total += (reconstruction + kl).sum(dtype=np.float64)
            model.adam(model.backward())
        reconstruction, kl = model.forward(validation, noise[1])
        history.append((total / len(training), (reconstruction + kl).mean(), kl.mean()))
    model.forward(training, 0 * noise[0])
    deviation = model.p.std(0)
    return [*history[0][:2], *history[-1], np.sqrt((deviation**2).mean()), deviation.mean()]


if __name__ == "__main__":
    system = sys.argv[1]
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    data, *settings = SYSTEMS[system]
    training, validation = data()
    for seed in range(first, first + (int(sys.argv[3]) if len(sys.argv) > 3 else 5)):
        values = train(seed, training, validation, *settings)
        print(system, seed, *(f"{value:.4f}" for value in values), flush=True)
