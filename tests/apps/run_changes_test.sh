#!/usr/bin/env bash
# Tests what becomes of a run folder that people or other programs have changed: files that are missing,
# edited, linked, of an older version or of somebody else. Arguments: mnist_vae, vae. Parts that need Python 3
# are skipped with a message.
mnist=$(realpath "$1") vae=$(realpath "$2")
source "$(dirname "$0")/common.sh"
small="--builtin-data --train-images 600 --validation-images 100 --hidden 16 --device cpu --samples 4
  --reconstructions 4 --examples 10 --manifold quantile:4:0.01:0.99"
skip() { echo "SKIPPED: $*"; }
edit() { python3 "$here/edit_safetensors.py" "$@" || fail "edit_safetensors.py $*"; }
fresh() { rm -rf "$2"; cp -r "$1" "$2"; }

program=$mnist
run $small --epochs 2 --out a
run $small --epochs 4 --out whole
grep -qE '^# Training set: fingerprint [0-9a-f]{16}$' a/config.toml || fail "config.toml without a fingerprint"

# ---- metrics.csv is missing, empty or short: its rows come back from the checkpoint ----
for damage in rm "truncate -s 0" "sed -i /^2,/d"; do
  fresh a b; $damage b/metrics.csv
  run $small --epochs 4 --out b
  said '^note    b/metrics.csv (is missing|has [01] of 2 epochs): its rows were restored from b/checkpoint.safetensors'
  said '^resumed b/checkpoint.safetensors, after epoch 2 of 4'
  same_weights whole/model.safetensors b/model.safetensors
  [ "$(losses whole)" = "$(losses b)" ] || fail "metrics after '$damage': $(losses b)"
  fresh a b; $damage b/metrics.csv
  run $small --epochs 2 --out b  # a finished run
  said '^loaded'
  pictures b/curves.svg
done
fresh a b; rm b/metrics.csv
run eval --out b
run $small --epochs 2 --out b
[ "$(losses a)" = "$(losses b)" ] || fail "metrics.csv of a finished run is not restored: $(losses b)"
fresh a b; rm b/metrics.csv b/checkpoint*
run $small --epochs 2 --out b
said '^note    b/metrics.csv is missing: no checkpoint has the missing rows'
if command -v python3 >/dev/null; then  # a checkpoint of a version that kept no rows
  fresh a b; rm b/metrics.csv b/checkpoint-previous.safetensors 2>/dev/null
  edit b/checkpoint.safetensors rewrite drop metrics
  run $small --epochs 4 --out b
  said '^note    b/metrics.csv is missing: no checkpoint has the missing rows'
  same_weights whole/model.safetensors b/model.safetensors
  [ "$(losses b | cut -d, -f1 | paste -sd' ')" = "epoch 3 4" ] || fail "rows after a lost metrics.csv: $(losses b)"
fi
fresh a b; echo 'a note of mine' >>b/metrics.csv  # may be needed, so it is not overwritten
expect_untouched b 1 '\[read\] b/metrics.csv: expected 9 numbers per row' $small --epochs 4 --out b

# ---- an edited config.toml is not ignored ----
fresh a b; sed -i 's/^learning-rate=.*/learning-rate=0.5/' b/config.toml
expect_untouched b 1 '\[train\] b/config.toml was changed: it says --learning-rate 0.5, but the run was trained with --learning-rate 0.002' \
  $small --epochs 4 --out b
expect_untouched b 1 '\[train\] b holds a run with --learning-rate 0.002, got --learning-rate 0.5' --resume --out b
expect_untouched b 1 '\[eval\] b holds a run with --learning-rate 0.002, got --learning-rate 0.5' eval --out b
run $small --epochs 2 --out b --retrain
fresh a b; sed -i 's/^samples=.*/samples=9/' b/config.toml  # changes no weights
run $small --epochs 4 --out b
same_weights whole/model.safetensors b/model.safetensors

# ---- files of others beside a run ----
for name in samples.png report.html latent.svg eval.json manifold-data.png; do
  fresh a b; echo mine >b/$name
  for flags in "" --retrain; do
    expect_untouched b 1 "\[train\] b/$name: expected a file of a run, got another one, which a run would overwrite: move it away" \
      $small --epochs 2 --out b $flags
  done
