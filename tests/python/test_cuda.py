"""Arrays on a CUDA device, by DLPack in and out. The tests need GPUVAE_CUDART; see cuda_memory.py."""

import os

import numpy as np
import pytest

if "GPUVAE_CUDART" not in os.environ:
    pytest.skip("GPUVAE_CUDART does not name a CUDA runtime", allow_module_level=True)

# Loads the runtime, which must happen before the import of gpuvae if it is the emulated device.
import cuda_memory
from cuda_memory import Array, from_dlpack, new_stream, pointer_of

import gpuvae


def same(actual, expected):
    """Whether an array on the device has the bits, the shape and the type of an array in host memory."""
    assert isinstance(actual, gpuvae.DeviceArray) and actual.device == "cuda:0"
    values = from_dlpack(actual)
    return values.dtype == expected.dtype and values.shape == expected.shape and (values == expected).all()


@pytest.fixture
def unit_rows():
    """Rows [150, 12] of float32 in [0, 1]."""
    return np.random.default_rng(4).random((150, 12), np.float32)


def fitted(X, **arguments):
    return gpuvae.VAE(**{"hidden": (8,), "epochs": 2, "batch_size": 50, "likelihood": "bernoulli", "device": "cuda",
                         "verbose": False, **arguments}).fit(X)


def test_fit_gives_the_bits_of_rows_in_host_memory(unit_rows):
    host = fitted(unit_rows)
    device = fitted(Array(unit_rows), device="auto")
    assert device._model.device == "cuda:0"
    for name, values in host._model.parameters().items():
        assert (device._model.parameters()[name] == values).all(), name
    assert [row["train_loss"] for row in device._history] == [row["train_loss"] for row in host._history]
    with_validation = fitted(unit_rows)
    with_validation.fit(Array(unit_rows), validation=Array(unit_rows[:30]))
    again = fitted(unit_rows)
    again.fit(unit_rows, validation=unit_rows[:30])
    assert with_validation._history[-1]["val_loss"] == again._history[-1]["val_loss"]


def test_results_are_on_the_device_with_the_same_bits(unit_rows):
    vae = fitted(unit_rows)
    rows = Array(unit_rows)
    codes = vae.transform(unit_rows)
    assert same(vae.transform(rows), codes)
    assert same(vae.reconstruct(rows), vae.reconstruct(unit_rows))
    assert same(vae.inverse_transform(Array(codes)), vae.inverse_transform(codes))
    assert same(vae.inverse_transform(Array(codes.astype(np.float64))), vae.inverse_transform(codes))
    scores = vae.score_samples(unit_rows[:40])
    assert same(vae.score_samples(Array(unit_rows[:40])), scores)
    assert vae.score(Array(unit_rows[:40])) == scores.mean()
    # A result is an input, without a detour.
    assert same(vae.inverse_transform(vae.transform(rows)), vae.inverse_transform(codes))


def test_codes_agree_with_the_cpu(unit_rows):
    vae = fitted(unit_rows)
    on_cpu = gpuvae.VAE(hidden=(8,), epochs=0, likelihood="bernoulli", device="cpu", verbose=False).fit(unit_rows)
    for name, values in vae._model.parameters().items():
        on_cpu._model.set_parameter(name, values)
    error = np.abs(from_dlpack(vae.transform(Array(unit_rows))) - on_cpu.transform(unit_rows)).max()
    assert error <= 1e-5


def test_memory_is_shared(unit_rows):
    rows = Array(unit_rows)
    imported = gpuvae.DeviceArray.from_dlpack(rows, 0)
    assert pointer_of(imported) == rows.memory.pointer
    assert len(rows.exports) == 1
    vae = fitted(unit_rows)
    assert vae._rows(imported) is imported
    codes = vae.transform(rows)
    assert pointer_of(codes) == pointer_of(codes)
    copied = codes.__dlpack__(stream=-1, copy=True)
    address = cuda_memory.Managed.from_address(cuda_memory.capsule_pointer(copied, b"dltensor")).tensor.data
    assert address != pointer_of(codes)
    cuda_memory.release(copied)
    del imported
    assert rows.exports == {}


