#!/usr/bin/env bash
# Installs a build into a temporary folder, builds the consumer against it, runs it. Argument: the build folder.
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/installed" >/dev/null
sed -n '/^```cpp$/,/^```$/p' "$here/../../README.md" | sed '/^```/d' >"$work/readme.cpp"
sed -n '/^```c++$/,/^```$/p' "$here/../../README.md" | sed '/^```/d' >"$work/readme_cuda.cpp"
cmake -S "$here" -DREADME_EXAMPLE="$work/readme.cpp" -DREADME_CUDA_EXAMPLE="$work/readme_cuda.cpp" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/installed" >/dev/null
cmake --build "$work/build"
"$work/build/consumer"
"$work/build/readme"  # the README's example, as printed there
