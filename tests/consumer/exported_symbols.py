"""Checks the symbols that a shared library (argument 1) exports: each is gpuvae's, and a public header in the folder of
argument 2 names it. Prints their number."""

import re
import subprocess
import sys
from pathlib import Path


def exported(library):
    """Returns the demangled names of the exported symbols, without parameters and template arguments."""
    command = ["nm", "-D", "--defined-only", "--demangle", library]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split(" ", 2)[2].strip() for line in lines]


def identifiers(symbol):
    """Returns the names that a symbol consists of: gpuvae::Tensor::empty(gpuvae::Shape, ...) gives gpuvae, Tensor, empty."""
    name = re.sub(r"^(typeinfo name|typeinfo|vtable) for ", "", symbol)
    name = re.sub(r"\[abi:\w+\]", "", name)
    if " operator " in name or "::operator" in name:
        name = name[: name.index("::operator")]
    while "<" in name:
        shorter = re.sub(r"<[^<>]*>", "", name)
        if shorter == name:
            break
        name = shorter
    name = name.split("(")[0].split(" ")[-1]
    return re.findall(r"\w+", name)


def main():
    library, headers = sys.argv[1], Path(sys.argv[2])
    words = set(re.findall(r"\w+", "\n".join(re.sub(r"//.*", "", file.read_text()) for file in headers.glob("*.h"))))
    symbols = exported(library)
    wrong = [s for s in symbols if "gpuvae" not in s or not set(identifiers(s)) <= words]
    if wrong or not symbols:
        sys.exit("not declared in a public header:\n" + "\n".join(wrong))
    print(f"libgpuvae.so exports {len(symbols)} symbols, which the public headers declare")


if __name__ == "__main__":
    main()
