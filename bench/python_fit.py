"""Compares VAE.fit of the Python package with mnist_vae: the same model, settings, images and seed, in turn.

Usage: python_fit.py MNIST_VAE [--rounds N] [--epochs N]; the package is found through PYTHONPATH, MNIST's files
through GPUVAE_DATA_DIR. Each round trains the preset keras-mnist once with each, in a new process, and compares
the seconds of the training steps. Prints the medians, the ratio with its 95 % interval, and what else fit() takes.
"""

import argparse
import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rounds import median_interval


def read_images():
    path = Path(os.environ["GPUVAE_DATA_DIR"]) / "train-images-idx3-ubyte.gz"
    import numpy as np

    return np.frombuffer(gzip.decompress(path.read_bytes())[16:], np.uint8).reshape(-1, 784)


def fit(epochs):
    """Trains in this process, and prints the seconds of the training steps and of the whole call."""
    import gpuvae

    vae = gpuvae.VAE(likelihood="bernoulli", optimizer="rmsprop", epochs=epochs, device="cpu", verbose=False)
    images = read_images()
    start = time.perf_counter()
    vae.fit(images)
    total = time.perf_counter() - start
    rows = vae._history
    print(json.dumps({"steps": sum(row["train_seconds"] for row in rows), "total": total,
                      "loss": rows[-1]["train_loss"]}))


def python_seconds(epochs):
    output = subprocess.run([sys.executable, __file__, "--fit", "--epochs", str(epochs)], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)


def program_seconds(program, epochs):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "--preset", "keras-mnist", "--epochs", str(epochs), "--device", "cpu", "--seed", "0",
                        "--out", f"{folder}/run"], check=True, capture_output=True)
        lines = Path(folder, "run/metrics.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return {"steps": sum(float(row["train_seconds"]) for row in rows), "loss": float(rows[-1]["train_loss"])}


def compare(program, rounds, epochs):
    python, ours = [], []
    for i in range(rounds):
        if i % 2:
            python.append(python_seconds(epochs))
        ours.append(program_seconds(program, epochs))
        if not i % 2:
            python.append(python_seconds(epochs))
        print(f"round {i + 1}: fit {python[-1]['steps']:.3f} s, mnist_vae {ours[-1]['steps']:.3f} s", file=sys.stderr)
    ratios = [p["steps"] / o["steps"] for p, o in zip(python, ours)]
    interval = median_interval(ratios)
    print(f"fit {statistics.median(p['steps'] for p in python):.3f} s, "
          f"mnist_vae {statistics.median(o['steps'] for o in ours):.3f} s in {epochs} epochs")
    print(f"ratio {statistics.median(ratios):.3f}, interval {interval and [round(r, 3) for r in interval]}")
    print(f"fit() beside its steps: {statistics.median(p['total'] - p['steps'] for p in python):.3f} s")
    print(f"last training loss: fit {python[-1]['loss']:.6g}, mnist_vae {ours[-1]['loss']:.6g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--fit", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fit:
        return fit(arguments.epochs)
    if not arguments.program:
        parser.error("expected the path of mnist_vae")
    compare(str(Path(arguments.program).resolve()), arguments.rounds, arguments.epochs)


if __name__ == "__main__":
    main()
