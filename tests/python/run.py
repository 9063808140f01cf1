"""Runs the tests of the Python package with pytest. Exits with 77, which means skipped, without pytest or NumPy.

Usage: run.py [OPTION of pytest ...]; the package is found through PYTHONPATH, the programs through GPUVAE_PROGRAMS.
"""

import sys
from pathlib import Path

try:
    import numpy  # noqa: F401
    import pytest
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-rs", *(sys.argv[1:] or [str(Path(__file__).parent)])]))
