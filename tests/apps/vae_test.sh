#!/usr/bin/env bash
# Runs vae on user data: arrays, tables, images. Arguments: vae, and mnist_vae, whose pictures serve as data.
mnist=$(realpath "$2")
source "$(dirname "$0")/common.sh"
small="--hidden 16 --epochs 3 --device cpu --samples 9"

expect_error 1 '\[data\] expected --data PATH: an .npy, .csv' --out none
expect_error 1 '\[read\] nowhere.csv' --data nowhere.csv --out none

# ---- a table of two classes that differ in scale and location, label column first ----
# The classes are 6 standard deviations apart in every column. The columns' units differ by a factor of up to
# 1000.
table() {  # table SEED ROWS
  awk -v seed="$1" -v rows="$2" 'BEGIN {
    srand(seed)
    for (r = 0; r < rows; ++r) {
      y = r % 2
      printf "%d", y
      for (c = 1; c <= 6; ++c) {
        n = -6; for (k = 0; k < 12; ++k) n += rand()
        printf ",%.9g", 1000 * c + (c % 2 ? 1 : 0.01) * (n + (y ? 3 : -3))
      }
      print ""
    }
  }'
}
table 1 800 >plain.csv
{ echo 'signal,"a b",two,three,four,five,six'; cat plain.csv; } >named.csv
run $small --epochs 40 --data named.csv --label-column signal --out t
said "labels from 'signal', standardised: 720 training and 80 validation rows of 6 columns"
said 'nats/row'
[ -e t/manifold.png ] && fail "a manifold of pictures of a table"
pictures t/{latent,curves,curves-kl,model}.svg t/{report,explorer}.html
for line in 'likelihood="gaussian"' 'gaussian-mean="identity"' 'standardize=true'; do
  grep -q "^$line" t/config.toml || fail "config.toml without $line"
done
run --config t/config.toml --out t2
same t/model.safetensors t2/model.safetensors
run $small --epochs 40 --data plain.csv --label-column 0 --out p  # the same numbers without column names
same_weights t/model.safetensors p/model.safetensors

# The codes separate the classes: a nearest-centroid classifier, fitted on the training codes, labels the
# validation codes.
run encode --out t --set train --output train.csv
run encode --out t
said 'encoded 80 rows of the validation set'
[ "$(head -1 t/latent.csv) $(wc -l <t/latent.csv) $(wc -l <train.csv)" = "label,z1,z2,row 81 721" ] || fail "latent.csv: $(head -1 t/latent.csv)"
holds 'accuracy > 0.8' accuracy="$(awk -F, '
  FNR == 1 { next }
  NR == FNR { n[$1]++; x[$1] += $2; y[$1] += $3; next }
  { best = ""
    for (c in n) { d = ($2 - x[c] / n[c]) ^ 2 + ($3 - y[c] / n[c]) ^ 2; if (best == "" || d < least) { best = c; least = d } }
    right += best == $1; ++rows }
  END { print right / rows }' train.csv t/latent.csv)"

# ---- new rows are standardised with the statistics of the training rows ----
# A few training rows in a separate file must have the codes that they have in the whole set. Their own mean
# would shift them.
run encode --out t --set train --images 5 --output five.csv
run encode --out t --input named.csv --output all.csv
[ "$(wc -l <all.csv)" -eq 801 ] || fail "not all rows of --input"
head -41 named.csv >part.csv
run encode --out t --input part.csv --output part-codes.csv
head -41 all.csv | diff -q - part-codes.csv >/dev/null || fail "codes depend on the other rows of --input"
# Products of few rows and of many are rounded differently.
row=$(sed -n '2s/.*,//p' five.csv)
sed -n 2p five.csv | cut -d, -f2,3 | tr , ' ' >one-of-five.txt
grep ",$row\$" all.csv | cut -d, -f2,3 | tr , ' ' >one-of-all.txt
close one-of-five.txt one-of-all.txt 1e-5
cut -d, -f2- part.csv >unlabelled.csv; run encode --out t --input unlabelled.csv --output unlabelled-codes.csv
[ "$(cut -d, -f2- part-codes.csv)" = "$(cat unlabelled-codes.csv)" ] || fail "codes of rows without labels differ"
sed -n '1p;3p' unlabelled.csv >single.csv; run encode --out t --input single.csv --output single-codes.csv
csv single-codes.csv | cut -d' ' -f1,2 >single.txt; sed -n 3p unlabelled-codes.csv | cut -d, -f1,2 | tr ',' ' ' >third.txt
close single.txt third.txt 1e-4

