#!/usr/bin/env bash
# The C interface reads what the programs write, and the programs read what it writes, with the same numbers.
# Arguments: the program vae and c_run_folder_tool.
source "$(dirname "${BASH_SOURCE[0]}")/../apps/common.sh"
tool=$(realpath "$2")
tool() { "$tool" "$@" || fail "tool $*"; }
# codes_of FILE.npy: the raw floats behind its header of 128 bytes.
codes_of() { tail -c +129 "$1"; }
same_codes() { cmp <(codes_of "$1") "$2" || fail "$1 and $2 differ"; }

small="--hidden 16 --latent 2 --device cpu"
tool table table.csv
run $small --data table.csv --standardize --epochs 2 --out table
run encode --out table --input table.csv --output codes.npy
run decode --out table --input codes.npy --output decoded.csv
tool encode table c
[ -s c.codes ] && [ "$(wc -l <c.csv)" -eq 81 ] || fail "the tool wrote no codes"
same_codes codes.npy c.codes
cmp decoded.csv c.csv || fail "decoded rows differ"
tool refuse table

# A condition is in the units of the table, too.
run $small --data table.csv --standardize --condition share --epochs 1 --out given
run encode --out given --input table.csv --output given.npy
tool encode-given given g
same_codes given.npy g.codes

# Values that --value-range scales.
run $small --data table.csv --value-range 0:2e9 --epochs 1 --out scaled
run encode --out scaled --input table.csv --output scaled.npy
run decode --out scaled --input scaled.npy --output scaled.csv
tool encode scaled s
same_codes scaled.npy s.codes
cmp scaled.csv s.csv || fail "decoded scaled rows differ"

# A model that the C interface saved describes the same data, also for the programs.
mkdir resaved
tool resave table resaved/model.safetensors
tool encode resaved d
cmp c.codes d.codes || fail "codes differ after saving"
run encode --out resaved --input table.csv --output resaved.npy
same_codes resaved.npy c.codes

# A model that the C interface trained.
tool images images.npy
mkdir trained
tool train trained/model.safetensors
tool encode-images trained e
run encode --out trained --input images.npy --output trained.npy
same_codes trained.npy e.codes

# A model with an exemplar prior, which needs the rows of its training set.
run $small --data images.npy --prior exemplar --prior-components 16 --binarize dynamic --validation-fraction 0 \
  --seed 5 --epochs 2 --out exemplars
run sample --out exemplars --samples 9 --output samples.npy
tool sample-exemplars exemplars x
same_codes samples.npy x.codes

# The model of images that a program trained.
run $small --data images.npy --epochs 1 --out images
run encode --out images --input images.npy --output images-codes.npy
tool encode-images images f
same_codes images-codes.npy f.codes
finish
