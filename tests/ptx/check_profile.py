#!/usr/bin/env python3
"""Compares the counters of kernels with committed limits.

check_profile.py REPORT [--table profile.json]            fails where a kernel got worse by more than the tolerance
check_profile.py REPORT [--table profile.json] --update   rewrites the table from the report

REPORT is the JSON that the emulated device writes to the file PTX_REPORT. A limit is the mean per launch, or the ratio of
transactions to the least possible number. Order, element counts and modes must be those of the run that made the table.
"""
import argparse
import json
import pathlib
import sys

TOLERANCE = 0.02
ACCESSES = {
    "global_load": "sectors", "global_store": "sectors", "global_atomic": "sectors",
    "shared_load": "passes", "shared_store": "passes", "shared_atomic": "passes",
}


def limits(kernel):
    """The numbers of a kernel that must not grow."""
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=pathlib.Path, help="JSON report of a run")
    parser.add_argument("--table", type=pathlib.Path, default=pathlib.Path(__file__).with_name("profile.json"),
                        help="committed limits (default: profile.json beside this script)")
    parser.add_argument("--update", action="store_true", help="rewrite the table from the report")
    args = parser.parse_args()
    report = json.loads(args.report.read_text())["kernels"]
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