done
for name in latent.csv samples.png decoded.png eval.json explorer.html manifold.png; do
  fresh a b; echo mine >b/$name
  case $name in
    latent.csv) command="encode" ;; samples.png) command="sample" ;; decoded.png) command="decode --z 0,0" ;;
    eval.json) command="eval" ;; explorer.html) command="explore" ;; manifold.png) command="manifold" ;;
  esac
  expect_untouched b 1 "b/$name: expected a file of a run, got another one" $command --out b
done
fresh a b
for command in encode sample "decode --z 0,0" eval explore manifold; do  # own files are written again
  run $command --out b; run $command --out b
done
run $small --epochs 2 --out b
# A run of an older version has pictures without marks and no fingerprint in config.toml.
fresh a b; sed -i '/^# Training set/d' b/config.toml; cp whole/metrics.csv kept.csv
for name in samples.png report.html latent.svg; do echo old >b/$name; done
run $small --epochs 2 --out b
pictures b/samples.png b/report.html b/latent.svg
fresh a b; sed -i '/^# Training set/d' b/config.toml; echo old >b/samples.png
run $small --epochs 4 --out b
pictures b/samples.png

# ---- links ----
fresh a b; mkdir disk
for name in model.safetensors checkpoint.safetensors samples.png; do mv b/$name disk/; ln -s ../disk/$name b/$name; done
run $small --epochs 4 --out b
for name in model.safetensors checkpoint.safetensors samples.png; do
  [ -L b/$name ] && [ -f disk/$name ] || fail "the link $name was replaced"
done
same_weights whole/model.safetensors disk/model.safetensors
same_weights whole/checkpoint.safetensors b/checkpoint.safetensors
[ -L b/checkpoint-previous.safetensors ] && fail "the earlier checkpoint is a link to the last one"
same_weights a/checkpoint.safetensors b/checkpoint-previous.safetensors
echo old >target.json; ln -s target.json link.json; ln -s new.csv link.csv
run eval --out b --output link.json
run encode --out b --output link.csv
[ -L link.json ] && [ -L link.csv ] || fail "a link given by --output was replaced"
grep -q '"elbo"' target.json && grep -q z1 new.csv || fail "the target of a link was not written"

# ---- an older version's folder, and metadata that were dropped, do not keep how the data were read ----
program=$vae
table() { awk -v scale="$1" 'BEGIN { srand(4); print "a,b,c"; for (r = 0; r < 120; ++r) printf "%.6g,%.6g,%.6g\n", scale * rand(), 5 + r % 7, rand() - 0.5 }'; }
table 1 >mine.csv; table 1 | tail -n +3 | sed '1i a,b,c' >other.csv
rows="--data mine.csv --standardize --hidden 8 --epochs 2 --device cpu"
run $rows --out t
run encode --out t --input other.csv --output codes.csv
if command -v python3 >/dev/null; then
  fresh t s; edit s/model.safetensors strip
  table 1000 >mine.csv
  run encode --out s --input other.csv --output codes2.csv  # the checkpoint knows the moments
  same codes.csv codes2.csv
  rm s/checkpoint*.safetensors
  expect_untouched s 1 '\[encode\] s holds a run on another training set \(fingerprint [0-9a-f]{16}, got [0-9a-f]{16} of mine.csv' \
    encode --out s --input other.csv
  table 1 >mine.csv
  run encode --out s --input other.csv --output codes3.csv
  same codes.csv codes3.csv
  not_said 'decided anew'
  sed -i '/^# Training set/d' s/config.toml
  run encode --out s --input other.csv --output codes3.csv
  said '^note    s does not say how its training data were read: this was decided anew from mine.csv: .* \(fingerprint [0-9a-f]{16}\)$'
  same codes.csv codes3.csv
  # Version 1 wrote nothing but the number of epochs.
  fresh t v1; rm v1/checkpoint*.safetensors; sed -i '/^# Training set/d' v1/config.toml
  edit v1/model.safetensors strip; edit v1/model.safetensors set format gpuvae; edit v1/model.safetensors set epochs 2
  run $rows --out v1
  said '^note    v1 does not say .* and is kept in the model from now on'
  same_weights t/model.safetensors v1/model.safetensors
  table 1000 >mine.csv
  run encode --out v1 --input other.csv --output codes4.csv
  same codes.csv codes4.csv
  not_said 'decided anew'
  table 1 >mine.csv
  # A damaged description names the file.
  for change in 'stddev [-1,1,1]' 'values pixels' 'height 0'; do
    fresh t d; edit d/model.safetensors data $change
    expect_untouched d 1 '\[load\] d/model.safetensors: expected ' encode --out d --input other.csv
  done
  fresh t d; edit d/model.safetensors data stddev '[0,1,1]'  # a constant column
  run encode --out d --input other.csv --output codes5.csv
