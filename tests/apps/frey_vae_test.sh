#!/usr/bin/env bash
# Runs frey_vae like a user, on the built-in faces. Argument: the program.
source "$(dirname "$0")/common.sh"
small="--builtin-data --device cpu --samples 9 --examples 50 --hidden 32"

# ---- the three presets ----
run $small --epochs 2 --out default
said ': 1800 training and 165 validation images of 28x20'
said 'nats/image'
not_said 'not an ELBO|collapse'
grep -q '^likelihood="gaussian"' default/config.toml || fail "the default preset is no Gaussian"
pictures default/{latent,curves,curves-kl,model,posterior,prior,manifold}.svg default/{manifold,reconstructions,samples,examples}.png \
  default/{report,explorer}.html
no_partial_files default
run --config default/config.toml --out repeated
same default/model.safetensors repeated/model.safetensors
same default/manifold.png repeated/manifold.png

run $small --preset flex-frey --epochs 2 --out flex
grep -q '"humour"' flex/explorer.html && grep -q '"pose"' flex/explorer.html || fail "explorer.html without the sliders' names"
run explore --out flex --latent-names left,right --sliders -4:6:0.25:0.5 --output named.html
for part in '"name": \?"left"' '"name": \?"right"' '"low": \?-4' '"high": \?6' '"step": \?0.25' '"scale": \?0.5'; do
  grep -q "$part" named.html || fail "named.html without $part"
done
expect_error 1 'seed' encode --out flex --seed 3

# The published setup averages over the pixels, so losses are small; little noise prevents posterior collapse.
run --builtin-data --device cpu --preset keras-frey --out keras
said 'the loss is not an ELBO'
said '^epoch 100/100  train 0\.[0-9]{4}  val 0\.[0-9]{4}  nats \(pixel mean\) \(reconstruction 0\.[0-9]{4} \+ KL'
said ': 1800 training and 100 validation images'
not_said 'collapse'
grep -q '^# .*not an ELBO' keras/metrics.csv || fail "metrics.csv does not say that its losses are no ELBO"
run eval --out keras
says 'not an ELBO: reconstruction \+ KL is no bound on log p\(x\).* z is drawn with 0.01 times the posterior'
grep -q '"collapsed": false' keras/eval.json || fail "keras-frey collapsed"
# With the full noise, the pixel mean lets the KL term dominate and the posterior collapses.
run --builtin-data --device cpu --preset keras-frey --noise-std 1 --epochs 30 --out collapsed
said '^warning posterior collapse: .*--warmup-epochs'
grep -q 'posterior collapse' collapsed/report.html || fail "report.html does not say collapsed"
run eval --out collapsed
grep -q '"collapsed": true' collapsed/eval.json || fail "eval.json does not say collapsed"

# ---- evaluation: the density of continuous pixels ----
run eval --out default --importance-samples 20 --output i20.json
says 'of a density, in units of the data'
run eval --out default --importance-samples 300 --output i300.json
holds 'many < few && few < -elbo + 0.1' elbo="$(json i20.json elbo)" few="$(json i20.json nll)" many="$(json i300.json nll)"
run eval --out default --set train --output train.json
holds 'n == 1800' n="$(json train.json images)"

# ---- codes and faces: the mean of the Gaussian, one number per pixel ----
run encode --out default
[ "$(head -1 default/latent.csv) $(wc -l <default/latent.csv)" = "z1,z2,row 166" ] || fail "latent.csv: $(head -1 default/latent.csv)"
[ "$(sed -n 2p default/latent.csv | cut -d, -f3) $(tail -1 default/latent.csv | cut -d, -f3)" = "1800 1964" ] || fail "row numbers of the validation faces"
run decode --out default --input default/latent.csv --output d.npy
run reconstruct --out default --output r.npy
same d.npy r.npy
[ "$(npy d.npy 560 | wc -l)" -eq 165 ] || fail "decoded faces are not 165 x 560"
npy d.npy 560 | awk '{ for (i = 1; i <= NF; ++i) if (!($i >= 0 && $i <= 1)) exit 1 }' || fail "means outside [0, 1]"
for likelihood in gaussian-shared gaussian-fixed continuous-bernoulli; do
  run $small --epochs 1 --likelihood $likelihood --latent 3 --out $likelihood
  run decode --out $likelihood --z 0.5,-1,2 --output one.csv
  csv one.csv | awk '{ exit NF != 560 }' || fail "$likelihood decodes to another size"
done
pictures gaussian-shared/kl.svg

