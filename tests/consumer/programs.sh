# Programs without CUDA code that use the installed library. run.sh reads this file.

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
  local hidden=() package kind
  for package in CUDAToolkit OpenMP fmt ZLIB PNG JPEG Threads; do hidden+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON"); done
  local path
  path=$(tr ':' '\n' <<<"$PATH" | grep -vxF "$(dirname "${nvcc:-/none/nvcc}")" | paste -sd:)
  PATH=$path CUDACXX='' project cxx "${hidden[@]}" -DREADME_EXAMPLE="$work/readme.cpp" -DPLUGIN_SOURCES="$root/tests/kernels"
  check_flags cxx "$prefix/include"
  for kind in static shared; do cell "C++ program, $kind library" "$("$work/cxx/consumer_$kind")"; done
  needs "$work/cxx/consumer_shared" | grep -qE '^libgpuvae\.so\.[0-9]' || fail "consumer_shared: expected a SONAME with a version"
  ! needs "$work/cxx/consumer_shared" | grep -qE 'dnnl|hwy|fmt' || fail "consumer_shared is linked with gpuvae's dependencies"
  ! needs "$work/cxx/consumer_static" | grep -q gpuvae || fail "consumer_static is linked with the shared library"
  quietly readme env GPUVAE_NUM_THREADS=1 "$work/cxx/readme"
  say "the README's example runs: $(tail -1 "$work/readme.log")"
}

# Two copies of the static library in one process, as plugins of a program that is not linked with gpuvae.
check_plugins() {
  quietly plugins "$work/cxx/plugin_test" "$work/cxx/libplugin.so"
  cell "two copies in one process" "train independently, and dlclose() unloads them"
  local others
  others=$(nm -DC --defined-only "$work/cxx/libplugin_open.so" | grep -E ' [TDBR] ' | grep -v ' plugin_' || true)
  [ -z "$others" ] || fail "a plugin exports the library that it contains: $others"
  say "a plugin does not export the library that it contains"
}

check_c() {
  quietly c cmake -S "$here/c" -B "$work/c" -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
  quietly c cmake --build "$work/c"
  local kind
  for kind in static shared; do cell "C program, $kind library" "$("$work/c/c_consumer_$kind")"; done
  [ "$("$work/c/c_consumer_static")" = "$("$work/c/c_consumer_shared")" ] || fail "the two kinds of the library differ"
}

check_python() {
  command -v python3 >/dev/null || { cells=$((cells - 1)); say "skipped: Python, because there is no python3"; return; }
  quietly python python3 "$here/python_consumer.py" "$libraries/libgpuvae.so" "$("$work/c/c_consumer_shared")"
  cell "Python (ctypes), shared library" "$(tail -1 "$work/python.log")"
}

# A project that asks for C++17 gets C++20 from CMake. A compiler that is called directly says what is missing.
check_language() {
  local other=$compiler first
  ! command -v clang++ >/dev/null || other=clang++
  project cxx17 -DCMAKE_CXX_COMPILER="$other" -DCMAKE_CXX_STANDARD=17 -DCMAKE_CXX_STANDARD_REQUIRED=ON
  say "a project for C++17 with $(basename "$other"): $("$work/cxx17/consumer_static")"
  for other in "$compiler" "$other"; do
    first=$("$other" -std=c++17 -fsyntax-only -I "$prefix/include" "$here/consumer.cpp" 2>&1 | grep -m1 'error' || true)
    grep -q 'gpuvae requires C++20: compile with -std=c++20' <<<"$first" || fail "$other -std=c++17: $first"
  done
  say "with -std=c++17, the first error says that gpuvae requires C++20"
}
