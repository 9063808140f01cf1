#!/usr/bin/env bash
# Lets the emulated device fail at different calls of a run. The run must end in one line that names the step and
# the checkpoint, with the checkpoint intact, and the same command must then continue to the same bits.
# Argument: mnist_vae with the CUDA backend on the emulated device.
source "$(dirname "$0")/common.sh"
flags="--builtin-data --device cuda --train-images 200 --validation-images 40 --hidden 8 --latent 2 --epochs 3
  --batch-size 20 --samples 4 --examples 4 --reconstructions 4 --manifold quantile:3 --checkpoint-every 1epoch"
for executor in graph eager; do
  flags="$flags --executor $executor"
  run $flags --out whole
  trained=0 continued=0 drawn=0
  for call in 20 200 350 500 650 800 950 1200 1500; do
    rm -rf failed
    PTX_FAULT_AT_CALL=$call "$program" $flags --out failed >/dev/null 2>error.txt
    status=$?
    [ $status -eq 0 ] && break  # the run has fewer calls
    [ $status -eq 1 ] || fail "call $call: exit status $status: $(cat error.txt)"
    [ "$(grep -c '^mnist_vae: ' error.txt)" -eq 1 ] || fail "call $call: expected one line of error: $(cat error.txt)"
    tail -1 error.txt | grep -q '^mnist_vae: ' || fail "call $call: more is said after the error: $(cat error.txt)"
    [ ! -d failed ] || no_partial_files failed
    [ -e failed/run.lock ] && fail "call $call: a lock without its process"
    # Failures before the first step and after the last one name no step.
    if grep -qE '\[train\] cuda:0 failed (at (step|one of the steps)|after step) [0-9]' error.txt; then
      trained=$((trained + 1))
      grep -qE '; (nothing is saved yet in failed|the same command continues from failed/)' error.txt || fail "$(cat error.txt)"
    fi
    # Failures while the pictures are drawn leave the whole model.
    if cmp -s whole/model.safetensors failed/model.safetensors; then
      drawn=$((drawn + 1))
      grep -q '\[train\] cuda:0 failed: .*; the model in failed is complete' error.txt || fail "$(cat error.txt)"
    fi
    if grep -q 'the same command continues from failed/checkpoint.safetensors' error.txt; then
      continued=$((continued + 1))
      run $flags --out failed
      said '^resumed failed/checkpoint.safetensors'
    else
      run $flags --out failed
    fi
    same whole/model.safetensors failed/model.safetensors
    [ "$(losses whole)" = "$(losses failed)" ] || fail "call $call: the metrics differ"
  done
  echo "$executor: $trained runs failed in training, $continued of them had a checkpoint"
  [ $trained -ge 3 ] || fail "only $trained runs failed in training"
  [ $continued -ge 1 ] || fail "only $continued runs had a checkpoint"
  flags=${flags% --executor *}
  rm -rf whole
done
finish
