"""Runs the programs of gpuvae for the driver. Uses the standard library only."""
import os
import subprocess
from pathlib import Path

PROGRAMS = {"mnist": "mnist_vae", "frey": "frey_vae"}
FILES = {"mnist": "train-images", "frey": "frey_rawface"}


def data_folder(data):
    """Returns the folder from which our programs would read the data, or "builtin"."""
    for folder in (os.environ.get("GPUVAE_DATA_DIR"), "data"):
        if folder and Path(folder).is_dir() and any(f.name.startswith(FILES[data]) for f in Path(folder).iterdir()):
            return folder
    return "builtin"


def run(command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"{command[0]}: status {done.returncode}"])[-1])
    return done.stdout


def export(binaries, data, path, *validation):
    """Writes the training images as IDX, and the validation images if a path is given, and returns their origin."""
    return run([binaries / "peers_data", data, data_folder(data), path, *validation]).strip()


def data_flags(data):
    source = data_folder(data)
    return ["--builtin-data"] if source == "builtin" else ["--data-dir", source]


def metrics(folder):
    """Returns the rows of a run's metrics.csv, which may still be written."""
    try:
        text = (folder / "metrics.csv").read_text()
    except FileNotFoundError:
        return []
    lines = [l for l in text[:text.rfind("\n") + 1].splitlines() if l and not l.startswith("#")]
    return [dict(zip(lines[0].split(","), map(float, l.split(",")))) for l in lines[1:]]


def train(binaries, workload, device, seed, epochs, limit, folder):
    """Trains once in a separate process and returns the seconds and losses of its epochs. All settings are the
    defaults, except that few pictures are drawn."""
    out = folder / f"ours-{workload.name}"
    run([binaries / PROGRAMS[workload.data], "--preset", workload.preset, "--seed", seed, "--device", device, "--epochs",
         epochs, "--train-images", limit, "--validation-images", 1, "--out", out, "--retrain", "--manifold", "none",
         "--samples", 1, "--reconstructions", 1, "--examples", 1, *data_flags(workload.data), *workload.flags])
    rows = metrics(out)
    return [r["train_seconds"] for r in rows], [r["train_loss"] for r in rows]
