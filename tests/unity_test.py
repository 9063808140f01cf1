#!/usr/bin/env python3
"""Checks builds with GPUVAE_UNITY: unity_test.py BUILD

Files that are compiled together share their anonymous namespaces. Two functions with the same name and other parameters
are then overloads, and a call may silently choose the other file's function. So each name of a function may stand in
the anonymous namespace of only one file of a target."""
import collections, json, re, sys
from pathlib import Path

BUILD = Path(sys.argv[1])
FUNCTION = re.compile(r"(?:template <.*> )?(?:\[\[\w+\]\] )?[\w:<>,&*\s]*?[ *&>](\w+)\(")
OTHER = ("TEST", "INSTANTIATE", "using", "struct", "class", " ", "}", "#", "enum", "return")


def targets():
    """The files of each target that are compiled together."""
    files = collections.defaultdict(list)
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        unity = Path(entry["file"])
        if unity.parent.name == "Unity" and unity.exists():
            files[unity.parent.parent.stem] += re.findall(r'#include "([^"]+)"', unity.read_text())
    return files


def local_functions(file):
    text = re.sub(r"//[^\n]*", "", Path(file).read_text().replace("}  // namespace\n", "@end\n"))
    text = re.sub(r"'(\\.|[^'\\])'", "0", text)
    text = re.sub(r'"(\\.|[^"\\])*"', '""', text)
    names = set()
    for space in re.findall(r"^namespace \{\n(.*?)^@end", text, re.S | re.M):
        depth = 0
        for line in space.splitlines():
            found = FUNCTION.match(line)
            if depth == 0 and found and not line.startswith(OTHER):
                names.add(found.group(1))
            depth += line.count("{") - line.count("}")
    return names


def main():
    mistakes, functions = [], 0
    for target, files in targets().items():
        owners = collections.defaultdict(set)
        for file in files:
            for name in local_functions(file):
                owners[name].add(Path(file).name)
        functions += len(owners)
        mistakes += [f"{target}: {name} in {', '.join(sorted(where))}" for name, where in owners.items() if len(where) > 1]
    print("\n".join(mistakes) or f"{functions} names, none of them twice in a target")
    return bool(mistakes)


sys.exit(main())
