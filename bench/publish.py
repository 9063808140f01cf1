"""Publishes a run of bench/report: copies its report to bench/results/ and describes it in bench/RESULTS.md. Uses the
standard library only."""
import json
import os
import shutil
from collections import Counter
from pathlib import Path

BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
MOST_DISTURBED = 0.1  # largest share of disturbed rounds in a published run
FIGURES = {"step-ratio.svg": "Training steps relative to their bare matrix products",
           "fused-unfused-presets.svg": "Fused against unfused operations, the presets' sizes",
           "fused-unfused-large.svg": "Fused against unfused operations, large sizes",
           "roofline.svg": "Roofline", "step-breakdown.svg": "Where the time of a step goes"}


def measured(report):
    """Returns the rows that were measured in rounds."""
    return [*report["steps"], *(o for o in report["operations"] if "failure" not in o)]


def disturbed_share(report):
    rows = measured(report)
    rounds = sum(r["rounds"] for r in rows)
    return sum(r["disturbed"] for r in rows) / rounds if rounds else 0


def obstacle(report):
    """Returns why a run is not published, or an empty string."""
    environment = report["environment"]
    if not report["steps"] or not report["operations"]:
        return "it has no training steps or no operations"
    if environment.get("partial", True):
        return "it did not measure everything (--quick, --operations or --presets)"
    if any("failure" in o for o in report["operations"]):
        return "operations failed: " + ", ".join(sorted({o["operation"] for o in report["operations"] if "failure" in o}))
    if environment["commit"] == "unknown" or environment["commit"].endswith("-dirty"):
        return f"the version is {environment['commit']}: commit all changes first"
    if not all(s["real_data"] for s in report["steps"]):
        return "it used built-in data (see data/fetch.sh)"
    share = disturbed_share(report)
    if share > MOST_DISTURBED:
        return f"{share:.0%} of the rounds were disturbed, and at most {MOST_DISTURBED:.0%} may be"
    return ""


def interval(row, key):
    low, high = row.get(key) or (None, None)
    return f" ({low:.3f} to {high:.3f})" if low is not None else " (no interval)"


def step_table(report):
    lines = ["| preset | executor | step, us | bare products, us | ratio (95 % interval) | step against products | images/s |",
             "|---|---|---|---|---|---|---|"]
    for s in report["steps"]:
        lines.append(f"| {s['preset']} | {s['executor']} | {s['us']:.0f} | {s['bare_us']:.0f} | "
                     f"{s['ratio']:.3f}{interval(s, 'ratio_interval')} | {s['verdict']} | {s['images_per_second']:,.0f} |")
    return lines


def verdict_table(report):
    lines = ["| fused operations | faster | same | slower | undecided |", "|---|---|---|---|---|"]
    for large in (False, True):
        for cold in (False, True):
            counts = Counter(o["verdict"] for o in report["operations"]
                             if (o["large"], o["cold"]) == (large, cold) and "verdict" in o)
            if counts:
                cells = (counts[v] for v in ("faster", "same", "slower", "undecided"))
                lines.append(f"| {'large sizes' if large else 'sizes of the presets'}, caches {'cold' if cold else 'warm'} | "
                             + " | ".join(map(str, cells)) + " |")
    return lines


def section(report, folder, figures):
    e, rows = report["environment"], measured(report)
    lines = [f"{e['device_description']}; {e['date']}, version {e['commit']}, `{e['command']}`; {e['compiler']}.", "",
             f"{sum(r['disturbed'] for r in rows)} of {sum(r['rounds'] for r in rows)} rounds were disturbed. [The report]"
             f"({folder}/report.md) has all operations, and [report.json]({folder}/report.json) all samples with the state "
             "of the machine.", "", *step_table(report), "", *verdict_table(report)]
    for figure in figures:
        lines += ["", f"![{FIGURES[figure]}]({folder}/{figure})"]
    return "\n".join(lines)


def new_folder(results, report):
    e = report["environment"]
    name = f"bench-{e['device'].partition(':')[0]}-{e['date'].split()[0]}"
    folder, number = results / name, 2
    while folder.exists():
        folder, number = results / f"{name}-{number}", number + 1
    return folder


def publish(out, bench):
    """Publishes the report in the folder `out` to `bench`/RESULTS.md and a new folder of `bench`/results. Returns a line
    that says what was done, or why nothing was."""
    report = json.loads((out / "report.json").read_text())
    page = bench / "RESULTS.md"
    if why := obstacle(report):
        return f"{page} is unchanged, because this run cannot be published: {why}"
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        return f"{page} is unchanged, because it does not contain the lines {BEGIN} and {END} once each"
    folder = new_folder(bench / "results", report)
    folder.mkdir(parents=True)
    figures = [f for f in FIGURES if (out / f).exists()]
    for name in ("report.json", "report.md", *figures):
        shutil.copyfile(out / name, folder / name)
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    partial = page.with_name(f".{page.name}.{os.getpid()}")
    partial.write_text(f"{before}{BEGIN}\n{section(report, f'results/{folder.name}', figures)}\n{END}{after}")
    partial.replace(page)
    return f"{page} and {folder} describe this run"