# ---- decoded rows are in the table's units, under its names ----
run reconstruct --out t --input unlabelled.csv --output r.csv
[ "$(head -1 r.csv)" = '"a b",two,three,four,five,six' ] || fail "columns of reconstructions: $(head -1 r.csv)"
for c in 1 2 3 4 5 6; do  # inside the data's range and on their class's side of the mean
  paste -d, <(cut -d, -f$c unlabelled.csv | tail -n +2) <(cut -d, -f$c r.csv | tail -n +2) |
    awk -F, -v m=$((1000 * c)) -v s="$([ $((c % 2)) -eq 1 ] && echo 1 || echo 0.01)" '
      { right += ($1 - m) * ($2 - m) > 0; d = ($1 - $2) / s; if (d * d > 36) bad = 1 } END { exit bad || right / NR < 0.9 }' ||
    fail "column $c of the reconstructions is not in its units"
done
run decode --out t --input unlabelled-codes.csv --output d.csv
same d.csv r.csv
run reconstruct --out p --input unlabelled.csv --output rp.csv
[ "$(head -1 rp.csv)" = x0,x1,x2,x3,x4,x5 ] || fail "columns without names: $(head -1 rp.csv)"
csv r.csv >r.txt; csv rp.csv >rp.txt; close r.txt rp.txt 1e-2
run reconstruct --out t --input unlabelled.csv --output r.npy
npy r.npy 6 >rn.txt; close r.txt rn.txt 1e-2
# A column in its own units needs f64: times of 2023 in seconds, of which f32 keeps every 128th.
awk 'BEGIN { print "time,x"; for (i = 0; i < 60; ++i) printf "%d,%g\n", 1700000000 + i, i % 7 }' >clock.csv
run --data clock.csv --hidden 4 --epochs 1 --device cpu --out clock
run decode --out clock --z "0.3,0.1;0.31,0.1" --output clock.npy
run decode --out clock --z "0.3,0.1;0.31,0.1" --output clock-decoded.csv
csv clock-decoded.csv >time.txt; npy clock.npy 2 >timen.txt; close time.txt timen.txt 1e-2
# An output never replaces the input, the data of the run or a file that the run needs.
cp named.csv kept.csv; cp named.csv kept-copy.csv
expect_untouched t 1 'kept.csv: expected a new file, got the file of --input' encode --out t --input kept.csv --output kept.csv
same kept.csv kept-copy.csv
expect_untouched clock 1 'clock.csv: expected a new file, got the data of the run' sample --out clock --data clock.csv --output clock.csv
expect_untouched t 1 'metrics.csv: expected a new file, got a file that the run in t needs' encode --out t --output t/metrics.csv
run sample --out t
csv t/samples.csv | awk '{ if (!($1 > 990 && $1 < 1010 && $6 > 5999 && $6 < 6001)) exit 1 } END { exit NR != 9 }' ||
  fail "samples are not in the table's units"
run decode --out t --z 0,0
[ -s t/decoded.csv ] || fail "decode of a table does not write decoded.csv"
expect_untouched t 1 'x.png: expected a file ending in .csv or .npy for rows' decode --out t --z 0,0 --output t/x.png
expect_untouched t 1 'got rows of a table' manifold --out t

