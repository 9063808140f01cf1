#!/usr/bin/env bash
# Tests the model flags: gated layers, posteriors and conditions. Arguments: mnist_vae and vae.
vae=$(realpath "$2")
source "$(dirname "$0")/common.sh"
small="--builtin-data --train-images 300 --validation-images 100 --hidden 12 --epochs 1 --device cpu --samples 20
  --reconstructions 4 --examples 20 --manifold quantile:4:0.05:0.95"

# ---- gated layers, and each posterior ----
for posterior in planar:2 iaf:2:8 full; do
  name=${posterior%%:*}
  run $small --gated --init he_normal --latent 3 --posterior $posterior --out $name
  grep -q "^posterior=\"$posterior\"" $name/config.toml || fail "config.toml without $posterior"
  grep -q '^gated=true' $name/config.toml || fail "config.toml without gated"
  pictures $name/{model,manifold,latent}.svg $name/{report,explorer}.html
  run eval --out $name --importance-samples 5
  says '^-log p\(x\), at most'
  run sample --out $name --output $name.csv
done

run encode --out iaf --output codes.csv

expect_error 2 '--posterior: expected gaussian, planar:LAYERS' $small --posterior student --out none
expect_error 1 'expected a diagonal Gaussian posterior' export --out full --format c
expect_error 1 'expected a diagonal Gaussian posterior' export --out planar --format onnx
expect_error 1 'free bits' $small --posterior planar:2 --free-bits 0.1 --out none

# The text and the page of eval show the same interval.
run eval --out full --importance-samples 5
says '^-log p\(x\), at most +[0-9.]+ ± [0-9.]+ \(95 % interval\) nats/image'
half=$(sed -n 's/^-log p(x), at most.* ± \([0-9.]*\) (95 %.*/\1/p' stdout.txt)
holds 'h > 1.95 * e && h < 1.97 * e' h="$half" e="$(grep -A3 '"nll"' full/eval.json | sed -n 's/.*"standard_error": \([0-9.]*\).*/\1/p')"
grep -q "± $(printf %.2f "$half")" full/eval.html || fail "eval.html has another interval than $half"

# ---- the exemplar prior, whose model needs its training data ----
run $small --latent 3 --prior exemplar --prior-components 100 --out e
run sample --out e --output e.csv
run eval --out e --importance-samples 5
says '^-log p\(x\), at most'

# ---- the class of a digit as condition ----
run $small --latent 2 --condition label --out c
pictures c/{classes,manifold-class0,prior,posterior}.svg c/{report,explorer}.html
run eval --out c --importance-samples 5
says '^condition +y = label: the ELBO bounds log p\(x \| y\)'
says '^-log p\(x\|y\), at most'
grep -q '"condition": "label"' c/eval.json || fail "eval.json without the condition"
run manifold --out c --class 3
[ -s c/manifold-class3.png ] || fail "no manifold of class 3"
run sample --out c --class 3 --output three.csv
run sample --out c --class 4 --output four.csv
run sample --out c --output all.csv
[ "$(head -1 three.csv | tr , '\n' | wc -l)" -eq 785 ] || fail "samples of a conditional model have other columns"
differ three.csv four.csv
[ "$(cut -d, -f785 all.csv | head -5 | paste -sd' ')" = "class 0 1 2 3" ] || fail "samples without their classes"
run sample --out c --output ten.npy
# Without --class, the classes take turns: sample 4 (from 1) is one of class 3.
same <(sed -n 5p three.csv) <(sed -n 5p all.csv)
run decode --out c --class 3 --z 0.5,-1 --output one.csv
run reconstruct --out c --output r.csv --images 6
[ "$(wc -l <r.csv)" -eq 7 ] || fail "reconstructions of a conditional model"
run encode --out c
expect_error 1 'expected one of the classes 0, 1, .* as --class, got 10' sample --out c --class 10
expect_error 1 'expected --class for a model of --condition label' decode --out c --z 0,0
expect_error 1 'expected no --class' sample --out full --class 3
expect_error 1 'expected a model without a condition' export --out c --format c
expect_error 1 'this command does not take --class without --input' encode --out c --class 3
# An array has no labels: --class gives them.
run sample --out c --class 3 --samples 5 --output five.npy
expect_error 1 'five.npy: expected a label for each image as condition, got none: --class' encode --out c --input five.npy
run encode --out c --input five.npy --class 3 --output five3.csv
run encode --out c --input five.npy --class 8 --output five8.csv
[ "$(cut -d, -f1 five3.csv | paste -sd' ')" = "label 3 3 3 3 3" ] || fail "codes without the class of --class"
differ <(cut -d, -f2- five3.csv) <(cut -d, -f2- five8.csv)
run reconstruct --out c --input five.npy --class 3 --output five-r.csv
expect_error 1 'holds a run with --condition label' $small --latent 2 --out c

