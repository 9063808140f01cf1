"""Summaries and tables of time_to_loss. Uses the standard library only."""
import json
import math
import os
import statistics

import rounds
from report import interval_text, number


def seconds_of(runs):
    """Returns the seconds to the loss; infinite for a run that did not reach it."""
    return [math.inf if r["seconds"] is None else r["seconds"] for r in runs]


def finite(x):
    """Returns a number as JSON can hold it."""
    return x if x is not None and math.isfinite(x) else None


def summary(name, rounds_):
    """Summarises the runs of a system, and compares them with the runs of gpuvae with the same seeds."""
    both = [(r["systems"][name], r["systems"]["gpuvae"]) for r in rounds_ if name in r["systems"]]
    runs = [run for run, _ in both]
    seconds = seconds_of(runs)
    ratios = [a / b for a, b in zip(seconds, seconds_of([our for _, our in both]))]  # NaN if neither reached the loss
    interval, known = rounds.median_interval(ratios), not any(map(math.isnan, ratios))
    spread = rounds.median_interval(seconds)
    losses = [r["best_loss"] for r in runs if r["best_loss"] is not None]
    return {"name": name, "runs": len(runs), "reached": sum(map(math.isfinite, seconds)),
            "median_seconds": finite(statistics.median(seconds)),
            "interval": spread and [finite(s) for s in spread],
            "median_epochs": statistics.median(r["epochs"] for r in runs), "best_loss": min(losses, default=None),
            "ratio": finite(statistics.median(ratios)) if known else None,
            "ratio_interval": interval and [finite(r) for r in interval],
            "verdict": rounds.verdict(interval)}


def summarise(preset):
    names = {n: None for r in preset["rounds"] for n in r["systems"]}
    preset["summary"] = [summary(n, preset["rounds"]) for n in names]


def seconds_text(row):
    median = f"{number(row['median_seconds'])}" if row["median_seconds"] is not None else "not reached"
    if row["interval"] is None:
        return f"{median} (no interval)"
    low, high = (number(s) if s is not None else "not reached" for s in row["interval"])
    return f"{median} ({low} to {high})" if low != high else f"{median}"


def ratio_text(row):
    if row["ratio"] is None:
        return "unknown" if row["verdict"] == "undecided" else "gpuvae alone reached it"
    interval = row["ratio_interval"]
    if interval and None in interval:
        return f"{row['ratio']:.2f} ({interval[0]:.2f} or more)"
    return f"{row['ratio']:.2f} ({interval_text(interval)})"


def table(preset):
    disturbed = sum(1 for r in preset["rounds"] if r["machine"]["disturbed"])
    lines = [f"### {preset['preset']}", "",
             f"Validation loss {preset['target']:g} ({preset['source']}); {preset['data']}. Runs end after "
             f"{preset['epochs']} epochs or {preset['limit']:g} s. {len(preset['rounds'])} seeds, of which {disturbed} ran "
             "while the machine was disturbed.", "",
             "| system | runs that reached it | seconds: median (95 % interval) | epochs | lowest loss | ratio to gpuvae "
             "(95 % interval) | gpuvae is |", "|---|---|---|---|---|---|---|"]
    for row in preset["summary"]:
        ours = row["name"] == "gpuvae"
        lowest = f"{row['best_loss']:.4g}" if row["best_loss"] is not None else "none"
        lines.append("| " + " | ".join([
            row["name"], f"{row['reached']} of {row['runs']}", seconds_text(row), f"{row['median_epochs']:g}",
            lowest, "1" if ours else ratio_text(row), "" if ours else row["verdict"]]) + " |")
    for row in preset["left_out"]:
        lines.append(f"| {row['name']} | {row['kind']}: {row['reason'].replace('|', '/')} | | | | | |")
    return lines


def write(folder, run):
    """Writes time-to-loss.json and time-to-loss.md, each atomically. Returns the text of the page."""
    e, s = run["environment"], run["settings"]
    versions = {k: v for p in run["presets"] for k, v in p["versions"].items()}
    lines = ["## Seconds from the start to the published validation loss", "",
             f"{e['processor']}; {e['date']}, commit {s['commit']}, `{e['command']}`; {s['threads']} threads, device "
             f"{s['device']}. " + "".join(f"{k} {v}, " for k, v in sorted(versions.items())) +
             "float32 products. The time begins with the start of the process (imports, data, compilation) and ends when "
             "an epoch's validation loss is at or below the target. Every system draws its own initial weights, order and "
             "noise from the seed, evaluates the same validation images after each epoch, and reads the data as its "
             "programs do: gpuvae the published files, the others an uncompressed copy. Medians count runs that did not "
             "reach the loss as infinitely long. The ratio is that of the runs with the same seed."]
    for preset in run["presets"]:
        if preset["rounds"]:
            summarise(preset)
            lines += ["", *table(preset)]
    text = "\n".join(lines) + "\n"
    data = json.dumps(run, indent=1, allow_nan=False) + "\n"
    for name, content in (("time-to-loss.json", data), ("time-to-loss.md", text)):
        partial = folder / f".{name}.{os.getpid()}"
        partial.write_text(content)
        partial.replace(folder / name)
    return text