# ---- a table is matched by name, and the log says how it was read ----
awk -F, -v OFS=, '{ print $7, $1, $3, NR, $2, $6, $5, $4 }' named.csv | sed '1s/,1,/,extra,/' >mixed.csv
run encode --out t --input mixed.csv --output mixed-codes.csv
same all.csv mixed-codes.csv
said 'mixed.csv: commas separate the columns, line 1 holds their names.*in a different order.*not used: extra'
cut -d, -f1-5 named.csv >narrow.csv
expect_untouched t 1 "narrow.csv: expected the training data's column 'five'" encode --out t --input narrow.csv
expect_untouched t 1 "plain.csv: expected a header with the training data's columns a b, two" encode --out t --input plain.csv
sed 's/^1,/yes,/; s/^0,/no,/' named.csv >words.csv
run $small --epochs 40 --data words.csv --label-column signal --out w
said "the labels are in column 'signal' \(2 classes: no, yes\)"
same_weights t/model.safetensors w/model.safetensors
run $small --data named.csv --columns 'two,"a b"' --header yes --out c
said 'training and 80 validation rows of 2 columns'
run sample --out c
[ "$(head -1 c/samples.csv)" = 'two,"a b"' ] || fail "chosen columns: $(head -1 c/samples.csv)"
{ echo 0,1,2,3; awk 'BEGIN { srand(5); for (r = 0; r < 80; ++r) print rand() "," (-rand()) "," (1 + rand()) "," (2 * rand()) }'; } >pandas.csv
run $small --data pandas.csv --out pandas
said '72 training and 8 validation rows of 4 columns'
said 'pandas.csv: line 1 counts 0, 1, ..., 3 as pandas writes a header and was taken as one'
run $small --data pandas.csv --header no --validation-fraction 0 --out pandas-rows
said '81 training and 0 validation rows'

# ---- seconds since 1970 keep their differences ----
awk 'BEGIN { print "time,x"; for (r = 0; r < 80; ++r) print 1700000000 + r "," r % 7 }' >times.csv
run $small --epochs 60 --data times.csv --out times
run reconstruct --out times --input times.csv --output times-r.csv
csv times-r.csv | awk '{ seen[$1] = 1; d = $1 - 1700000000 - (NR - 1); if (d * d > 60 * 60) exit 1 } END { exit length(seen) < 40 }' ||
  fail "the times are lost: $(head -3 times-r.csv)"

# ---- arrays ----
# npy_file DESCR SHAPE prints a header; the data follow.
npy_file() {
  local header="{'descr': '$1', 'fortran_order': False, 'shape': ($2), }"
  printf '\x93NUMPY\x01\x00'; printf '%b' "\\x76\\x00"; printf '%-117s\n' "$header"
}
bytes() { awk -v n="$1" 'BEGIN { srand(3); for (i = 0; i < n; ++i) printf "%c", 32 + int(rand() * 90) }'; }
{ npy_file '|u1' '60, 6, 5'; bytes 1800; } >images.npy
run $small --data images.npy --out u
said ': 54 training and 6 validation images of 6x5'
said '^values  whole numbers from 0 to 255, taken as bytes'
grep -q '^likelihood="bernoulli"' u/config.toml || fail "bytes are not Bernoulli by default"
pictures u/{manifold,reconstructions,samples}.png
run encode --out u --input images.npy --output u.csv
[ "$(wc -l <u.csv)" -eq 61 ] || fail "not all images of --input"
run $small --data d.csv --out no-labels --validation-fraction 0
said 'standardised: 40 training and 0 validation rows'
pictures no-labels/{report,explorer}.html
run eval --out no-labels
grep -q '"set": "train"' no-labels/eval.json || fail "eval without validation rows"
run $small --data r.npy --out floats --likelihood gaussian-shared --gaussian-mean identity
said '6 floats, standardised'
run encode --out t --output codes.npy
run $small --data codes.npy --standardize=false --out raw
not_said 'standardised'
expect_error 1 'bernoulli expects values in \[0, 1\], got' $small --data r.npy --likelihood bernoulli --out b
expect_error 1 'bernoulli expects values in \[0, 1\], got -?[0-9]' $small --data named.csv --likelihood continuous-bernoulli --out b
[ -e b/model.safetensors ] && fail "a Bernoulli model of any numbers"
expect_untouched t 1 'images.npy: expected 6 values per row, like the training data, got 30' encode --out t --input images.npy
expect_untouched u 1 'r.npy: expected 30 values per row' encode --out u --input r.npy
{ npy_file '|u1' '3, 6'; bytes 18; } >six.npy
expect_untouched t 1 'six.npy: expected floating-point numbers, like the training data, got bytes' encode --out t --input six.npy

