"""The base classes of VAE: those of scikit-learn or, without it, the same conventions in small."""

import inspect

import numpy as np

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import validate_data
except ImportError:
    validate_data = None

    class NotFittedError(ValueError, AttributeError):
        """Raised if an estimator is used before fit."""

    class BaseEstimator:
        """get_params and set_params, as in scikit-learn."""

        @classmethod
        def _names(cls):
            parameters = inspect.signature(cls.__init__).parameters
            return sorted(name for name in parameters if name != "self")

        def get_params(self, deep=True):
            """Returns the parameters of the constructor by name."""
            return {name: getattr(self, name) for name in self._names()}

        def set_params(self, **params):
            """Sets parameters of the constructor. Returns self."""
            for name, value in params.items():
                if name not in self._names():
                    raise ValueError(f"[set_params] expected one of {', '.join(self._names())}, got {name}")
                setattr(self, name, value)
            return self

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"

    class TransformerMixin:
        """fit_transform, as in scikit-learn."""

        def fit_transform(self, X, y=None, **fit_params):
            """Calls fit and then transform."""
            return self.fit(X, y, **fit_params).transform(X)


def check_rows(estimator, X, reset):
    """Returns X as a NumPy array [rows, features] of finite numbers, of any numeric type.

    With ``reset``, the number and names of the features are kept in the estimator. Otherwise X must match them.
    """
    X = host_array(X)
    if validate_data is not None:
        return validate_data(estimator, X, reset=reset)
    X = np.asarray(X)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"[VAE] expected rows [count, features] with at least one value, got shape {X.shape}")
    check_numbers(X)
    if reset:
        estimator.n_features_in_ = X.shape[1]
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    return X


def check_numbers(X):
    """Throws ValueError unless the array holds finite real numbers."""
    if X.dtype.kind not in "buif":
        raise ValueError(f"[VAE] expected real numbers, got an array of {X.dtype}")
    if X.dtype.kind == "f" and not np.isfinite(X).all():
        raise ValueError("[VAE] expected finite numbers, got NaN or infinity")


def host_array(X):
    """Returns arrays of other libraries, such as PyTorch and JAX, as NumPy arrays that share their memory.

    Objects without DLPack are returned unchanged.
    """
    if isinstance(X, np.ndarray) or not hasattr(X, "__dlpack_device__"):
        return X
    host = 1  # kDLCPU
    kind, index = X.__dlpack_device__()
    if int(kind) != host:
        raise ValueError(
            f"[VAE] expected an array in host memory, got {type(X).__name__} on device {index} of DLPack's kind "
            f"{int(kind)}: copy it to the CPU first"
        )
    try:
        return np.from_dlpack(X)
    except (BufferError, RuntimeError, TypeError) as error:
        raise ValueError(f"[VAE] expected an array that DLPack can export to NumPy: {error}") from error
