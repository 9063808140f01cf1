"""Model files and run folders, in the format of the programs vae, mnist_vae and frey_vae."""

import csv
import json
from pathlib import Path

from gpuvae import _core
from gpuvae._settings import to_file
from gpuvae._values import Values

MODEL_FILE = "model.safetensors"
FORMAT_VERSION = 2


def model_file(path):
    """Returns the model file of a path: itself if it ends in .safetensors, else the one in the run folder."""
    path = Path(path)
    return path if path.suffix == ".safetensors" else path / MODEL_FILE


def describe(estimator, model_settings, training_settings):
    """Returns the metadata of the file of a model that fit() trained."""
    values = estimator.values_
    data = {
        "source": "an array in Python",
        "training_examples": estimator.n_samples_,
        "validation_examples": 0,
        "fingerprint": estimator.fingerprint_,
        "dtype": "u8" if values.kind == "bytes" else "f32",
        "labelled": False,
        "height": 1,
        "width": estimator.n_features_in_,
        "values": values.kind,
        "value_low": values.low,
        "value_high": values.high,
        "values_scaled": values.scaled,
        "column_names": [str(name) for name in getattr(estimator, "feature_names_in_", ())],
        "label_column": "",
        "class_names": [],
        "mean": list(values.mean),
        "stddev": list(values.stddev),
    }
    epochs = len(estimator._history)
    return {
        "format": "gpuvae",
        "format_version": str(FORMAT_VERSION),
        "program": "vae",
        "program_version": _core.__version__,
        "preset": "default",
        "epochs": str(epochs),
        "settings": json.dumps(to_file(model_settings, training_settings, epochs, bool(values.mean))),
        "data": json.dumps(data),
        "history": json.dumps(estimator._history),
    }


def read(path):
    """Returns the metadata, the settings and the description of the data of a model file."""
    if not path.exists():
        raise FileNotFoundError(f"[load] {path}: no such file")
    metadata = _core.read_metadata(path)
    version = metadata.get("format_version", "1")
    if not version.isdigit() or int(version) > FORMAT_VERSION:
        raise ValueError(
            f"[load] {path}: expected format version 1 to {FORMAT_VERSION}, got {version}: a newer version of gpuvae "
            "wrote this file"
        )
    if "settings" not in metadata or "data" not in metadata:
        raise ValueError(f"[load] {path}: expected the description of the model in the metadata, got none")
    try:
        return metadata, json.loads(metadata["settings"]), json.loads(metadata["data"])
    except json.JSONDecodeError as error:
        raise ValueError(f"[load] {path}: expected the description of the model as JSON: {error}") from error


def values_of(data):
    """Returns what the description of the data says about their values."""
    return Values(
        data["values"],
        data["value_low"],
        data["value_high"],
        data["values_scaled"],
        tuple(data["mean"]),
        tuple(data["stddev"]),
    )


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