# ---- the values decide, not their type; other values, heights and widths are refused ----
run encode --out u --input images.npy --output u.csv
{ npy_file '<i8' '60, 6, 5'; tail -c 1800 images.npy | od -A n -v -t u1 -w1 | awk '{ printf "%c", $1 + 0; for (i = 0; i < 7; ++i) printf "%c", 0 }' 2>/dev/null; } >wide.npy
if [ "$(wc -c <wide.npy)" -eq $((128 + 8 * 1800)) ]; then  # this awk writes zero bytes
  run encode --out u --input wide.npy --output wide.csv
  same u.csv wide.csv
  run $small --data wide.npy --out wide
  same_weights u/model.safetensors wide/model.safetensors
fi
{ npy_file '|u1' '60, 5, 6'; tail -c 1800 images.npy; } >turned.npy
expect_untouched u 1 'turned.npy: expected images of 6 x 5 \(height x width\), like the training data, got 5 x 6' encode --out u --input turned.npy
expect_error 1 'images.npy: expected values from 0 to 9, got' $small --data images.npy --value-range 0:9 --out b
run $small --data images.npy --value-range 0:121 --out scaled
said '^values  numbers scaled from \[0, 121\] to \[0, 1\]'
run encode --out scaled --input images.npy --output scaled.csv
run $small --data r.npy --value-range=-9000:9000 --likelihood bernoulli --out scaled-rows
run sample --out scaled-rows
csv scaled-rows/samples.csv | awk '{ if (!($1 >= -9000 && $1 <= 9000)) exit 1 } END { exit NR != 9 }' || fail "samples are not in the units of --value-range"

# ---- images: folders of pictures by class, IDX files, MNIST's four files ----
run $small --data images.npy --out u >/dev/null
for i in 0 1 2 3 4 5 6 7; do
  mkdir -p pictures/$([ $((i % 2)) -eq 0 ] && echo even || echo odd)
  "$program" decode --out u --z "$i,-$i" --output pictures/$([ $((i % 2)) -eq 0 ] && echo even || echo odd)/$i.png 2>log.txt || fail "$(cat log.txt)"
done
run $small --data pictures --out f --batch-size 2
said '2 classes \(even, odd\): 7 training and 1 validation images'
run encode --out f --input pictures --output f.csv
[ "$(cut -d, -f1 f.csv | paste -sd' ')" = "label 0 0 0 0 1 1 1 1" ] || fail "classes: $(cut -d, -f1 f.csv | paste -sd' ')"
idx() { printf '\x00\x00\x08\x03\x00\x00\x00\x1e\x00\x00\x00\x06\x00\x00\x00\x05'; bytes 900; }
labels() { printf '\x00\x00\x08\x01\x00\x00\x00\x1e'; head -c 30 /dev/zero | tr '\0' '\4'; }
idx >some-images-idx3-ubyte; labels >some-labels-idx1-ubyte
run $small --data some-images-idx3-ubyte --out i
said ': 27 training and 3 validation images of 6x5'
run encode --out i --output i.csv
[ "$(cut -d, -f1 i.csv | sort -u | paste -sd' ')" = "4 label" ] || fail "labels beside the IDX file are lost"
run reconstruct --out i --input images.npy --output ri.npy
[ "$(npy ri.npy 30 | wc -l)" -eq 60 ] || fail "reconstructions of --input"
mkdir four && for part in train t10k; do idx >four/$part-images-idx3-ubyte; labels >four/$part-labels-idx1-ubyte; done
run $small --data four --out m
said ': 30 training and 30 validation images'
(program=$mnist; run $small --data four --out m2; said ': 30 training and 30 validation images of 6x5'; exit $failures) || failures=$((failures + 1))