# ---- MATLAB files that are not Frey Face; without files, one line announces the built-in faces ----
run --epochs 1 --hidden 8 --device cpu --out fallback
[ "$(grep -c 'built-in faces' log.txt)" -eq 1 ] || fail "the fallback is not announced: $(cat log.txt)"
grep -q '^builtin-data=true' fallback/config.toml || fail "config.toml takes built-in faces for the originals"
expect_error 1 '\[read\] .*nowhere' --data-dir nowhere --out g
# The header has 128 bytes: text, version and byte order. Elements follow.
mat_header() { printf '%-124s' "$1"; printf '%b' "$2"'IM'; }
text='MATLAB 5.0 MAT-file, Platform: none'
v5='\x00\x01'
le32() { printf '%b' "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24)))"; }
# mat NAME(2 letters) CLASS DATATYPE BYTES-EACH ROWS COLUMNS
mat() {
  local bytes=$(($4 * $5 * $6)) padded
  padded=$(((bytes + 7) / 8 * 8))
  mat_header "$text" "$v5"
  le32 14; le32 $((16 + 16 + 8 + 8 + padded))
  le32 6; le32 8; le32 "$2"; le32 0
  le32 5; le32 8; le32 "$5"; le32 "$6"
  le32 $(((2 << 16) + 1)); printf '%s\0\0' "$1"
  le32 "$3"; le32 $bytes
  head -c $padded /dev/zero
}
faces="--hidden 8 --epochs 1 --device cpu --out h --data-dir matlab"
mkdir matlab
mat ff 9 2 1 560 20 >matlab/frey_rawface.mat; run $faces
said ': 18 training and 2 validation images of 28x20'
run --hidden 8 --epochs 1 --device cpu --out h2 --data matlab/frey_rawface.mat
same_weights h/model.safetensors h2/model.safetensors
# Other matrices: the log says what was taken, and all rows of an input are encoded.
other="--hidden 8 --epochs 1 --device cpu"
mat XX 9 2 1 30 40 >other.mat; run $other --data other.mat --out other
said "note +other.mat: 'XX' \(uint8, 30 x 40\) has one example per row"
mat YY 9 2 1 40 25 >input.mat; run encode --out other --input input.mat --output input.csv
said "'YY' \(uint8, 40 x 25\) has one example per column, because 40 values per example are expected"
[ "$(grep -cv '^#' input.csv)" -eq 26 ] || fail "not all 25 rows were encoded: $(wc -l <input.csv) lines"
run encode --out other --input input.mat --variable YY --output named.csv
same input.csv named.csv
run $other --data other.mat --variable "XX'" --out turned
said "'XX' \(uint8, 30 x 40\) has one example per column, as requested"
run --config turned/config.toml --out turned2
same turned/model.safetensors turned2/model.safetensors
expect_error 1 "\[read\] other.mat: expected a variable 'ZZ', got 'XX' \(uint8, 30 x 40\)" $other --data other.mat --variable ZZ --out none
# For a folder of images, the log says once what was done to them.
mkdir pictures
for i in $(seq 12); do echo "P3 2 2 4095  0 0 0  4095 0 0  0 4095 0  0 0 $((i * 300))" >pictures/$i.ppm; done
run $other --data pictures --out pictures-run
said 'note +pictures: 12 of 12 images have colours, which became luminance'
said 'note +pictures: 12 of 12 images have more than 8 bits per channel, which were rounded to 8 bits'
rm -r h
mat gg 9 2 1 560 20 >matlab/frey_rawface.mat; expect_error 1 '\[read\] matlab/frey_rawface.mat: .*ff' $faces
mat ff 6 9 8 560 20 >matlab/frey_rawface.mat; expect_error 1 '\[read\] matlab/frey_rawface.mat: .*uint8.*double' $faces
mat ff 9 2 1 561 20 >matlab/frey_rawface.mat; expect_error 1 '\[frey\] .*expected ff of 560 x n .*got 561 x 20' $faces
mat ff 9 2 1 560 20 | head -c 5000 >matlab/frey_rawface.mat; expect_error 1 '\[read\] matlab/frey_rawface.mat' $faces
{ mat_header 'MATLAB 7.3 MAT-file, Platform: none' '\x00\x02'; head -c 600 /dev/zero; } >matlab/frey_rawface.mat
expect_error 1 '\[read\] matlab/frey_rawface.mat: .*7\.3' $faces
echo 'no matrix' >matlab/frey_rawface.mat; expect_error 1 '\[read\] matlab/frey_rawface.mat' $faces
[ -e h/model.safetensors ] && fail "a model without data"

"$program" --help >help.txt || fail "--help fails"
for word in eval encode explore default keras-frey flex-frey; do grep -qE "^ +$word " help.txt || fail "--help does not list $word"; done
finish
