"""The condition y of a conditional model p(x | y): the classes of rows, or columns of real numbers."""

import dataclasses

import numpy as np

from gpuvae._device import DeviceArray, on_host
from gpuvae._values import float32_numbers


# The types of classes.
CLASS_TYPES = (str, bytes, int, float)


@dataclasses.dataclass
class Condition:
    """How the condition of rows becomes the columns that follow their features or codes."""

    classes: tuple = ()  # the classes of a one-hot code, in the order of its columns; or empty
    columns: int = 0  # the number of columns of real numbers; 0 with classes
    offset: tuple = ()  # per column of real numbers, which become (x - offset) / scale; or empty
    scale: tuple = ()  # 0 for a column that was constant in training
    trained: tuple = ()  # the classes that the training rows had, if they are fewer than the classes
    names: tuple = ()  # the names of the columns, if the training rows had a data frame as condition

    @classmethod
    def of(cls, condition, count, binarize="none"):
        """Describes the condition of training rows: [count] classes, or real numbers [count, columns].

        The training would binarize real numbers together with the features, so ``binarize`` must be "none" for them.
        """
        y = np.asarray(on_host(condition))
        if y.ndim == 1:
            check_count(y, count)
            check_class_values(condition, y)
            if y.dtype.kind == "f" and not (np.isfinite(y).all() and (y == np.floor(y)).all()):
                raise ValueError("[fit] expected classes as condition [rows], got fractions: real numbers are [rows, columns]")
            classes = tuple(np.unique(y).tolist())
            if len(classes) > 256:
                raise ValueError(f"[fit] expected at most 256 classes as condition, got {len(classes)}")
            return cls(classes=classes)
        if y.ndim != 2 or y.shape[1] == 0:
            raise ValueError(f"[fit] expected a condition of [rows] classes or [rows, columns], got shape {y.shape}")
        if binarize != "none":
            raise ValueError(f'[fit] expected binarize="none" for a condition of real numbers, got {binarize!r}')
        return cls(columns=y.shape[1], names=frame_names(condition))

    def __len__(self):
        """The number of columns."""
        return len(self.classes) or self.columns

    def codes(self, condition, count):
        """Returns the columns, float32 [count, len(self)], for the condition of `count` rows or one for all rows."""
        if condition is None:
            raise ValueError("[VAE] expected a condition, because the model was trained with one, got None")
        y = np.asarray(on_host(condition))
        if self.classes:
            if y.ndim == 0:
                y = np.full(count, y)
            check_count(y, count)
            known = self.trained or self.classes
            index = {name: i for i, name in enumerate(self.classes) if name in known}
            # Objects of other types may have no hash.
            unknown = [name for name in y.tolist() if not isinstance(name, CLASS_TYPES) or name not in index]
            if y.ndim != 1:
                unknown = [f"shape {y.shape}"]
            if unknown:
                raise ValueError(
                    f"[VAE] expected classes among {', '.join(map(str, known))} as condition [rows], got "
                    f"{unknown[0]}"
                )
            return np.eye(len(self), dtype=np.float32)[[index[name] for name in y.tolist()]]
        given = frame_names(condition)
        if self.names and given and given != self.names:
            raise ValueError(
                f"[VAE] expected a condition with the columns {', '.join(self.names)} in this order, got {', '.join(given)}"
            )
        return self._scaled(self._numbers(y, count))

    def _numbers(self, y, count):
        # Returns the columns of real numbers in the units of the training data.
        y = np.broadcast_to(y, (count, self.columns)) if y.ndim == 1 and len(y) == self.columns else y
        if y.ndim != 2 or y.shape[1] != self.columns:
            raise ValueError(f"[VAE] expected a condition of [rows, {self.columns}], got shape {y.shape}")
        check_count(y, count)
        if y.dtype.kind not in "buif" or not np.isfinite(y).all():
            raise ValueError("[VAE] expected finite real numbers as condition")
        return y

    def _scaled(self, numbers):
        if not self.scale:
            return float32_numbers(numbers)
        scale = np.asarray(self.scale)
        centred = numbers.astype(np.float64) - np.asarray(self.offset)
        return float32_numbers(np.where(scale > 0, centred / np.where(scale > 0, scale, 1), 0))

    def joined(self, rows, condition):
        """Returns rows, the values of a model or codes, followed by the columns of the condition."""
        if not len(self):
            if condition is not None:
                raise ValueError("[VAE] expected no condition for a model without one: pass it to fit(X, condition=y)")
            return rows
        if isinstance(rows, DeviceArray):
            raise ValueError("[VAE] expected rows in host memory for a model with a condition, got an array on a GPU")
        codes = self.codes(condition, len(rows))
        if rows.dtype == np.uint8:
            if self.columns:
                rows = rows.astype(np.float32) / np.float32(255)
            else:
                codes = (255 * codes).astype(np.uint8)
        return np.ascontiguousarray(np.concatenate([rows, codes], axis=1))


def frame_names(condition):
    """Returns the names of the columns of a data frame; an empty tuple for other objects and for names that are no texts."""
    names = getattr(condition, "columns", ())
    names = () if callable(names) else tuple(names)
    return names if all(isinstance(name, str) for name in names) else ()


def check_class_values(condition, y):
    """Throws ValueError unless the classes y of a condition are all texts or all numbers, none of which is missing."""
    # NumPy makes texts of the numbers and NaN in a list with texts.
    given = np.asarray(condition, dtype=object) if y.dtype.kind == "U" and not isinstance(condition, np.ndarray) else y
    values = given.tolist()
    kinds = (str, bytes) if any(isinstance(v, str) for v in values) else CLASS_TYPES
    wrong = [v for v in values if not isinstance(v, kinds) or v != v]
    if wrong:
        raise ValueError(f"[fit] expected texts or whole numbers as classes [rows], got {wrong[0]!r} among them")


def check_count(y, count):
    """Throws ValueError unless y has `count` rows."""
    if y.ndim == 0 or len(y) != count:
        raise ValueError(f"[VAE] expected a condition for each of {count} rows, got shape {y.shape}")