# ---- bytes of which later data may miss some: numbers in [0, 1], with the likelihoods of bytes ----
awk 'BEGIN { srand(6); for (r = 0; r < 60; ++r) for (c = 0; c < 20; ++c) printf "%d%s", r == 0 && c == 0 ? 255 : int(256 * rand()), c < 19 ? "," : "\n" }' >complete.csv
sed 's/^[0-9]*,/,/' complete.csv >gaps.csv
run $small --data complete.csv --missing-values --standardize=false --out gaps
said '^values  numbers scaled from \[0, 255\] to \[0, 1\]'
grep -q '^likelihood="bernoulli"' gaps/config.toml || fail "complete bytes that may be missing are not Bernoulli"
run $small --data complete.csv --missing-values --standardize=false --likelihood logistic-256 --out gaps-logistic
run reconstruct --out gaps-logistic --impute --input gaps.csv --output filled.csv
csv filled.csv | cut -d' ' -f2- >filled.txt
cut -d, -f2- complete.csv | tr , ' ' >complete.txt
close filled.txt complete.txt 1e-3
# Variances below the range of f32.
{ echo a,b; for i in 1 2 3 4 5 6 7 8; do echo "$i.5,$((i % 3 ? i : 0))"; done; echo 3.5,; } >few.csv
run $small --data few.csv --missing-values --likelihood gaussian --gaussian-mean identity --log-variance-low -200 --standardize=false --out tiny
run eval --out tiny --set train --importance-samples 5
says '^-log p\(x\), at most +-?[0-9]'
# Flags without an effect are named.
awk 'BEGIN { srand(9); for (r = 0; r < 12; ++r) printf "%.3f,%.3f,%.3f\n", rand(), rand(), rand() }' >idle.csv
run --data idle.csv --hidden 4 --epochs 1 --objective-mix 0.3 --prior-components 7 --ema-form zero --gated --activation tanh --out idle
for flag in objective-mix prior-components ema-form activation; do said "^note    ignored --$flag, which"; done
run --data idle.csv --hidden 4 --epochs 1 --gated --out idle2
not_said 'ignored'
# A reader that closes the pipe of the help is no error.
set -o pipefail
{ sleep 0.3; "$program" --help 2>help.txt; } | true || fail "--help into a closed pipe exits with an error"
set +o pipefail
[ -s help.txt ] && fail "--help into a closed pipe: $(cat help.txt)"
# An evaluation does not outlive its model.
run eval --out idle
run --data idle.csv --hidden 4 --epochs 2 --objective-mix 0.3 --prior-components 7 --ema-form zero --gated --activation tanh --out idle
said '^note    removed idle/eval.html, which evaluated the model before this training'
[ -e idle/eval.json ] || [ -e idle/eval.html ] && fail "the evaluation of an older model is left"

# Rows of a table are not called images.
{ head -1 <<<'a,b,c'; awk 'BEGIN { srand(9); for (r = 0; r < 12; ++r) printf "%.3f,%.3f,%.3f\n", rand(), rand(), rand() }'; } >few.csv
run --data few.csv --hidden 4 --epochs 2 --validation-fraction 0.1 --out few
said '^epoch 2/2 .* rows/s'
not_said 'images'
grep -qE 'nats per image|images' few/metrics.csv && fail "metrics.csv of a table with images: $(head -3 few/metrics.csv)"
# One validation row does not vary, whether the posterior collapsed or not.
said ': 11 training and 1 validation rows?'
not_said 'collapse'
run eval --out few
expect_error 1 'set test expects a run with --validation-set rest and --train-images, which validates on other rows' eval --out few --set test
grep -q '"collapsed": false' few/eval.json || fail "a collapse was found in one row"