# ---- columns of a table as condition ----
program=$vae

# The classes are those of the training data: other labels below the largest one have no trained weights.
{ echo 'a,b,k'
  awk 'BEGIN { srand(4); for (r = 0; r < 120; ++r) printf "%.4g,%.4g,%d\n", rand(), rand(), 5 + 2 * (r % 3) }'
} >gaps.csv
run --data gaps.csv --label-column k --condition label --hidden 4 --epochs 1 --latent 1 --samples 4 --out g
expect_error 1 'expected one of the classes 5, 7, 9 as --class, got 6' sample --out g --class 6
expect_error 1 'expected one of the classes 5, 7, 9 as --class, got 0' sample --out g --class 0
run sample --out g --class 7 --output seven.csv
run sample --out g --output all-g.csv
same <(sed -n '3p' all-g.csv) <(sed -n '3p' seven.csv)  # the classes in turn are 5, 7, 9, 5
grep -q '"classes":\["5","7","9"\]' g/explorer.html || fail "explorer.html has other classes than 5, 7, 9"
printf 'a,b,k\n0.1,0.2,6\n' >six.csv
expect_error 1 'expected the classes of the training data \(5, 7, 9\), got 6' encode --out g --input six.csv

{ echo 'a,b,dose,kind'
  awk 'BEGIN { srand(3); for (r = 0; r < 300; ++r) { d = rand(); printf "%.5g,%.5g,%.5g,%s\n", 10 * d + rand(), 5 - 4 * d + rand(), 100 * d, r % 2 ? "x" : "y" } }'
} >table.csv
flags="--data table.csv --label-column kind --hidden 8 --epochs 200 --learning-rate 1e-2 --device cpu --latent 1 --seed 2"
run $flags --condition dose --out t
said 'rows of 3 columns'
expect_error 1 'expected --columns to include the column dose of --condition, got --columns a,b' $flags --condition dose --columns a,b --out none
run sample --out t --given 90 --output high.csv --samples 40
run sample --out t --given 10 --output low.csv --samples 40
[ "$(head -1 high.csv)" = a,b ] || fail "columns of samples: $(head -1 high.csv)"
average() { awk -F, 'NR > 1 { s += $1; ++n } END { print s / n }' "$1"; }
holds 'high > low + 2' high="$(average high.csv)" low="$(average low.csv)"
# The page decodes at the mean dose, in the units of the file, until its slider moves. The legend has the classes' names.
dose=$(sed -n 's/.*"conditions":\[{"name":"dose","low":\([0-9.]*\),"high":\([0-9.]*\),"value":\([0-9.]*\),.*/low=\1 high=\2 value=\3/p' t/explorer.html)
holds 'low < 3 && high > 97 && value > 40 && value < 60' ${dose:-value=none}
grep -q '"labelNames":\["x","y"\]' t/explorer.html || fail "explorer.html without the names of classes"
grep -q '"unitNote":"Numbers are in the units of the data; bars show standard deviations' t/explorer.html || fail "explorer.html without units"
run encode --out t --input table.csv --output codes-t.csv
run reconstruct --out t --input table.csv --output r-t.csv
[ "$(head -1 r-t.csv)" = a,b ] || fail "columns of reconstructions: $(head -1 r-t.csv)"
run $flags --condition dose,label --out both
run sample --out both --given 50 --class x --output both.csv
run sample --out both --given 50 --class 0 --output both0.csv  # x, by its number
same both.csv both0.csv
[ "$(head -2 both.csv | tail -1 | cut -d, -f3)" = x ] || fail "samples without the names of their classes"
expect_error 1 'expected a column of .* as condition, got price' $flags --condition price --out none
expect_error 1 'expected 1 number in --given, got 2' sample --out t --given 1,2
expect_error 1 'expected numbers separated by commas in --given, got many' sample --out t --given many
expect_error 1 '--condition label expects data with labels' --data table.csv --columns a,b,dose --condition label --out none

finish
