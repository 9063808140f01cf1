"""What the numbers of a model's data mean, and how they become the values that the model computes with."""

import dataclasses

import numpy as np

from gpuvae import _core
from gpuvae._device import DeviceArray, placed_like

# The limits of the kinds of values that the programs distinguish (ValueKind in gpuvae/data.h).
LIMITS = {"unit": (0, 1), "signed-unit": (-1, 1), "counts": (0, np.inf)}
# Likelihoods of values in [0, 1], of bytes, and of counts.
UNIT_LIKELIHOODS = ("bernoulli", "continuous-bernoulli")
BYTE_LIKELIHOODS = ("logistic-256",)
COUNT_LIKELIHOODS = ("poisson", "negative-binomial", "zero-inflated-negative-binomial")
# Finite numbers of float32.
FINITE = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))

# Rows that are scaled at a time, which limits the memory for their copies in float64.
BLOCK = 4096


@dataclasses.dataclass
class Values:
    """How numbers become the values of a model, which are float32, or bytes that the library divides by 255."""

    kind: str = "any"  # or "bytes", "unit", "signed-unit", "counts", "standardized"
    low: float = 0.0
    high: float = 0.0
    scaled: bool = False  # whether values are (x - low) / (high - low)
    mean: tuple = ()  # per feature, of standardised data; or empty
    stddev: tuple = ()
    missing_values: bool = False  # whether NaN is a missing value

    @classmethod
    def of(cls, X, likelihood, standardize, missing_values=False, column_types=""):
        """Describes the rows X of a training set.

        ``standardize`` applies to all numbers but bytes, unless the likelihood is one of values in [0, 1] or of counts.
        Of columns of several types, it applies to those of real numbers. Rows of uint8 that are only 0 and 1 are
        numbers.
        """
        values = cls._of(X, likelihood, standardize, column_types)
        values.missing_values = missing_values
        return values

    @classmethod
    def _of(cls, X, likelihood, standardize, column_types):
        empty = np.flatnonzero(np.isnan(X).all(axis=0))
        if empty.size == X.shape[1]:
            raise ValueError("[fit] expected numbers, got only missing values")
        if empty.size:
            raise ValueError(f"[fit] expected values in every feature, got only missing values in feature {empty[0]} (from 0)")
        low, high = float(np.nanmin(X)), float(np.nanmax(X))
        if likelihood in COUNT_LIKELIHOODS:
            if not low >= 0 or (X != np.floor(X))[~np.isnan(X)].any():
                raise ValueError(
                    f"[fit] expected counts, whole numbers of 0 or more, for the likelihood {likelihood}, got {low} to "
                    f"{high}"
                )
            return cls("counts", low, high)
        if likelihood == "columns":
            real = real_columns(column_types, X.shape[1])
            if not standardize or not any(real):
                return cls("any", low, high)
            values = cls("standardized", low, high, False, *moments_by_column(X, real))
            values.rounds_first = True
            return values
        if X.dtype == np.uint8 and X.max() > 1:
            return cls("bytes", 0.0, 255.0)
        if likelihood in BYTE_LIKELIHOODS:
            raise ValueError(f"[fit] expected uint8 for the likelihood {likelihood}, got {X.dtype}")
        if likelihood in UNIT_LIKELIHOODS:
            if not (low >= 0 and high <= 1):
                raise ValueError(
                    f"[fit] expected values in [0, 1] or uint8 for this likelihood, got {low} to {high}: scale X, "
                    'or choose likelihood="gaussian"'
                )
            return cls("unit", 0.0, 1.0)
        if standardize:
            return cls("standardized", low, high, False, *moments(X))
        check_resolution(X)
        return cls("any", low, high)

    # Whether training rows are rounded to float32 before they are standardised, as the programs do with columns of
    # several types. This is no field: it does not describe the data, and the file of a model has no place for it.
    rounds_first = False

    # The threshold above which values become 1 after training, as in training with binarize="threshold". Like
    # rounds_first, it does not describe the data.
    threshold = None

    def set_binarize(self, binarize, threshold):
        """Sets how the model's values become 0 or 1 in the methods. Random binarization belongs to training only."""
        self.threshold = float(threshold) if binarize == "threshold" else None

    def binarized(self, rows):
        """Returns the values of a model as 0 or 1 (0 or 255 for bytes) if it has a threshold. NaN stays."""
        if self.threshold is None:
            return rows
        if rows.dtype == np.uint8:
            bytes_above = np.arange(256, dtype=np.float32) / np.float32(255) > np.float32(self.threshold)
            return (np.uint8(255) * bytes_above)[rows]
        return np.where(np.isnan(rows), rows, rows > np.float32(self.threshold)).astype(np.float32)

    def training_rows(self, X, by_column=False):
        """Returns rows() of training rows."""
        if self.rounds_first and X.dtype != np.uint8:
            with np.errstate(over="ignore"):
                X = X.astype(np.float32)
        return self.rows(X, by_column)

    def rows(self, X, by_column=False):
        """Returns X [rows, features] as a C-contiguous float32 or uint8 array of the model's values.

        With ``by_column``, columns have types, so that uint8 is a type of numbers.
        """
        if self.kind == "bytes":
            return self._byte_rows(X)
        # Models with a range, or with missing values, are trained on floats in the units of the data, also on bytes.
        numbers = self.kind == "counts" or self.scaled or self.missing_values or by_column
        if X.dtype == np.uint8 and not numbers and X.max() > 1:
            raise ValueError("[VAE] the model was not trained on bytes: expected other numbers than uint8")
        self._check_limits(X)
        with np.errstate(over="ignore"):
            if not (self.scaled or self.mean):
                rows = np.ascontiguousarray(X, np.float32)
            else:
                rows = np.empty(X.shape, np.float32)
                for first in range(0, len(X), BLOCK):
                    rows[first : first + BLOCK] = self._scaled(X[first : first + BLOCK].astype(np.float64))
        check_float32(rows, X)
        return rows

    def accepts_unchanged(self, X):
        """Whether a float32 or uint8 array [rows, features] on a GPU holds the model's values as they are.

        If not, they must be computed on the host, where rows() also says what is wrong with unsuitable ones.
        """
        if self.scaled or self.mean or self.kind == "counts" or self.missing_values:
            return False
        if X.dtype != "float32":
            return X.dtype == "uint8" and self.kind == "bytes"
        return X.within(*((0, 1) if self.kind == "bytes" else LIMITS.get(self.kind, FINITE)))

    def _scaled(self, X):
        if self.scaled:
            return (X - self.low) / (self.high - self.low)
        stddev = np.asarray(self.stddev)
        scaled = np.where(stddev > 0, (X - self.mean) / np.where(stddev > 0, stddev, 1), 0)
        return np.where(np.isnan(X), np.nan, scaled)

    def restores(self):
        """Whether restored() changes rows."""
        return bool(self.scaled or self.mean)

    def restored(self, rows):
        """Reverses rows(): returns float64 in the units of the data, or else float32. Bytes stay in [0, 1]."""
        if self.scaled:
            return rows.astype(np.float64) * (self.high - self.low) + self.low
        if self.mean:
            return rows.astype(np.float64) * np.asarray(self.stddev) + np.asarray(self.mean)
        return rows

    def _byte_rows(self, X):
        # Only floats can be missing, which fit.
        numbers = X[~np.isnan(X)] if X.dtype.kind == "f" else X
        low, high = (numbers.min(), numbers.max()) if numbers.size else (0, 0)
        # The elements of bool are the numbers 0 and 1, and not bytes.
        if X.dtype.kind in "fb":
            if not (low >= 0 and high <= 1):
                raise ValueError(
                    f"[VAE] the model was trained on bytes: expected uint8, or floats in [0, 1], got floats from "
                    f"{low} to {high}"
                )
            return np.ascontiguousarray(X, np.float32)
        if not (low >= 0 and high <= 255):
            raise ValueError(f"[VAE] the model was trained on bytes: expected 0 to 255, got {low} to {high}")
        return np.ascontiguousarray(X, np.uint8)

    def _check_limits(self, X):
        low, high = (self.low, self.high) if self.scaled else LIMITS.get(self.kind, (-np.inf, np.inf))
        if np.isnan(X).all():
            return
        if not (np.nanmin(X) >= low and np.nanmax(X) <= high):
            raise ValueError(
                f"[VAE] the model was trained on values from {low:g} to {high:g}: expected the same range, got "
                f"{X.min()} to {X.max()}"
            )
        if self.kind == "counts" and not self.scaled and (X != np.floor(X))[~np.isnan(X)].any():
            raise ValueError("[VAE] the model was trained on counts: expected whole numbers, got fractions")


