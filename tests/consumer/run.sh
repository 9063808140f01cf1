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

say() { echo "consumer: $*"; }
fail() { echo "consumer: FAILED: $*"; exit 1; }

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

check_headers() {
  echo '#include <bits/stdc++.h>' >"$work/standard.cpp"
  "$compiler" -std=c++20 -M "$work/standard.cpp" | tr -s ' \\\\' '\n' | grep '^/' | sort -u >"$work/standard"
  local header others
  for header in "$prefix"/include/gpuvae/*.h; do
    [ "$(basename "$header")" != cuda.h ] || continue
    "$compiler" -std=c++20 -Wall -Wextra -Werror -fsyntax-only -MD -MF "$work/header.d" -include "$header" -x c++ /dev/null \
      -I "$prefix/include" || fail "$header does not compile by itself"
    others=$(tr -s ' \\' '\n' <"$work/header.d" | grep '^/' | sort -u | comm -23 - "$work/standard" |
      grep -vE "^($prefix/include/gpuvae/|/dev/null)" || true)
    [ -z "$others" ] || fail "$header includes more than the standard library: $others"
  done
  say "each public header compiles by itself and includes only the standard library"
}

# Builds a C++ program and the example of the README as on a machine without a CUDA toolkit and
# without CMake files of the dependencies.
check_cxx() {
  sed -n '/^```cpp$/,/^```$/p' "$root/README.md" | sed '/^```/d' >"$work/readme.cpp"
  local hidden=() package
  for package in CUDAToolkit OpenMP fmt ZLIB Threads; do hidden+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON"); done
  local path
  path=$(tr ':' '\n' <<<"$PATH" | grep -vxF "$(dirname "${nvcc:-/none/nvcc}")" | paste -sd:)
  PATH=$path CUDACXX='' project cxx "${hidden[@]}" -DREADME_EXAMPLE="$work/readme.cpp"
  check_flags cxx "$prefix/include"
  say "a C++ program without a toolkit: $("$work/cxx/consumer")"
  quietly readme env GPUVAE_NUM_THREADS=1 "$work/cxx/readme"
  say "the README's example runs: $(tail -1 "$work/readme.log")"
}

# check_cuda NAME ARGUMENTS... builds a program with custom kernels, with warnings as errors. Without a GPU
# the program ends with exit status 77 and the library's reason.
check_cuda() {
  local name=$1 status=0; shift
  project "$name" -DCMAKE_CUDA_COMPILER="$nvcc" "$@"
  "$work/$name/cuda_consumer" >"$work/$name.out" || status=$?
  case $status in
    0) ;;
    77) grep -qE '^\[device\] expected a CUDA device .*(no driver|no GPU|no usable GPU|driver is too old)' "$work/$name.out" ||
          fail "no reason given: $(cat "$work/$name.out")" ;;
    *) fail "exit status $status: $(cat "$work/$name.out")" ;;
  esac
  say "$name: exit status $status, $(tail -1 "$work/$name.out")"
}

check_all_cuda() {
  local running=() process
  check_cuda "cuda-enabled-after" -DCONSUMER_CUDA=AFTER -DCUDA_HEADER=ON &
  running+=($!)
  check_cuda "cuda-enabled-before" -DCONSUMER_CUDA=BEFORE -DCMAKE_CUDA_STANDARD=20 \
    -DCMAKE_CUDA_RUNTIME_LIBRARY=Shared &
  running+=($!)
  : >"$work/empty.cu"
  if "$nvcc" -ccbin clang++ -c "$work/empty.cu" -o "$work/empty.o" >/dev/null 2>&1; then
    check_cuda "cuda-clang-host" -DCONSUMER_CUDA=BEFORE -DCMAKE_CUDA_HOST_COMPILER=clang++ \
      -DCMAKE_CXX_COMPILER=clang++ &
    running+=($!)
  else
    say "skipped: cuda-clang-host, because nvcc finds no clang++ that it supports"
  fi
  for process in "${running[@]}"; do wait "$process" || exit 1; done
  check_flags cuda-enabled-before "$prefix/include"
}

# Adds the sources with add_subdirectory(). The library is not built again; the programs are linked with the
# installed one.
check_subdirectory() {
  quietly sub cmake -S "$here" -B "$work/sub" -G Ninja -DGPUVAE_SOURCE="$root" -DCMAKE_CXX_COMPILER="$compiler" "$@"
  quietly sub ninja -C "$work/sub" CMakeFiles/consumer.dir/consumer.cpp.o \
    ${nvcc:+CMakeFiles/cuda_consumer.dir/cuda_consumer.cu.o}
  ! ninja -C "$work/sub" -t commands CMakeFiles/consumer.dir/consumer.cpp.o | tail -1 | grep -E -- '-fopenmp|isystem' ||
    fail "add_subdirectory: flags of gpuvae's dependencies reach the compiler"
  local program link
  for program in consumer ${nvcc:+cuda_consumer}; do
    link=$(ninja -C "$work/sub" -t commands "$program" | tail -1 | sed "s#[^ ]*libgpuvae\.a#$prefix/lib/libgpuvae.a#")
    (cd "$work/sub" && quietly link bash -c "$link")
  done
  say "add_subdirectory: $("$work/sub/consumer")"
}

# answer NAME PREFIX ARGUMENTS... prints the result of find_package(QUIET). It fails if the configure run fails or
# prints a warning or an error.
answer() {
  local name=$1 at=$2; shift 2
  rm -rf "$work/missing"
  quietly missing cmake -S "$here/missing" -B "$work/missing" -G Ninja -DCMAKE_PREFIX_PATH="$at" -DGPUVAE_HOW=QUIET "$@"
  ! grep -iE 'warning|error' "$work/missing.log" || fail "$name: QUIET is not quiet"
  grep -- '-- gpuvae_FOUND=' "$work/missing.log"
}

# missing NAME REASON PREFIX ARGUMENTS... expects that find_package gives the reason in each mode: QUIET sets
# gpuvae_FOUND to 0, REQUIRED fails, and the default warns.
missing() {
  local name=$1 reason=$2 at=$3 log=$work/missing.log; shift 3
  answer "$name" "$at" "$@" | grep -q "gpuvae_FOUND=0.*$reason" || fail "$name: $(cat "$log")"
  quietly missing cmake "$work/missing" -DGPUVAE_HOW=
  tr -s ' \n' ' ' <"$log" | grep -q "CMake Warning.*$reason" || fail "$name: no warning: $(cat "$log")"
  ! cmake "$work/missing" -DGPUVAE_HOW=REQUIRED >"$log" 2>&1 || fail "$name: expected REQUIRED to fail"
  tr -s ' \n' ' ' <"$log" | grep -q "CMake Error.*$reason" || fail "$name: no reason: $(cat "$log")"
  say "find_package gives the reason: $name"
}

check_missing() {
  local damaged=$work/damaged file folders
  answer "all there" "$prefix" | grep -q 'gpuvae_FOUND=1' || fail "not found: $(cat "$work/missing.log")"
  missing "oneDNN is elsewhere" "libdnnl.*oneDNN.*GPUVAE_DNNL_LIBRARY" "$prefix" -DGPUVAE_DNNL_LIBRARY=/nowhere/libdnnl.so.2
  folders=$(sed -n 's/^gpuvae_link_library(.* "\(.*\)")$/\1/p' "$prefix"/lib*/cmake/gpuvae/gpuvaeConfig.cmake | sort -u)
  folders=$(for file in $folders; do echo "$file"; echo "${file#/usr}"; done | paste -sd';')
  missing "no link library" "oneDNN.*Highway.*libdeflate.*fmt.*zlib.*libpng.*libjpeg" "$prefix" "-DCMAKE_IGNORE_PATH=$folders"
  for file in $(cd "$prefix" && ls lib*/libgpuvae.* lib*/cmake/gpuvae/gpuvaeTargets*.cmake include/gpuvae/gpuvae.h) \
              ${nvcc:+$(cd "$prefix" && ls lib*/gpuvae/libcudart_static.a)}; do
    rm -rf "$damaged"
    cp -rl "$prefix" "$damaged"
    rm "$damaged/$file"
    missing "no $(basename "$file")" "$(basename "${file%-*}").*installed with gpuvae" "$damaged"
  done
}

quietly install cmake --install "$build" --prefix "$prefix"
grep -q 'gpuvae_WITH_CUDA ON' "$prefix"/lib*/cmake/gpuvae/gpuvaeConfig.cmake || nvcc=''
say "installed: $(du -sh "$prefix" | cut -f1), library $(stat -Lc %s "$prefix"/lib*/libgpuvae.* | head -1) bytes"
check_headers
check_missing
check_cxx
if [ -n "$nvcc" ]; then
  check_all_cuda
  check_subdirectory -DCONSUMER_CUDA=BEFORE -DCMAKE_CUDA_COMPILER="$nvcc"
else
  say "skipped: programs with CUDA code, because this build has no CUDA backend"
  check_subdirectory
fi
