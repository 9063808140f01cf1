"""Compares the C functions that the library exports with the committed list symbols.txt and with gpuvae/c.h."""

import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = HERE.parent.parent / "include" / "gpuvae" / "c.h"
LIBRARY = None


def committed():
    return (HERE / "symbols.txt").read_text().split()


def exported(library):
    """Returns the defined C symbols whose names begin with gpuvae_."""
    listing = subprocess.run(["nm", "--defined-only", "--extern-only", library], capture_output=True, text=True, check=True)
    return sorted(set(re.findall(r"^[0-9a-f]+ [A-Z] (gpuvae_\w+)$", listing.stdout, re.M)))


class Symbols(unittest.TestCase):
    def test_the_list_is_sorted(self):
        self.assertEqual(committed(), sorted(set(committed())))

    def test_the_library_exports_the_list(self):
        self.assertEqual(exported(LIBRARY), committed())

    def test_the_header_declares_the_list(self):
        declared = re.findall(r"GPUVAE_C_API\s[^;(]*?\b(gpuvae_\w+)\(", HEADER.read_text())
        self.assertEqual(sorted(declared), committed())


if __name__ == "__main__":
    if shutil.which("nm") is None:
        print("skipped: no nm")
        sys.exit(77)
    LIBRARY = sys.argv.pop(1)
    unittest.main()
