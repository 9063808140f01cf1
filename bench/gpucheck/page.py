"""Writes gpu-check.md: what passed, what failed, what to do next, and what was measured."""
import re


def cell(text):
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(map(cell, row)) + " |" for row in rows] + [""]


def us(value):
    return f"{value:.1f}"


def failures(parts):
    """Names of the deciding parts that failed. A part that did not run has neither passed nor failed."""
    return [name for name, p in parts.items() if p["decides"] and p["outcome"] in ("failed", "out of time")]


def head(result):
    e, parts = result["environment"], result["parts"]
    bad = failures(parts)
    unknown = [n for n, p in parts.items() if p["decides"] and p["outcome"] == "not run"]
    measured = [n for n, p in parts.items() if not p["decides"] and p["outcome"] in ("failed", "out of time")]
    verdict = f"failed: {', '.join(bad)}" if bad else "all deciding parts that ran passed" if parts else "nothing has run"
    lines = [f"# gpu-check: {verdict}", ""]
    if result["mode"].startswith("rehearsal"):
        lines += ["**This is a rehearsal on an emulated device. Its times have no meaning.**", ""]
    lines += [f"- Device: {e.get('device', 'unknown')}, driver {e.get('driver', 'unknown')}",
              f"- Commit {e.get('commit', 'unknown')}, {e.get('date', '')}, mode {result['mode']}, "
              f"{result.get('seconds', 'not finished')} s",
              f"- Not run, hence unknown: {', '.join(unknown) or 'none'}"]
    if measured:
        lines.append(f"- Measurements that failed: {', '.join(measured)}")
    return lines + [""]


def overview(parts):
    return ["## Parts", "", *table(["part", "outcome", "s", "what it checks", "result"], [
        [name, p["outcome"] if p["outcome"] == "passed" else f"**{p['outcome']}**", f"{p['seconds']} of {p['limit']:g}",
         p["purpose"], p["summary"][:160]] for name, p in parts.items()])]


def troubles(parts):
    lines = []
    for name, p in parts.items():
        if p["outcome"] not in ("failed", "out of time"):
            continue
        shown = [line.replace("```", "'''") for line in p["lines"]]
        lines += [f"### {name}: {p['outcome']}", "", p["purpose"], "", "```", *shown, "```", "",
                  f"**Next:** {p['on_failure']}", "", f"Rerun only this part: `bench/gpu_check --only {name}`", ""]
        lines += [f"    {r['command']}" for r in p["runs"] if r["outcome"] != "ended" or r["status"] != 0] + [""]
    return ["## What failed, and what to do next", "", *lines] if lines else []


def step_table(facts):
    return table(["preset", "executor", "us per step (10th to 90th percentile)", "launches per step"], [
        [r["preset"], r["executor"], f"{us(r['us'])} ({us(r['low'])} to {us(r['high'])})" if "us" in r else r["unsupported"],
         r.get("launches_per_step", "")] for r in facts["rows"]])


def operation_table(facts):
    rows = []
    for r in facts["rows"]:
        unfused = r.get("unfused")
        if unfused is not None:
            rows.append([re.sub(r"/warm.*", "", r["name"]), us(r["real_time"]), us(unfused * 1e6),
                         r.get("label", "").partition("; ")[2] or f"{r['speedup']:.1f}", f"{r.get('error', float('nan')):.1e}"])
    return table(["operation", "fused, us", "unfused, us", "fused is", "error"], rows)


def product_table(facts):
    return table(["product", "tile", "factors", "largest error", "mean error toward the result"], [
        [r["kind"], r["tile"], r["factors"], f"{r['largest']:.2e}", f"{r['mean_toward_result']:+.1e}"]
        for r in facts["rows"]])


def cublaslt_table(facts):
    flag = {True: "yes", False: "no", None: ""}
    return table(["epilogue", "width", "precision", "algorithms", "status", "same bits twice", "differs from f32", "NaN",
                  "mask at 0, NaN", "library's launches"], [
        [r["epilogue"], r["width"], r["precision"], r["found"], r["status"], flag[r.get("same_bits_twice")],
         flag[r.get("differs_from_f32")], r.get("nan", ""),
         f"{r['mask_at_zero']}, {r['mask_for_nan']}" if "mask_at_zero" in r else "", r.get("library_launches", "")]
        for r in facts["rows"]])


TABLES = {"step-times": ("Time per training step", step_table), "operations": ("Fused and unfused operations", operation_table),
          "product-error": ("Errors of products, relative to the factors' norms", product_table),
          "cublaslt": ("What cuBLASLt answers", cublaslt_table)}


def measurements(parts):
    lines = []
    for name, (title, write) in TABLES.items():
        facts = parts.get(name, {}).get("result") or {}
        if not facts.get("rows"):
            continue
        try:
            lines += [f"## {title}", "", *write(facts)]
        except (KeyError, TypeError, ValueError) as error:
            lines += [f"## {title}", "", f"This page cannot show the data, which gpu-check.json contains: {error!r}", ""]
    return lines


def markdown(result):
    parts = result["parts"]
    return "\n".join([*head(result), *overview(parts), *troubles(parts), *measurements(parts),
                      "Logs: gpu-check.log. Everything as data: gpu-check.json.", ""])