def test_results_outlive_the_arrays_that_made_them(unit_rows):
    vae = fitted(unit_rows)
    codes = vae.transform(Array(unit_rows))
    capsule = codes.__dlpack__(stream=-1)
    expected = from_dlpack(codes)
    del codes
    tensor = cuda_memory.Managed.from_address(cuda_memory.capsule_pointer(capsule, b"dltensor")).tensor
    assert [tensor.shape[i] for i in range(tensor.ndim)] == list(expected.shape)
    cuda_memory.release(capsule)


def test_the_library_waits_for_the_stream_of_the_producer(unit_rows):
    vae = fitted(unit_rows)
    expected = vae.transform(unit_rows)
    rows = Array(unit_rows)
    assert same(vae.transform(rows), expected)
    assert rows.requested == [cuda_memory.LEGACY_STREAM]
    stream = new_stream()
    rows = Array(unit_rows, stream=stream)
    with gpuvae.use_stream(stream):
        assert same(vae.transform(rows), expected)
        assert rows.requested == [stream]
    vae.transform(rows)
    assert rows.requested == [stream, cuda_memory.LEGACY_STREAM]


def test_streams_of_other_libraries(unit_rows):
    class Torch:
        cuda_stream = new_stream()

    class CuPy:
        ptr = new_stream()

    class Protocol:
        handle = new_stream()

        def __cuda_stream__(self):
            return (0, self.handle)

    vae = fitted(unit_rows)
    for stream, handle in ((Torch(), Torch.cuda_stream), (CuPy(), CuPy.ptr), (Protocol(), Protocol.handle)):
        rows = Array(unit_rows)
        with gpuvae.use_stream(stream, "cuda:0"):
            vae.transform(rows)
        assert rows.requested == [handle]
    with pytest.raises(ValueError, match="expected a CUDA device"), gpuvae.use_stream(0, "cpu"):
        pass
    with pytest.raises(TypeError), gpuvae.use_stream("stream"):
        pass


