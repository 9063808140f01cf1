#!/usr/bin/env python3
"""Runs the benchmarks like a user, at small sizes: bench_test.py SOURCE BIN report | ptx | no_gpu"""
import json, os, statistics, subprocess, sys, tempfile, xml.etree.ElementTree
from pathlib import Path

source, bin, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]


def run(*command, status=0, **environment):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == status, f"{command}: expected status {status}, got {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def check_svg(path):
    """The file is well-formed XML without NaN or infinite coordinates."""
    text = path.read_text()
    xml.etree.ElementTree.fromstring(text)
    assert "nan" not in text and "inf\"" not in text, f"{path}: expected finite numbers only"


def check_rounds(row, ratio, interval, numerators, denominators):
    """The ratio is the median of the rounds, the interval consists of ratios of rounds, and every round has the state of
    the machine."""
    ratios = sorted(a / b for a, b in zip(numerators, denominators))
    machine = row["samples"]["machine"]
    assert row["rounds"] == len(numerators) == len(denominators) >= 3, row
    assert abs(ratio / statistics.median(ratios) - 1) < 1e-4, (ratio, ratios)
    assert interval is None or interval[0] <= ratio <= interval[1], (ratio, interval)
    assert interval is None or all(min(abs(end / r - 1) for r in ratios) < 1e-4 for end in interval), (interval, ratios)
    assert row["verdict"] in ("faster", "slower", "same", "undecided"), row
    assert all(len(machine[k]) == row["rounds"] for k in ("seconds", "steal", "others", "switches", "waiting", "load", "disturbed"))
    assert row["disturbed"] == sum(1 for reason in machine["disturbed"] if reason), row


def report(out):
    """Runs bench/report on a few operations and one preset, with built-in faces."""
    few = "^(bce_with_logits|gaussian_nll|linear/relu-100x784x256|sample_posterior_with_kl/log_variance|optimizer_step/adam-404244)"
    run(source / "bench/report", "--bin", bin, "--out", out, "--device", "cpu", "--quick", "--operations", few, "--presets",
        "flex-frey", GPUVAE_DATA_DIR=str(out))
    result = json.loads((out / "report.json").read_text())
    for key in ("device", "device_description", "compiler", "commit", "date", "command", "driver"):
        assert result["environment"][key], key
    assert result["ceilings"]["copy_bytes_per_second"] > 1e8 and result["ceilings"]["matmul_flops_per_second"] > 1e8

    rows = {(o["operation"], o["size"], o["pass"], o["cold"]): o for o in result["operations"]}
    bce = rows["bce_with_logits", "100x784", "training", False]
    assert bce["bytes"] == 12 * 78400 and bce["seconds"] > 0 and bce["unfused_seconds"] > 0, bce
    assert bce["error"] < 1e-5, bce
    check_rounds(bce, bce["speedup"], bce.get("speedup_interval"), bce["samples"]["unfused"], bce["samples"]["fused"])
    # The fused kernel reads logits and target and writes the gradient; the unfused implementation takes many passes.
    assert 12 * 78400 <= bce["moved"] < 12.1 * 78400 and bce["unfused_moved"] > 3 * bce["moved"], bce
    assert rows["bce_with_logits", "1024x1024", "forward", True]["large"]
    adam = rows["optimizer_step", "adam-404244", "update", False]
    assert adam["bytes"] == adam["moved"] == 28 * 404244 and adam["unfused_moved"] > 2 * adam["moved"], adam
    assert adam["error"] < 1e-6, adam
    linear = rows["linear", "relu-100x784x256", "training", False]
    assert linear["share_of_matmul"] > 0 and linear["error"] < 1e-4, linear

    step, = [s for s in result["steps"]]
    assert step["preset"] == "flex-frey" and step["executor"] == "eager" and step["products"] == 11, step
    assert step["us"] > 0 and step["bare_us"] > 0 and step["images_per_second"] > 0, step
    check_rounds(step, step["ratio"], step.get("ratio_interval"), step["samples"]["step_seconds"],
                 step["samples"]["bare_seconds"])
    assert not any(o.get("failure") for o in result["operations"]), result["operations"]
    epoch, = result["epochs"]
    assert epoch["seconds"] > 0 and not epoch["real_data"] and "target_validation_loss" not in epoch, epoch
    shares = {b["call"]: b for b in result["breakdown"]}
    assert shares["gemm"]["calls"] == 11 and shares["likelihood"]["calls"] == 1, shares
    assert shares["optimizer_step"]["bytes"] > 28 * 338724 and "rest" in shares, shares

    markdown = (out / "report.md").read_text()
    assert "| fused is |" in markdown and "disturbed rounds" in markdown
    assert "flex-frey" in markdown and "bce_with_logits 100x784" in markdown
    figures = ["fused-unfused-large.svg", "fused-unfused-presets.svg", "roofline.svg", "step-ratio.svg", "step-breakdown.svg"]
    for figure in figures:
        assert figure in markdown, figure
        check_svg(out / figure)
    failed = run(bin / "bench_report", "--environment", out / "nothing.json", "--out", out, status=1)
    assert "nothing.json" in failed.stderr and failed.stderr.count("\n") == 1, failed.stderr


