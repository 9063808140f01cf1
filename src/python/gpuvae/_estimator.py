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


def check_rows(estimator, X, reset, missing=False):
    """Returns X as a NumPy array [rows, features] of finite numbers, of any numeric type.

    With ``reset``, the number and names of the features are kept in the estimator. Otherwise X must match them. With
    ``missing``, elements that are NaN or masked are missing values, which are NaN in the result.
    """
    if missing and np.ma.is_masked(X):
        X = np.ma.filled(X.astype(np.float64), np.nan)
    refuse_masked(X)
    if validate_data is not None:
        options = {"ensure_all_finite": "allow-nan"} if missing else {}
        return real_numbers(validate_data(estimator, X, reset=reset, **options), missing)
    names = names_of_columns(X)
    X = np.asarray(X)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"[VAE] expected rows [count, features] with at least one value, got shape {X.shape}")
    X = real_numbers(X, missing)
    if reset:
        estimator.n_features_in_ = X.shape[1]
        vars(estimator).pop("feature_names_in_", None)
        if names is not None:
            estimator.feature_names_in_ = names
    check_names(estimator, names)
    check_features(estimator, X)
    return X


def names_of_columns(X):
    """Returns the names of the columns of a data frame as an array of objects, or None without names that are texts.

    Throws ValueError if only some of the names are texts.
    """
    # Other arrays and lists have no columns.
    names = list(getattr(X, "columns", ()))
    texts = sum(isinstance(name, str) for name in names)
    if 0 < texts < len(names):
        raise ValueError(f"[VAE] expected texts as the names of all columns, got {texts} among {len(names)} names")
    return np.array(names, dtype=object) if texts else None


def check_names(estimator, names):
    """Throws ValueError if rows and estimator both have names of features, and these differ or are in another order."""
    expected = getattr(estimator, "feature_names_in_", None)
    if names is None or expected is None:
        return
    for i, (name, other) in enumerate(zip(expected, names)):
        if name != other:
            raise ValueError(
                f"[VAE] expected the feature names of the training in their order, {name} as feature {i} (from 0), got "
                f"{other}"
            )


def check_features(estimator, X):
    """Throws ValueError unless X has as many features as the estimator."""
    if X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )


def refuse_masked(X):
    """Throws ValueError for an array with masked elements, whose mask np.asarray would drop."""
    if np.ma.is_masked(X):
        raise ValueError(
            f"[VAE] expected values for all elements, got a masked array with {np.ma.count_masked(X)} masked elements: "
            "fill them first, or leave out their rows"
        )


def real_numbers(X, missing=False):
    """Returns an array of finite real numbers unchanged, or converts an array of objects to float64.

    Throws ValueError if that is not possible, or if a number is not finite. With ``missing``, NaN is accepted.
    """
    if X.dtype == object:
        if missing:
            # pandas has an object for missing values, which float() refuses.
            X = np.where(np.frompyfunc(lambda value: type(value).__name__ == "NAType", 1, 1)(X).astype(bool), np.nan, X)
        try:
            X = X.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"[VAE] expected real numbers, got an array of objects: {error}") from error
    if X.dtype.kind not in "buif":
        raise ValueError(f"[VAE] expected real numbers, got an array of {X.dtype}")
    if X.dtype.kind == "f" and (np.isinf(X).any() if missing else not np.isfinite(X).all()):
        raise ValueError(f"[VAE] expected finite numbers, got {'' if missing else 'NaN or '}infinity")
    return X
