#!/usr/bin/env python3
"""Prints the share of the lines of src/io and src/data that the tests executed, by file.

    tests/coverage.py BUILD [--least 95] [--lines]

BUILD is a build folder of the preset "coverage" whose tests have run. Needs gcov, which comes with g++.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src/io", "src/data")


def executions(build):
    """Returns how often each line of each file was executed, summed over the programs."""
    counts = defaultdict(lambda: defaultdict(int))
    notes = sorted(str(path) for path in build.resolve().rglob("*.gcda"))
    if not notes:
        sys.exit(f"coverage: expected a build of the preset coverage whose tests have run, got {build}")
    with tempfile.TemporaryDirectory() as folder:
        for note in notes:
            subprocess.run(["gcov", "--json-format", note], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            for result in Path(folder).glob("*.gcov.json.gz"):
                data = json.loads(gzip.decompress(result.read_bytes()))
                result.unlink()
                for file in data["files"]:
                    path = (Path(data["current_working_directory"]) / file["file"]).resolve()
                    if not path.is_relative_to(ROOT):
                        continue
                    name = str(path.relative_to(ROOT))
                    if str(Path(name).parent) in FOLDERS:
                        for line in file["lines"]:
                            counts[name][line["line_number"]] += line["count"]
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--least", type=float, default=95, help="fail below this share of all lines, in percent")
    parser.add_argument("--lines", action="store_true", help="list the lines that were not executed")
    options = parser.parse_args()
    covered = total = 0
    for name, lines in sorted(executions(options.build).items()):
        executed = sum(count > 0 for count in lines.values())
        covered += executed
        total += len(lines)
        print(f"{name:<32} {executed:>5} of {len(lines):>5} lines {100 * executed / len(lines):6.1f} %")
        if options.lines:
            text = (ROOT / name).read_text().splitlines()
            for number in sorted(number for number, count in lines.items() if count == 0):
                print(f"    {number:>4}: {text[number - 1].strip()}")
    share = 100 * covered / total
    print(f"{'all':<32} {covered:>5} of {total:>5} lines {share:6.1f} %")
    sys.exit(0 if share >= options.least else 1)


if __name__ == "__main__":
    main()
