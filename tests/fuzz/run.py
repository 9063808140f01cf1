#!/usr/bin/env python3
"""Runs fuzz targets for some seconds each and prints a line per target: executions, coverage and findings.

    tests/fuzz/run.py --bin build/fuzz/bin [--seconds 600] [--jobs N] [TARGET ...]

Inputs that reach new code are kept in build/fuzz/corpus, from which the next run continues. An input that is a finding
is kept in build/fuzz/findings with the log of its target. The exit status is 1 if there is a finding.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# The length of the longest input that is tried, in bytes, where it is not the default.
DEFAULT_LENGTH = 4096
LENGTHS = {"grammars": 128, "png": 1024, "jpeg": 2048, "pnm_bmp": 1024, "idx": 1024}

# Limits of one input. The largest memory is that of the process; declared sizes must not drive it.
LIMITS = ["-timeout=10", "-rss_limit_mb=512"]
SANITIZERS = {"ASAN_OPTIONS": "quarantine_size_mb=8", "UBSAN_OPTIONS": "print_stacktrace=1", "OMP_NUM_THREADS": "1"}


def targets():
    return sorted(path.name for path in (HERE / "corpus").iterdir())


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def run(target, options):
    work = options.bin.parent
    corpus, findings = work / "corpus" / target, work / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    command = [options.bin / f"fuzz_{target}", f"-max_total_time={options.seconds}", "-print_final_stats=1", *LIMITS]
    command += [f"-max_len={LENGTHS.get(target, DEFAULT_LENGTH)}", f"-artifact_prefix={findings}/{target}-"]
    dictionary = HERE / "dictionaries" / f"{target}.dict"
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    log = work / f"{target}.log"
    with log.open("w") as out:
        status = subprocess.run([*command, corpus, HERE / "corpus" / target], stdout=out, stderr=subprocess.STDOUT,
                                env=os.environ | SANITIZERS).returncode
    text = log.read_text(errors="replace")
    executions = last_number(r"stat::number_of_executed_units: (\d+)", text)
    edges = last_number(r"cov: (\d+)", text)
    line = f"{target:<12} {executions:>12,} executions {edges:>7,} edges   {0 if status == 0 else 1} findings"
    print(line if status == 0 else f"{line}: see {log}", flush=True)
    return status == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, required=True, help="folder of the targets' programs")
    parser.add_argument("--seconds", type=int, default=600, help="time per target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets that run at the same time")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all by default")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        passed = list(pool.map(lambda target: run(target, options), options.targets or targets()))
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
