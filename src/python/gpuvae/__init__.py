"""Variational autoencoders, trained by fused kernels on the CPU or a CUDA GPU.

    import gpuvae
    vae = gpuvae.VAE(latent=2, likelihood="bernoulli", epochs=10).fit(X)
    codes = vae.transform(X)

``VAE`` follows the conventions of scikit-learn, and derives from its classes if scikit-learn is installed.
"""

from typing import TYPE_CHECKING

from gpuvae._core import DeviceArray, __version__, num_threads, set_log, set_num_threads

if TYPE_CHECKING:
    from gpuvae._device import use_stream
    from gpuvae._vae import VAE, load

__all__ = ["VAE", "DeviceArray", "__version__", "load", "num_threads", "set_log", "set_num_threads", "use_stream"]


def __getattr__(name):
    # Importing scikit-learn takes most of a second, so it waits until the first use of VAE.
    if name in ("VAE", "load"):
        from gpuvae import _vae

        globals().update(VAE=_vae.VAE, load=_vae.load)
        return globals()[name]
    if name == "use_stream":  # imports NumPy
        from gpuvae._device import use_stream

        return use_stream
    raise AttributeError(f"module 'gpuvae' has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
