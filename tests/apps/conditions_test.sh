#!/usr/bin/env bash
# Tests conditional models (--condition) with each kind of likelihood, with missing values, standardised columns,
# column types and library sizes, and what their pages say. Arguments: mnist_vae and vae.
mnist=$(realpath "$1") vae=$(realpath "$2")
source "$(dirname "$0")/common.sh"
program=$vae
flags="--hidden 8 --latent 2 --epochs 2 --device cpu --samples 6 --seed 1"

# Counts n and m of two kinds, their total, a measurement, and a dose that is no count.
{ echo 'n,dose,m,total,height,kind'
  awk 'BEGIN { srand(7); for (r = 0; r < 200; ++r) { n = int(20 * rand()); m = int(5 * rand())
    printf "%d,%.4g,%d,%d,%.5g,%s\n", n, 0.37 + rand(), m, n + m + 1, 150 + 40 * rand(), r % 2 ? "x" : "y" } }'
} >table.csv

# column FILE NAME prints a column of a table.
column() { awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == name) at = i; next } { print $at }' "$1"; }
mean_of() { column "$1" "$2" | awk '{ s += $1 } END { print s / NR }'; }
header() { [ "$(head -1 "$1")" = "$2" ] || fail "columns of $1: $(head -1 "$1")"; }

# ---- counts and columns of several types, with a class, a column or both as condition ----
# check NAME CONDITION COLUMNS ARGUMENTS... trains a conditional model, and uses it.
check() {
  local name=$1-$2 condition=$2 columns=$3 given=() class=""; shift 3
  [[ $condition == *dose* ]] && given+=(--given 0.8)
  [[ $condition == *label* ]] && given+=(--class x) && class=,class
  run $flags --data table.csv --label-column kind --condition "$condition" "$@" --out "$name"
  pictures "$name"/{report,explorer}.html
  run eval --out "$name" --importance-samples 4
  says '^-log p\(x\|y\), at most +[0-9.]+ '
  run reconstruct --out "$name" --input table.csv --output rows.csv
  header rows.csv "$columns"
  [ "$(wc -l <rows.csv)" -eq 201 ] || fail "reconstructions of $name: $(wc -l <rows.csv)"
  run sample --out "$name" "${given[@]}" --output rows.csv
  header rows.csv "$columns$class"
  run explore --out "$name"
  run encode --out "$name" --input table.csv --output codes.csv
  run rerun "$name"
  says '^same bits'
}
for condition in label dose dose,label; do
  dose=""
  [ $condition = label ] || dose=,dose
  for likelihood in poisson negative-binomial zero-inflated-negative-binomial; do
    check $likelihood $condition n,m --columns n,m$dose --likelihood $likelihood
  done
  check types $condition n,m,height --columns n,m,height$dose --column-types poisson:n+m,gaussian:height
  grep -q '^column-types="poisson:2,gaussian:1"' types-$condition/config.toml || fail "column types of $condition"
  check library $condition n,m,total --columns n,m,total$dose --likelihood poisson --library-size total
  grep -q '^column-types="poisson:2,library:1"' library-$condition/config.toml || fail "library size of $condition"
done
# Types by position are those of the columns without the condition.
run $flags --data table.csv --columns n,dose,m,height --column-types poisson:2,gaussian:1 --condition dose --out position
same_weights position/model.safetensors types-dose/model.safetensors
# Each class has a bias in the explorer.
[ "$(grep -o '"classes":\["[xy]","[xy]"\]' poisson-label/explorer.html | wc -l)" -eq 1 ] || fail "no classes in the explorer"
# Features must be counts, the condition need not.
expect_error 1 'expects counts, whole numbers of 0 or more, got' $flags --data table.csv --columns n,dose,height \
  --likelihood poisson --condition dose --out none
expect_error 1 'expected a type for each column, got none for m' $flags --data table.csv --columns n,m,dose \
  --column-types poisson:n --condition dose --out none

