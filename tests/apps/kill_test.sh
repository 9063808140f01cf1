#!/usr/bin/env bash
# Kills a run at random moments, in the middle of epochs and of writes. The continued run must have the same
# bits as a run that was not killed. Arguments: mnist_vae, and further flags of the runs, such as --device cuda.
# Environment: KILLS, the number of runs to kill (20), and SIZE, the flags for the size of data and model.
source "$(dirname "$0")/common.sh"
shift
kills=${KILLS:-20}
size=${SIZE:---train-images 3000 --validation-images 200 --hidden 64 --epochs 6 --batch-size 50}
flags="--builtin-data $size --log-every 7 --samples 4 --examples 4 --reconstructions 4 --manifold quantile:3 --checkpoint-every 0.02s ${*:---device cpu}"

# The first run warms up the caches, so that the second one shows how long a run takes.
run $flags --out whole
run $flags --out timed
begin=$(date +%s%N)
run $flags --out timed --retrain
duration=$((($(date +%s%N) - begin) / 1000000))
echo "a run takes $duration ms"
same whole/model.safetensors timed/model.safetensors
same whole/steps.csv timed/steps.csv
[ "$(losses whole)" = "$(losses timed)" ] || fail "two runs differ"

RANDOM=1 in_epoch=0 continued=0
for kill in $(seq "$kills"); do
  rm -rf killed
  for again in 1 2; do  # every other run is killed twice
    "$program" $flags --out killed >/dev/null 2>killed.txt & id=$!
    ms=$((RANDOM % (duration * 9 / 10) + 1))
    sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
    kill -9 $id 2>/dev/null; wait $id 2>/dev/null
    [ $((kill % 2)) -eq 0 ] || break
  done
  run $flags --out killed
  grep -q '^resumed' log.txt && continued=$((continued + 1))
  grep -q '^resumed.* steps ' log.txt && in_epoch=$((in_epoch + 1))
  same whole/model.safetensors killed/model.safetensors
  same_weights whole/checkpoint.safetensors killed/checkpoint.safetensors
  same whole/steps.csv killed/steps.csv
  [ "$(losses whole)" = "$(losses killed)" ] || fail "metrics of run $kill differ: $(losses killed)"
  no_partial_files killed
  [ -e killed/run.lock ] && fail "a lock without its process"
done
echo "$kills kills: $continued runs continued from a checkpoint, $in_epoch of them within an epoch"
[ $continued -ge $((kills / 4)) ] || fail "only $continued of $kills runs continued from a checkpoint"
[ $in_epoch -ge $((kills * 3 / 20)) ] || fail "only $in_epoch of $kills runs continued within an epoch"
finish
