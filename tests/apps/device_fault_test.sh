#!/usr/bin/env bash
# Lets the emulated device fail at different calls of a run. The run must end in one line that names the step and
# the checkpoint, with the checkpoint intact, and the same command must then continue to the same bits.
# Argument: mnist_vae with the CUDA backend on the emulated device.
source "$(dirname "$0")/common.sh"
flags="--builtin-data --device cuda --train-images 200 --validation-images 40 --hidden 8 --latent 2 --epochs 3
  --batch-size 20 --samples 4 --examples 4 --reconstructions 4 --manifold quantile:3 --checkpoint-every 1epoch"
# fault CALL FOLDER lets the device fail at that call. The exit status must be 1, after one line of error.
fault() {
  PTX_FAULT_AT_CALL=$1 "$program" $flags --out "$2" >/dev/null 2>error.txt
  status=$?
  [ $status -eq 1 ] || fail "call $1: exit status $status: $(cat error.txt)"
  [ "$(grep -c '^mnist_vae: ' error.txt)" -eq 1 ] || fail "call $1: expected one line of error: $(cat error.txt)"
  tail -1 error.txt | grep -q '^mnist_vae: ' || fail "call $1: more is said after the error: $(cat error.txt)"
}

for executor in graph eager; do
  flags="$flags --executor $executor"
  run $flags --out whole
  trained=0 continued=0
  for call in 20 200 400 600 800 1000 1300 1700 2300 3100; do
    rm -rf failed before
    PTX_FAULT_AT_CALL=$call "$program" $flags --out failed >/dev/null 2>error.txt && continue  # the run was over
    rm -rf failed
    fault $call failed
    if grep -q 'cuda:0 failed' error.txt; then
      trained=$((trained + 1))
      grep -qE "\\[train\\] cuda:0 failed (at|after) .*step.*(continues from failed/checkpoint.safetensors|nothing is saved yet in failed)" \
        error.txt || fail "call $call: $(cat error.txt)"
    fi
    no_partial_files failed
    [ -e failed/run.lock ] && fail "call $call: a lock without its process"
    if [ -e failed/checkpoint.safetensors ]; then
      continued=$((continued + 1))
      before=$(cksum failed/checkpoint.safetensors)
      fault $((call < 400 ? call : 400)) failed
      [ "$before" = "$(cksum failed/checkpoint.safetensors)" ] || [ "$call" -ge 400 ] || fail "call $call: the checkpoint changed"
    fi
    run $flags --out failed
    same whole/model.safetensors failed/model.safetensors
    [ "$(losses whole)" = "$(losses failed)" ] || fail "call $call: the metrics differ"
  done
  echo "$executor: $trained runs failed in training, $continued of them had a checkpoint"
  [ $trained -ge 2 ] || fail "only $trained runs failed in training"
  [ $continued -ge 1 ] || fail "only $continued runs had a checkpoint"
  flags=${flags% --executor *}
  rm -rf whole
done
finish
