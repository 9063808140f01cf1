#!/usr/bin/env bash
# Installs the Python package with pip into an environment of its own in build/python, and runs its tests against the
# programs in the folder $1. Skips, and says so, where pip cannot install NumPy, scikit-learn and pytest.
set -euo pipefail
programs=$(realpath "$1")
cd "$(dirname "$0")/../.."
environment=build/python
python=$environment/bin/python

skip() {
  echo "python: skipped, because $1"
  exit 0
}
python3 -m venv "$environment" 2>/dev/null || skip "python3 cannot create virtual environments"
"$python" -m pip install -q numpy 'scikit-learn>=1.6' pandas tqdm pytest scikit-build-core nanobind ||
  skip "pip cannot install the packages that the tests need"
# Without build isolation, a second run finds the compiled files of the first one.
CMAKE_ARGS="-DGPUVAE_CUDA=OFF ${CMAKE_ARGS:-}" "$python" -m pip install -q --no-deps --no-build-isolation .

# The tests run in another folder, so that Python imports the installed package.
tests=$PWD/tests/python
python=$PWD/$python
cd "$environment"
GPUVAE_PROGRAMS=$programs "$python" "$tests/run.py"
