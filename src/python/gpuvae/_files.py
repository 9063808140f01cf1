"""Model files and run folders, in the format of the programs vae, mnist_vae and frey_vae."""

import csv
import json
from pathlib import Path

from gpuvae import _core
from gpuvae._settings import to_file

MODEL_FILE = "model.safetensors"


def model_file(path):
    """Returns the model file of a path: itself if it is a file or ends in .safetensors, else the one in the folder."""
    path = Path(path)
    return path if path.suffix == ".safetensors" or path.is_file() else path / MODEL_FILE


def run_files(folder):
    """Returns the names of files in a folder that say that the programs wrote a run there."""
    return [name for name in ("config.toml", "metrics.csv", "checkpoint.safetensors") if (folder / name).exists()]


def describe(data, settings, history):
    """Returns the metadata of the file of a model that fit() trained.

    ``data`` is the description of its training data, and ``settings`` those of the model and of its training.
    """
    return {
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
