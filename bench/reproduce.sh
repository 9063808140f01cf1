#!/usr/bin/env bash
# The published losses of preset keras-mnist on real MNIST. Prints three seeds, marks those outside the bands, and fails if
# their mean is outside. Argument: mnist_vae.
set -euo pipefail
program=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "| seed | epoch 1 | epoch 2 | epoch 3 (bands 166.2-167.9 / 164.0-166.5) |"
echo "|---|---|---|---|"
for seed in 0 1 2; do
  "$program" --preset keras-mnist --seed $seed --out "$work/$seed" --data-dir "${GPUVAE_DATA_DIR:-data}" 2>/dev/null
  grep -E '^[0-9]' "$work/$seed/metrics.csv" | awk -F, -v seed=$seed '
    { line = line sprintf(" | %.2f / %.2f", $2, $5); train = $2; val = $5 }
    END { inside = train >= 166.2 && train <= 167.9 && val >= 164.0 && val <= 166.5
          print "| " seed line (inside ? "" : " (outside)") " |" }'
done
echo "published: 190.8570 / 172.5236, 170.4935 / 168.1820, 166.9137 / 165.7955"
tail -qn 1 "$work"/*/metrics.csv | awk -F, '
  { train += $2 / 3; val += $5 / 3 }
  END { printf "mean of epoch 3: %.2f / %.2f\n", train, val
        exit !(NR == 3 && train >= 166.2 && train <= 167.9 && val >= 164.0 && val <= 166.5) }'
