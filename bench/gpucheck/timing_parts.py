"""The parts of gpu_check that only measure. None of them decides whether the check passes."""
import json
import sys

from .execute import Command
from .verdicts import experiment, failed, not_run, passed, trouble


def step_times(c):
    """Measures each preset in a separate process, so that a failure does not lose the times of the others."""
    rows, lines = [], []
    presets = c.pick(["keras-mnist", "flex-mnist", "flex-frey"], ["small"])
    for preset in presets:
        run = yield Command(preset, [c.program("gpu_probe"), "step-times", "--presets", preset,
                                     "--steps", c.pick(100, 2), "--launches", c.pick(20, 1)], share=0.6)
        found, verdict = experiment(run)
        if verdict:
            lines += verdict.lines
        else:
            rows += found["rows"]
    facts = {"rows": rows}
    if lines:
        return failed(lines, facts)
    return passed(" · ".join(f"{r['preset']} {r['executor']} {r['us']:.1f} us" for r in rows
                             if "us" in r and r["executor"] in ("graph", "fused")), facts)


def ceilings(c):
    run = yield Command("ceilings", [c.program("gpu_probe"), "ceilings", *c.pick([], ["--elements", 50000, "--products", 48])])
    found, verdict = experiment(run)
    return verdict or passed(f"copy {found['copy_bytes_per_second'] * 1e-12:.2f} TB/s, f32 product "
                             f"{found['matmul_flops_per_second'] * 1e-12:.1f} Tflop/s", found)


def file_lines(path, most=16 << 20):
    """Returns the complete JSON lines of a file that may be cut off."""
    rows = []
    try:
        text = path.read_text(errors="replace")[:most]
    except OSError:
        return rows
    for line in text.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def cut_off_json(path):
    """Reads Google Benchmark's JSON, even if the process was stopped inside its list. Returns None if too little of
    it exists."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return None
    for whole in (text, text[:text.rfind("    }") + 5] + "]}"):
        try:
            found = json.loads(whole)
            return found if isinstance(found, dict) else None
        except ValueError:
            pass
    return None


def operations(c):
    """Measures the operations of the presets only (--no-large), because a training step consists of them."""
    place = c.scratch / "operations.json"
    few = "^(bce_with_logits/100x784|sample_posterior_with_kl/log_variance-100x2).*warm"
    run = yield Command("operations", [
        c.program("gpuvae_bench"), "--device", "cuda", "--quick", "--no-large", "--budget", c.pick(0.02, 0.001),
        f"--benchmark_filter={c.pick('warm', few)}", f"--benchmark_out={place}", "--benchmark_out_format=json",
        *c.pick([], ["--most-elements", 100000, "--flush-mib", 1])])
    found = cut_off_json(place)
    if found is None:
        return trouble(run) if not run.ok else failed(["operations: expected JSON from gpuvae_bench, got none"])
    rows = [{k: b[k] for k in ("name", "real_time", "unfused", "speedup", "copy", "matmul", "error", "launches",
                               "unfused_launches", "bytes", "flops", "speedup_low", "speedup_high", "samples",
                               "disturbed", "label") if k in b}
            for b in found.get("benchmarks", []) if "error_message" not in b]
    broken = [f"{b['name']}: {b['error_message']}" for b in found.get("benchmarks", []) if "error_message" in b]
    facts = {"context": found.get("context", {}), "rows": rows}
    if run.outcome == "out of time" and rows and not broken:
        return passed(f"{len(rows)} measurements within the time limit", facts)
    if broken or not run.ok or not rows:
        return failed(broken or trouble(run).lines, facts)
    ratios = sorted(r["speedup"] for r in rows if "speedup" in r)
    middle = ratios[len(ratios) // 2] if ratios else float("nan")
    return passed(f"{len(rows)} measurements, median of unfused / fused {middle:.1f}", facts)


def training(c):
    place = c.scratch / "training.jsonl"
    run = yield Command("training", [
        c.program("train_bench"), "--device", "cuda", "--presets", c.pick("keras-mnist,flex-frey", "flex-frey"),
        *c.pick(["--quick", "--epoch-budget", 3, "--step-budget", 3], ["--executors", "eager", "--steps", 1, "--rounds", 1, "--epoch-budget", 0]),
        "--no-loss", "--out", place])
    rows = file_lines(place)
    if not run.ok:
        verdict = trouble(run)
        verdict.facts = {"rows": rows}
        return verdict
    epochs = [f"{r['preset']} {r['executor']} {r['seconds'] * 1e3:.0f} ms" for r in rows if r.get("kind") == "epoch"]
    return passed("; ".join(epochs) or f"{len(rows)} rows", {"rows": rows})


def peers(c):
    if c.rehearsal:
        return not_run("peers need a GPU")
    lacking = [p for p in ("mnist_vae", "peers_data") if not (c.bin / p).exists()]
    if lacking:
        return not_run(f"expected {' and '.join(lacking)} in {c.bin}, found none")
    folder = c.scratch / "peers"
    run = yield Command("peers", [sys.executable, c.root / "bench/peers/run.py", "keras-mnist", "--no-setup", "--device",
                                  "cuda", "--rounds", 1, "--only", "^torch eager$", "--only", "^jax scan, unroll 1$",
                                  "--bin", c.bin, "--out", folder])
    try:
        return passed("see the table of bench/peers", json.loads((folder / "peers.json").read_text()))
    except (OSError, ValueError):
        return trouble(run)