def test_bytes():
    images = np.random.default_rng(5).integers(0, 256, (150, 12), np.uint8)
    host, device = fitted(images), fitted(Array(images))
    assert same(device.transform(Array(images)), host.transform(images))
    assert same(device.transform(Array(images / np.float32(255))), host.transform(images / np.float32(255)))
    assert same(device.transform(Array(images.astype(np.int32))), host.transform(images))


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_the_threshold_of_a_model_binarizes_rows_on_the_device(unit_rows, dtype):
    x = unit_rows if dtype == np.float32 else (255 * unit_rows).astype(np.uint8)
    vae = fitted(Array(x), binarize="threshold")
    for name, values in fitted(x, binarize="threshold")._model.parameters().items():
        assert (vae._model.parameters()[name] == values).all(), name
    binary = (unit_rows > 0.5 if dtype == np.float32 else x > 127).astype(np.float32)
    assert (vae.transform(x) == vae.transform(binary)).all()
    assert same(vae.transform(Array(x)), vae.transform(x))
    assert same(vae.score_samples(Array(x[:40])), vae.score_samples(x[:40]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardised_data_are_converted_in_float64(rows, dtype):
    rows = (rows + 1000).astype(dtype)
    arguments = {"likelihood": "gaussian"}
    host, device = fitted(rows, **arguments), fitted(Array(rows), **arguments)
    codes = host.transform(rows)
    assert same(device.transform(Array(rows)), codes)
    restored = host.inverse_transform(codes)
    assert restored.dtype == np.float64
    assert same(device.inverse_transform(Array(codes)), restored)


def test_copies_in_host_memory(unit_rows):
    vae = fitted(unit_rows)
    codes = vae.transform(Array(unit_rows))
    expected = vae.transform(unit_rows)
    assert (codes.numpy() == expected).all()
    assert (np.asarray(codes) == expected).all()
    assert np.asarray(codes, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy is allowed"):
        np.asarray(codes, copy=False)
    assert (codes.shape, codes.dtype, len(codes)) == ((150, 2), "float32", 150)
    assert repr(codes) == "DeviceArray(f32[150, 2] on cuda:0)"


def with_nan(rows):
    rows = rows.copy()
    rows[7, 3] = np.nan
    return rows


@pytest.mark.parametrize("change, message", [
    (lambda x: Array(x[:, :5]), "5 features"),
    (lambda x: Array(x[0]), "1D array|rows"),
    (lambda x: Array(with_nan(x)), "NaN"),
    (lambda x: Array(x * 2), "from 0 to 1"),
    (lambda x: Array(x.astype(np.float16)), "expected float32, float64, uint8 or int32.*code 2 with 16 bits"),
    (lambda x: Array(x.astype(bool)), "another type"),
    (lambda x: Array(x, strides=(1, 150)), "contiguous"),
    (lambda x: Array(x[:, :6], strides=(12, 1)), "contiguous"),
])
def test_unsuitable_arrays(unit_rows, change, message):
    vae = fitted(unit_rows)
    array = change(unit_rows)
    with pytest.raises(ValueError, match=message):
        vae.transform(array)
    assert array.exports == {}


def test_wrong_devices(unit_rows):
    rows = Array(unit_rows)
    on_cpu = gpuvae.VAE(hidden=(8,), epochs=1, likelihood="bernoulli", device="cpu", verbose=False)
    with pytest.raises(ValueError, match=r"\[fit\] expected an array in host memory or on cpu.*got one on cuda:0"):
        on_cpu.fit(rows)
    on_cpu.fit(unit_rows)
    with pytest.raises(ValueError, match=r"\[transform\].*got one on cuda:0"):
        on_cpu.transform(rows)
    rows.device = 7
    with pytest.raises((ValueError, RuntimeError), match="expected a CUDA device"):
        on_cpu.transform(rows)
    rows.device, rows.kind = 0, 8
    with pytest.raises(ValueError, match="DLPack's kind 8"):
        on_cpu.transform(rows)


def test_capsules(unit_rows):
    vae = fitted(unit_rows)
    rows = Array(unit_rows)
    capsule = rows.__dlpack__(stream=1)

    class Once(Array):
        def __dlpack__(self, *, stream=None):
            return capsule

    once = Once(unit_rows)
    vae.transform(once)
    with pytest.raises(ValueError, match="consumed before"):
        vae.transform(once)
    with pytest.raises(ValueError, match="pass the array that exports it"):
        vae.transform(capsule)

    class Refusing(Array):
        def __dlpack__(self, *, stream=None):
            raise BufferError("requires a gradient")

    class Text(Array):
        def __dlpack__(self, *, stream=None):
            return "a text"

    with pytest.raises(ValueError, match="requires a gradient"):
        vae.transform(Refusing(unit_rows))
    with pytest.raises(ValueError, match="another object"):
        vae.transform(Text(unit_rows))


def test_arguments_of_dlpack(unit_rows):
    codes = fitted(unit_rows).transform(Array(unit_rows))
    for stream in (None, -1, 1, 2, new_stream()):
        cuda_memory.release(codes.__dlpack__(stream=stream, max_version=(1, 0), dl_device=(2, 0), copy=False))
    with pytest.raises(ValueError, match="as stream, got 0"):
        codes.__dlpack__(stream=0)
    with pytest.raises(TypeError, match="a number as stream"):
        codes.__dlpack__(stream="1")
    with pytest.raises(BufferError, match="dl_device"):
        codes.__dlpack__(dl_device=(1, 0))
    # A capsule that nobody consumes frees its tensor.
    del codes
