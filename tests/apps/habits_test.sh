#!/usr/bin/env bash
# Early stopping, the best epoch, the moving average of the weights, output biases, schedules, and the scores and the
# page of eval. Arguments: mnist_vae, vae.
source "$(dirname "$0")/common.sh"

# ---- --patience, --save-best and --ema, in one run and in parts ----
few="--builtin-data --train-images 400 --validation-images 100 --hidden 16 --latent 2 --device cpu --learning-rate 0.03
  --patience 2 --save-best --ema 0.9 --manifold none"
run $few --epochs 60 --out whole
said '^epoch .*  best$'
said '^best    stopped after epoch [0-9]+, because 2 epochs brought no better validation loss: the model is that of epoch [0-9]+ \('
best=$(sed -n 's/.*the model is that of epoch \([0-9]*\) .*/\1/p' log.txt)
last=$(grep -cE '^[0-9]' whole/metrics.csv)
[ "$last" -eq $((best + 2)) ] || fail "stopped after $last, best $best"
least=$(grep -E '^[0-9]' whole/metrics.csv | awk -F, 'NR == 1 || $6 + $7 < m { m = $6 + $7; e = $1 } END { print e }')
[ "$least" -eq "$best" ] || fail "metrics.csv has its minimum at $least, the best epoch is $best"
same_weights whole/model.safetensors whole/best.safetensors
grep -q 'Best epoch' whole/report.html || fail "no best epoch in the report"
# The run is finished: it is loaded, and a larger --epochs changes nothing.
before=$(cksum <whole/model.safetensors)
run $few --epochs 60 --out whole
said '^loaded  .*, trained for '
run $few --epochs 70 --out whole
[ "$before" = "$(cksum <whole/model.safetensors)" ] || fail "a finished run was changed"
run eval whole
said "^note    its weights are those of epoch $best"
not_said 'is not finished'
run rerun whole
says '^same bits'
# In parts, as after an interruption, with a best.safetensors that was lost.
run $few --epochs 2 --out parts
rm parts/best.safetensors
run $few --epochs 60 --out parts
for file in model best checkpoint; do same_weights whole/$file.safetensors parts/$file.safetensors; done
[ "$(losses whole)" = "$(losses parts)" ] || fail "the losses differ"
# With an importance-weighted objective, the validation losses that are printed decide, not reconstruction + KL.
run $few --ema 0 --objective iwae --objective-samples 8 --patience 30 --epochs 12 --out iwae
best=$(sed -n 's/^best .*the model is that of epoch \([0-9]*\) .*/\1/p' log.txt)
loss=$(sed -n 's/^best .*the model is that of epoch [0-9]* (\([0-9.]*\) .*/\1/p' log.txt)
read -r least of_least <<<"$(grep -E '^[0-9]' iwae/metrics.csv | awk -F, 'NR == 1 || $5 < m { m = $5; e = $1 } END { print e, m }')"
[ "$least" = "$best" ] || fail "metrics.csv has its minimum at $least, the best epoch is $best"
holds '(a - b) ^ 2 < 1e-3' a="$loss" b="$of_least"
# The checkpoint has the trained weights, the average and those of the best epoch.
for name in optimizer.average optimizer.best optimizer.state1; do
  head -c 20000 whole/checkpoint.safetensors | grep -aq "\"$name\"" || fail "the checkpoint has no $name"
done
# --save-best alone changes no weights, and without it there is no such file.
plain="--builtin-data --train-images 400 --validation-images 100 --hidden 16 --latent 2 --device cpu --epochs 2 --manifold none"
run $plain --out plain
run $plain --save-best --out saving
same_weights plain/model.safetensors saving/model.safetensors
[ -e plain/best.safetensors ] && fail "best.safetensors without --save-best"
[ -e saving/best.safetensors ] || fail "no best.safetensors"
not_said '^best '

# ---- output biases and schedules ----
run $plain --epochs 1 --output-bias data --schedule iwae --out started
run $plain --epochs 1 --schedule iwae --out unstarted
holds 'a < b' a="$(losses started | tail -1 | cut -d, -f2)" b="$(losses unstarted | tail -1 | cut -d, -f2)"
run rerun started
says '^same bits'
# The moving average starts at these biases.
run $plain --epochs 0 --output-bias data --out biased
run $plain --epochs 0 --output-bias data --ema 0.9 --out biased-ema
same_weights biased/model.safetensors biased-ema/model.safetensors
run $plain --epochs 0 --out unbiased
differ_in_weights biased/model.safetensors unbiased/model.safetensors
run $plain --schedule cosine --lr-final 1e-4 --out cosine
differ_in_weights cosine/model.safetensors plain/model.safetensors
expect_error 2 'lr-final: expected at most the learning rate 0.002, got 0.5' $plain --schedule cosine --lr-final 0.5
expect_error 2 'ema: expected' $plain --ema 1
expect_error 2 'patience: expected' $plain --patience -1

# ---- eval --per-row and the page ----
run eval plain --importance-samples 8 --per-row rows.csv
[ "$(head -1 rows.csv)" = "label,elbo,reconstruction,kl,log_likelihood,effective_samples,row" ] || fail "$(head -1 rows.csv)"
[ "$(wc -l <rows.csv)" -eq 101 ] || fail "$(wc -l <rows.csv) lines"
mean() { awk -F, -v c="$1" 'NR > 1 { s += $c } END { printf "%.6f\n", s / (NR - 1) }' rows.csv; }
holds '(a - b) ^ 2 < 1e-6' a="$(mean 2)" b="$(json plain/eval.json elbo)"
holds '(a + b) ^ 2 < 1e-6' a="$(mean 5)" b="$(json plain/eval.json nll)"
holds '(a - b) ^ 2 < 1e-6' a="$(mean 6)" b="$(json plain/eval.json effective_samples)"
pictures plain/eval.html
for text in 'Protocol' '95 %' 'importance-weighted bound' 'Bits per dimension' 'Binarisation' '100 images'; do
  grep -q "$text" plain/eval.html || fail "no '$text' in eval.html"
done
run eval plain --per-row rows.npy
[ "$(npy rows.npy 3 | wc -l)" -eq 100 ] || fail "rows.npy has $(npy rows.npy 3 | wc -l) rows"
expect_error 1 'expected a file ending in .csv or .npy' eval plain --per-row rows.txt
expect_error 1 'expected a new file, got a file that the run in plain needs' eval plain --per-row plain/metrics.csv
expect_error 1 'this command does not take --per-row' encode plain --per-row rows.csv

# ---- generated beside real columns ----
program=$(realpath "$2")
awk 'BEGIN { print "height,count,kind"
  for (i = 0; i < 300; ++i) printf "%.3f,%d,%d\n", 170 + 8 * sin(i * 12.9), i % 7, i % 3 == 0 }' >table.csv
run --data table.csv --standardize --likelihood gaussian --hidden 8 --latent 2 --epochs 2 --device cpu --out table \
  --output-bias data
pictures table/columns.svg
for text in height count kind real generated; do grep -q ">$text<" table/columns.svg || fail "no '$text' in columns.svg"; done
grep -q 'Columns of generated and real rows' table/report.html || fail "no table of columns in the report"
expect_error 1 'expected validation examples to compare epochs with, got none' --data table.csv --validation-fraction 0 \
  --likelihood gaussian --patience 3 --epochs 2 --device cpu --out none
finish
