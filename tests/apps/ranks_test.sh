#!/usr/bin/env bash
# Tests a run on several processes: its losses equal those of one process, another number of processes continues it, and
# all processes end when one of them dies.
source "$(dirname "$0")/common.sh"
mpirun --version | grep -q 'Open MPI' && options=(--allow-run-as-root --oversubscribe --bind-to none) || options=()
small=(--builtin-data --train-images 2000 --validation-images 400 --hidden 32 --device cpu --threads 1)
ranks() { mpirun "${options[@]}" -n "$1" "$program" "${small[@]}" "${@:2}"; }

"$program" "${small[@]}" --epochs 2 --out alone 2>/dev/null
ranks 2 --epochs 2 --out two 2>two.log
# ---- the losses of both epochs agree, and only rank 0 prints and writes ----
paste -d, <(grep -E '^[12],' alone/metrics.csv) <(grep -E '^[12],' two/metrics.csv) |
  awk -F, '{ n = NF / 2; for (i = 2; i <= 7; ++i) { d = $i - $(i + n); if (d < 0) d = -d; if (!(d <= 1e-5 * $i)) bad = 1 } } END { exit bad || NR != 2 }' ||
  fail "the losses of two ranks differ from those of one process"
[ "$(grep -c '^model ' two.log)" -eq 1 ] || fail "other ranks print"
[ "$(ls alone | sort)" = "$(ls two | sort)" ] || fail "the folders hold different files"
# ---- four ranks continue the run of two, and a finished run is not trained again ----
ranks 4 --epochs 3 --out two 2>four.log
grep -q '^resumed .*after epoch 2 of 3' four.log || fail "four ranks do not continue"
[ "$(grep -cE '^[123],' two/metrics.csv)" -eq 3 ] || fail "metrics.csv has not three epochs"
ranks 2 --epochs 3 --out two 2>again.log
grep -q '^loaded' again.log || fail "a finished run is trained again"
# ---- an error of rank 0, and commands that run in one process only ----
! timeout 20 mpirun "${options[@]}" -n 2 "$program" "${small[@]}" --epochs 2 --out two --beta 3 2>other.log ||
  fail "another run in the same folder is not refused"
grep -q -- '--beta' other.log || fail "the error does not name the setting"
! timeout 20 mpirun "${options[@]}" -n 2 "$program" eval "${small[@]}" --epochs 3 --out two 2>eval.log ||
  fail "eval runs on two ranks"
grep -q 'expected one process, got 2' eval.log || fail "eval says nothing"
# ---- ranks with other settings or data ----
differ() {  # differ NAME FLAGS_OF_RANK_0 -- FLAGS_OF_RANK_1
  local name=$1 first=() second=(); shift
  while [ "$1" != -- ]; do first+=("$1"); shift; done; second=("${@:2}")
  ! timeout 30 mpirun "${options[@]}" -n 1 "$program" "${small[@]}" "${first[@]}" --out differ : \
    -n 1 "$program" "${small[@]}" "${second[@]}" --out differ 2>differ.log || fail "ranks with another $name train"
  grep -q "expected the same $name on all ranks, got another on rank 1" differ.log || fail "$name: $(cat differ.log)"
  [ ! -e differ/model.safetensors ] || fail "$name: a model was written"
}
differ --seed --epochs 1 -- --epochs 1 --seed 1
differ --batch-size --epochs 1 -- --epochs 1 --batch-size 50
differ --epochs --epochs 2 -- --epochs 1
# The data folder of rank 1 has no data, so that it would train on the built-in digits.
mkdir -p here/data there
for part in train t10k; do
  python3 -c "
import struct, sys
n = 40
open('here/data/$part-images-idx3-ubyte', 'wb').write(
    struct.pack('>4i', 2051, n, 28, 28) + bytes(i * 7 % 251 for i in range(n * 784)))
open('here/data/$part-labels-idx1-ubyte', 'wb').write(struct.pack('>2i', 2049, n) + bytes(i % 10 for i in range(n)))"
done
flags=(--epochs 1 --hidden 8 --device cpu --threads 1 --batch-size 10)
! timeout 30 mpirun "${options[@]}" -n 1 -wdir "$PWD/here" "$program" "${flags[@]}" --out run : \
  -n 1 -wdir "$PWD/there" "$program" "${flags[@]}" --out run 2>data.log || fail "ranks with other data train"
grep -qE 'expected the same (training set|--builtin-data) on all ranks, got another on rank 1' data.log ||
  fail "other data: $(cat data.log)"
# ---- one process does not repeat a run of two ----
! "$program" rerun "${small[@]}" --out two --epochs 3 2>rerun.log || fail "one process repeats a run of two"
grep -q 'expected a run of one process, got one of 2,4' rerun.log || fail "rerun says: $(cat rerun.log)"
grep -q 'processes' two/report.html || fail "the report does not name the processes"
# ---- a program in the search path, and one behind a symbolic link ----
ln -s "$program" linked
PATH=$(dirname "$program"):$PATH mpirun "${options[@]}" -n 2 "$(basename "$program")" "${small[@]}" --epochs 1 --out path \
  2>path.log || fail "in the search path: $(cat path.log)"
mpirun "${options[@]}" -n 2 ./linked "${small[@]}" --epochs 1 --out link 2>link.log || fail "a link: $(cat link.log)"

# ---- if a rank is killed, all end within 10 seconds ----
timeout 60 mpirun "${options[@]}" -n 2 "$program" "${small[@]}" --epochs 100000 --out long 2>long.log &
launcher=$!
for _ in $(seq 100); do grep -qsE '^[0-9]' long/metrics.csv && break; sleep 0.1; done
victim=$(pgrep -f -- "--epochs 100000 --out long" | while read -r p; do
  [ "$(cat /proc/"$p"/comm)" = "$(basename "$program")" ] && echo "$p"; done | tail -1)
kill -KILL "$victim"
for _ in $(seq 100); do kill -0 "$launcher" 2>/dev/null || break; sleep 0.1; done
! kill -0 "$launcher" 2>/dev/null || fail "the other rank still runs 10 seconds after one was killed"
! wait "$launcher" || fail "a killed rank counts as success"
ranks 1 --epochs "$(($(tail -1 long/metrics.csv | cut -d, -f1) + 1))" --out long 2>short.log ||
  fail "one process does not continue after a rank was killed: $(tail -1 short.log)"
finish
