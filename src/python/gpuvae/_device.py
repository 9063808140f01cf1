"""Arrays in the memory of a GPU, and the stream that they are used on."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from gpuvae._core import DeviceArray, StreamScope

# Kinds of devices in DLPack.
HOST, CUDA = 1, 2


class SupportsDLPack(Protocol):
    """An array of any library with DLPack."""

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any:
        """Returns a DLPack capsule."""

    def __dlpack_device__(self) -> tuple[Any, int]:
        """Returns the kind of the device in DLPack, and its index."""


def imported(X):
    """Returns arrays of other libraries, such as PyTorch and JAX, without a copy.

    Arrays in the memory of a CUDA device become a DeviceArray, and those in host memory an array of NumPy. Objects
    without DLPack are returned unchanged.
    """
    if isinstance(X, (np.ndarray, DeviceArray)):
        return X
    if type(X).__name__ == "PyCapsule":
        raise ValueError("[VAE] expected an array, got a DLPack capsule: pass the array that exports it")
    if not hasattr(X, "__dlpack_device__"):
        return X
    kind, index = X.__dlpack_device__()
    if int(kind) not in (HOST, CUDA):
        raise ValueError(
            f"[VAE] expected an array in host memory or on a CUDA device, got {type(X).__name__} on device {index} of "
            f"DLPack's kind {int(kind)}: copy it to the CPU first"
        )
    # On a GPU, RuntimeError is a failure of the device.
    refusals = (BufferError, TypeError) if int(kind) == CUDA else (BufferError, TypeError, RuntimeError)
    try:
        return DeviceArray.from_dlpack(X, index) if int(kind) == CUDA else np.from_dlpack(X)
    except refusals as error:
        raise ValueError(f"[VAE] expected an array that DLPack can export: {error}") from error


def on_host(X):
    """Returns a DeviceArray as an array of NumPy, and other objects unchanged."""
    return X.numpy() if isinstance(X, DeviceArray) else X


def placed_like(X, rows):
    """Returns the NumPy array ``rows`` on the GPU of X, or unchanged if X is not on a GPU."""
    return DeviceArray.upload(rows, X.device) if isinstance(X, DeviceArray) else rows


@contextlib.contextmanager
def use_stream(stream: Any, device: str = "cuda") -> Iterator[None]:
    """Makes this thread use a CUDA stream for the work on ``device`` within a ``with`` statement.

    ``stream`` is a stream of PyTorch or CuPy, an object with ``__cuda_stream__``, or a cudaStream_t as a number. It
    must exist until the end of the statement. Without this, work goes to the legacy default stream of CUDA.
    """
    scope = StreamScope(device, _handle(stream))
    try:
        yield
    finally:
        scope.close()


def _handle(stream):
    if hasattr(stream, "__cuda_stream__"):
        return stream.__cuda_stream__()[1]
    for name in ("cuda_stream", "ptr"):  # PyTorch, CuPy
        if hasattr(stream, name):
            return getattr(stream, name)
    return operator.index(stream)