else
  skip "no python3: dropped metadata and older versions"
fi

# ---- values that diverge name their cause ----
awk 'BEGIN { srand(1); print "a,b"; for (r = 0; r < 60; ++r) printf "%.6g,%.6g\n", 1e30 * (rand() + 1), 1e30 * rand() }' >huge.csv
expect_error 1 'not finite at step .*; values from .* to .* can make training diverge: --value-range .* scales them to \[0, 1\], --standardize' \
  --data huge.csv --standardize=false --hidden 8 --epochs 2 --device cpu --out huge
grep -qE '^note    values from .* can make training diverge: --value-range' stderr.txt || fail "values: $(cat stderr.txt)"
run --data huge.csv --hidden 8 --epochs 2 --device cpu --out huge2
not_said 'diverge'

# ---- what eval says about units ----
run --data mine.csv --standardize=false --value-range=-100:100 --hidden 8 --epochs 1 --device cpu --out u
run eval --out u; says 'of a density, in units of the data scaled from \[-100, 100\] to \[0, 1\]'
run eval --out t; says 'of a density, in units of the standardised data'
run --data mine.csv --standardize=false --hidden 8 --epochs 1 --device cpu --out u2
said '^epoch 1/1'
run eval --out u2; says 'of a density, in units of the data\)'

# ---- the names of classes ----
awk 'BEGIN { srand(7); print "a,b,kind"; for (r = 0; r < 40; ++r) print rand() "," rand() + r % 2 "," (r % 2 ? "dog" : "\"a cat\"") }' >named.csv
run --data named.csv --label-column kind --hidden 8 --epochs 1 --device cpu --out n
run encode --out n --set train
[ "$(head -1 n/latent.csv)" = "label,z1,z2,row,class" ] || fail "latent.csv: $(head -1 n/latent.csv)"
awk -F, 'NR > 1 && !(($1 == 0 && $5 == "\"a cat\"") || ($1 == 1 && $5 == "dog")) { exit 1 } END { exit NR != 37 }' n/latent.csv ||
  fail "names of classes: $(head -3 n/latent.csv)"
run decode --out n --input n/latent.csv --output from-named.csv
cut -d, -f1-4 n/latent.csv >plain.csv
run decode --out n --input plain.csv --output from-plain.csv
same from-named.csv from-plain.csv

# ---- messages are one line, with the right numbers ----
printf 'a,b\r1,2\r3,4\r' >cr.csv
expect_error 1 '\[read\] cr.csv: line 1 has carriage returns \(CR\) inside: expected lines that end with LF or CR LF' --data cr.csv --out cr
[ "$(wc -l <stderr.txt)" -eq 1 ] || fail "more than one line: $(cat stderr.txt)"
mkdir -p kinds/cat; cp a/samples.png kinds/cat/1.png; echo read me >kinds/README.txt
expect_error 1 'kinds: expected either images or sub-folders \(classes\), got the sub-folder cat and beside it the file README.txt: move the file away' \
  --data kinds --out kinds-run
run --data mine.csv --columns a --latent 1 --hidden 4 --epochs 1 --device cpu --out one
said 'mine.csv: 1 column, .*rows of 1 column$'
said '^model .* 1 latent dimension,'
run --data mine.csv --columns a --latent 1 --hidden 4 --epochs 1 --device cpu --out one
said 'trained for 1 epoch \('
finish
