#!/usr/bin/env bash
# Installs a build into a temporary folder, uses it as other projects do, and prints one line per check.
# Argument: the build folder. Exit status: 0 if all checks passed, 1 if a check failed.
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
work=$(cd "$work" && pwd -P)
trap 'rm -rf "$work"' EXIT
prefix=$work/installed
nvcc=$(sed -n 's/^set(CMAKE_CUDA_COMPILER "\(.*\)")$/\1/p' "$build"/CMakeFiles/*/CMakeCUDACompiler.cmake 2>/dev/null || true)
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
cxx_flags=$(sed -n 's/^CMAKE_CXX_FLAGS:[A-Z]*=//p' "$build/CMakeCache.txt")

say() { echo "consumer: $*"; }
fail() { echo "consumer: FAILED: $*"; exit 1; }
# The kinds of programs that the library serves, of which each must be tested once.
mkdir "$work/cells"
cell() { : >"$work/cells/$1"; say "$1: ${*:2}"; }

# quietly LOG COMMAND... shows the log only if the command fails.
quietly() { local log=$work/$1.log; shift; "$@" >"$log" 2>&1 || { cat "$log"; fail "$*"; }; }

# project NAME ARGUMENTS... configures and builds the project in this folder against the installed package.
project() {
  local name=$1; shift
  quietly "$name" cmake -S "$here" -B "$work/$name" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" "$@"
  quietly "$name" cmake --build "$work/$name"
}

# A program must receive only the package's include folder and C++20, and no flags of the library's dependencies.
check_flags() {
  local commands=$work/$1/compile_commands.json
  ! grep -E -- '-fopenmp|FMT_|DNNL|HWY_' "$commands" || fail "$1: flags of gpuvae's dependencies reach the compiler"
  local includes
  includes=$(grep -oE -- '-(I|isystem)[ =]?[^ ]+' "$commands" | sort -u | grep -vc "$2" || true)
  [ "$includes" = 0 ] || fail "$1: expected no include folder other than $2"
}

# needs FILE prints the libraries that a program or library loads.
needs() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

. "$here/programs.sh"
. "$here/cuda_programs.sh"
. "$here/packages.sh"

quietly install cmake --install "$build" --prefix "$prefix"
! grep '^-- Installing: ' "$work/install.log" | grep -v ": $prefix/" || fail "files are installed outside of the prefix"
libraries=$(dirname "$(ls "$prefix"/lib*/libgpuvae.a "$prefix"/lib*/*/libgpuvae.a 2>/dev/null | head -1)")
grep -q 'gpuvae_WITH_CUDA ON' "$libraries/cmake/gpuvae/gpuvaeConfig.cmake" || nvcc=''
say "installed: $(du -sh "$prefix" | cut -f1)"
cells=6
check_headers
check_symbols
check_size
check_missing
check_kinds
check_cxx
check_plugins
check_c
check_python
check_language
if [ -n "$nvcc" ]; then
  cells=8
  check_all_cuda
  check_subdirectory -DCONSUMER_CUDA=BEFORE -DCMAKE_CUDA_COMPILER="$nvcc"
else
  say "skipped: programs with CUDA code, because this build has no CUDA backend"
  check_subdirectory
fi
check_fetch
check_pkg_config
check_debian
[ "$(ls "$work/cells" | wc -l)" = $cells ] || fail "expected $cells kinds of programs, tested: $(ls "$work/cells" | paste -sd,)"
say "kinds of programs: $cells of 8 tested"
