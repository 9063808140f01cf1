#!/usr/bin/env bash
# Tests that a model works without the rest of its run folder, that nothing in the folder is destroyed, and
# that every failure of a disk, pipe or file ends in a one-line error. Arguments: mnist_vae, vae. Parts that
# need Python 3 or the right to mount are skipped with a message.
mnist=$(realpath "$1") vae=$(realpath "$2")
source "$(dirname "$0")/common.sh"
small="--builtin-data --train-images 600 --validation-images 100 --hidden 16 --device cpu --log-every 2 --samples 4
  --reconstructions 4 --examples 10 --manifold quantile:4:0.01:0.99"
skip() { echo "SKIPPED: $*"; }
edit() { python3 "$here/edit_safetensors.py" "$@" || fail "edit_safetensors.py $*"; }
fresh() { rm -rf "$2"; cp -r "$1" "$2"; }
# alone FROM TO: a folder with nothing but the model.
alone() { rm -rf "$2"; mkdir "$2"; cp "$1/model.safetensors" "$2/"; }

# ---- a model of a table, alone: no data, no config.toml, no metrics ----
program=$vae
table() {  # table SEED SCALE
  awk -v seed="$1" -v scale="$2" 'BEGIN {
    srand(seed); print "a,b c,d,e"
    for (r = 0; r < 200; ++r) printf "%.9g,%.9g,%.9g,%.9g\n", 100 + rand(), scale * (5 + r % 7), rand() - r / 50, 3e5 * rand()
  }'
}
table 1 1 >mine.csv; table 2 1 >other.csv
run --data mine.csv --standardize --hidden 16 --epochs 3 --device cpu --out t
run encode --out t --input other.csv --output codes.csv
run decode --out t --input codes.csv --output decoded.csv
run sample --out t --samples 5 --output samples.csv
head -1 decoded.csv | grep -qx 'a,"b c",d,e' || fail "columns of decoded rows: $(head -1 decoded.csv)"
table 1 1000 >mine.csv
for state in changed gone; do
  [ $state = changed ] || rm mine.csv
  alone t alone
  [ $state = changed ] && why='have changed: the training set of mine.csv: .* had the fingerprint [0-9a-f]{16} and now has' ||
    why='cannot be read: \[read\] mine.csv'
  for folder in t alone; do
    run encode --out $folder --input other.csv --output codes2.csv; same codes.csv codes2.csv
    run decode --out $folder --input codes.csv --output decoded2.csv; same decoded.csv decoded2.csv
    run reconstruct --out $folder --input other.csv --output decoded3.csv; same decoded.csv decoded3.csv
    run sample --out $folder --samples 5 --output samples2.csv; same samples.csv samples2.csv
    expect_untouched $folder 1 "\[eval\] the data on which $folder/model.safetensors was trained .* $why" \
      eval --out $folder
    expect_untouched $folder 1 "\[encode\] the data on which" encode --out $folder
    run explore --out $folder --output explorer.html
    said '^note    the data on which .*; no encoded data are shown'
  done
  pictures explorer.html
done
table 1 1000 >mine.csv
expect_untouched t 1 '\[train\] t holds a run on another training set \(fingerprint [0-9a-f]{16}, got [0-9a-f]{16} of .*mine.csv' \
  --data mine.csv --standardize --hidden 16 --epochs 5 --device cpu --out t
table 1 1 >mine.csv
run eval --out alone
run --data mine.csv --standardize --hidden 16 --epochs 5 --device cpu --out t
said '^resumed'

# ---- a model of images, alone ----
program=$mnist
run $small --epochs 2 --out a
alone a alone
mkdir from-a from-alone
for folder in a alone; do
  run decode --out $folder --z '0.5,-1;1,1' --output from-$folder/decoded.png
  run sample --out $folder --output from-$folder/samples.png
  run manifold --out $folder
  run explore --out $folder --output from-$folder/explorer.html
  run eval --out $folder --output from-$folder/eval.json
done
same from-a/decoded.png from-alone/decoded.png
same from-a/samples.png from-alone/samples.png
same a/manifold.png alone/manifold.png
same <(grep -v command_line from-a/eval.json) <(grep -v command_line from-alone/eval.json)
program=$vae; expect_untouched alone 1 'expected a model of vae, got one of mnist_vae' sample --out alone; program=$mnist

