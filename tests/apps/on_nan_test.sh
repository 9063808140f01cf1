#!/usr/bin/env bash
# Steps that are not finite: --on-nan skip leaves them out and counts them, --on-nan rewind goes back with half the
# learning rate. Argument: mnist_vae.
source "$(dirname "$0")/common.sh"

# ---- skip: a table of 90 rows, of which row 85 has a value whose square exceeds the largest float ----
awk 'BEGIN { print "a,b,c,d"
  for (i = 0; i < 90; ++i) printf "%.3f,%.3f,%.3f,%s\n", sin(i), cos(i * 2), sin(i * 3) / 2, i == 84 ? "1e30" : i % 7 / 5 }' >bad.csv
head -81 bad.csv >good.csv
table="--likelihood gaussian --validation-fraction 0 --no-shuffle --batch-size 10 --hidden 8 --latent 2 --epochs 3 --device cpu"
expect_error 1 'not finite at step 9 .*--on-nan skip or rewind' train --data bad.csv $table --out stopped
run train --data bad.csv $table --out skipped --on-nan skip --log-every 3
said '^warning 1 of 9 steps of epoch 1 skipped, because the loss or the gradient is not finite'
[ "$(grep -c '^warning 1 of 9 steps' log.txt)" -eq 3 ] || fail "expected a warning per epoch: $(cat log.txt)"
head -4 skipped/metrics.csv | grep -q '^epoch,.*,val_seconds,skipped_steps$' || fail "$(cat skipped/metrics.csv)"
[ "$(grep -E '^[0-9]' skipped/metrics.csv | cut -d, -f10 | tr '\n' ' ')" = "1 1 1 " ] || fail "$(cat skipped/metrics.csv)"
grep -qi 'nan\|inf' skipped/metrics.csv skipped/steps.csv && fail "a skipped step is in the losses"
grep -q '^on-nan="skip"' skipped/config.toml || fail "$(cat skipped/config.toml)"
# Without the last batch the same weights result.
run train --data good.csv $table --out without
same_weights skipped/model.safetensors without/model.safetensors
[ "$(losses skipped)" = "$(losses without)" ] || fail "the losses differ: $(losses skipped) $(losses without)"
head -4 without/metrics.csv | grep -q '^epoch,.*,val_seconds$' || fail "a further column without --on-nan"
# A continued run has the column as well.
run train --data bad.csv $table --out skipped --epochs 5 --resume
[ "$(grep -cE '^[0-9].*,1$' skipped/metrics.csv)" -eq 5 ] || fail "$(cat skipped/metrics.csv)"
run rerun skipped
says '^same bits'
# An epoch in which all steps are skipped is an error.
awk 'BEGIN { print "a,b"; for (i = 0; i < 20; ++i) print "1e30," i % 3 }' >hopeless.csv
expect_error 1 'all 2 steps of epoch 1 were skipped' train --data hopeless.csv $table --out hopeless --on-nan skip

# ---- rewind: the learning rate 0.24 diverges in the first epoch, until it is halved two or three times ----
diverging="--builtin-data --train-images 3000 --validation-images 100 --hidden 32 --device cpu --optimizer sgd
  --epochs 6 --log-every 1"
expect_error 1 'not finite at step [0-9]+ .*--on-nan skip or rewind' $diverging --learning-rate 0.24 --out stopped2
run $diverging --learning-rate 0.24 --on-nan rewind --out rewound
said '^warning the loss is not finite at step [0-9]+ .*: going back to the start of the run with learning rate 0.12 \(rewind 1 of 3\)'
rewinds=$(grep -c 'going back to' log.txt) rate=$(grep -oE 'rate [0-9.]+ \(rewind' log.txt | tail -1 | cut -d' ' -f2)
[ "$(grep -c 'going back to the start of the run' log.txt)" -eq "$rewinds" ] || fail "$(cat log.txt)"
head -4 rewound/metrics.csv | grep -q ',val_seconds,rewinds$' || fail "$(head -4 rewound/metrics.csv)"
[ "$(grep -cE "^[0-9].*,$rewinds\$" rewound/metrics.csv)" -eq 6 ] || fail "$(cat rewound/metrics.csv)"
grep -qi 'nan\|inf' rewound/metrics.csv rewound/steps.csv && fail "a step that was not finite is in the files"
# A run that begins with the last learning rate has the same bits.
run $diverging --learning-rate "$rate" --out expected
same_weights rewound/model.safetensors expected/model.safetensors
[ "$(losses rewound)" = "$(losses expected)" ] || fail "the losses differ: $(losses rewound)"
same rewound/steps.csv expected/steps.csv
run rerun rewound
says '^same bits'
# The learning rate is halved three times.
expect_error 1 'not finite at step [0-9]+ .*; the run went back 3 times with half the learning rate' $diverging \
  --learning-rate 1e30 --on-nan rewind --out hopeless2
for rate in 5e+29 2.5e+29 1.25e+29; do grep -qF "with learning rate $rate (rewind" stderr.txt || fail "$(cat stderr.txt)"; done
expect_error 2 'on-nan: expected one of stop, skip, rewind, got ignore' $diverging --on-nan ignore --out none
finish
