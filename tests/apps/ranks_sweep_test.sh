#!/usr/bin/env bash
# Tests the command sweep on several ranks: its runs equal those of one process, another number of ranks continues it,
# and all processes end when a rank dies or a signal arrives.
source "$(dirname "$0")/common.sh"
mpirun --version | grep -q 'Open MPI' && options=(--allow-run-as-root --oversubscribe --bind-to none) || options=()
small="--builtin-data --train-images 600 --validation-images 100 --hidden 16 --device cpu --samples 4
  --reconstructions 4 --examples 10 --manifold none"
# on_ranks NUMBER ARGUMENT... runs the command sweep on ranks.
on_ranks() { timeout 120 mpirun "${options[@]}" -n "$1" "$program" sweep $small "${@:2}" >stdout.txt 2>log.txt; }
grid="--seeds 0..1 --grid beta=0.5,2"

# ---- the runs and the table are those of one process, and only rank 0 prints ----
"$program" sweep $small --epochs 2 $grid --out alone >alone.txt 2>/dev/null
on_ranks 3 --epochs 2 $grid --jobs 1 --out s || fail "three ranks: $(cat log.txt)"
said 'in s: 0 finished, 4 to do, 3 at a time on 3 ranks$'
said '^run 4/4  beta='
[ "$(grep -c '^sweep ' log.txt)" -eq 1 ] || fail "other ranks print: $(cat log.txt)"
[ "$(ls s)" = "$(ls alone)" ] || fail "the folder holds $(ls s)"
for name in beta={0.5,2},seed={0,1}; do
  same_weights "alone/$name/model.safetensors" "s/$name/model.safetensors"
  [ "$(losses "alone/$name")" = "$(losses "s/$name")" ] || fail "metrics of $name differ"
done
table() { grep -v '^#' "$1" | awk -F, 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i ~ /seconds/) skip[i] = 1 }
  { for (i = 1; i <= NF; ++i) printf "%s,", skip[i] ? "" : $i; print "" }'; }
[ "$(table alone/sweep.csv)" = "$(table s/sweep.csv)" ] || fail "the tables differ: $(cat s/sweep.csv)"
no_partial_files s

# ---- another number of ranks continues, and the ranks of one machine share its processors ----
on_ranks 2 --epochs 3 $grid --out s || fail "two ranks: $(cat log.txt)"
at_once=$(sed -n 's/.*0 finished, 4 to do, \([0-9]*\) at a time on 2 ranks$/\1/p' log.txt)
processors=$(nproc)
[ "$at_once" = $((2 * (processors > 1 ? processors / 2 : 1))) ] || fail "$at_once runs at a time on $processors processors"
for name in beta={0.5,2},seed={0,1}; do
  grep -q '^resumed' "s/$name/log.txt" || fail "$name does not continue"
done
on_ranks 4 --epochs 3 $grid --out s || fail "four ranks: $(cat log.txt)"
said '4 finished, 0 to do'

# ---- runs that fail ----
on_ranks 2 --epochs 2 --seeds 0..1 --grid learning-rate=0.001,1e9 --out f && fail "failed runs count as success"
grep -q '\[sweep\] 2 of 4 runs failed' log.txt || fail "failed runs: $(cat log.txt)"
for seed in 0 1; do
  says "^failed  learning-rate=1000000000,seed=$seed: .*not finite"
  [ -e "f/learning-rate=0.001,seed=$seed/model.safetensors" ] || fail "the other run of seed $seed was not trained"
done
on_ranks 2 --epochs 2 $grid --batch-size 50 --out s && fail "a sweep with other settings is not refused"
grep -q 'holds a run with --batch-size' log.txt || fail "other settings: $(cat log.txt)"

# ---- processes that are killed ----
# started FOLDER starts two endless runs on two ranks, and waits until both have finished an epoch.
started() {
  rm -rf "$1"
  timeout 100 mpirun "${options[@]}" -n 2 "$program" sweep $small --epochs 100000 --checkpoint-every 1epoch --seeds 0..1 \
    --jobs 1 --out "$1" >stdout.txt 2>log.txt & launcher=$!
  for _ in $(seq 300); do
    [ -e "$1/seed=0/checkpoint.safetensors" ] && [ -e "$1/seed=1/checkpoint.safetensors" ] && break; sleep 0.1
  done
  runs=$(cat "$1"/seed=?/run.lock)
  parents=$(for run in $runs; do ps -o ppid= -p "$run"; done)
  [ "$(echo $parents | tr ' ' '\n' | sort -u | wc -l)" -eq 2 ] || fail "two runs belong to the processes $parents"
}
# ended expects that the launcher, the ranks and the runs end within 10 seconds.
ended() {
  for process in $launcher $parents $runs; do
    for _ in $(seq 100); do kill -0 "$process" 2>/dev/null || break; sleep 0.1; done
    kill -0 "$process" 2>/dev/null && { fail "process $process is left"; kill -9 "$process"; }
  done
  wait "$launcher" && fail "a sweep that was ended counts as success"
}
# continues FOLDER RANKS expects that the ranks finish the sweep with more epochs, bit for bit.
continues() {
  local most=0 rows seed
  for seed in 0 1; do rows=$(grep -c '^[0-9]' "$1/seed=$seed/metrics.csv"); most=$((rows > most ? rows : most)); done
  on_ranks "$2" --epochs $((most + 1)) --seeds 0..1 --out "$1" || fail "$2 ranks do not continue: $(cat log.txt)"
  "$program" sweep $small --epochs $((most + 1)) --seeds 0..1 --out whole >/dev/null 2>&1
  for seed in 0 1; do same_weights "whole/seed=$seed/model.safetensors" "$1/seed=$seed/model.safetensors"; done
  rm -r whole
}
for victim in first second; do
  started k
  set -- $parents
  [ $victim = first ] && kill -9 "$1" || kill -9 "$2"
  ended
  continues k 3
done
started k
rank=$(set -- $parents; echo "$2")
kill -TERM "$rank"
ended
grep -q '^mnist_vae: stopped by SIGTERM: 0 of 2 runs are finished, and the same command continues' log.txt || fail "$(cat log.txt)"
for seed in 0 1; do grep -q "stopped by SIGTERM after" k/seed=$seed/log.txt || fail "seed $seed saved no checkpoint"; done
continues k 1
finish
