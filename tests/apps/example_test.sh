#!/usr/bin/env bash
# Runs an example and compares its output with the header of its source EXAMPLE_SOURCE: the lines after "//
# Prints:", up to the first line that is not indented. EXAMPLE_ARGUMENT, if set, is the argument of the example.
set -euo pipefail
expected=$(awk '/^\/\/ Prints:$/ { on = 1; next } on && /^\/\/   / { print substr($0, 6); next } on { exit }' "$EXAMPLE_SOURCE")
[[ -n $expected ]] || { echo "$EXAMPLE_SOURCE: expected '// Prints:' and indented lines"; exit 1; }
diff <(echo "$expected") <("$1" ${EXAMPLE_ARGUMENT:+"$EXAMPLE_ARGUMENT"})
