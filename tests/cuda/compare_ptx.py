#!/usr/bin/env python3
"""Checks that the tests execute the kernels of the library: compares the PTX of both for one architecture, without
line information.

    compare_ptx.py LIBRARY OBJECT...

LIBRARY holds compressed PTX. The OBJECTs were compiled for tests, uncompressed and with -lineinfo. Exit status: 0 if
the texts agree, 1 if they differ, 77 if libzstd is missing, without which the library cannot be read.
"""
import argparse, difflib, re, sys

import fatbinary

# Match what -lineinfo adds: source positions, their labels, the table of files and the sections of debug
# information.
LINE_INFORMATION = re.compile(r"\s*(\.loc\s|\.file\s|//|\$L__(tmp|func_begin|func_end|info_string)\w*:)|\s*$")
SECTION = re.compile(r"\s*\.section\s+\.debug_\w+.*?^\s*\}\s*$", re.M | re.S)


def plain(text):
    text = SECTION.sub("", text)
    text = re.sub(r"^(\.target sm_\w+), debug$", r"\1", text, flags=re.M)
    text = re.sub(r"(_GLOBAL__N__|_INTERNAL_)[0-9a-f]{8}_", r"\1_", text)  # hash of the command line
    return [line.rstrip() for line in text.splitlines() if not LINE_INFORMATION.match(line)]


def kernels(lines):
    """Returns the names that a module defines, which identify it."""
    return tuple(sorted(re.findall(r"\.entry (\w+)", "\n".join(lines))))


def modules(texts):
    found = {}
    for text in texts:
        lines = plain(text)
        if kernels(lines):
            found[kernels(lines)] = lines
    return found


VECTOR = re.compile(r"\s*((?:@\S+ )?(?:ld|st)\S*)\.v([24])(\.\w(\d+))\s.*\[[^+\]]*\+?(-?\d*)\]")
REGISTER = re.compile(r"%\w+|\$L\w+")


def instructions(lines):
    """Returns a module's instructions in sorted order, without registers and labels, and with each vector access split
    into its elements. The same nvcc may combine the loads of a loop into vector loads in one run and not in the next.
    This changes only the order of instructions and the names of registers."""
    found = []
    for line in lines:
        vector = VECTOR.match(line)
        if vector:
            access, count, kind, bits, offset = vector.groups()
            step = int(bits) // 8
            found += [f"{access}{kind} {int(offset or 0) + i * step}" for i in range(int(count))]
        elif not line.lstrip().startswith(".reg "):
            scalar = re.match(r"\s*((?:@\S+ )?(?:ld|st)\.\S+)\s.*\[%[^+\]]*\+?(-?\d*)\]", line)
            found.append(REGISTER.sub("", f"{scalar[1]} {scalar[2] or 0}" if scalar else line))
    return sorted(REGISTER.sub("", line) for line in found)


def differences(library, tests):
    for names in sorted(library.keys() ^ tests.keys()):
        yield f"only in the {'library' if names in library else 'tests'}: {', '.join(names)}"
    for names in sorted(library.keys() & tests.keys()):
        if library[names] != tests[names] and instructions(library[names]) != instructions(tests[names]):
            diff = difflib.unified_diff(library[names], tests[names], "library", "tests", lineterm="", n=1)
            yield "\n".join([f"{names[0]} and its module:", *list(diff)[:20]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("objects", nargs="+")
    parser.add_argument("--architecture", type=int, default=90, help="compute capability times 10; default: 90")
    args = parser.parse_args()
    try:
        texts, compressed = fatbinary.ptx(args.library, args.architecture)
    except fatbinary.NoZstd as error:
        print(f"compare_ptx: no libzstd: {error}")
        return 77
    library = modules(texts)
    tests = modules([text for path in args.objects for text in fatbinary.ptx(path, args.architecture)[0]])
    found = list(differences(library, tests))
    if not library or compressed != len(texts):
        found.append(f"the library: expected compressed PTX only, got {compressed} of {len(texts)} texts compressed")
    print("\n".join(found), end="\n" if found else "")
    count = sum(len(names) for names in library)
    lines = sum(len(lines) for lines in library.values())
    print(f"sm_{args.architecture}: {len(library)} modules, {count} kernels, {lines} lines of PTX, {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