# ---- counts, missing values, and columns of several types ----
run --preset counts --epochs 2 --device cpu --out counts
said 'synthetic counts: 2000 training and 1000 validation rows of 30 columns'
not_said 'value-range'
grep -q '^likelihood="negative-binomial"' counts/config.toml || fail "config.toml of counts"
run sample --out counts --output drawn.csv
run reconstruct --out counts --images 4 --output four.csv
[ "$(wc -l <four.csv)" -eq 5 ] || fail "reconstructions of counts"
expect_error 1 'expected a model of complete data that are not counts' export --out counts --format onnx
awk 'BEGIN { srand(4); print "n,red,green,blue,height,smoker,total"
  for (r = 0; r < 200; ++r) { c = int(3 * rand()); n = int(20 * rand())
    printf "%s,%d,%d,%d,%s,%d,%d\n", r % 7 ? n : "", c == 0, c == 1, c == 2, r % 5 ? 150 + 40 * rand() : "NA", rand() < .3, 50 + n } }' >mixed.csv
types=poisson:n,categorical:red+green+blue,gaussian:height,bernoulli:smoker,library:total
run $small --data mixed.csv --missing-values --column-types $types --out mixed
said '69 of 1400 values are missing'
# Densities and probabilities have no common unit.
run eval --out mixed
grep -q 'bits per dimension' stdout.txt && fail "bits per dimension of densities and probabilities: $(cat stdout.txt)"
grep -q '"bits_per_dimension": null' mixed/eval.json || fail "eval.json with bits per dimension of a mixed table"
grep -q 'Bits per dimension' mixed/{eval,report}.html && fail "pages with bits per dimension of a mixed table"
grep -q '^column-types="poisson:1,categorical:3,gaussian:1,bernoulli:1,library:1"' mixed/config.toml || fail "column types in config.toml"
run eval --out mixed
says '^observed +9[0-9]\.'
run reconstruct --out mixed --impute --output imputed.csv --input mixed.csv
[ "$(grep -c nan imputed.csv)" -eq 0 ] || fail "missing values are left"
# Observed cells have the digits of the file, also in a standardised table, in the file and in the validation set.
awk 'BEGIN { srand(6); print "a,b"; for (r = 0; r < 60; ++r) printf "%.5f,%s\n", 7 + rand(), r % 4 ? sprintf("%.9f", 100 * rand()) : "NA" }' >gappy.csv
run $small --data gappy.csv --missing-values --out gappy
run reconstruct --out gappy --impute --output filled.csv --input gappy.csv
paste -d, gappy.csv filled.csv | awk -F, 'NR > 1 && ($1 + 0 != $3 || $2 != "NA" && $2 + 0 != $4 || length($3) > 7 || length($4) > 13 && $2 != "NA" || $4 == "NA") { exit 1 }' ||
  fail "--impute changed observed cells: $(paste -d, gappy.csv filled.csv | head -4)"
run reconstruct --out gappy --impute --output filled-validation.csv
awk -F, 'FNR == NR { seen[$1 + 0] = 1; next } FNR > 1 && (!($1 + 0 in seen) || length($1) > 7) { exit 1 }' gappy.csv filled-validation.csv ||
  fail "--impute changed observed cells of the validation set: $(head -3 filled-validation.csv)"
