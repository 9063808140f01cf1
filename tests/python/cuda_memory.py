"""A small library of arrays on CUDA device 0, which exports and imports them by DLPack as PyTorch and CuPy do.

It calls the CUDA runtime that the environment variable GPUVAE_CUDART names: libcudart.so or the emulated device.
"""

import ctypes
import os

import numpy as np

HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2
NON_BLOCKING = 1
LEGACY_STREAM = 1
exporting = set()  # arrays whose memory a consumer has not released yet


class DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                ("ndim", ctypes.c_int32), ("dtype", DataType), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = [("tensor", DLTensor), ("context", ctypes.c_void_p), ("deleter", DELETER)]


CODES = {"i": 0, "u": 1, "f": 2, "b": 6}
NAME, USED = b"dltensor", b"used_dltensor"
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype, capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
set_capsule_name = ctypes.pythonapi.PyCapsule_SetName
set_capsule_name.argtypes = [ctypes.py_object, ctypes.c_char_p]

runtime = ctypes.CDLL(os.environ["GPUVAE_CUDART"], mode=ctypes.RTLD_GLOBAL) if "GPUVAE_CUDART" in os.environ else None


def call(name, *arguments):
    error = getattr(runtime, name)(*arguments)
    assert error == 0, f"{name} returned {error}"


def new_stream():
    """Returns a stream that the legacy default stream does not wait for."""
    stream = ctypes.c_void_p()
    call("cudaStreamCreateWithFlags", ctypes.byref(stream), ctypes.c_uint(NON_BLOCKING))
    return stream.value


def wait_for(later, earlier):
    """Makes the stream `later` wait for the work that is queued on `earlier`."""
    event = ctypes.c_void_p()
    call("cudaEventCreateWithFlags", ctypes.byref(event), ctypes.c_uint(2))
    call("cudaEventRecord", event, ctypes.c_void_p(earlier))
    call("cudaStreamWaitEvent", ctypes.c_void_p(later), event, ctypes.c_uint(0))
    call("cudaEventDestroy", event)


class Array:
    """A copy of a NumPy array on the device, which a stream of its own writes."""

    kind, device = 2, 0  # as __dlpack_device__ returns them

    def __init__(self, values, strides=None, stream=None):
        values = np.ascontiguousarray(values)
        self.stream = stream or new_stream()
        self.shape, self.dtype, self.strides = values.shape, values.dtype, strides
        self.memory = Memory(values.nbytes, self.stream)
        self.deleter = DELETER(self.release)
        self.requested = []  # the streams that consumers passed
        self.exports = {}  # managed tensors that a consumer has not released yet
        self.source = values
        call("cudaMemcpyAsync", ctypes.c_void_p(self.memory.pointer), values.ctypes.data_as(ctypes.c_void_p),
             ctypes.c_size_t(values.nbytes), ctypes.c_int(HOST_TO_DEVICE), ctypes.c_void_p(self.stream))

    def __dlpack_device__(self):
        return (self.kind, self.device)

    def __dlpack__(self, *, stream=None):
        self.requested.append(stream)
        if stream != self.stream:
            wait_for(LEGACY_STREAM if stream is None else stream, self.stream)
        n = len(self.shape)
        managed = Managed()
        shape = (ctypes.c_int64 * n)(*self.shape)
        strides = (ctypes.c_int64 * n)(*self.strides) if self.strides else None
        managed.tensor = DLTensor(self.memory.pointer, 2, 0, n,
                                  DataType(CODES[self.dtype.kind], self.dtype.itemsize * 8, 1), shape, strides, 0)
        managed.deleter = self.deleter
        address = ctypes.addressof(managed)
        self.exports[address] = (managed, shape, strides)
        exporting.add(self)
        return new_capsule(address, NAME, None)

    def release(self, address):
        del self.exports[address]
        if not self.exports:
            exporting.discard(self)


class Memory:
    """Memory of the device, which is freed after the work of one stream, whatever others still do."""

    def __init__(self, size, stream):
        self.stream = stream
        pointer = ctypes.c_void_p()
        call("cudaMalloc", ctypes.byref(pointer), ctypes.c_size_t(size))
        self.pointer = pointer.value

    def __del__(self):
        call("cudaFreeAsync", ctypes.c_void_p(self.pointer), ctypes.c_void_p(self.stream))


def pointer_of(array):
    """Returns the address of the elements of an array on the device."""
    capsule = array.__dlpack__(stream=-1)
    managed = Managed.from_address(capsule_pointer(capsule, NAME))
    pointer = managed.tensor.data + managed.tensor.byte_offset
    release(capsule)
    return pointer


def release(capsule):
    """Consumes a capsule and lets its producer free the memory."""
    address = capsule_pointer(capsule, NAME)
    set_capsule_name(capsule, USED)
    managed = Managed.from_address(address)
    managed.deleter(address)


def from_dlpack(array):
    """Copies an array on the device to NumPy, on a new stream, as a consumer of DLPack does."""
    assert array.__dlpack_device__() == (2, 0)
    stream = new_stream()
    capsule = array.__dlpack__(stream=stream)
    tensor = Managed.from_address(capsule_pointer(capsule, NAME)).tensor
    kind = {code: letter for letter, code in CODES.items()}[tensor.dtype.code]
    result = np.empty([tensor.shape[i] for i in range(tensor.ndim)], f"{kind}{tensor.dtype.bits // 8}")
    call("cudaMemcpyAsync", result.ctypes.data_as(ctypes.c_void_p), ctypes.c_void_p(tensor.data + tensor.byte_offset),
         ctypes.c_size_t(result.nbytes), ctypes.c_int(DEVICE_TO_HOST), ctypes.c_void_p(stream))
    call("cudaStreamSynchronize", ctypes.c_void_p(stream))
    release(capsule)
    return result
