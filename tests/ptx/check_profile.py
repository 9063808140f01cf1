#!/usr/bin/env python3
"""Compares the counters of kernels with committed limits.

check_profile.py --run PROGRAM             runs gpuvae_ptx_tests, and fails if a kernel exceeds its limits
check_profile.py --run PROGRAM --update    rewrites the table (make profile)
check_profile.py REPORT [--update]         the same from an existing report

REPORT is the JSON that the emulated device writes to the file PTX_REPORT. A limit is a mean per launch, the ratio of
transactions to the minimum possible number, or the worst bank conflict, over the tests that `--run` runs. Adding or
changing a test case may require --update.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

TOLERANCE = 0.02
# These tests launch every kernel and take seconds: the cases of the operations, and the fused steps.
TESTS = "Cases/Operation.CudaMatchesCpu*:FusedStep.*:*FusedVariant*:Optimizer*:*Gather*:FusedProduct.*"
LARGEST_CASE = "100000"
ACCESSES = {
    "global_load": "sectors", "global_store": "sectors", "global_atomic": "sectors",
    "shared_load": "passes", "shared_store": "passes", "shared_atomic": "passes",
}


def limits(kernel):
    """Returns the numbers of a kernel that must not grow."""
    launches = max(1, kernel["launches"])
    numbers = {
        "warp_instructions": kernel["warp_instructions"] / launches,
        "barriers": kernel["barriers"] / launches,
        "worst_bank_conflict": kernel["worst_bank_conflict"],
        "local_bytes": kernel.get("local", {}).get("bytes", 0) / launches,
    }
    for name, unit in ACCESSES.items():
        access = kernel.get(name)
        if access:
            numbers[f"{name}_{unit}"] = access[unit] / launches
            numbers[f"{name}_{unit}_over_least"] = access[unit] / max(1, access["least"])
    return {name: round(value, 4) for name, value in numbers.items()}


def compare(table, report):
    """Returns (problems, improvements), one line each."""
    problems, improvements = [], []
    for kernel, expected in sorted(table.items()):
        if kernel not in report:
            problems.append(f"[check_profile] expected kernel {kernel} in the report, got none")
            continue
        actual = limits(report[kernel])
        for name in sorted(set(expected) | set(actual)):
            limit, value = expected.get(name, 0), actual.get(name, 0)
            if not value <= limit * (1 + TOLERANCE):
                problems.append(f"[check_profile] {kernel}: expected {name} of at most {limit:g}, got {value:g}")
            elif value < limit * (1 - TOLERANCE):
                improvements.append(f"{kernel}: {name} improved from {limit:g} to {value:g}")
    for kernel in sorted(set(report) - set(table)):
        problems.append(f"[check_profile] expected a limit for kernel {kernel}, got none; run with --update")
    return problems, improvements


def write_table(path, report):
    table = {kernel: limits(counters) for kernel, counters in sorted(report.items())}
    path.write_text(json.dumps({"kernels": table}, indent=1) + "\n")
    return len(table)


def run(program):
    """Returns the report of the tests in `program`, in the default order and mode."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PTX_")}
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        environment |= {"PTX_REPORT": str(report), "PTX_RACES": "0", "PTX_UNINITIALIZED": "0",
                        "GPUVAE_TEST_ELEMENTS": LARGEST_CASE, "GPUVAE_NUM_THREADS": "1"}
        done = subprocess.run([program, f"--gtest_filter={TESTS}"], env=environment, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            sys.exit(f"[check_profile] expected the tests of {program} to pass, got:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return json.loads(report.read_text())["kernels"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=pathlib.Path, nargs="?", help="JSON report of a run")
    parser.add_argument("--run", metavar="PROGRAM", help="make the report by running gpuvae_ptx_tests")
    parser.add_argument("--table", type=pathlib.Path, default=pathlib.Path(__file__).with_name("profile.json"),
                        help="committed limits (default: profile.json beside this script)")
    parser.add_argument("--update", action="store_true", help="rewrite the table from the report")
    args = parser.parse_args()
    if (args.report is None) == (args.run is None):
        parser.error("expected a report or --run PROGRAM")
    report = run(args.run) if args.run else json.loads(args.report.read_text())["kernels"]
    if args.update:
        print(f"{write_table(args.table, report)} kernels written to {args.table}")
        return 0
    problems, improvements = compare(json.loads(args.table.read_text())["kernels"], report)
    for line in improvements:
        print(line)
    for line in problems:
        print(line, file=sys.stderr)
    print(f"{len(report)} kernels compared: {len(problems)} problems, {len(improvements)} improvements")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
