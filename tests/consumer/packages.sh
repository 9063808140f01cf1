# The installed files, and the ways in which projects find and add the library. run.sh reads this file.

# The shared library exports what the public headers declare and nothing else.
check_symbols() {
  command -v python3 >/dev/null || { say "skipped: exported symbols, because there is no python3"; return; }
  quietly symbols python3 "$here/exported_symbols.py" "$libraries/libgpuvae.so" "$prefix/include/gpuvae"
  say "$(tail -1 "$work/symbols.log")"
  # The examples use only public headers, so their objects must link with it.
  local object example
  for object in "$build"/apps/CMakeFiles/*.dir/examples/*.cpp.o; do
    [ -e "$object" ] || continue
    example=$(basename "$object" .cpp.o)
    "$compiler" $cxx_flags "$object" "$libraries/libgpuvae.so" -o "$work/$example" || fail "$example does not link with libgpuvae.so"
  done
  say "the examples link with the shared library"
}

# The size of the shared library, with the default architectures.
check_size() {
  command -v python3 >/dev/null || { say "skipped: size, because there is no python3"; return; }
  quietly size python3 "$here/library_size.py" "$libraries/libgpuvae.so" "$build"
  say "$(tail -1 "$work/size.log")"
}

# check_subdirectory ARGUMENTS... adds the sources with add_subdirectory(). The library is not built again; the programs
# are linked with the installed one.
check_subdirectory() {
  quietly sub cmake -S "$here" -B "$work/sub" -G Ninja -DGPUVAE_SOURCE="$root" -DCMAKE_CXX_COMPILER="$compiler" "$@"
  quietly sub ninja -C "$work/sub" CMakeFiles/consumer_objects.dir/consumer.cpp.o \
    ${nvcc:+CMakeFiles/cuda_consumer_objects.dir/cuda_consumer.cu.o}
  ! ninja -C "$work/sub" -t commands CMakeFiles/consumer_objects.dir/consumer.cpp.o | tail -1 | grep -E -- '-fopenmp|isystem' ||
    fail "add_subdirectory: flags of gpuvae's dependencies reach the compiler"
  local program link
  for program in consumer_static ${nvcc:+cuda_consumer_static}; do
    link=$(ninja -C "$work/sub" -t commands "$program" | tail -1 | sed "s#[^ ]*libgpuvae\.a#$libraries/libgpuvae.a#")
    (cd "$work/sub" && quietly link bash -c "$link")
  done
  say "add_subdirectory: $("$work/sub/consumer_static")"
}

# FetchContent, with shared libraries. gpuvae then has no tests and programs, and does not install anything.
check_fetch() {
  quietly fetch cmake -S "$here" -B "$work/fetch" -G Ninja -DGPUVAE_SOURCE="$root" -DCONSUMER_FETCH=ON -DGPUVAE_CUDA=OFF \
    -DBUILD_SHARED_LIBS=ON -DCMAKE_CXX_COMPILER="$compiler"
  local link object=CMakeFiles/consumer_objects.dir/consumer.cpp.o
  quietly fetch ninja -C "$work/fetch" $object
  link=$(ninja -C "$work/fetch" -t commands consumer_shared | tail -1 | sed "s#[^ ]*libgpuvae\.so[.0-9]*#$libraries/libgpuvae.so#")
  (cd "$work/fetch" && quietly link bash -c "$link")
  (cd "$work/fetch" && ctest -N) | grep -q 'Total Tests: 0' || fail "FetchContent: expected no tests of gpuvae"
  ! grep -rqE 'libgpuvae|include/gpuvae|copyright' "$work/fetch" --include=cmake_install.cmake || fail "FetchContent: gpuvae is installed"
  ! ninja -C "$work/fetch" -t targets all | grep -E 'mnist_vae|gpuvae_tests' || fail "FetchContent: programs or tests are built"
  say "FetchContent: $(LD_LIBRARY_PATH=$libraries "$work/fetch/consumer_shared")"
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
  answer "$name" "$at" "$@" | grep -qE "gpuvae_FOUND=(0|FALSE).*$reason" || fail "$name: $(cat "$log")"
  quietly missing cmake "$work/missing" -DGPUVAE_HOW=
  tr -s ' \n' ' ' <"$log" | grep -q "CMake Warning.*$reason" || fail "$name: no warning: $(cat "$log")"
  ! cmake "$work/missing" -DGPUVAE_HOW=REQUIRED >"$log" 2>&1 || fail "$name: expected REQUIRED to fail"
  tr -s ' \n' ' ' <"$log" | grep -q "CMake Error.*$reason" || fail "$name: no reason: $(cat "$log")"
  say "find_package gives the reason: $name"
}

check_missing() {
  local damaged=$work/damaged file folders at shared
  answer "all there" "$prefix" | grep -q 'gpuvae_FOUND=1' || fail "not found: $(cat "$work/missing.log")"
  missing "oneDNN is elsewhere" "libdnnl.*oneDNN.*GPUVAE_DNNL_LIBRARY" "$prefix" -DGPUVAE_DNNL_LIBRARY=/nowhere/libdnnl.so.2
  folders=$(sed -n 's/^ *gpuvae_link_library(.* "\(.*\)")$/\1/p' "$libraries/cmake/gpuvae/gpuvaeConfig.cmake" | sort -u)
  folders=$(for file in $folders; do echo "$file"; echo "${file#/usr}"; done | paste -sd';')
  missing "no link library" "oneDNN.*Highway.*libdeflate.*fmt.*zlib.*libpng.*libjpeg" "$prefix" "-DCMAKE_IGNORE_PATH=$folders"
  for file in lib{gpuvae.a,gpuvae.so} cmake/gpuvae/gpuvae_{static,shared}Targets-release.cmake ../include/gpuvae/gpuvae.h \
              ${nvcc:+gpuvae/libcudart_static.a}; do
    at=$libraries/$file
    [ -e "$at" ] || continue
    rm -rf "$damaged"
    cp -rl "$prefix" "$damaged"
    rm "$damaged/${at#"$prefix"/}"
    shared=OFF
    [[ $file != *so && $file != *shared* ]] || shared=ON
    missing "no $(basename "$file")" "$(basename "${file%-*}").*installed with gpuvae" "$damaged" -DBUILD_SHARED_LIBS=$shared
  done
}

# The kind of the library that gpuvae::gpuvae is.
check_kinds() {
  local -A expected=([QUIET]=static ["QUIET;COMPONENTS;shared"]=shared ["QUIET;COMPONENTS;static"]=static)
  local how
  for how in "${!expected[@]}"; do
    answer "$how" "$prefix" -DGPUVAE_HOW="$how" | grep -q "gpuvae_FOUND=1 gpuvae::gpuvae_${expected[$how]}" || fail "$how: $(cat "$work/missing.log")"
  done
  answer "BUILD_SHARED_LIBS" "$prefix" -DBUILD_SHARED_LIBS=ON | grep -q "gpuvae_FOUND=1 gpuvae::gpuvae_shared" || fail "BUILD_SHARED_LIBS=ON"
  answer "no such component" "$prefix" "-DGPUVAE_HOW=QUIET;COMPONENTS;python" | grep -qE 'gpuvae_FOUND=(0|FALSE).*component python' ||
    fail "component python: $(cat "$work/missing.log")"
  # The shared library needs none of the static one's dependencies.
  answer "no oneDNN" "$prefix" -DBUILD_SHARED_LIBS=ON -DGPUVAE_DNNL_LIBRARY=/nowhere/libdnnl.so.2 | grep -q "gpuvae_FOUND=1" ||
    fail "no oneDNN: $(cat "$work/missing.log")"
  say "gpuvae::gpuvae is the static or the shared library, as components and BUILD_SHARED_LIBS say"
}

check_pkg_config() {
  command -v pkg-config >/dev/null || { say "skipped: pkg-config, because it is missing"; return; }
  local object=$work/cxx/CMakeFiles/consumer_objects.dir/consumer.cpp.o moved=$work/moved name
  cp -rl "$prefix" "$moved"
  export PKG_CONFIG_PATH=${libraries/#$prefix/$moved}/pkgconfig
  local rpath=-Wl,-rpath,${PKG_CONFIG_PATH%/pkgconfig}
  quietly pkg_config pkg-config --validate gpuvae gpuvae-static
  for name in gpuvae gpuvae-static; do
    pkg-config --cflags "$name" | grep -q "$moved" || fail "pkg-config: expected $moved, got $(pkg-config --cflags $name)"
    quietly pkg_config "$compiler" "$object" $(pkg-config --libs $name) "$rpath" -o "$work/pkg_$name"
    quietly pkg_config cc -std=c99 "$here/c/c_consumer.c" $(pkg-config --cflags --libs $name) "$rpath" -o "$work/pkg_c_$name"
    "$work/pkg_c_$name" >/dev/null || fail "pkg-config $name: the C program failed"
    say "pkg-config $name: $("$work/pkg_$name")"
  done
  # Where only the static library is installed, --static names its dependencies.
  rm "${PKG_CONFIG_PATH%/pkgconfig}"/libgpuvae.so*
  quietly pkg_config "$compiler" "$object" $(pkg-config --static --libs gpuvae) -o "$work/pkg_only_static"
  say "pkg-config --static gpuvae: $("$work/pkg_only_static")"
}

check_debian() {
  command -v dpkg-deb >/dev/null && command -v dpkg-shlibdeps >/dev/null || { say "skipped: Debian packages, because dpkg-dev is missing"; return; }
  quietly cpack cpack --config "$build/CPackConfig.cmake" -G DEB -B "$work/deb" -D CPACK_DEBIAN_COMPRESSION_TYPE=none
  local root_folder=$work/debian name licence
  declare -A contains=(['libgpuvae[0-9]']='/libgpuvae\.so\.' [libgpuvae-dev]='/include/gpuvae/gpuvae\.h' [gpuvae-tools]='/bin/mnist_vae')
  [ -e "$prefix/bin/mnist_vae" ] || unset "contains[gpuvae-tools]"
  for name in "${!contains[@]}"; do
    local package=$(ls "$work"/deb/$name*.deb)
    dpkg-deb -c "$package" >"$work/contents"
    grep -qE "${contains[$name]}" "$work/contents" || fail "$package: expected ${contains[$name]}"
    grep -q '/share/doc/.*/copyright' "$work/contents" || fail "$package: no licence"
    dpkg-deb -x "$package" "$root_folder"
    for licence in 'Apache License' 'Niels Lohmann' 'stb_image_write' 'University of Cincinnati' 'Permission is hereby granted'; do
      grep -q "$licence" "$root_folder"/usr/share/doc/$(dpkg-deb -f "$package" Package)/copyright ||
        fail "$package: expected '$licence' in the file copyright"
    done
    say "Debian package $(basename "$package"), depends on $(dpkg-deb -f "$package" Depends)"
  done
  dpkg-deb -f "$work"/deb/libgpuvae-dev*.deb Depends | grep -q '^libgpuvae[0-9.]* (= ' || fail "libgpuvae-dev does not depend on the library"
  [ ! -e "$prefix/bin/mnist_vae" ] || quietly deb_program "$root_folder/usr/bin/mnist_vae" --help
  local folder=$(dirname "$(find "$root_folder/usr" -name libgpuvae.so)")
  "$compiler" "$work/cxx/CMakeFiles/consumer_objects.dir/consumer.cpp.o" -L "$folder" -lgpuvae -o "$work/deb_consumer"
  say "the packages' shared library: $(LD_LIBRARY_PATH=$folder "$work/deb_consumer")"
}