def has_column_types(settings):
    """Whether the columns of a model's rows have types."""
    return settings["likelihood"] == "columns" and bool(settings["column_types"])


def checked(rows, settings):
    """Returns the values of a model after it has checked that the types of their columns allow them."""
    if has_column_types(settings):
        _core.check_columns(rows, settings["column_types"])
    return rows


def rows_for_training(values, X, host, settings):
    """Returns the values of training rows X, a copy of which is ``host``, on the device of X."""
    # Computes the values also if they are not used, because that checks them.
    rows = checked(values.training_rows(host, by_column=has_column_types(settings)), settings)
    if isinstance(X, DeviceArray) and values.accepts_unchanged(X):
        return X
    return placed_like(X, rows)


def float32_numbers(X):
    """Returns finite numbers as a C-contiguous float32 array. Throws ValueError if one is too large."""
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(X, np.float32)
    check_float32(numbers, X)
    return numbers


def check_float32(numbers, X):
    """Throws ValueError if the conversion of finite numbers X to float32 made one of them infinite."""
    if np.isinf(numbers).any():
        raise ValueError(f"[VAE] expected numbers within the range of float32, got up to {np.nanmax(np.abs(X)):g}")


def moments(X):
    """Returns the means and standard deviations of the columns as two tuples, computed in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        if X.dtype.kind == "f" and np.isnan(X).any():
            mean, stddev = np.nanmean(X, axis=0, dtype=np.float64), np.nanstd(X, axis=0, dtype=np.float64)
        else:
            mean, stddev = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    if not (np.isfinite(mean).all() and np.isfinite(stddev).all()):
        raise ValueError(f"[fit] expected smaller numbers, got up to {np.nanmax(np.abs(X)):g}")
    # Rounding gives constant columns a small standard deviation.
    stddev[np.nanmin(X, axis=0) == np.nanmax(X, axis=0)] = 0
    return tuple(mean.tolist()), tuple(stddev.tolist())


def moments_by_column(X, chosen):
    """Returns moments() of the chosen columns in float32, and mean 0 and standard deviation 1 of the others.

    The sums are computed from the first row to the last, as in the programs, so that they have the same bits.
    """
    mean, stddev = np.zeros(X.shape[1]), np.ones(X.shape[1])
    for c in np.flatnonzero(chosen):
        with np.errstate(over="ignore", invalid="ignore"):
            column = X[:, c].astype(np.float32).astype(np.float64)
            column = column[~np.isnan(column)]
            mean[c] = np.cumsum(column)[-1] / len(column)
            stddev[c] = np.sqrt(np.cumsum((column - mean[c]) ** 2)[-1] / len(column))
        if not (np.isfinite(mean[c]) and np.isfinite(stddev[c])):
            raise ValueError(f"[fit] expected smaller numbers, got up to {np.nanmax(np.abs(X[:, c])):g}")
    return tuple(mean.tolist()), tuple(stddev.tolist())


def types_of_columns(column_types):
    """Returns the pairs (type, number of columns) of a text such as "gaussian:3,categorical:2".

    The library refuses other texts, for which the result is an empty list.
    """
    parts = [part.partition(":") for part in str(column_types).split(",")]
    return [(kind, int(n)) for kind, _, n in parts] if all(n.isdecimal() and len(n) < 10 for _, _, n in parts) else []


def real_columns(column_types, count):
    """Returns for each of ``count`` columns whether its type has real numbers, or [] for types of other columns."""
    types = types_of_columns(column_types)
    if sum(n for _, n in types) != count:
        return []
    return [kind in ("gaussian", "laplace") for kind, n in types for _ in range(n)]


def check_resolution(X):
    """Throws ValueError if float32 keeps fewer than 100 steps of a feature's range, as with times in Unix seconds."""
    if X.dtype in (np.float32, np.float16):
        return
    X = np.where(np.isnan(X).all(axis=0), 0, X)
    low, high = np.nanmin(X, axis=0).astype(np.float64), np.nanmax(X, axis=0).astype(np.float64)
    with np.errstate(over="ignore"):
        step = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32))
    coarse = np.flatnonzero((high > low) & np.isfinite(step) & (step > (high - low) / 100))
    if coarse.size:
        i = coarse[0]
        raise ValueError(
            f"[fit] feature {i} ranges from {low[i]} to {high[i]}, which float32 cannot resolve: subtract its mean "
            "in float64 first, for example with sklearn.preprocessing.StandardScaler"
        )
