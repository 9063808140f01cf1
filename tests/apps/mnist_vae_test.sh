#!/usr/bin/env bash
# Runs mnist_vae like a user: a run folder, the same run again, and every bad input. Argument: the program.
source "$(dirname "$0")/common.sh"

small="--builtin-data --train-images 2000 --validation-images 500 --hidden 32 --epochs 2 --device cpu"

# ---- a run and its folder ----
run $small --out a
for file in config.toml metrics.csv manifold.png reconstructions.png samples.png model.safetensors; do
  [ -s "a/$file" ] || fail "no $file"
done
no_partial_files a
said 'nats/image'
grep -v '^#' a/metrics.csv | head -1 | grep -q '^epoch,train_loss,train_reconstruction,train_kl,val_loss,val_reconstruction,val_kl,train_seconds,val_seconds' ||
  fail "metrics.csv has other columns"
[ "$(grep -cE '^[12],' a/metrics.csv)" -eq 2 ] || fail "metrics.csv has not two epochs"

# ---- the same run from its config, in another folder; another seed differs ----
run --config a/config.toml --out b
same a/model.safetensors b/model.safetensors
same a/manifold.png b/manifold.png
[ "$(losses a)" = "$(losses b)" ] || fail "metrics differ"
run --config a/config.toml --seed 1 --out c
differ a/model.safetensors c/model.safetensors

# ---- training reaches its band: 20,000 built-in digits, 784-128-2, mean of three seeds ----
# Eight seeds gave reconstructions of 152.2 to 159.5 and a KL of 4.33 to 5.07 nats after epoch 3. Half the
# noise gives a KL of 3.5, half the KL weight a KL of 6.5, and no noise a reconstruction of 150.9 with a KL of
# 1.5.
for seed in 0 1 2; do
  "$program" --builtin-data --preset keras-mnist --train-images 20000 --validation-images 5000 --hidden 128 \
    --device cpu --seed $seed --out "band$seed" 2>/dev/null
  tail -1 "band$seed/metrics.csv"
done | awk -F, '{ r += $6 / 3; k += $7 / 3 } END { print "band: " r " + " k; exit !(NR == 3 && r > 152 && r < 159 && k > 4.3 && k < 5.1) }' ||
  fail "training missed its band"

# ---- flags ----
"$program" --help | grep -q -- '--preset' || fail "--help does not explain --preset"
expect_error 2 'no-such-flag' --no-such-flag
expect_error 2 'preset' --preset nothing
expect_error 2 'batch-size' --batch-size 0
expect_error 2 'optimizer' --optimizer fancy
expect_error 1 'cuda|CUDA' $small --device cuda:63 --out d
[ -e d/model.safetensors ] && fail "a model without training"

# ---- folders and files ----
echo x >out.txt
expect_error 1 'out.txt' $small --out out.txt/x  # the parent is a file
expect_error 1 'out.txt' $small --out out.txt
expect_error 1 'nowhere: expected train-images' --data-dir nowhere --out e
GPUVAE_DATA_DIR=nowhere expect_error 1 'nowhere: expected train-images' --out e
[ -e e/model.safetensors ] && fail "a model of built-in digits instead of the named folder's"
expect_error 1 "expected --data with --value-range, got the program's own data set" $small --value-range 0:1 --out e
for flag in "--variable X" "--label-column 0" --standardize "--validation-fraction 0.5"; do
  expect_error 1 "expected --data with ${flag%% *}, got the program's own data set" $small $flag --out e
done
mkdir partial && : >partial/train-images-idx3-ubyte
expect_error 1 'partial/train-images-idx3-ubyte|expected train-labels' --data-dir partial --out f

# The IDX header holds magic, count, rows and columns, big-endian.
images() { printf "\\x00\\x00\\x08\\x$1\\x00\\x00\\x00\\x$2\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x02"; head -c "$3" /dev/zero; }
labels() { printf "\\x00\\x00\\x08\\x01\\x00\\x00\\x00\\x$1"; head -c "$2" /dev/zero; }
good() {
  rm -rf data1 && mkdir data1
  images 03 04 16 >data1/train-images-idx3-ubyte; labels 04 4 >data1/train-labels-idx1-ubyte
  images 03 02 8 >data1/t10k-images-idx3-ubyte; labels 02 2 >data1/t10k-labels-idx1-ubyte
}
tiny="--data-dir data1 --hidden 4 --epochs 1 --batch-size 2 --device cpu --out g"
good; run $tiny
good; images 03 04 15 >data1/train-images-idx3-ubyte; expect_error 1 'train-images-idx3-ubyte' $tiny    # truncated
good; images 03 04 17 >data1/train-images-idx3-ubyte; expect_error 1 'train-images-idx3-ubyte' $tiny    # trailing garbage
good; images 01 04 16 >data1/train-images-idx3-ubyte; expect_error 1 'train-images-idx3-ubyte' $tiny    # wrong magic
good; images 03 ff 16 >data1/train-images-idx3-ubyte; expect_error 1 'train-images-idx3-ubyte' $tiny    # wrong count
good; labels 03 3 >data1/train-labels-idx1-ubyte; expect_error 1 'train-labels-idx1-ubyte: expected 4' $tiny
good; rm data1/t10k-labels-idx1-ubyte; expect_error 1 't10k-labels-idx1-ubyte' $tiny

# ---- without files, one line announces the built-in digits ----
run --train-images 500 --validation-images 100 --hidden 8 --epochs 1 --device cpu --out h
[ "$(grep -c 'built-in digits' log.txt)" -eq 1 ] || fail "the fallback is not announced: $(cat log.txt)"
# If the files appear later, training with them is another run, which is refused, and a command on this run still uses
# the built-in digits.
good
expect_untouched h 1 '\[train\] h holds a run with --builtin-data true, got --builtin-data false' \
  --data-dir data1 --train-images 500 --validation-images 100 --hidden 8 --epochs 1 --device cpu --out h
run --train-images 500 --validation-images 100 --hidden 8 --epochs 1 --device cpu --out h3
run eval --out h3 --data-dir data1
said '^loaded'

# ---- a loss that is not finite: the error names the step, and the model of the last good epoch stays ----
expect_error 1 'not finite at step [0-9]+' $small --epochs 40 --learning-rate 1e30 --optimizer sgd --out i
no_partial_files i
diverging="--builtin-data --train-images 200 --validation-images 100 --hidden 32 --device cpu --optimizer sgd --learning-rate 0.05"
expect_error 1 'not finite.*i2/model.safetensors holds epoch [0-9]+' $diverging --epochs 200 --out i2
good=$(grep -cE '^[0-9]+,' i2/metrics.csv)
"$program" $diverging --epochs "$good" --out i3 2>/dev/null || fail "the good epochs of a diverging run"
same_weights i2/model.safetensors i3/model.safetensors

# ---- a full disk, simulated by a limit on file sizes: no half-written file under its final name ----
override $small --hidden 512 --out j
(trap '' XFSZ; ulimit -f 8; "$program" "${arguments[@]}" >/dev/null 2>stderr.txt) && fail "a full disk went unnoticed"
grep -qE '^mnist_vae: \[write\].*j/' stderr.txt || fail "a full disk is not reported: $(cat stderr.txt)"
[ -e j/model.safetensors ] && fail "a half-written model"
no_partial_files j

finish
