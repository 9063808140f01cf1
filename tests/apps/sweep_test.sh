#!/usr/bin/env bash
# Tests the command sweep: what it trains and writes, what it skips, resumes and refuses, and what becomes of
# runs that fail or are killed. Arguments: mnist_vae, vae.
mnist=$(realpath "$1") vae=$(realpath "$2")
source "$(dirname "$0")/common.sh"
small="--builtin-data --train-images 600 --validation-images 100 --hidden 16 --device cpu --samples 4
  --reconstructions 4 --examples 10 --manifold none"
models() { find "$1" -name model.safetensors | sort; }
# Prints a field of sweep.csv: field FOLDER COLUMN KEY=VALUE, where KEY=VALUE selects the row.
field() {
  grep -v '^#' "$1/sweep.csv" | awk -F, -v column="$2" -v key="${3%%=*}" -v value="${3#*=}" '
    NR == 1 { for (i = 1; i <= NF; ++i) at[$i] = i; next } $at[key] == value { print $at[column] }'
}
# Prints the last row's field of a metrics.csv.
last() { grep -v '^#' "$1/metrics.csv" | awk -F, -v column="$2" '
  NR == 1 { for (i = 1; i <= NF; ++i) at[$i] = i } { value = $at[column] } END { print value }'; }

# ---- two settings with two seeds each ----
run sweep $small --epochs 2 --seeds 0..1 --grid beta=0.5,2 --jobs 2 --out s
said '^sweep   2 settings \(beta 0.5 or 2\) x 2 seeds in s: 0 finished, 4 to do, 2 at a time'
said '^run 4/4  beta='
cp stdout.txt table.txt
[ "$(ls s)" = "$(printf '%s\n' beta={0.5,2},seed={0,1} sweep.csv sweep.html)" ] || fail "the folder holds $(ls s)"
for name in beta={0.5,2},seed={0,1}; do
  pictures s/$name/report.html
  grep -q '^epoch 2/2' s/$name/log.txt || fail "no log of $name"
done
no_partial_files s
# Each run is the one that the command train makes.
run $small --epochs 2 --beta 2 --seed 1 --out alone
same_weights alone/model.safetensors s/beta=2,seed=1/model.safetensors
[ "$(losses alone)" = "$(losses s/beta=2,seed=1)" ] || fail "metrics of a run differ from those of train"
# The table has means, and intervals of 12.706 times the standard error of two runs.
for beta in 0.5 2; do
  for column in train_loss train_reconstruction train_kl val_loss val_reconstruction val_kl; do
    a=$(last s/beta=$beta,seed=0 $column) b=$(last s/beta=$beta,seed=1 $column)
    holds '(m - (a + b) / 2) ^ 2 < 1e-10 * m * m && a != b' a="$a" b="$b" m="$(field s $column beta=$beta)"
    holds '(w - 12.7062 * ((a - b) ^ 2) ^ 0.5 / 2) ^ 2 < 1e-8 * w * w' a="$a" b="$b" w="$(field s ${column}_interval beta=$beta)"
  done
  holds 's > 0 && n == 2' s="$(field s train_seconds beta=$beta)" n="$(field s runs beta=$beta)"
  grep -qE "^$beta +2 +[0-9.]+ ± [0-9.]+ " table.txt || fail "no row for beta $beta: $(cat table.txt)"
done
# Losses of different beta are not comparable, so the best setting has the lowest reconstruction + KL.
best=$(for beta in 0.5 2; do echo "$(field s val_reconstruction_plus_kl beta=$beta) $beta"; done | sort -g | head -1 | cut -d' ' -f2)
grep -qE "^best  beta=$best: validation reconstruction \+ KL " table.txt || fail "$best is not best: $(cat table.txt)"
pictures s/sweep.html
grep -q 'href="beta=0.5,seed=0/report.html"' s/sweep.html || fail "the page has no link to a run"

# ---- one process at a time gives the same bits ----
run sweep $small --epochs 2 --seeds 0..1 --grid beta=0.5,2 --jobs 1 --out s1
for model in $(cd s && models .); do same s/$model s1/$model; done
[ "$(models s | wc -l)" -eq 4 ] || fail "$(models s | wc -l) models"

# ---- finished runs are skipped, other grids and more seeds add runs, and more epochs continue them ----
before=$(state s | grep -E 'safetensors|metrics|log.txt|report')
run sweep $small --epochs 2 --seeds 0..1 --grid beta=0.5,2 --out s
said '4 finished, 0 to do'
[ "$before" = "$(state s | grep -E 'safetensors|metrics|log.txt|report')" ] || fail "finished runs are written again"
run sweep $small --epochs 2 --seeds 1..2 --grid beta=2,4 --out s
said '1 finished, 3 to do'
[ "$(field s runs beta=0.5) $(field s runs beta=2) $(field s runs beta=4)" = "2 3 2" ] || fail "$(cat s/sweep.csv)"
rm s/beta=4,seed=1/report.html
run sweep $small --epochs 2 --seeds 1 --grid beta=4 --out s
said '0 finished, 1 to do'
pictures s/beta=4,seed=1/report.html
run sweep $small --epochs 3 --seeds 1 --grid beta=4 --out s
says '^beta +epochs +runs'  # runs of 2 and of 3 epochs are different settings
grep -q '^resumed' s/beta=4,seed=1/log.txt || fail "more epochs do not continue a run"
run $small --epochs 3 --beta 4 --seed 1 --out alone3
same_weights alone3/model.safetensors s/beta=4,seed=1/model.safetensors
run sweep $small --epochs 3 --seeds 1 --grid beta=4 --out s --retrain
said '0 finished, 1 to do'
[ -e s/beta=4,seed=1/previous/model.safetensors ] || fail "--retrain does not train"
same_weights alone3/model.safetensors s/beta=4,seed=1/model.safetensors

# ---- a setting that fails does not stop the others ----
expect_error 1 '\[sweep\] 2 of 4 runs failed' sweep $small --epochs 2 --seeds 0..1 --grid learning-rate=0.001,1e9 --out f
says '^1000000000 +0 +- .*failed: seed 0 1'
says '^failed  learning-rate=1000000000,seed=1: .*not finite'
[ "$(field f failed learning-rate=1000000000)|$(field f runs learning-rate=0.001)" = "0 1|2" ] || fail "$(cat f/sweep.csv)"
grep -q 'learning-rate=1000000000,seed=0 failed' f/sweep.html || fail "the page does not name the failed run"
expect_error 1 '2 of 4 runs failed' sweep $small --epochs 2 --seeds 0..1 --grid learning-rate=0.001,1e9 --out f
grep -q '2 finished, 2 to do' stderr.txt || fail "failed runs are not tried again: $(cat stderr.txt)"

# ---- processes that are killed ----
# started FOLDER starts a sweep of two endless runs, and waits until both have finished an epoch.
started() {
  rm -rf "$1"
  set -m  # without job control, background processes ignore SIGINT
  "$program" sweep $small --epochs 100000 --checkpoint-every 1epoch --seeds 0..1 --jobs 2 --out "$1" >stdout.txt 2>stderr.txt & id=$!
  set +m
  for _ in $(seq 300); do
    [ -e "$1/seed=0/checkpoint.safetensors" ] && [ -e "$1/seed=1/checkpoint.safetensors" ] && break; sleep 0.1
  done
  children=$(cat "$1"/seed=?/run.lock)
  [ "$(echo "$children" | wc -l)" -eq 2 ] || fail "two runs have the locks $children"
}
# ended expects that no process of the sweep is left.
ended() {
  for child in $children; do
    for _ in $(seq 100); do kill -0 "$child" 2>/dev/null || break; sleep 0.1; done
    kill -0 "$child" 2>/dev/null && { fail "process $child of a run is left"; kill -9 "$child"; }
  done
}
# continues FOLDER expects that the sweep continues with more epochs, bit for bit.
continues() {
  local more=0 rows seed
  for seed in 0 1; do rows=$(grep -c '^[0-9]' "$1/seed=$seed/metrics.csv"); more=$((rows + 2 > more ? rows + 2 : more)); done
  run sweep $small --epochs $more --seeds 0..1 --out "$1"
  for seed in 0 1; do
    grep -q '^resumed' "$1/seed=$seed/log.txt" || fail "seed $seed did not resume: $(cat "$1/seed=$seed/log.txt")"
    run $small --epochs $more --seed $seed --out whole
    same_weights whole/model.safetensors "$1/seed=$seed/model.safetensors"
    [ "$(losses whole)" = "$(losses "$1/seed=$seed")" ] || fail "metrics of seed $seed differ"
    rm -r whole
  done
}
for signal in "INT 130" "TERM 143"; do
  started k
  kill -${signal% *} $id; wait $id; status=$?
  [ $status -eq ${signal#* } ] || fail "exit status $status after SIG${signal% *}: $(cat stderr.txt)"
  ended
  grep -q "^mnist_vae: stopped by SIG${signal% *}: 0 of 2 runs are finished, and the same command continues" stderr.txt || fail "$(cat stderr.txt)"
  for seed in 0 1; do grep -q "stopped by SIG${signal% *} after" k/seed=$seed/log.txt || fail "seed $seed saved no checkpoint: $(cat k/seed=$seed/log.txt)"; done
  grep -q '2 runs not finished' k/sweep.html || fail "the page does not say that runs are not finished"
  continues k
done
started k
kill -9 "$(cat k/seed=0/run.lock)"
for _ in $(seq 100); do grep -q 'seed=0  failed: killed by signal 9' stderr.txt && break; sleep 0.1; done
grep -q 'seed=0  failed: killed by signal 9' stderr.txt || fail "a killed run is not reported: $(cat stderr.txt)"
kill -0 "$(cat k/seed=1/run.lock)" || fail "the other run has ended"
expect_error 1 'k is in use by process' sweep $small --epochs 2 --seeds 0..1 --out k
kill -TERM $id; wait $id
ended
continues k
# The runs of a sweep that is killed save a checkpoint and end.
started k
kill -9 $id; wait $id 2>/dev/null
ended
continues k

# ---- mistakes, before anything starts ----
for flags in "--grid speed=1" "--grid beta=1,x" "--grid beta=1,1" "--grid beta=" "--grid beta" "--grid seed=1,2" \
  "--grid beta=1 beta=2" "--seeds 3..1" "--seeds 1,1" "--seeds x" "--grid beta=1,2 --beta 3" "--seeds 0..1 --seed 2" \
  "--grid likelihood=bernoulli,none" "--epochs 0" "--resume"; do
  expect_error 1 '\[sweep\] ' sweep $small $flags --out none
done
expect_error 2 'jobs' sweep $small --jobs -1 --out none
expect_error 2 'grid' sweep $small --out none --grid
expect_error 1 '\[train\] this command does not take --grid' $small --out none --grid beta=1
expect_error 1 '\[eval\] this command does not take --seeds' eval $small --out none --seeds 0..1
expect_error 1 '--seeds: expected whole numbers' sweep $small --out none --seeds ''
expect_error 1 '--grid: expected NAME=VALUE' sweep $small --out none --grid ''
[ -e none ] && fail "a folder for a sweep that could not begin"
expect_untouched s 1 '\[train\] s holds a sweep, expected the folder of a run or a new one' $small --out s
expect_untouched s 1 '\[eval\] s holds a sweep, expected the folder of a run or a new one' eval $small --out s
expect_untouched alone 1 '\[sweep\] alone holds a run, expected the folder of a sweep' sweep $small --seeds 0..1 --out alone
mkdir foreign && echo 'a,b' >foreign/sweep.csv
expect_untouched foreign 1 'foreign/sweep.csv: expected a file of a sweep, got another one' sweep $small --seeds 0..1 --out foreign
expect_untouched s 1 'seed=1 holds a run with --hidden 16, got --hidden 17' sweep $small --hidden 17 --epochs 2 --seeds 1 --grid beta=0.5 --out s

# ---- a sweep that starts from the settings of a run ----
run sweep --config s/beta=2,seed=1/config.toml --seeds 7..8 --out from_config
[ "$(grep -h '^beta=' from_config/seed=7/config.toml from_config/seed=8/config.toml | sort -u)" = "beta=2" ] ||
  fail "the sweep has other settings than its --config"

# ---- a table ----
program=$vae
table() { awk -v OFS=, -v seed="$1" 'BEGIN { srand(seed); print "a,b,c"; for (r = 0; r < 200; ++r) { x = rand(); print x, x * x, rand() } }'; }
table 1 >table.csv
expect_error 1 '\[data\] expected --data PATH' sweep --seeds 0..1 --out none
expect_error 1 'nowhere.csv' sweep --data nowhere.csv --seeds 0..1 --out none
[ -e none ] && fail "a folder for a sweep without data"
run sweep --data table.csv --epochs 2 --seeds 0,1 --grid 'hidden=8;8,4' validation-fraction=0.1,0.2 --device cpu --out t
said '^sweep   4 settings \(hidden 8 or 8,4; validation-fraction 0.1 or 0.2\) x 2 seeds'
says '^no best setting: the losses are not comparable, because --validation-fraction differs'
[ -s 't/hidden=8,4,validation-fraction=0.2,seed=1/model.safetensors' ] || fail "the folder holds $(ls t)"
grep -q '^"8,4",0.2,2,' t/sweep.csv || fail "sweep.csv has the rows $(cat t/sweep.csv)"
# Types by name and a library size become numbers of columns, also when the sweep is repeated.
for flags in "--column-types gaussian:a+b,laplace:c" "--library-size total --likelihood poisson"; do
  file=table.csv
  [[ $flags == --library* ]] && file=counts.csv
  awk -v OFS=, 'BEGIN { srand(4); print "n,m,total"; for (r = 0; r < 60; ++r) { n = int(9 * rand()); print n, 3, n + 3 } }' >counts.csv
  rm -rf types
  run sweep --data $file $flags --epochs 1 --seeds 0..1 --grid hidden=8 --device cpu --out types
  run sweep --data $file $flags --epochs 1 --seeds 0..2 --grid hidden=8 --device cpu --out types
  said '2 finished, 1 to do'
done
# A grid may have several column types and functions of the mean.
run sweep --data table.csv --epochs 1 --seeds 0 --grid 'column-types=gaussian:3;laplace:3' gaussian-mean=sigmoid,identity --device cpu --out means
for types in gaussian laplace; do
  for mean in sigmoid identity; do
    folder="means/column-types=$types:3,gaussian-mean=$mean,seed=0"
    grep -q "^gaussian-mean=\"$mean\"" "$folder/config.toml" || fail "$folder has another mean"
    grep -q "^column-types=\"$types:3\"" "$folder/config.toml" || fail "$folder has other types"
  done
done
table 2 >table.csv
expect_untouched t 1 'it was trained on another training set' sweep --data table.csv --epochs 2 --seeds 0..2 --grid hidden=8 validation-fraction=0.1 --device cpu --out t
finish