# ---- standardised columns: the report compares features in the table's units ----
run $flags --data table.csv --columns dose,n,height --condition dose --standardize --validation-fraction 0 --out standard
pictures standard/{report,explorer}.html standard/columns.svg
for name in n height; do  # the table of columns has the name of a column, and then the mean of its real values
  real=$(grep -o "<td>$name</td><td>[^<]*" standard/report.html | sed 's/.*<td>//')
  holds '(a - b) ^ 2 < 1e-6 * b * b' a="$real" b="$(mean_of table.csv $name)"
done
run reconstruct --out standard --input table.csv --output rows.csv
header rows.csv n,height
# Without --given, a condition has its mean over the training rows, also beside columns that are not standardised.
run $flags --data table.csv --columns n,height,dose --condition dose --column-types poisson:n,gaussian:height \
  --validation-fraction 0 --epochs 20 --out whole
run sample --out whole --output rows.csv; csv rows.csv >mean.txt
run sample --out whole --given "$(mean_of table.csv dose)" --output rows.csv; csv rows.csv >given.txt
close mean.txt given.txt 1e-2
run sample --out whole --given 0 --output rows.csv; csv rows.csv >zero.txt
differ mean.txt zero.txt

# ---- missing values: features may lack them, the condition may not ----
awk -F, -v OFS=, 'NR > 1 && NR % 3 == 0 { $1 = "" } NR > 1 && NR % 5 == 0 { $5 = "NA" } 1' table.csv >gaps.csv
for condition in dose label dose,label; do
  columns=n,m,height
  [ $condition = label ] || columns=n,m,dose,height
  run $flags --data gaps.csv --label-column kind --columns $columns --missing-values --condition $condition --out gaps
  for input in "--input gaps.csv" "--set train --images 50"; do
    run reconstruct --out gaps --impute $input --output imputed.csv
    header imputed.csv n,m,height
    grep -q nan imputed.csv && fail "missing values are left"
  done
  run reconstruct --out gaps --impute --input gaps.csv --output imputed.csv
  for name in n m height; do  # observed values stay as they are, and the others are filled
    paste -d' ' <(column gaps.csv $name | sed 's/^$/NA/') <(column imputed.csv $name) |
      awk '$1 != "NA" { d = $1 - $2; if (!(d * d < 1e-6)) bad = 1 } $1 == "NA" { ++filled } END { exit bad || (NR != 200) }' ||
      fail "imputed $name of condition $condition"
  done
  # The share of observed features, with which the bits per dimension of the text, the page and eval.json agree.
  run eval --out gaps --set train
  share=$(json gaps/eval.json observed) bits=$(json gaps/eval.json bits_per_dimension) elbo=$(json gaps/eval.json elbo)
  holds 's > 0.8 && s < 0.845' s="$share"  # about 1 - (1/3 + 1/5) / 3 = 0.822
  holds '(b + e / (3 * s * 0.693147180559945)) ^ 2 < 1e-10 * b * b' b="$bits" e="$elbo" s="$share"
  shown=$(grep -o 'Bits per dimension</td><td>[^ <]*' gaps/eval.html | head -1 | sed 's/.*<td>//; s/−/-/; s/,//g')
  holds '(a - b) ^ 2 < 1e-6' a="$shown" b="$bits"
  grep -q "nats / ($(awk -v s="$share" 'BEGIN { printf "%.2f", 3 * s }') log 2)" gaps/eval.html || fail "the page divides by another number"
  rm -r gaps
done
awk -F, -v OFS=, 'NR == 7 { $2 = "" } 1' table.csv >no-dose.csv
expect_error 1 '\[data\] no-dose.csv: expected a value of the condition dose in each row, got none in row 5 \(from 0\)' \
  $flags --data no-dose.csv --columns n,m,dose --missing-values --condition dose --out none
run $flags --data gaps.csv --columns n,m,dose --missing-values --condition dose --out gaps
expect_untouched gaps 1 '\[data\] no-dose.csv: expected a value of the condition dose in each row, got none in row 5 \(from 0\)' \
  encode --out gaps --input no-dose.csv --output none.csv

