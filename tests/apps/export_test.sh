#!/usr/bin/env bash
# Tests the command export: the exported functions, compiled as C++, agree with the commands encode and decode.
# Arguments: vae, mnist_vae. $CXX is the compiler; without one, this part is skipped with a message.
mnist=$(realpath "$2")
source "$(dirname "$0")/common.sh"
awk 'BEGIN { srand(4); print "a,b,c"; for (r = 0; r < 120; ++r) printf "%.6g,%.6g,%.6g\n", 1000 * rand(), 5 + r % 7, rand() - 0.5 }' >mine.csv
flags="--data mine.csv --hidden 9,4 --latent 2 --epochs 2 --device cpu"
run $flags --standardize --activation gelu --likelihood gaussian --gaussian-mean identity --out t
run $flags --standardize=false --value-range=-100:1000 --likelihood laplace --out s

# check FORMAT FOLDER exports the model of a folder and compares the functions with the programs.
check() {
  run export --out $2 --format $1 --output net.h
  said '^wrote   net.h: net_encode, net_decode, net_decode_params; the units of the file: scale, unscale$'
  run encode --out $2 --input mine.csv --output codes.csv
  run decode --out $2 --z '0.5,-1;2,0.25;-3,1' --output decoded.csv
  [ -n "$compiler" ] || return
  cat >use.cpp <<'END'
#include "net.h"

#include <stdio.h>

int main(int argc, char** argv) {
  double row[net_features];
  float x[net_features], z[net_latent];
  FILE* file = fopen(argv[argc - 1], "r");
  while (argc == 2 && fscanf(file, "%lf,%lf,%lf", row, row + 1, row + 2) == 3) {
    net_scale(row, x);
    net_encode(x, z, nullptr);
    printf("%.9g %.9g\n", z[0], z[1]);
  }
  while (argc > 2 && fscanf(file, "%f,%f", z, z + 1) == 2) {
    net_decode(z, x);
    net_unscale(x, row);
    printf("%.9g %.9g %.9g\n", row[0], row[1], row[2]);
  }
}
END
  "$compiler" -Wall -Wextra -Werror -O2 use.cpp -o use || { fail "net.h does not compile"; return; }
  tail -n +2 mine.csv >rows.txt; printf '0.5,-1\n2,0.25\n-3,1\n' >z.txt
  ./use rows.txt >encoded.txt; ./use decode z.txt >decoded.txt
  csv codes.csv | cut -d' ' -f1,2 >expected.txt; close expected.txt encoded.txt 2e-6
  csv decoded.csv >expected.txt; close expected.txt decoded.txt 1e-3  # numbers of up to 1000
}
compiler=$(command -v "${CXX:-c++}") || echo "SKIPPED: no C++ compiler: the exported functions are not called"
check cuda t; check c s
grep -q __device__ net.h && fail "--format c writes CUDA"
grep -q '^ \* Columns: a, b, c$' net.h || fail "no names of columns: $(head -20 net.h)"

# ---- a run of images ----
program=$mnist
small="--builtin-data --train-images 200 --validation-images 50 --hidden 6 --device cpu --samples 4 --reconstructions 4
  --examples 10 --manifold quantile:4:0.01:0.99"
run $small --epochs 1 --out a
run export --out a --format cuda
said '^wrote   a/model.h: model_encode, model_decode, model_decode_params$'
grep -q 'an image of 28 x 28' a/model.h || fail "no shape: $(head -20 a/model.h)"
cp a/model.h first.h; run export --out a --format cuda; same first.h a/model.h

# ---- mistakes ----
expect_untouched a 1 '2d.h: expected a file name of letters, digits and _' export --out a --format cuda --output 2d.h
expect_untouched a 1 'my-net.h: expected a file name of letters, digits and _' export --out a --format cuda --output my-net.h
expect_untouched a 1 'net.txt: expected a file ending in .h or .hpp or .cuh' export --out a --format cuda --output net.txt
expect_untouched a 1 '\[decode\] this command does not take --format' decode --out a --z 0,0 --format c
expect_untouched a 1 'expected --format onnx, cuda or c, got no format' export --out a
expect_untouched a 1 'net.h: expected a file ending in .onnx' export --out a --format onnx --output net.h
expect_untouched a 2 'format' export --out a --format rust
expect_untouched a 1 '\[export\] this command does not take --z' export --out a --format c --z 0,0
expect_error 1 '2d.h' export --format c --out nothing $small --output 2d.h
[ -e nothing ] && fail "a folder for a command that could not work"
# A header of somebody else stays, and an older model's header does not stay beside a new model.
cp -r a b; echo 'int mine;' >b/model.h
expect_untouched b 1 'b/model.h: expected a file of a run, got another one' export --out b --format cuda
run $small --epochs 1 --seed 1 --out a --retrain
[ -e a/model.h ] && fail "the header of an older model stays"
same first.h a/previous/model.h
finish
