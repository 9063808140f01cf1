#!/usr/bin/env python3
"""Compares the models, gradients and optimisers of bench/peers/jax_peer.py and torch_peer.py with plain numpy in double
precision, for all published systems at small sizes: peer_models_test.py SOURCE. Skipped without numpy, jax and torch."""
import dataclasses
import functools
import importlib.util
import math
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
SOURCE = Path(sys.argv.pop(1)) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(SOURCE / "bench/peers"))
from workloads import PUBLISHED  # noqa: E402

HAS = {name: importlib.util.find_spec(name) is not None for name in ("numpy", "jax", "torch")}
if not HAS["numpy"] or not (HAS["jax"] or HAS["torch"]):
    print("skipped: expected numpy, and jax or torch")
    sys.exit(77)

import numpy as np  # noqa: E402

import images  # noqa: E402

LAYERS = ("encoder", "posterior", "decoder", "head")
COUNT, HEIGHT, WIDTH, BATCH = 48, 6, 5, 8


def loss(p, x, noise, c):
    """The loss in nats per image from the formulas of the published systems, in double precision."""
    hidden = {"relu": lambda a: np.maximum(a, 0), "tanh": np.tanh}[c["activation"]]
    mean, s = np.split(hidden(x @ p["encoder"][0] + p["encoder"][1]) @ p["posterior"][0] + p["posterior"][1], 2, 1)
    sigma = {"log_variance": lambda: np.sqrt(np.exp(s)), "log_sigma": lambda: np.exp(s),
             "softplus": lambda: np.log(1 + np.exp(s)) + 1e-6}[c["posterior"]]()
    z = mean + c["noise_std"] * noise * sigma
    out = hidden(z @ p["decoder"][0] + p["decoder"][1]) @ p["head"][0] + p["head"][1]
    if c["likelihood"] == "gaussian":
        logits, v = np.split(out, 2, 1)
        v = np.clip(v, -5, 5)
        terms = 0.5 * (np.log(2 * np.pi) + v + (x - 1 / (1 + np.exp(-logits))) ** 2 / np.exp(v))
    else:
        terms = x * np.logaddexp(0, -out) + (1 - x) * np.logaddexp(0, out)  # -log p and -log (1 - p)
    kl = -np.log(sigma) + 0.5 * (sigma**2 + mean**2) - 0.5
    return ((terms.mean(1) if c["pixel_mean"] else terms.sum(1)) + kl.sum(1)).mean()


def updated(p, g, c, slots, count):
    """The parameters after an optimiser's step with the gradient g of the mean loss."""
    o, result = c["optimizer"], {}
    for name in LAYERS:
        result[name] = []
        for i, (w, d) in enumerate(zip(p[name], g[name])):
            d = d * (BATCH if c["batch_sum"] else 1) + 2 * c["l2"] * w
            key, rate = (name, i), o["learning_rate"]
            if o["kind"] == "sgd":
                result[name].append(w - rate * d)
                continue
            m, v = slots.get(key, (0, 1 if o["kind"] == "rmsprop_tf1" else 0))
            m, v = o["beta1"] * m + (1 - o["beta1"]) * d, o["beta2"] * v + (1 - o["beta2"]) * d**2
            slots[key] = m, v
            if o["kind"] == "adam":
                m, v = m / (1 - o["beta1"] ** count), v / (1 - o["beta2"] ** count)
                result[name].append(w - rate * m / (np.sqrt(v) + o["epsilon"]))
            elif o["kind"] == "rmsprop":
                result[name].append(w - rate * d / (np.sqrt(v) + o["epsilon"]))
            else:
                result[name].append(w - rate * d / np.sqrt(v + o["epsilon"]))
    return result


def dot(a, b):
    return sum((u * v).sum() for n in LAYERS for u, v in zip(a[n], b[n]))


def moved(p, direction, step):
    return {n: [w + step * d for w, d in zip(p[n], direction[n])] for n in LAYERS}


class Model:
    """The interface of a peer that the tests use. Parameters are {layer: [weight [inputs, outputs], bias]} in double
    precision."""

    def __init__(self, config):
        self.config = config


