#!/usr/bin/env python3
"""Rehearses bench/gpu_check with the emulated device's programs and few steps: gpu_rehearsal_test.py SOURCE BIN"""
import json, os, subprocess, sys, tempfile
from pathlib import Path

SOURCE, BIN = Path(sys.argv[1]), Path(sys.argv[2])
PROGRAMS = ("gpu_probe_ptx", "gpuvae_ptx_tests", "gpuvae_bench_ptx", "train_bench_ptx")


def rehearse(out, *options, bin=BIN, status=0, **environment):
    done = subprocess.run(list(map(str, [SOURCE / "bench/gpu_check", "--rehearse", 3, "--time-scale", 6, "--bin", bin, "--out",
                                         out, *options])), capture_output=True, text=True, env={**os.environ, **environment})
    print(done.stdout + done.stderr)
    assert done.returncode == status, f"expected status {status}, got {done.returncode}"
    return json.loads((out / "gpu-check.json").read_text())["parts"] if status in (0, 1) else None


def outcomes(parts):
    return {name: part["outcome"] for name, part in parts.items()}


def everything(folder):
    parts = rehearse(folder / "all")
    expected = dict.fromkeys(parts, "passed") | {"peers": "not run"}
    assert outcomes(parts) == expected, (folder / "all/gpu-check.md").read_text()
    rows = parts["cublaslt"]["result"]["rows"]
    assert len(rows) == 3 * 3 * 6 and all(r["usable"] and r["same_bits_twice"] for r in rows), rows
    masks = [r for r in rows if r["epilogue"] == "bias, ReLU, mask"]
    for r in masks:
        assert (r["nan"], r["mask_at_zero"], r["mask_above_zero"], r["mask_below_zero"]) == ("kept", "0", "1", "0"), r
    assert all(r["library_launches"] == 1 for r in rows if r["epilogue"] != "none"), rows
    assert all(r["differs_from_f32"] for r in rows if r["precision"] == "bf16" and r["epilogue"] == "none"), rows
    times = {r["executor"]: r for r in parts["step-times"]["result"]["rows"]}
    assert times["fused"]["launches_per_step"] < times["graph"]["launches_per_step"], times
    assert parts["dependent-launches"]["result"]["off, eager"]["mean_loss"] > 0, parts["dependent-launches"]


def broken_parts(folder):
    """Wraps gpu_probe in a script that crashes in the part cublaslt and hangs in the part product-error."""
    bin = folder / "bin"
    bin.mkdir()
    for program in PROGRAMS[1:]:
        (bin / program).symlink_to(BIN / program)
    probe = bin / PROGRAMS[0]
    probe.write_text("#!/bin/sh\ncase $1 in\n  cublaslt) kill -SEGV $$ ;;\n  product-error) sleep 600 ;;\nesac\n"
                     f'exec {BIN / PROGRAMS[0]} "$@"\n')
    probe.chmod(0o755)
    only = [o for part in ("round-trip", "cublaslt", "product-error", "legacy-stream") for o in ("--only", part)]
    parts = rehearse(folder / "broken", *only, "--time-scale", 1, bin=bin, status=1)
    assert outcomes(parts) == {"round-trip": "passed", "cublaslt": "failed", "product-error": "out of time",
                               "legacy-stream": "passed"}, outcomes(parts)
    page = (folder / "broken/gpu-check.md").read_text()
    assert "gpu-check: failed: cublaslt, product-error" in page and "killed by SIGSEGV" in page, page
    parts = rehearse(folder / "broken", "--from", "cublaslt", "--only", "cublaslt", "--only", "product-error")
    assert set(outcomes(parts).values()) == {"passed"}, outcomes(parts)


def other_devices(folder):
    """Without a device, nothing runs. Without TF32 tensor cores, the parts of the fused step are reported as "not run",
    not as "passed"."""
    rehearse(folder / "none", status=3, PTX_NO_DEVICE="1")
    parts = rehearse(folder / "old", "--only", "memcheck", "--only", "dependent-launches", "--only", "product-error",
                     PTX_CAPABILITY="75")
    assert set(outcomes(parts).values()) == {"not run"}, outcomes(parts)


with tempfile.TemporaryDirectory() as folder:
    for test in (everything, broken_parts, other_devices):
        test(Path(folder))