def ptx(out):
    """Tests launches, events, and the eager and graph executors on the emulated device. Timings are meaningless."""
    place = out / "operations.json"
    run(bin / "gpuvae_bench_ptx", "--device", "cuda", "--most-elements", "100000", "--flush-mib", "1", "--budget", "0.001",
        "--benchmark_filter=^(bce_with_logits/100x784|sample_posterior_with_kl/log_variance-100x2|gather_batch/100x560).*warm",
        f"--benchmark_out={place}", "--benchmark_out_format=json", GPUVAE_NUM_THREADS="1")
    rows = {b["name"].split("/warm")[0]: b for b in json.loads(place.read_text())["benchmarks"]}
    assert len(rows) == 5, rows.keys()
    bce, sampling = (rows[f"{n}/training"] for n in ("bce_with_logits/100x784", "sample_posterior_with_kl/log_variance-100x2"))
    assert bce["launches"] == 1 and bce["unfused_launches"] > 8, bce
    # The launches are those of sampling and of the sum that reduces z to a scalar, forward and backward.
    assert sampling["launches"] <= 5 and sampling["unfused_launches"] > 15, sampling
    assert sampling["unfused_curand"] == 1 and "unfused_curand" not in bce, sampling  # its unfused noise comes from cuRAND
    # One kernel against a copy of rows, a conversion to f32 and a product, of which the benchmark itself launches the
    # copy. The program compares their results.
    gather = rows.pop("gather_batch/100x560/forward")
    assert gather["launches"] == 1 and gather["unfused_launches"] == 2, gather
    for row in rows.values():
        assert row["real_time"] > 0 and row["error"] < 1e-5, row


    training = out / "training.jsonl"
    run(bin / "train_bench_ptx", "--device", "cuda", "--presets", "flex-frey", "--executors", "eager,graph",
        "--steps", "2", "--rounds", "1",
        "--epoch-budget", "0", "--out", training, GPUVAE_NUM_THREADS="1", GPUVAE_DATA_DIR=str(out))
    lines = [json.loads(line) for line in training.read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert lines[0]["device"] == "cuda:0" and steps and all(s["us"] > 0 and s["bare_us"] > 0 for s in steps), lines
    shares = {line["call"]: line for line in lines if line["kind"] == "breakdown"}
    assert shares["gemm"]["calls"] == 11 and shares["gemm"]["us"] > 0 and shares["likelihood"]["us"] > 0, shares


def no_gpu(out):
    """Without a GPU, gpu_check prints one line, exits with a specific status and writes nothing."""
    done = run(source / "bench/gpu_check", "--bin", bin, "--out", out / "result", status=3, CUDA_VISIBLE_DEVICES="")
    assert done.stdout == "" and done.stderr.count("\n") == 1 and "no usable GPU" in done.stderr, done.stderr
    assert not (out / "result").exists()
    done = run(source / "bench/gpu_check", "--bin", out, status=2)
    assert "gpuvae_tests" in done.stderr and done.stderr.count("\n") == 1, done.stderr


with tempfile.TemporaryDirectory() as folder:
    {"report": report, "ptx": ptx, "no_gpu": no_gpu}[what](Path(folder))
