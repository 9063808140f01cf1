"""The types of the package, as mypy sees them."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gpuvae
from gpuvae import _core

PACKAGE = Path(gpuvae.__file__).parent

GOOD = """
import numpy as np
from numpy.typing import NDArray
import gpuvae

X = np.zeros((10, 4), np.float32)
vae: gpuvae.VAE = gpuvae.VAE(latent=2, hidden=8).fit(X, validation=X[:2], callback=lambda row: row["epoch"] > 3)
codes: NDArray[np.float32] = vae.transform(X)
scores: NDArray[np.float64] = vae.score_samples(X.tolist(), samples=3)
mean: float = vae.score(X)
loaded: gpuvae.VAE = gpuvae.load("runs/x", device="cpu")
threads: int = gpuvae.num_threads()
exemplars: gpuvae.VAE = loaded.set_exemplars(X, condition=[0] * 10)
def receive(level: str, operation: str, text: str) -> None: ...
gpuvae.set_log(receive, lowest="debug")
gpuvae.set_log(None)
version: str = gpuvae.__version__
def on_gpu(array: gpuvae.DeviceArray) -> None:
    with gpuvae.use_stream(0, "cuda:1"):
        vae.inverse_transform(vae.transform(array)).numpy()
    print(array.shape, array.dtype, len(array), array.numpy())
"""

# Each line is an error.
BAD = """
gpuvae.VAE(latent="two")
gpuvae.VAE(latnt=2)
gpuvae.VAE().fit()
gpuvae.load(3)
gpuvae.VAE().score([[1.0]]) + "x"
gpuvae.VAE().sample("two")
gpuvae.set_num_threads("all")
gpuvae.set_log(3)
"""


def mypy(file, folder):
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    # mypy finds installed packages itself.
    paths = {} if "site-packages" in PACKAGE.parts else {"MYPYPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(folder / "cache"), "--follow-imports=silent", str(file)]
    return subprocess.run(command, env={**os.environ, **paths}, cwd=folder, capture_output=True, text=True)


def test_the_example_and_good_calls_are_accepted(tmp_path):
    good = tmp_path / "good.py"
    good.write_text(GOOD)
    for file in (Path(__file__).parents[2] / "apps/examples/python_vae.py", good):
        result = mypy(file, tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr


def test_bad_calls_are_refused(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("import gpuvae" + BAD)
    result = mypy(bad, tmp_path)
    lines = {int(line.split(":")[1]) for line in result.stdout.splitlines() if ": error:" in line}
    assert lines == set(range(2, 2 + BAD.strip().count("\n") + 1)), result.stdout + result.stderr


def test_the_stub_has_all_names_of_the_extension():
    stub = ast.parse((PACKAGE / "_core.pyi").read_text())
    names = {node.name for node in stub.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    names |= {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
    assert names >= {name for name in vars(_core) if not name.startswith("__")}
    assert (PACKAGE / "py.typed").exists()
