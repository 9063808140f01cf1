#!/usr/bin/env bash
# Opens explorer.html and report.html of trained models in headless Chromium and compares the decoder in the
# page with the library's. Arguments: mnist_vae, frey_vae, vae. Exit status 77: there is no Chromium
# ($CHROMIUM names one).
mnist=$(realpath "$1") frey=$(realpath "$2") vae=$(realpath "$3")
source "$(dirname "$0")/common.sh"

# check NAME PAGES PROGRAM LATENT ARGUMENTS... trains, decodes ten codes, and opens the pages with them.
check() {
  local name=$1 pages=$2 latent=$4 page status; program=$3; shift 4
  run "$@" --device cpu --samples 9 --out "$name"
  awk -v n="$latent" 'BEGIN { for (r = 0; r < 10; ++r) for (d = 1; d <= n; ++d)
    printf "%.6f%s", 1.7 * sin(1 + 3 * r + 5 * d), d < n ? "," : "\n" }' >codes.csv
  run decode --out "$name" --input codes.csv --output images.csv
  { echo '{"latents":'; rows codes.csv; echo ', "images":'; tail -n +2 images.csv | rows; echo '}'; } >latents.json
  for page in $pages; do
    bash "$here/check_page.sh" "$name/$page.html" latents.json >page.txt
    status=$?
    [ $status -eq 77 ] && { cat page.txt; exit 77; }
    [ $status -eq 0 ] || fail "$page.html of $name: $(cat page.txt)"
    echo "$name: $(cat page.txt)"
  done
}
# Prints the rows of a CSV without a header as a JSON array of arrays.
rows() { sed -e 's/.*/[&],/' -e '1s/^/[/' -e '$s/,$/]/' "$@"; }

check bernoulli "explorer report" "$mnist" 2 --builtin-data --train-images 600 --validation-images 200 --hidden 16 --epochs 2
check gaussian explorer "$frey" 2 --builtin-data --hidden 32 --epochs 2
check continuous explorer "$mnist" 2 --builtin-data --train-images 600 --validation-images 200 --hidden 16,8 --epochs 2 \
  --likelihood continuous-bernoulli --activation tanh
check three explorer "$frey" 3 --builtin-data --hidden 24 --epochs 2 --latent 3 --likelihood gaussian-shared --activation softplus
awk -v OFS=, 'BEGIN { srand(2); print "a,b,c,d"; for (r = 0; r < 300; ++r) { x = rand() - 0.5; print x, x * x, -x, rand() } }' >table.csv
check table "explorer report" "$vae" 2 --data table.csv --standardize=false --hidden 16 --epochs 3
finish
