#!/usr/bin/env bash
# Trains mnist_vae "on CUDA", which is the emulated device here, with each executor, and compares it with the
# CPU. Argument: the program.
set -eu
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() {  # device, executor, folder, further arguments
  "$program" --builtin-data --preset keras-mnist --train-images 200 --validation-images 200 --epochs 2 --manifold quantile:4 \
    --samples 9 --device "$1" --executor "$2" --out "$work/$3" "${@:4}" 2>"$work/log-$3.txt"
}
says() { grep -q "^$2" "$work/log-$1.txt" || { echo "$1: no line begins with '$2'"; cat "$work/log-$1.txt"; exit 1; }; }
# Compares the losses of both epochs (2 steps each) within 1e-4.
agrees() {
  paste -d, <(grep -E '^[0-9]' "$work/cpu/metrics.csv" | cut -d, -f1-7) <(grep -E '^[0-9]' "$work/$1/metrics.csv" | cut -d, -f1-7) |
    awk -F, '{ for (i = 2; i <= 7; ++i) { d = $i - $(i + 7); if (d < 0) d = -d
                 if (!(d <= 1e-4 * ($i + 1))) { print "column " i ": " $i " on the CPU, " $(i + 7) " on CUDA"; bad = 1 } } }
             END { if (NR != 2) { print "expected 2 epochs, got " NR; bad = 1 }; exit bad }'
}
run cpu auto cpu
says cpu 'executor  eager: '
run cuda auto fused
says fused 'device  cuda:0'
says fused 'executor  fused: 2 steps per launch'
agrees fused
run cuda graph graph
says graph 'executor  graph: 2 steps per launch'
agrees graph
for file in manifold.png reconstructions.png samples.png model.safetensors; do test -s "$work/fused/$file"; done
if "$program" --builtin-data --train-images 200 --device cpu --executor graph --out "$work/none" 2>"$work/error.txt"; then
  echo "a graph on the CPU was accepted"; exit 1
fi
grep -q '\[train\] expected a CUDA device for the graph executor, got cpu' "$work/error.txt" || { cat "$work/error.txt"; exit 1; }

# With cuRAND's initial weights, the same seed gives the same losses, which differ from those of Philox. A
# trained model needs no generator.
curand() { run cuda fused "$1" --init-generator curand "${@:2}"; }
curand first
curand again
curand other --seed 1
numbers() { grep -E '^[0-9]' "$work/$1/metrics.csv" | cut -d, -f1-7; }
[ "$(numbers first)" = "$(numbers again)" ] || { echo "cuRAND: the same seed gives other losses"; exit 1; }
for folder in fused other; do
  [ "$(numbers first)" != "$(numbers $folder)" ] || { echo "cuRAND: the losses are those of $folder"; exit 1; }
done
grep -q '^init-generator="curand"' "$work/first/config.toml" || { cat "$work/first/config.toml"; exit 1; }
"$program" encode --out "$work/first" --device cpu 2>"$work/error.txt" || { cat "$work/error.txt"; exit 1; }
if run cpu auto none --init-generator curand; then echo "cuRAND on the CPU was accepted"; exit 1; fi
says none 'mnist_vae: \[init\] expected a CUDA device for --init-generator curand, got cpu'
echo "CPU and CUDA agree"