class Jax(Model):
    module = "jax"

    def __init__(self, config):
        super().__init__(config)
        import jax
        import jax_peer
        self.jax, self.peer = jax, jax_peer
        self.state = jax_peer.initial_state(config, HEIGHT * WIDTH, jax.random.key(config["seed"]))
        self.gradient = jax.jit(jax.value_and_grad(functools.partial(jax_peer.negative_elbo, config=config)))
        self.do_step = jax.jit(functools.partial(jax_peer.step, config=config))

    @staticmethod
    def plain(tree):
        return {n: [np.asarray(tree[n][k], np.float64) for k in ("w", "b")] for n in LAYERS}

    def parameters(self):
        return self.plain(self.state["parameters"])

    def loss_and_gradient(self, pixels, noise):
        value, g = self.gradient(self.state["parameters"], pixels.astype("f") / 255, noise.astype("f"))
        return float(value), self.plain(g)

    def step(self, pixels, noise):
        self.state = self.do_step(pixels, self.state, np.arange(BATCH), noise.astype("f"))

    def validation(self):
        """Returns the loss of the validation images after an epoch, and the parameters and the frozen noise it used."""
        epoch, validate = self.peer.training(self.config)
        epoch()
        value = validate()
        state = dict(zip(validate.__code__.co_freevars, (c.cell_contents for c in validate.__closure__)))["state"]
        noise = self.jax.random.normal(self.jax.random.key(self.config["seed"] + 2**21), (20, self.config["latent"]))
        return value, self.plain(state["parameters"]), np.asarray(noise, np.float64)


class Torch(Model):
    module = "torch"

    def __init__(self, config, make_step="eager_step"):
        super().__init__(config)
        import torch
        import torch_peer
        self.torch, self.peer = torch, torch_peer
        torch.manual_seed(config["seed"])
        self.training = torch_peer.Training(config)
        self.do_step = getattr(torch_peer, make_step)(self.training)

    @staticmethod
    def plain(of):
        return {n: [of(n, "weight").numpy().astype(np.float64).T, of(n, "bias").numpy().astype(np.float64)] for n in LAYERS}

    def parameters(self):
        return self.plain(lambda n, k: getattr(getattr(self.training.model, n), k).detach())

    def loss_and_gradient(self, pixels, noise):
        model, f = self.training.model, lambda a: self.torch.from_numpy(a.astype("f"))
        value = model(f(pixels) / 255, f(noise))
        names, weights = zip(*model.named_parameters())
        g = dict(zip(names, self.torch.autograd.grad(value, weights)))
        return value.item(), self.plain(lambda n, k: g[f"{n}.{k}"])

    def step(self, pixels, noise):
        self.training.images = self.torch.from_numpy(pixels)
        self.training.noise = self.torch.from_numpy(noise.astype("f"))
        self.do_step(self.torch.arange(BATCH))

    def validation(self):
        t = self.training
        t.shuffle()
        for index in t.order.unbind(0):
            self.do_step(index)
        value = t.validate()
        return value, self.parameters(), t.held_out[1].numpy().astype(np.float64)


class Functional(Torch):
    """The step that torch.compile compiles, not compiled."""

    def __init__(self, config):
        super().__init__(config, "functional_step")