# ---- changed by other programs ----
if command -v python3 >/dev/null; then
  fresh a edited; edit edited/model.safetensors reverse
  run eval --out edited --output edited.json
  same <(grep -v command_line from-a/eval.json) <(grep -v command_line edited.json)
  fresh a edited; edit edited/model.safetensors set format_version 3
  expect_untouched edited 1 'edited/model.safetensors: expected format version 1 to 2, got 3: a newer version' eval --out edited
  expect_untouched edited 1 'expected format version 1 to 2, got 3' $small --epochs 2 --out edited
  fresh a edited; edit edited/model.safetensors flip
  expect_untouched edited 1 'edited/model.safetensors: expected checksum [0-9a-f]{16}, got [0-9a-f]{16}: the file is damaged' eval --out edited
  fresh a edited; edit edited/model.safetensors add 0.5
  expect_untouched edited 1 'the file is damaged, or another program changed it' decode --out edited --z 1,1
  edit edited/model.safetensors drop checksum  # the change is meant
  run decode --out edited --z '0.5,-1;1,1' --output edited.png
  differ from-a/decoded.png edited.png
  expect_untouched edited 1 'edited/model.safetensors was changed by another program, and training would continue from' \
    $small --epochs 4 --out edited
  fresh a edited; edit edited/model.safetensors strip  # as many programs do; config.toml knows the rest
  run decode --out edited --z '0.5,-1;1,1' --output edited.png
  said '^note    edited/model.safetensors does not describe its run: the checkpoint beside it does'
  same from-a/decoded.png edited.png
  expect_untouched edited 1 'was changed by another program' $small --epochs 4 --out edited
  rm edited/checkpoint*.safetensors
  run decode --out edited --z '0.5,-1;1,1' --output edited.png
  same from-a/decoded.png edited.png
  alone edited stripped
  expect_untouched stripped 1 '\[decode\] stripped/model.safetensors: expected a model whose metadata describe its run, got one without' \
    decode --out stripped --z 1,1
  fresh a edited; edit edited/model.safetensors add nan; edit edited/model.safetensors drop checksum
  expect_untouched edited 1 'edited/model.safetensors: expected finite values, got -?nan in encoder.0.weight' eval --out edited
  fresh a edited; edit edited/model.safetensors set settings '{"speed": 3}'; edit edited/model.safetensors drop checksum
  expect_untouched edited 1 'expected settings of this version, got speed' $small --epochs 2 --out edited
else
  skip "no python3: models changed by other programs"
fi
if python3 -c 'import safetensors.numpy' 2>/dev/null; then
  fresh a rewritten
  python3 - rewritten/model.safetensors <<'PYTHON' || fail "Python's safetensors does not open the model"
import sys, safetensors, safetensors.numpy as numpy_files
with safetensors.safe_open(sys.argv[1], "numpy") as file:
    metadata, names = file.metadata(), list(file.keys())
tensors = numpy_files.load_file(sys.argv[1])
assert set(names) == set(tensors) and metadata["format"] == "gpuvae" and tensors["encoder.0.weight"].shape == (16, 784)
numpy_files.save_file({name: tensors[name] for name in sorted(names, reverse=True)}, sys.argv[1], metadata)
PYTHON
  run eval --out rewritten --output rewritten.json
  same <(grep -v command_line from-a/eval.json) <(grep -v command_line rewritten.json)
else
  skip "Python has no module safetensors"
fi

# ---- a checkpoint that is damaged: the one before it is used ----
run $small --epochs 4 --out whole
run $small --epochs 3 --checkpoint-every 1epoch --out c
[ -s c/checkpoint-previous.safetensors ] || fail "no earlier checkpoint"
for damage in "truncate -s 5000" "truncate -s 0" "rm"; do
  fresh c damaged
  $damage damaged/checkpoint.safetensors
  run $small --epochs 4 --out damaged
  said '^resumed damaged/checkpoint-previous.safetensors, after epoch 2 of 4'
  said '^warning'
  same_weights whole/model.safetensors damaged/model.safetensors
  [ "$(losses whole)" = "$(losses damaged)" ] || fail "metrics after a damaged checkpoint"
done
fresh c damaged
printf '\377' | dd of=damaged/checkpoint.safetensors bs=1 seek=60000 conv=notrunc 2>/dev/null
run $small --epochs 4 --out damaged
said '^warning \[read\] damaged/checkpoint.safetensors: expected checksum'
same_weights whole/model.safetensors damaged/model.safetensors
fresh c damaged; truncate -s 5000 damaged/checkpoint.safetensors; truncate -s 5000 damaged/checkpoint-previous.safetensors
expect_untouched damaged 1 '\[read\] damaged/checkpoint-previous.safetensors' $small --epochs 4 --out damaged

# ---- nothing is destroyed ----
fresh a kept
before=$(state kept)
expect_error 1 'not finite' $small --epochs 2 --learning-rate 1e30 --optimizer sgd --retrain --out kept
[ "$before" = "$(state kept)" ] || fail "a failing run with --retrain changed the folder"
expect_untouched kept 1 'kept holds a run with --seed 0, got --seed 1' $small --epochs 2 --seed 1 --out kept
for name in model.safetensors config.toml checkpoint.safetensors samples.png report.html; do
  rm -rf foreign; mkdir foreign; echo mine >foreign/$name
  for flags in "" --retrain; do
    expect_untouched foreign 1 "foreign/$name: expected a file of a run, got another one" $small --epochs 1 --out foreign $flags
  done
