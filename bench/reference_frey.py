#!/usr/bin/env python3
"""The two Frey systems in plain numpy, with numpy's own initial weights, order and noise: how much seeds differ.

    bench/reference_frey.py keras-frey|flex-frey|flex-frey-fresh [first seed] [seeds]     (numpy: from PyPI)

Prints, a seed a line: loss of epoch 1 and of the last epoch (training, validation), KL of the validation set, and the
deviation of the decoded pixels over the training set (root mean square over the pixels, and mean).
"""
import os
import sys

import numpy as np

PIXELS, BATCH, TRAIN = 560, 100, 1800


def faces():
    path = os.path.join(os.environ.get("GPUVAE_DATA_DIR", "data"), "frey_rawface.mat")
    file, size = open(path, "rb").read(), PIXELS * 1965
    pad = -size % 8  # the matrix is the last element of the file, padded to 8 bytes
    pixels = np.frombuffer(file[len(file) - size - pad:len(file) - pad], np.uint8).reshape(1965, PIXELS)
    return (pixels / np.float32(255)).astype("f")


class Model:
    """Weights in pairs (matrix, bias): hidden, mean, log variance, hidden, output, and for Gaussians log variance."""

    def __init__(self, random, hidden, gaussian, noise_std):
        sizes = [(PIXELS, hidden), (hidden, 2), (hidden, 2), (2, hidden), (hidden, PIXELS)]
        sizes += [(hidden, PIXELS)] if gaussian else []
        self.weights = []
        for fan_in, fan_out in sizes:  # Glorot and Bengio, 2010
            bound = np.sqrt(6 / (fan_in + fan_out))
            self.weights += [random.uniform(-bound, bound, (fan_in, fan_out)).astype("f"), np.zeros(fan_out, "f")]
        self.gaussian, self.noise_std = gaussian, noise_std
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
        self.p = 1 / (1 + np.exp(-logits))
        kl = 0.5 * (self.sigma**2 + self.mean**2 - 1 - self.log_variance).sum(1)
        if not self.gaussian:  # the mean over the pixels
            return (np.logaddexp(0, logits) - logits * x).mean(1), kl
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
            d_out = (self.p - self.x) / PIXELS / rows
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


def train(system, seed, x):
    random = np.random.default_rng(seed)
    keras = system == "keras-frey"
    training, validation = x[:TRAIN], x[TRAIN:TRAIN + 100] if keras else x[TRAIN:]
    model = Model(random, 256 if keras else 200, not keras, 0.01 if keras else 1)
    noise = [random.standard_normal((len(s), 2)).astype("f") for s in (training, validation)]
    history = []
    for _ in range(100 if keras else 30):
        if system != "flex-frey":  # which has one noise for good
            noise = [random.standard_normal((len(s), 2)).astype("f") for s in (training, validation)]
        order, total = random.permutation(TRAIN), 0
        for i in range(0, TRAIN, BATCH):
            batch = order[i:i + BATCH]
            reconstruction, kl = model.forward(training[batch], noise[0][batch])
            total += (reconstruction + kl).sum()
            model.adam(model.backward())
        reconstruction, kl = model.forward(validation, noise[1])
        history.append((total / TRAIN, (reconstruction + kl).mean(), kl.mean()))
    model.forward(training, 0 * noise[0])
    deviation = model.p.std(0)
    return [*history[0][:2], *history[-1], np.sqrt((deviation**2).mean()), deviation.mean()]


if __name__ == "__main__":
    system = sys.argv[1]
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    images = faces()
    for seed in range(first, first + (int(sys.argv[3]) if len(sys.argv) > 3 else 5)):
        print(system, seed, *(f"{value:.4f}" for value in train(system, seed, images)), flush=True)
