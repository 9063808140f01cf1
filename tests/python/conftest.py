"""Data and programs for the tests of the Python package."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def rows():
    """Correlated rows [300, 5] of float64."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(300, 2)) @ generator.normal(size=(2, 5)) + 0.3 * generator.normal(size=(300, 5))


@pytest.fixture
def images():
    """Bytes [200, 64] from 0 to 255: blocks of light on black."""
    generator = np.random.default_rng(1)
    images = np.zeros((200, 8, 8), np.uint8)
    for image, (y, x) in zip(images, generator.integers(0, 5, (200, 2))):
        image[y : y + 3, x : x + 3] = generator.integers(100, 256, (3, 3))
    return images.reshape(200, 64)


@pytest.fixture
def vae(rows):
    """A trained model of the rows."""
    import gpuvae  # here, because test_cuda.py loads a CUDA runtime before it imports gpuvae

    return gpuvae.VAE(latent=2, hidden=(16, 8), epochs=5, batch_size=50, verbose=False).fit(rows)


@pytest.fixture
def program():
    """Returns a function that runs one of the programs and returns its output."""
    folder = os.environ.get("GPUVAE_PROGRAMS")
    if not folder or not (Path(folder) / "vae").exists():
        pytest.skip("GPUVAE_PROGRAMS does not name a folder with the program vae")

    def run(name, *arguments, cwd):
        command = [str(Path(folder) / name), *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout

    return run