# ---- the function of the mean, and pseudo-inputs, follow the data unless --gaussian-mean is given ----
# mean_is MEAN ARGUMENTS...
mean_is() {
  local mean=$1; shift
  rm -rf mean
  run $flags --data table.csv "$@" --out mean
  grep -q "^gaussian-mean=\"$mean\"" mean/config.toml || fail "$(grep '^gaussian-mean' mean/config.toml), expected $mean: $*"
}
mean_is identity --columns n,height
mean_is identity --columns n,height --likelihood gaussian
mean_is identity --columns n,height --column-types gaussian:2
mean_is identity --columns n,height --likelihood columns --column-types gaussian:2
# Standardised values lie on both sides of 0, and so do the means: heights below and above their mean of 170.
run sample --out mean --output rows.csv --samples 40
holds 'low < 171' low="$(column rows.csv height | sort -g | head -1)"
mean_is identity --columns n,m --likelihood poisson --prior vamp --prior-components 5
mean_is sigmoid --columns n,height --gaussian-mean sigmoid
mean_is sigmoid --columns n,height --likelihood columns --column-types gaussian:2 --gaussian-mean sigmoid
mean_is identity --columns n,height --gaussian-mean identity
mean_is sigmoid --columns n,m --standardize=false --value-range 0:20 --likelihood bernoulli
run eval --out mean
run $flags --data table.csv --columns n,m --standardize=false --value-range 0:20 --likelihood bernoulli --out mean
said '^loaded'

# ---- what the page of eval says ----
program=$mnist
# Digits of 28 x 28 pixels in the files of MNIST.
mkdir digits
images() { printf '\x00\x00\x08\x03\x00\x00\x00\x28\x00\x00\x00\x1c\x00\x00\x00\x1c'; awk 'BEGIN { srand(5); for (i = 0; i < 40 * 784; ++i) printf "%c", 32 + int(90 * rand()) }'; }
labels() { printf '\x00\x00\x08\x01\x00\x00\x00\x28'; for _ in $(seq 20); do printf '\x03\x07'; done; }
for part in train t10k; do images >digits/$part-images-idx3-ubyte; labels >digits/$part-labels-idx1-ubyte; done
burda="--data-dir digits --preset iwae-mnist --epochs 1 --device cpu --manifold none --samples 4 --reconstructions 4"
run $burda --out published
run eval --out published --importance-samples 2
grep -q 'Published values of this model' published/eval.html || fail "no published values of a published model"
grep -q 'evaluated on' published/eval.html && fail "the test set is taken for another one"
grep -q '−log p(x), at most' published/eval.html || fail "the page does not name p(x)"
run $burda --train-images 30 --validation-set rest --out rest
run eval --out rest --importance-samples 2 --set test
grep -q 'evaluated on' rest/eval.html && fail "--set test is taken for another set"
run eval --out rest --importance-samples 2
grep -q 'evaluated on validation images that are not the test set' rest/eval.html || fail "validation images are taken for the test set"
run eval --out rest --importance-samples 2 --set train
grep -q 'evaluated on training images' rest/eval.html || fail "training images are taken for the test set"
run $burda --gated --out gated
run eval --out gated --importance-samples 2
grep -q 'Published values' gated/eval.html && fail "published values of another model: gated layers"
run $burda --condition label --out conditional
run eval --out conditional --importance-samples 2
grep -q 'Published values' conditional/eval.html && fail "published values of another model: a condition"
grep -q '−log p(x | y), at most' conditional/eval.html || fail "the page does not name p(x | y)"
grep -q '−log p(x), at most' conditional/eval.html && fail "the page takes p(x | y) for p(x)"
grep -q 'y = label: the ELBO bounds log p(x | y), which is not comparable with log p(x)' conditional/eval.html ||
  fail "the page does not say what the condition is"
finish
