"""libtorch: builds libtorch_peer.cpp against the libraries inside the torch package and calls it. It does not use
CMake, because TorchConfig.cmake requires the CUDA toolkit that the package was built with, which a machine without a
GPU lacks."""
import ctypes
import importlib.util
import math
import os
import subprocess
from pathlib import Path

import images
from child import Skip

SOURCE = Path(__file__).with_suffix(".cpp")


class Settings(ctypes.Structure):
    _fields_ = ([("images", ctypes.c_void_p)] +
                [(n, ctypes.c_int64) for n in ("count", "pixels", "hidden", "latent", "batch", "seed", "threads")] +
                [(n, ctypes.c_int) for n in ("gaussian", "adam", "cuda")] +
                [(n, ctypes.c_double) for n in ("learning_rate", "beta1", "beta2", "epsilon")])


def torch_folder():
    spec = importlib.util.find_spec("torch")
    if spec is None or not (Path(spec.origin).parent / "include/torch").exists():
        raise Skip("no torch package with C++ headers")
    return Path(spec.origin).parent


def build(folder, cuda):
    """Returns the shared library and rebuilds it only if the source or the package is newer."""
    torch = torch_folder()
    library = Path(folder) / f"libtorch_peer{'_cuda' if cuda else ''}.so"
    if library.exists() and library.stat().st_mtime > max(SOURCE.stat().st_mtime, torch.stat().st_mtime):
        return library
    include, lib = torch / "include", torch / "lib"
    kinds = ["-ltorch", "-ltorch_cpu", "-lc10"] + (["-ltorch_cuda", "-lc10_cuda"] if cuda else [])
    partial = library.with_suffix(f".{os.getpid()}")
    command = [os.environ.get("CXX", "g++"), "-std=c++20", "-O2", "-shared", "-fPIC", "-w", f"-I{include}",
               f"-I{include}/torch/csrc/api/include", str(SOURCE), "-o", str(partial), f"-L{lib}", f"-Wl,-rpath,{lib}",
               "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", *kinds]
    subprocess.run(command, check=True)
    partial.replace(library)
    return library


def setup(config):
    global library
    library = ctypes.CDLL(str(build(config["scratch"], config["device"] == "cuda")))
    library.peer_error.restype = library.peer_version.restype = ctypes.c_char_p
    library.peer_epoch.restype = ctypes.c_double
    x = images.read(config["images"], config["limit"]).copy()
    o = config["optimizer"]
    settings = Settings(x.ctypes.data, *x.shape, *(config[n] for n in ("hidden", "latent", "batch", "seed", "threads")),
                        config["likelihood"] == "gaussian", o["kind"] == "adam", config["device"] == "cuda",
                        o["learning_rate"], o["beta1"], o["beta2"], o["epsilon"])
    if library.peer_setup(ctypes.byref(settings)):
        raise RuntimeError(library.peer_error().decode())

    def epoch():
        loss = library.peer_epoch()
        if math.isnan(loss):
            raise RuntimeError(library.peer_error().decode() or "the loss is NaN")
        return loss

    return epoch


def versions():
    return {"libtorch": library.peer_version().decode()}
