# Programs with CUDA code that use the installed library. run.sh reads this file.

# check_cuda NAME ARGUMENTS... builds a program with custom kernels for both kinds of the library, with warnings as
# errors. Without a GPU the program ends with exit status 77 and the library's reason.
check_cuda() {
  local name=$1 status kind; shift
  project "$name" -DCMAKE_CUDA_COMPILER="$nvcc" "$@"
  for kind in static shared; do
    status=0
    "$work/$name/cuda_consumer_$kind" >"$work/$name.out" || status=$?
    case $status in
      0) ;;
      77) grep -qE '^\[device\] expected a CUDA device .*(no driver|no GPU|no usable GPU|driver is too old)' "$work/$name.out" ||
            fail "no reason given: $(cat "$work/$name.out")" ;;
      *) fail "exit status $status: $(cat "$work/$name.out")" ;;
    esac
    cell "CUDA program, $kind library" "$name: exit status $status, $(tail -1 "$work/$name.out")"
  done
}

check_all_cuda() {
  local running=() process
  check_cuda "cuda-enabled-after" -DCONSUMER_CUDA=AFTER -DCUDA_HEADER=ON -DCMAKE_CUDA_STANDARD=17 -DCMAKE_CXX_STANDARD=17 &
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
