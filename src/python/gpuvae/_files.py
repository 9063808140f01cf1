"""Model files and run folders, in the format of the programs vae, mnist_vae and frey_vae."""

import csv
import dataclasses
import json
from pathlib import Path

from gpuvae import _core
from gpuvae._condition import Condition
from gpuvae._settings import to_file
from gpuvae._values import Values

MODEL_FILE = "model.safetensors"


def model_file(path):
    """Returns the model file of a path: itself if it is a file or ends in .safetensors, else the one in the folder."""
    path = Path(path)
    return path if path.suffix == ".safetensors" or path.is_file() else path / MODEL_FILE


def run_files(folder):
    """Returns the names of files in a folder that say that the programs wrote a run there."""
    return [name for name in ("config.toml", "metrics.csv", "checkpoint.safetensors") if (folder / name).exists()]


def describe(data, settings, history, condition, rows):
    """Returns the metadata of the file of a model that fit() trained.

    ``data`` is the description of its training data, and ``settings`` those of the model and of its training. ``rows``
    are the training rows with the columns of their condition.
    """
    # The names of classes in ``data`` are texts, which do not say whether a class is 1, 1.0, True or "1".
    plain = all(type(c) in (bool, int, float, str) for c in condition.classes)
    classes = {"classes": json.dumps(condition.classes)} if condition.classes and plain else {}
    # The fingerprint in ``data`` covers the rows without their classes.
    if condition.classes and settings["prior"] == "exemplar":
        classes["input_fingerprint"] = fingerprint(rows)
    return {
        **classes,
        "format": "gpuvae",
        "format_version": str(_core.MODEL_FORMAT),
        "program": "vae",
        "program_version": _core.__version__,
        "preset": "default",
        "epochs": str(len(history)),
        "settings": json.dumps(to_file(settings, len(history), bool(json.loads(data)["mean"]))),
        "data": data,
        "history": json.dumps(history),
    }


def fingerprint(rows):
    """Returns the fingerprint of rows with all of their columns."""
    return json.loads(_core.describe_rows(rows, dataclasses.asdict(Values()), [], 0, 0, []))["fingerprint"]


def check_classes(rows, metadata):
    """Throws ValueError for rows that have other classes than those with which fit() trained the model of a file."""
    expected = metadata.get("input_fingerprint")
    # The library refuses another number of rows.
    if expected is None or len(rows) != json.loads(metadata["data"])["training_examples"]:
        return
    if (got := fingerprint(rows)) != expected:
        raise ValueError(
            f"[set_exemplars] expected the rows and classes of the training set in their order, with the fingerprint "
            f"{expected}, got others, with {got}"
        )


def describe_rows(rows, values, names, condition):
    """Returns the description of the training rows, which are followed by the columns of their condition."""
    described = dataclasses.asdict(values)
    if condition.columns:
        if values.mean:  # the condition is not standardised
            described["mean"] = (*values.mean, *[0.0] * condition.columns)
            described["stddev"] = (*values.stddev, *[1.0] * condition.columns)
        names = [*names, *_names_of(condition, names)] if names else []
    classes = len(condition.classes)
    features = rows if not classes else rows[:, : rows.shape[1] - classes].copy()
    return _core.describe_rows(features, described, names, condition.columns, classes, [str(c) for c in condition.classes])


def _names_of(condition, features):
    # The programs read the names of the condition as a list with commas, in which "label" has a meaning.
    names = condition.names
    if not names or len({*names, *features, "label"}) < len(names) + len(set(features)) + 1 or any("," in n for n in names):
        return tuple(f"condition{i}" for i in range(condition.columns))
    return names


def with_condition(settings, condition, names):
    """Returns the settings of a model as the programs write them, who count the columns of a condition themselves.

    ``names`` are those of the features.
    """
    settings = {name: value for name, value in settings.items() if name != "conditions"}
    if len(condition):
        names = ",".join(_names_of(condition, names))
        settings["condition"] = "label" if condition.classes else names
    return settings


def condition_of(data, metadata):
    """Returns the condition of a model for the dictionary and the metadata that read() returns."""
    condition = _unscaled_condition(data, metadata)
    described = json.loads(metadata["data"])
    condition.trained = tuple(condition.classes[label] for label in described.get("class_labels", ()))
    if not condition.columns:
        return condition
    count = condition.columns
    names = tuple(data["column_names"][-count:])
    if names != tuple(f"condition{i}" for i in range(count)):
        condition.names = names
    if data["mean"]:
        condition.offset, condition.scale = data["mean"][-count:], data["stddev"][-count:]
    elif data["scaled"]:
        condition.offset, condition.scale = (data["low"],) * count, (data["high"] - data["low"],) * count
    elif described.get("dtype") == "u8":  # the programs divide all columns by 255
        condition.offset, condition.scale = (0.0,) * count, (255.0,) * count
    return condition


def _unscaled_condition(data, metadata):
    classes, columns = data["condition_classes"], data["condition_columns"]
    if classes and columns:
        raise OSError("[load] expected a condition of classes or of columns, got one of both, which only the programs have")
    if "classes" in metadata and classes:
        stored = json.loads(metadata["classes"])
        if not isinstance(stored, list) or len(stored) != classes:
            raise OSError(f"[load] expected {classes} classes of the condition in the file, got {metadata['classes']}")
        return Condition(tuple(stored), columns)
    # The programs write names only, and none for classes that are numbered.
    names = [*data["class_names"], *range(len(data["class_names"]), classes)][:classes]
    return Condition(_numbers_if_all(names), columns)


def _numbers_if_all(names):
    # Returns the names of classes as whole numbers if all of them are different numbers in decimal digits.
    texts = [str(name) for name in names]
    if not all(text.isascii() and text.isdecimal() for text in texts) or len(set(map(int, texts))) < len(texts):
        return tuple(texts)
    return tuple(map(int, texts))


def read(path):
    """Returns the metadata of a model file, its settings, and a dictionary of what it says about the training data."""
    if not path.exists():
        raise FileNotFoundError(f"[load] {path}: no such file")
    metadata, data = _core.read_description(path)
    try:
        settings = json.loads(metadata["settings"])
    except (json.JSONDecodeError, RecursionError) as error:
        raise OSError(f"[load] {path}: expected the settings of the model as JSON: {error}") from error
    if not isinstance(settings, dict):
        raise OSError(f"[load] {path}: expected the settings of the model as a JSON object, got {settings!r}")
    return metadata, settings, data


def history_of(path, metadata):
    """Returns the losses of the epochs: those in the metadata, else those in metrics.csv beside the model."""
    if "history" in metadata:
        return json.loads(metadata["history"])
    table = path.parent / "metrics.csv"
    if path.name != MODEL_FILE or not table.exists():
        return []
    with table.open(newline="") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return [{k: int(v) if k == "epoch" else float(v) for k, v in row.items() if v} for row in rows]
