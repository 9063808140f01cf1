#!/usr/bin/env python3
"""Replaces gpu_probe, gpuvae_tests, gpuvae_bench and train_bench in the test of gpu_check. The environment variable
FAKE is a JSON object that maps the beginnings of calls to failures, for example {"gpu_probe cublaslt": "hang"}. If
several keys match a call, the longest one applies."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

program, arguments = Path(sys.argv[0]).name, sys.argv[1:]
call = " ".join([program, *arguments])


def option(name):
    for i, argument in enumerate(arguments):
        if argument == name:
            return arguments[i + 1]
        if argument.startswith(name + "="):
            return argument.split("=", 1)[1]
    return None


def behaviour():
    table = json.loads(os.environ.get("FAKE", "{}"))
    keys = [k for k in table if call.startswith(k)]
    return table[max(keys, key=len)] if keys else "work"


def misbehave(how):
    if how == "fail":
        print("[gpu] expected a sound device, got another", file=sys.stderr)
        sys.exit(1)
    if how == "hang":  # with a child process, which must also be killed
        child = subprocess.Popen(["sleep", "600"])
        Path(os.environ["FAKE_PIDS"]).open("a").write(f"{os.getpid()} {child.pid}\n")
        time.sleep(600)
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "garbage":
        os.write(1, b"\xff\x00{\x80 [ RUN      ] \n{\"rows\": [1, 2]}\n")
        sys.exit(0)
    if how == "unsupported":
        print('{"unsupported": "the GPU has no tensor cores for TF32"}')
        sys.exit(0)
    if how == "nothing":
        sys.exit(0)
    while how == "flood":
        os.write(1, b"x" * (1 << 16))
    if how == "sanitizer finding":
        print("========= Invalid __global__ write of size 16 bytes\n=========     at fused_forward_kernel+0x120 in "
              "fused_forward.cu:84\n========= ERROR SUMMARY: 1 error")
        sys.exit(9)
    if how == "refused":
        print("========= Error: Device not supported. Please refer to the documentation.\n[device] error 999")
        sys.exit(1)


def fused_steps(how):
    steps = option("--steps")
    off = os.environ.get("GPUVAE_DEPENDENT_LAUNCHES") == "0"
    last = "wrong" if how == "race" and not off else "right"
    return {"steps": int(steps), "digests": {"1": "right", steps: last}, "not_finite": 0, "mean_loss": 1.5,
            "dependent_launches": not off or how == "no switch"}


def answer(how):
    if program == "gpu_probe":
        error = 5e-6 if how == "truncates" else 2e-7
        rows = {"product-error": [{"kind": k, "tile": 16, "factors": "floats", "largest": error, "mean_toward_result": -1e-8,
                                   "not_finite": 0} for k in ("ffma", "split_tf32", "tf32", "bf16")],
                "cublaslt": [{"epilogue": "bias, ReLU, mask", "width": 2, "precision": "f32", "found": 1, "status": "ok",
                              "usable": True, "same_bits_twice": True, "nan": "kept", "mask_at_zero": "0", "mask_for_nan": "0",
                              "mask_above_zero": "1", "mask_below_zero": "0", "library_launches": 1}],
                "step-times": [{"preset": option("--presets"), "executor": e, "us": 20.0, "low": 19.0, "high": 22.0,
                                "launches_per_step": 5} for e in ("eager", "graph", "fused")]}
        known = {"device": {"description": "Fake GPU", "capability": 90}, "round-trip": {"elements": 8, "wrong": 0},
                 "ceilings": {"copy_bytes_per_second": 4e12, "matmul_flops_per_second": 5e13}}
        what = arguments[0]
        print(json.dumps(fused_steps(how) if what == "fused-steps" else known.get(what) or {"rows": rows[what]}))
    elif program == "gpuvae_tests":
        run_tests(how)
    elif program == "gpuvae_bench":
        Path(option("--benchmark_out")).write_text(json.dumps({"context": {}, "benchmarks": [
            {"name": "bce_with_logits/100x784/training/warm", "real_time": 3.0, "unfused": 3e-5, "speedup": 10.0,
             "error": 1e-7}]}))
    else:
        Path(option("--out")).write_text('{"kind": "epoch", "preset": "keras-mnist", "executor": "fused", "seconds": 0.02}\n')


def run_tests(how):
    """Runs four tests. A sticky error in the second makes all later tests in the same process fail."""
    left_out = option("--gtest_filter").partition("-")[2].split(":")
    broken = False
    for name in ("Suite.First", "Suite.Second", "Suite.Third", "Suite.Fourth"):
        if name in left_out:
            continue
        print(f"[ RUN      ] {name}")
        if how == "crash in test" and name == "Suite.Third":
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
        broken = broken or how == "sticky" and name == "Suite.Second"
        if broken or how == "wrong" and name == "Suite.Fourth":
            print(f"a_test.cpp:7: Failure\n  {'an illegal memory access was encountered' if broken else 'expected 1, got 2'}")
            print(f"[  FAILED  ] {name} (1 ms)")
        else:
            print(f"[       OK ] {name} (1 ms)")
    sys.exit(1 if broken or how == "wrong" else 0)


how = behaviour()
misbehave(how)
answer(how)