done
rm -rf foreign; mkdir foreign; echo mine >foreign/notes.txt
run $small --epochs 1 --out foreign
run $small --epochs 1 --seed 1 --out foreign --retrain
[ "$(cat foreign/notes.txt)" = mine ] && [ -s foreign/previous/model.safetensors ] || fail "a foreign file is gone"
expect_error 1 'none: expected a checkpoint to continue from, but nothing is saved yet' --resume $small --out none

# ---- one process per folder, and signals ----
# background FOLDER ARGUMENTS... starts a run and waits for its first epoch.
background() {
  local folder=$1; shift
  set -m; "$program" "$@" --out "$folder" >/dev/null 2>background.txt & id=$!; set +m
  for _ in $(seq 200); do grep -q '^epoch' background.txt && return; sleep 0.05; done
  fail "no epoch: $(cat background.txt)"
}
background busy $small --epochs 100000
expect_error 1 "\[lock\] busy is in use by process $id \(its lock is busy/run.lock\)" $small --epochs 100000 --out busy
expect_error 1 'busy is in use by' $small --epochs 2 --retrain --out busy
run decode --out busy --z 0,0 --output busy.png  # reading is safe
kill -9 $id; wait $id 2>/dev/null
[ -e busy/run.lock ] || fail "no file of the lock"
run $small --epochs 100 --out busy  # the lock of a dead process does not count
said '^resumed'
big="--builtin-data --train-images 6000 --validation-images 100 --hidden 256 --device cpu --samples 4 --examples 4
  --reconstructions 4 --manifold quantile:3 --log-every 3"
run $big --epochs 3 --out straight
for signal in INT TERM HUP; do
  background stopped-$signal $big --epochs 3
  kill -$signal $id; wait $id; status=$?
  [ $status -eq $((128 + $(kill -l $signal))) ] || fail "SIG$signal ends in $status: $(cat background.txt)"
  grep -qE "^mnist_vae: stopped by SIG$signal after [0-9]+ steps? \([0-9] epochs?\): stopped-$signal/checkpoint.safetensors has them" \
    background.txt || fail "SIG$signal: $(tail -1 background.txt)"
  no_partial_files stopped-$signal
  run --resume --out stopped-$signal
  said '^resumed|^loaded'
  same straight/model.safetensors stopped-$signal/model.safetensors
  same straight/steps.csv stopped-$signal/steps.csv
  [ "$(losses straight)" = "$(losses stopped-$signal)" ] || fail "metrics after SIG$signal"
done

# ---- output that goes nowhere, and folders that vanish ----
"$program" eval --out a >/dev/full 2>stderr.txt && fail "eval >/dev/full succeeds"
grep -qx 'mnist_vae: \[write\] standard output: No space left on device' stderr.txt || fail "eval >/dev/full: $(cat stderr.txt)"
"$program" --help >/dev/full 2>stderr.txt && fail "--help >/dev/full succeeds"
{ "$program" eval --out a 2>stderr.txt; echo $? >status.txt; } | true
sleep 0.1
[ "$(cat status.txt)" -eq 1 ] && grep -qx 'mnist_vae: \[write\] standard output: Broken pipe' stderr.txt ||
  fail "eval into a closed pipe: $(cat status.txt stderr.txt)"
background vanished $small --epochs 100000
mv vanished moved; wait $id; status=$?
[ $status -eq 1 ] && tail -1 background.txt | grep -qE '^mnist_vae: \[write\] vanished.*No such file' ||
  fail "a vanished folder: status $status, $(tail -1 background.txt)"

# ---- disks that are full or read-only ----
mkdir disk
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=200k none disk 2>/dev/null; then
  trap 'umount "$work/disk"; rm -rf "$work"' EXIT
  for size in 200k 300k 400k 600k 1m 2m; do
    rm -rf disk/*; mount -o remount,size=$size disk
    if "$program" $small --epochs 4 --checkpoint-every 1epoch --out disk/r 2>stderr.txt; then
      echo "a run fits into $size"
    else
      [ $? -eq 1 ] && tail -1 stderr.txt | grep -qE '^mnist_vae: \[write\] disk/r/.*No space left on device' ||
        fail "a disk of $size: $(tail -1 stderr.txt)"
    fi
    no_partial_files disk
    if [ -e disk/r/model.safetensors ]; then run decode --out disk/r --z 0,0 --output full.png; fi
    mount -o remount,size=20m disk
    run $small --epochs 4 --checkpoint-every 1epoch --out disk/r
    same whole/model.safetensors disk/r/model.safetensors
    [ "$(losses whole)" = "$(losses disk/r)" ] || fail "metrics after a disk of $size was full"
  done
  mount -o remount,ro disk
  run decode --out disk/r --z 0,0 --output read-only.png
  run encode --out disk/r --output read-only.csv
  expect_error 1 '\[write\] disk/r.*Read-only file system' $small --epochs 5 --out disk/r
  expect_error 1 '\[write\] disk/r/eval.json: Read-only file system' eval --out disk/r
else
  skip "no right to mount a disk: full and read-only disks"
fi
finish