class Peers:
    """The tests of one peer, for all published systems."""

    def setUp(self):
        if not HAS[self.model.module]:
            self.skipTest(f"no {self.model.module}")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.random = np.random.default_rng(3)
        self.files = []
        for name, count in (("training", COUNT), ("validation", 30)):
            path = Path(folder.name) / name
            pixels = self.random.integers(0, 256, (count, HEIGHT * WIDTH), np.uint8)
            header = np.array([2051, count, HEIGHT, WIDTH], ">i4").tobytes()
            path.write_bytes(header + pixels.tobytes())
            self.files.append((str(path), pixels))

    def config(self, workload, **changes):
        """Returns the configuration of a published system at a small size, with up to 40 training and 20 validation
        images."""
        rest = workload.validation == "rest"
        sizes = {"hidden": 9, "latent": 3, "batch": BATCH, "train_images": 28 if rest else 40, "validation_images": 20}
        small = dataclasses.replace(workload, **(sizes | changes))
        return small.config() | {"images": self.files[0][0], "validation_file": self.files[1][0], "limit": 0, "seed": 5,
                                 "device": "cpu", "threads": 1, "variant": "scan-1"}

    def assert_near(self, a, b, tolerance):
        self.assertTrue(abs(a - b) <= tolerance * max(abs(a), abs(b)), (a, b))

    def test_loss_and_gradient(self):
        for name, workload in PUBLISHED.items():
            with self.subTest(name):
                config = self.config(workload)
                model = self.model(config)
                pixels = images.training(config)[:BATCH]
                noise = self.random.standard_normal((BATCH, 3))
                value, g = model.loss_and_gradient(pixels, noise)
                p, x = model.parameters(), pixels / 255
                self.assert_near(value, loss(p, x, noise, config), 1e-5)
                norm = math.sqrt(dot(g, g))
                other = {n: [self.random.standard_normal(w.shape) for w in p[n]] for n in LAYERS}
                for direction in (g, other):
                    length = math.sqrt(dot(direction, direction))
                    ends = [loss(moved(p, direction, h / length), x, noise, config) for h in (1e-6, -1e-6)]
                    slope, expected = (ends[0] - ends[1]) / 2e-6, dot(g, direction) / length
                    self.assertTrue(abs(slope - expected) <= 2e-4 * norm, (slope, expected))

    def test_steps(self):
        for name, workload in PUBLISHED.items():
            with self.subTest(name):
                config = self.config(workload)
                model, slots = self.model(config), {}
                for count in (1, 2, 3):
                    pixels = images.training(config)[BATCH * (count - 1):][:BATCH]
                    noise = self.random.standard_normal((BATCH, 3))
                    before, (_, g) = model.parameters(), model.loss_and_gradient(pixels, noise)
                    model.step(pixels, noise)
                    expected, after = updated(before, g, config, slots, count), model.parameters()
                    largest = max(abs(e - b).max() for n in LAYERS for e, b in zip(expected[n], before[n]))
                    self.assertGreater(largest, 0)
                    for n in LAYERS:
                        for e, a in zip(expected[n], after[n]):
                            self.assertTrue(abs(e - a).max() <= 1e-3 * largest, (n, abs(e - a).max(), largest))

    def test_validation(self):
        """The loss of the right images, with frozen noise so that it can be repeated."""
        for name, workload in PUBLISHED.items():
            with self.subTest(name):
                config = self.config(workload, frozen_noise=True)
                value, p, noise = self.model(config).validation()
                pixels = self.files[0][1][28:] if workload.validation == "rest" else self.files[1][1][:20]
                x = (pixels > 127.5).astype(float) if workload.binarize else pixels / 255
                self.assert_near(value, loss(p, x, noise, config), 1e-5)

    def test_initial_weights(self):
        for name, workload in PUBLISHED.items():
            with self.subTest(name):
                config = self.config(workload, hidden=300, latent=50)
                p, pixels = self.model(config).parameters(), HEIGHT * WIDTH
                for layer, inputs, outputs in (("encoder", pixels, 300), ("posterior", 300, 50), ("decoder", 50, 300),
                                              ("head", 300, pixels)):
                    weight, bias = p[layer]
                    stddev = {"glorot": math.sqrt(2 / (inputs + outputs)), "two_over_root_fan_in": 2 / math.sqrt(inputs),
                              "small": 0.01}[config["init"]]
                    self.assertTrue(abs(weight.std() / stddev - 1) <= 0.06, (layer, weight.std(), stddev))
                    self.assertTrue(abs(weight.mean()) <= 0.06 * stddev, (layer, weight.mean()))
                    if config["init"] == "small":
                        self.assertTrue(abs(bias.std() / 0.01 - 1) <= 0.4, (layer, bias.std()))
                    else:
                        self.assertEqual(abs(bias).max(), 0)
                    if config["init"] == "glorot":
                        self.assertTrue(0.98 * math.sqrt(3) * stddev <= abs(weight).max() <= 1.0001 * math.sqrt(3) * stddev)


class JaxPeer(Peers, unittest.TestCase):
    model = Jax


class TorchPeer(Peers, unittest.TestCase):
    model = Torch


class TorchFunctional(Peers, unittest.TestCase):
    model = Functional


if __name__ == "__main__":
    unittest.main()
