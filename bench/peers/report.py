"""Medians, spreads and tables. Uses the standard library only."""
import json
import os
import statistics

import rounds


def quantile(values, q):
    """Returns the quantile, interpolated linearly between the two nearest values."""
    values = sorted(values)
    at = q * (len(values) - 1)
    low = int(at)
    return values[low] + (at - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def spread(values):
    return {"median": statistics.median(values), "p10": quantile(values, 0.1), "p90": quantile(values, 0.9)}


def ratios(row, ours):
    """Returns the system's time relative to ours in each round."""
    return [statistics.median(a) / statistics.median(b) for a, b in zip(row["rounds"], ours["rounds"])]


def summarise(row, ours, steps):
    row["us_a_step"] = spread([s / steps * 1e6 for round_ in row["rounds"] for s in round_])
    row["ratio"] = spread(ratios(row, ours))
    row["ratio_interval"] = rounds.median_interval(ratios(row, ours))
    row["verdict"] = rounds.verdict(row["ratio_interval"])


def number(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def interval_text(interval):
    return f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else "no interval"


def table(result):
    judged, ours = result["judged_epoch"], result["ours"]
    lines = [f"### {result['workload']}", "",
             f"{result['data']}; {result['steps']} steps per epoch. {result['rounds']} rounds, of which "
             f"{result['disturbed_rounds']} were disturbed. Ratio: time relative to ours in the same round, as median and "
             "its 95 % interval. "
             f"Loss: mean training loss of epoch {judged}. A loss that differs from ours by more than "
             f"{result['band']:.0%} is marked, and the system is not ranked. Start: imports, data and model. Compile: "
             "extra time of the first epoch.", "",
             "| system | threads | us per step (p10 to p90) | ratio (interval) | gpuvae is | start + compile, s | loss |",
             "|---|---|---|---|---|---|---|"]
    ranked = sorted(result["peers"], key=lambda r: (not r["in_band"], r["ratio"]["median"]))
    for row in [ours, *ranked]:
        time = row["us_a_step"]
        cells = [row["name"], str(row.get("threads", "")),
                 f"{number(time['median'])} ({number(time['p10'])} to {number(time['p90'])})",
                 "1" if row is ours else f"{row['ratio']['median']:.2f} ({interval_text(row['ratio_interval'])})",
                 "" if row is ours else row["verdict"],
                 f"{row['setup_seconds']:.1f} + {row['compile_seconds']:.1f}" if row is not ours else "",
                 f"{row['loss']:.2f}" + ("" if row is ours or row["in_band"] else ", **outside the band**, not ranked")]
        if row is not ours and any(row.get("notes", {}).values()):
            cells[0] += " (" + ", ".join(f"{k}: {v}" for k, v in row["notes"].items()) + ")"
        lines.append("| " + " | ".join(cells) + " |")
    for row in result["left_out"]:
        lines.append(f"| {row['name']} | | {row['kind']}: {row['reason'].replace('|', '/')} | | | | |")
    return lines


def busy_table(busy):
    lines = [f"Beside one busy process of the same priority: {busy['rounds']} rounds, each alone and beside the process, of "
             f"which {busy['disturbed_rounds']} were disturbed by others.", "",
             "| system | alone, us per step | busy, us per step | busy / alone (interval) | busy, ratio to gpuvae (interval) "
             "| gpuvae is |", "|---|---|---|---|---|---|"]
    for row in busy["systems"]:
        ours = row["name"] == "gpuvae"
        lines.append("| " + " | ".join([
            row["name"], number(row["us_alone"]), number(row["us_busy"]),
            f"{row['slowdown']:.2f} ({interval_text(row['slowdown_interval'])})",
            "1" if ours else f"{row['ratio']:.2f} ({interval_text(row['ratio_interval'])})",
            "" if ours else row["verdict"]]) + " |")
    return lines


def write(folder, run):
    """Writes peers.json and peers.md to `folder`, each atomically. Returns the text of peers.md."""
    m = run["machine"]
    versions = {k: v for r in run["results"] for p in r["peers"] for k, v in p["versions"].items()}
    lines = ["## The same training in other frameworks", "",
             f"{m['gpu'] or m['cpu']}, {m['cpus']} processors; {m['date']}, commit {m['commit']}, `{m['command']}`; "
             "rounds in which the systems take turns, float32 products." + ("" if not versions else " Versions: ") +
             ", ".join(f"{k} {v}" for k, v in sorted(versions.items()))]
    for result in run["results"]:
        lines += ["", *table(result)]
        if "busy" in result:
            lines += ["", *busy_table(result["busy"])]
    text = "\n".join(lines) + "\n"
    for name, content in (("peers.json", json.dumps(run, indent=1) + "\n"), ("peers.md", text)):
        partial = folder / f".{name}.{os.getpid()}"
        partial.write_text(content)
        partial.replace(folder / name)
    return text