sed '2,90s/,[01],/,NA,/' mixed.csv >partly.csv
expect_error 1 'columns 1 to 3 .categorical. to be missing or none of them, got 1 missing' $small --data partly.csv --missing-values --column-types $types --out bad
expect_error 1 'columns 1 to 3 .categorical. to be missing' reconstruct --out mixed --impute --output bad.csv --input partly.csv
run $small --data mixed.csv --missing-values --columns n,total --likelihood poisson --library-size total --out library
said '^values  whole numbers from 0 to [0-9]+, used as they are'
not_said 'value-range|standardised'
grep -q '^column-types="poisson:1,library:1"' library/config.toml || fail "the library size in config.toml"
expect_error 1 'expected numbers from 0 to 1 in column .* \(bernoulli\), got' $small --data mixed.csv --missing-values --column-types bernoulli:7 --out bad
{ echo 'n,red,blue'; echo '3,0,1'; echo '5,1,1'; echo '2,0,1'; } >two-hot.csv
expect_error 1 'expected at most one 1 in the columns 1 to 2 \(categorical\), got 2' $small --data two-hot.csv --column-types poisson:1,categorical:2 --out bad
# The library size decides the reconstructed counts.
run reconstruct --out library --output by-library.csv --input mixed.csv
[ "$(csv by-library.csv | awk 'NR == 1 || NR == 3 { print $2 }' | paste -sd' ')" = "$(awk -F, 'NR == 2 || NR == 4 { print $7 }' mixed.csv | paste -sd' ')" ] || fail "reconstructions with another library size: $(head -4 by-library.csv)"
run $small --data mixed.csv --missing-values --column-types $types --output-bias data --out started
awk 'BEGIN { srand(7); print "a,time"; for (r = 0; r < 60; ++r) printf "%.5f,%d\n", rand(), 1700000000 + 100 * rand() }' >seconds.csv
expect_error 1 'column time: expected values whose differences single precision can hold.*subtract a constant' $small --data seconds.csv --column-types gaussian:2 --out bad
expect_error 1 'expects a likelihood of counts' $small --data named.csv --library-size six --out bad
expect_error 1 'expects counts, whole numbers' $small --data named.csv --likelihood poisson --out bad
expect_error 1 'expects bytes' $small --data named.csv --likelihood logistic-256 --out bad

# ---- files that contain no usable data ----
bad() { local pattern=$1; shift; expect_error 1 "$pattern" $small --data "$@" --out bad; }
printf '1,2\n3\n' >ragged.csv; bad '\[read\] ragged.csv: line 2' ragged.csv
printf 'a,b\n1,two\n' >text.csv; bad "\[read\] text.csv: line 2, column 'b'.*'two'" text.csv
: >empty.csv; bad '\[read\] empty.csv' empty.csv
printf 'a,b\n' >header.csv; bad '\[read\] header.csv' header.csv
printf 'a,b\n1,2\n' >row.csv; bad '\[read\] row.csv: expected 2 to .* rows, got 1' row.csv
printf 'a,b\n1,\n' >missing.csv; bad '\[read\] missing.csv: line 2' missing.csv
printf 'a,b\n1,\n2,\n3,\n4,\n' >column.csv; bad "column.csv: .*only missing values in column 1 .'b'" column.csv --missing-values
bad "expected label column 'class' among the 7 columns" named.csv --label-column class
{ npy_file '|O' '3,'; bytes 24; } >object.npy; bad '\[read\] object.npy' object.npy
head -c 900 images.npy >short.npy; bad '\[read\] short.npy' short.npy
{ npy_file '<f4' '4,'; bytes 16; } >flat.npy; bad 'flat.npy: expected an array of 2 or more dimensions' flat.npy
echo x >data.xyz; bad "data.xyz: expected .*got '.xyz'" data.xyz
mkdir hollow; bad 'hollow: expected images, got an empty folder' hollow
mkdir wrong && echo x >wrong/a.png; bad '\[read\] wrong/a.png' wrong
head -c 300 some-images-idx3-ubyte >short-images; bad 'short-images: expected 900 bytes' short-images
[ -e bad/model.safetensors ] && fail "a model without data"

# ---- a likelihood of values in [0, 1] takes a table of 0 and 1 as it is ----
awk 'BEGIN { srand(5); print "a,b,c"; for (r = 0; r < 60; ++r) printf "%d,%d,%d\n", rand() < 0.5, rand() < 0.3, r % 2 }' >bits.csv
for likelihood in bernoulli continuous-bernoulli; do
  run --data bits.csv --likelihood $likelihood --hidden 4 --epochs 1 --out bits-$likelihood
  said '^values  numbers from 0 to 1, used as they are'
done
for binarize in fixed dynamic; do
  expect_error 1 "\\[data\\] --binarize $binarize draws the pixels of byte images, got other numbers" --data bits.csv \
    --likelihood bernoulli --binarize $binarize --missing-values --out none
done
sed '2s/^[01]/2/' bits.csv >two.csv
expect_error 1 'expects values in \[0, 1\], got 2: scale them with --value-range LOW:HIGH' --data two.csv --likelihood bernoulli --out none

finish
