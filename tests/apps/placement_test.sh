#!/usr/bin/env bash
# Trains on examples that stay in their file: the same results as from memory, in bounded memory. Argument: vae.
source "$(dirname "$0")/common.sh"
small="--hidden 16 --epochs 2 --batch-size 32 --device cpu --samples 9"

# npy_header TYPE SHAPE prints the header of an NPY file, of 128 bytes.
npy_header() { printf '\x93NUMPY\x01\x00\x76\x00%-118s' "{'descr': '$1', 'fortran_order': False, 'shape': ($2), }"; }

# ---- images of bytes, and rows of 16-bit integers that are standardised; the bytes of the program are the data ----
{ npy_header '|u1' '400, 6, 8'; head -c 19200 "$program"; } >images.npy
{ npy_header '<i2' '300, 20'; head -c 24000 "$program" | tail -c 12000; } >rows.npy
for data in images rows; do
  flags="$small --data $data.npy"
  [ $data = rows ] && flags+=" --standardize"
  run $flags --data-placement memory --out $data-memory
  not_said 'stay in the file'
  run $flags --data-placement file --out $data-file
  said "note +$data.npy: the examples \(0.0 MiB\) stay in the file and are read batch by batch"
  same_weights $data-memory/model.safetensors $data-file/model.safetensors
  [ "$(losses $data-memory)" = "$(losses $data-file)" ] || fail "$data: other losses"
  same $data-memory/latent.svg $data-file/latent.svg
  # The run of one placement continues with the other.
  run $flags --epochs 3 --data-placement file --out $data-memory
  run $flags --epochs 3 --data-placement memory --out $data-file
  same_weights $data-memory/model.safetensors $data-file/model.safetensors
  run $flags --epochs 3 --out whole
  same_weights whole/model.safetensors $data-file/model.safetensors
  for placement in memory file; do
    run encode --out whole --input $data.npy --data-placement $placement --output $placement.csv
    run eval --out whole --data-placement $placement
    mv stdout.txt eval-$placement.txt
  done
  same memory.csv file.csv
  same eval-memory.txt eval-file.txt
  rm -r whole
done

# ---- what cannot stay in a file is refused ----
printf 'a,b\n1,2\n3,4\n' >t.csv
gzip -k images.npy
expect_error 1 '\[read\] t.csv: expected an uncompressed NPY file' $small --data t.csv --data-placement file --out none
expect_error 1 'images.npy.gz: expected an uncompressed' $small --data images.npy.gz --data-placement file --out none
head -c 19300 images.npy >cut.npy
expect_error 1 'cut.npy: expected 19200 bytes of data.*got 19172: the file is truncated' $small --data cut.npy --data-placement file --out none
{ npy_header '<u2' '300, 20'; head -c 24000 "$program" | tail -c 12000; } >counts.npy
for flags in "--column-types poisson:20" "--likelihood poisson --library-size 0"; do
  flag=$(grep -oE -- '--(column-types|library-size)' <<<"$flags")
  expect_error 1 "$flag expects --data-placement memory, got examples that stay in" $small --data counts.npy $flags --data-placement file --out none
done
{ printf '\x00\x00\x08\x03\x00\x00\x00\x14\x00\x00\x00\x02\x00\x00\x00\x03'; head -c 120 "$program"; } >train-images-idx3-ubyte
{ printf '\x00\x00\x08\x01\x00\x00\x00\x14'; printf '\x00\x01%.0s' {1..10}; } >train-labels-idx1-ubyte
for part in images-idx3 labels-idx1; do cp train-$part-ubyte t10k-$part-ubyte; done
expect_error 1 '--condition label expects --data-placement memory, got examples that stay in' $small --data . --condition label --data-placement file --out none
[ -e none ] && fail "a refused run left a folder"

# ---- a file that is not small stays on the disk by itself, and training needs little memory ----
peak() {  # runs the program and sets `peak` to its largest resident memory in MiB
  "$program" "$@" >stdout.txt 2>log.txt &
  local pid=$! value; peak=0
  while value=$(awk '/^VmHWM/ { print int($2 / 1024) }' /proc/$pid/status 2>/dev/null) && [ -n "$value" ]; do
    peak=$value
    sleep 0.02
  done
  wait $pid || fail "'$*' failed: $(cat log.txt)"
}
npy_header '|u1' '1000000, 28, 28' >large.npy
truncate -s $((128 + 784000000)) large.npy
if ! ldd "$program" | grep -q libasan; then
  peak $small --data large.npy --train-images 3000 --validation-images 500 --out large
  said 'large.npy: the examples \(747.7 MiB\) stay in the file'
  holds 'peak > 0 && peak < 300' peak="$peak"
  echo "peak resident memory: $peak MiB"
fi
finish
