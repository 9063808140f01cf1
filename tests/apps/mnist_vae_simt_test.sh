#!/usr/bin/env bash
# mnist_vae trains "on CUDA" on the emulated device, and agrees with the CPU. Argument: the program.
set -eu
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() {
  "$program" --builtin-data --preset keras-mnist --train-images 300 --validation-images 200 --epochs 2 --manifold quantile:4 \
    --samples 9 --device "$1" --out "$work/$2" 2>"$work/log-$2.txt"
}
export SIMT_SEED=${SIMT_SEED:-0}
run cpu cpu
run cuda cuda
grep -q '^device  cuda:0' "$work/log-cuda.txt" || { echo "did not run on the device"; exit 1; }
grep -q '^executor  graph: 3 steps a launch' "$work/log-cuda.txt" || { echo "did not run as a graph"; exit 1; }
grep -q '^executor  eager: ' "$work/log-cpu.txt" || { echo "the CPU's executor is not named"; exit 1; }
if "$program" --builtin-data --train-images 300 --device cpu --executor graph --out "$work/none" 2>"$work/error.txt"; then
  echo "a graph on the CPU was accepted"; exit 1
fi
grep -q '\[train\] expected a CUDA device for the graph executor, got cpu' "$work/error.txt" || { cat "$work/error.txt"; exit 1; }
# 3 steps an epoch: losses of both epochs within 1e-4.
paste -d, <(grep -E '^[0-9]' "$work/cpu/metrics.csv" | cut -d, -f1-7) <(grep -E '^[0-9]' "$work/cuda/metrics.csv" | cut -d, -f1-7) |
  awk -F, '{ for (i = 2; i <= 7; ++i) { d = $i - $(i + 7); if (d < 0) d = -d; if (!(d <= 1e-4 * ($i + 1))) { print "column " i ": " $i " on the CPU, " $(i + 7) " on CUDA"; bad = 1 } } } END { if (NR != 2) { print "expected 2 epochs, got " NR; bad = 1 }; exit bad }'
for file in manifold.png reconstructions.png samples.png model.safetensors; do test -s "$work/cuda/$file"; done
echo "CPU and CUDA agree"
