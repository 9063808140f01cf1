#!/usr/bin/env bash
# Tests the commands on a trained model, and whether a run folder is trained, resumed or left unchanged.
# Argument: mnist_vae.
source "$(dirname "$0")/common.sh"
small="--builtin-data --train-images 600 --validation-images 200 --hidden 16 --device cpu --log-every 2 --samples 9
  --reconstructions 8 --examples 50 --manifold quantile:5:0.01:0.99,linear:4:-3:3:left-up,data:3:down-right"

# ---- everything a run writes ----
run $small --epochs 2 --out a
for file in config.toml metrics.csv steps.csv model.safetensors checkpoint.safetensors; do [ -s a/$file ] || fail "no $file"; done
pictures a/{curves,curves-kl,latent,model,posterior,prior,manifold,manifold-linear,manifold-data}.svg \
  a/{manifold,manifold-linear,manifold-data,reconstructions,samples,examples}.png a/{report,explorer}.html
no_partial_files a
# 600 images in batches of 100 give a row after steps 2, 4 and 6 of each epoch.
[ "$(grep -v '^#' a/steps.csv | cut -d, -f1,2 | paste -sd' ')" = "epoch,images 1,200 1,400 1,600 2,200 2,400 2,600" ] ||
  fail "steps.csv has other rows: $(cat a/steps.csv)"
# The mean over an epoch's steps equals its training loss.
holds 'd * d < 1e-4 * loss' loss="$(losses a | sed -n 2p | cut -d, -f2)" \
  d="$(awk -F, -v loss="$(losses a | sed -n 2p | cut -d, -f2)" '$1 == 1 { s += $3 / 3 } END { print s - loss }' a/steps.csv)"

# ---- the same run again; it is trained anew only on request, and another run is refused ----
before=$(state a | grep -E 'safetensors|metrics|config')
run $small --epochs 2 --out a
said '^loaded  a/model.safetensors, trained for 2 epochs'
not_said '^epoch'
[ "$before" = "$(state a | grep -E 'safetensors|metrics|config')" ] || fail "a run that was loaded is written again"
cp -r a retrained
run $small --epochs 2 --out retrained --retrain
said '^epoch 2/2'
same a/model.safetensors retrained/model.safetensors
[ a/model.safetensors -ot retrained/model.safetensors ] || fail "--retrain does not train"
run $small --epochs 2 --out seed1 --seed 1
for flags in "--seed 1" "--hidden 17" "--beta 0.5" "--train-images 500" "--optimizer sgd"; do
  rm -rf changed && cp -r a changed
  expect_untouched changed 1 "\[train\] changed holds a run with ${flags% *} .*, got $flags: choose another folder with --out, or add --retrain" \
    $small --epochs 2 --out changed $flags
  run $small --epochs 2 --out changed $flags --retrain
  said '^epoch 1/2'
  said '^note    the run that changed held is now in changed/previous$'
  not_said 'loaded|resumed'
  differ_in_weights a/model.safetensors changed/model.safetensors
  for file in model.safetensors checkpoint.safetensors metrics.csv config.toml report.html manifold-data.png; do
    same a/$file changed/previous/$file
  done
  [ "$flags" != "--seed 1" ] || same changed/model.safetensors seed1/model.safetensors
done
run $small --epochs 2 --out a --encode sample --samples 4  # settings of pictures cause no training
said '^loaded'

# ---- more epochs continue after the last one, bit for bit ----
run $small --epochs 4 --out whole
cp -r a longer
run $small --epochs 4 --out longer
said '^resumed longer/checkpoint.safetensors, after epoch 2 of 4'
not_said '^epoch [12]/4'
same whole/model.safetensors longer/model.safetensors
[ "$(losses whole)" = "$(losses longer)" ] || fail "metrics of a resumed run differ"
same whole/steps.csv longer/steps.csv
expect_untouched longer 1 'holds epoch 4, expected at most 3: add --retrain' $small --epochs 3 --out longer
# killed FOLDER ARGUMENTS... starts a run and kills it in the middle of training.
killed() {
  "$program" "$@" >/dev/null 2>killed.txt & local id=$!
  for _ in $(seq 100); do grep -q '^epoch' killed.txt && break; sleep 0.1; done
  kill -9 $id; wait $id 2>/dev/null
}
cp -r a interrupted
killed $small --epochs 100000 --out interrupted
grep -q '^epochs=100000' interrupted/config.toml || fail "the interrupted run did not begin"
# On a busy machine, the run may have come far before it was killed.
more=$(($(grep -c '^[0-9]' interrupted/metrics.csv) + 3))
run $small --epochs $more --out interrupted
said '^resumed'
run $small --epochs $more --out uninterrupted
same uninterrupted/model.safetensors interrupted/model.safetensors
same uninterrupted/steps.csv interrupted/steps.csv
# A run that replaces another one and is killed later can be continued too, with nothing of the previous run.
cp -r a overwritten
killed $small --epochs 100000 --seed 1 --out overwritten --retrain
same a/model.safetensors overwritten/previous/model.safetensors
[ -e overwritten/report.html ] && fail "pictures of an older run beside a new one"
more=$(($(grep -c '^[0-9]' overwritten/metrics.csv) + 3))
run $small --epochs $more --seed 1 --out overwritten
run $small --epochs $more --seed 1 --out seed1
same seed1/model.safetensors overwritten/model.safetensors

# ---- eval ----
run eval --out a
says '^set +validation, 200 images'
holds 'e + r + k < 0.002 && e + r + k > -0.002 && k > 0.5' $(sed -n 's/^ELBO *\(-[0-9.]*\) nats.image = -(reconstruction \([0-9.]*\) + KL \([0-9.]*\))$/e=\1 r=\2 k=\3/p' stdout.txt)
read -r elbo kl <<<"$(json a/eval.json elbo) $(json a/eval.json kl)"
holds 'd * d < 1e-6' d="$(awk -v e="$elbo" -v r="$(json a/eval.json reconstruction)" -v k="$kl" 'BEGIN { print e + r + k }')"
holds 'n == 2 && (s - k) ^ 2 < 1e-6' k="$kl" $(json_list a/eval.json kl_per_dimension | awk '{ s += $1 } END { print "n=" NR, "s=" s }')
grep -q '"collapsed": false' a/eval.json || fail "collapsed: $(cat a/eval.json)"
run eval --out a --importance-samples 20 --output i20.json
said '^nll     200 images x 20 samples: about'
[ "$(grep -n '^nll' log.txt | cut -d: -f1)" -lt "$(grep -n '^wrote' log.txt | cut -d: -f1)" ] || fail "the estimate of time comes late"
run eval --out a --importance-samples 500 --output i500.json
holds 'few < -elbo + 0.1 && many < few && many > -elbo - 50' elbo="$elbo" few="$(json i20.json nll)" many="$(json i500.json nll)"
holds '(b - nll / 784 / log(2)) ^ 2 < 1e-8' nll="$(json i500.json nll)" b="$(json i500.json bits_per_dimension)"
run eval --out a --set train --output train.json
holds 'n == 600 && t != e' n="$(json train.json images)" t="$(json train.json elbo)" e="$elbo"
run eval --out a --images 50 --output few.json
holds 'n == 50 && f != e' n="$(json few.json images)" f="$(json few.json elbo)" e="$elbo"
run eval --out a --output again.json
same <(grep -v command_line a/eval.json) <(grep -v command_line again.json)
for part in '"version": "[0-9.]*"' '"commit": "' '"device": "cpu"' '"processor": ".* threads' '"fingerprint": "[0-9a-f]\{16\}"' \
  '"seed": "0"' '"command_line": ".*mnist_vae eval --out a --output again.json"'; do
  grep -q "$part" again.json || fail "again.json without $part"
done
grep -q 'How this page was made' a/report.html || fail "report.html does not say how it was made"

# ---- encode and decode ----
run encode --out a
said 'encoded 200 images of the validation set'
[ "$(head -1 a/latent.csv)" = "label,z1,z2,row" ] || fail "latent.csv has other columns"
[ "$(wc -l <a/latent.csv)" -eq 201 ] || fail "latent.csv has not 200 rows"
run encode --out a --output latent.npy
csv a/latent.csv | cut -d' ' -f2,3 >codes.txt; npy latent.npy 2 >codes-npy.txt
close codes.txt codes-npy.txt 1e-6
[ "$(cut -d' ' -f1 codes.txt | sort -u | wc -l)" -gt 100 ] || fail "images have one code"
for d in 1 2; do  # compared with the same means in eval's output
  holds '(a - b) ^ 2 < 1e-6 * b ^ 2' b="$(json_list a/eval.json posterior_mean_variance | sed -n ${d}p)" \
    a="$(awk -v d=$d '{ s += $d; q += $d * $d } END { print q / NR - (s / NR) ^ 2 }' codes.txt)"
done
run encode --out a --encode sample --output sample1.csv
run encode --out a --encode sample --output sample2.csv
same sample1.csv sample2.csv
differ sample1.csv a/latent.csv
run encode --out a --set train --images 30 --output train.csv
[ "$(wc -l <train.csv)" -eq 31 ] || fail "--images 30 gives $(wc -l <train.csv) lines"
run decode --out a --input a/latent.csv --output decoded.csv
run decode --out a --input latent.npy --output decoded.npy
awk -F, -v OFS=, '{ print $4, $3, $1, $2 }' a/latent.csv >mixed.csv  # columns are matched by name
run decode --out a --input mixed.csv --output mixed-decoded.csv
same decoded.csv mixed-decoded.csv
cut -d, -f1,2 a/latent.csv >half.csv
expect_untouched a 1 'half.csv: expected a column z2, got label, z1' decode --out a --input half.csv
csv decoded.csv >decoded.txt; npy decoded.npy 784 >decoded-npy.txt
close decoded.txt decoded-npy.txt 1e-6
head -1 decoded.csv | grep -q '^x0,x1,.*,x783$' || fail "decoded.csv has other columns"
run decode --out a --z "$(sed -n '7p;3p' codes.txt | tac | tr ' \n' ',;')" --output two.csv
csv two.csv | tac >two.txt; sed -n '3p;7p' decoded.txt >rows.txt
[ "$(wc -l <two.txt)" -eq 2 ] || fail "two codes give $(wc -l <two.txt) rows"
close two.txt rows.txt 1e-6
run reconstruct --out a --output reconstructed.npy
same decoded.npy reconstructed.npy
awk '{ for (i = 1; i <= NF; ++i) if (!($i >= 0 && $i <= 1)) exit 1 }' decoded.txt || fail "probabilities outside [0, 1]"
run reconstruct --out a && said 'a/reconstructions.png'
run decode --out a --z=0.5,-1 && said 'a/decoded.png'
run sample --out a --output samples.png
run sample --out a --output samples.npy
[ "$(npy samples.npy 784 | wc -l)" -eq 9 ] || fail "samples.npy has not 9 rows"
run sample --out a --output samples2.npy && same samples.npy samples2.npy
run export --out a --format onnx
said '^wrote   a/encoder.onnx$' && said '^wrote   a/decoder.onnx$'
run export --out a --format onnx --output exported.onnx
same a/encoder.onnx exported-encoder.onnx && same a/decoder.onnx exported-decoder.onnx
[ "$(head -c 10 a/encoder.onnx | tail -c 6)" = gpuvae ] || fail "a/encoder.onnx does not name gpuvae"
grep -qa 'bytes / 255' a/encoder.onnx || fail "a/encoder.onnx does not say what its values are"
expect_untouched a 1 'expected --format onnx, cuda or c, got no format' export --out a
expect_untouched a 1 'this command does not take --format' eval --out a --format onnx
expect_untouched a 1 'x.bin: expected a file ending in .onnx' export --out a --format onnx --output x.bin
echo mine >other-decoder.onnx
expect_untouched a 1 'other-decoder.onnx: expected a new file or one of this command' export --out a --format onnx --output other.onnx
[ "$(cat other-decoder.onnx)" = mine ] && [ ! -e other-encoder.onnx ] || fail "export wrote beside a file of others"
rm a/manifold* a/explorer.html
run manifold --out a
run explore --out a
pictures samples.png a/{reconstructions,decoded,manifold,manifold-linear,manifold-data}.png a/manifold{,-linear,-data}.svg a/explorer.html
run encode --out a --input decoded.npy --output other.csv  # other images, without labels
said 'decoded.npy: rows of 784 values were taken as images of 28 x 28'
said 'encoded 200 images of decoded.npy'
[ "$(head -1 other.csv) $(wc -l <other.csv)" = "z1,z2,row 201" ] || fail "codes of --input: $(head -1 other.csv)"
no_partial_files a

# ---- a folder without a model, whose name may be mistyped: nothing is trained unless --retrain says so ----
for command in eval encode sample manifold explore 'export --format c' 'decode --z 0,0'; do
  expect_error 1 'fresh: expected a folder with a trained model, found none' $command $small --epochs 1 --out fresh
  [ ! -e fresh ] || fail "$command wrote to a folder without a model"
done
run encode $small --epochs 1 --out fresh --retrain
said '^epoch 1/1'
[ -s fresh/latent.csv ] && [ -s fresh/model.safetensors ] || fail "encode --retrain in a new folder"

# ---- settings that differ from the folder's: nothing is trained over it ----
expect_untouched a 1 '\[eval\] a holds a run with --hidden 16, got --hidden 33' eval --out a --hidden 33
expect_untouched a 1 '\[encode\] a holds a run with --seed 0, got --seed 1' encode --out a --seed 1
expect_untouched a 1 '--preset default, got --preset keras-mnist' sample --out a --preset keras-mnist
expect_untouched a 1 '--epochs 2, got --epochs 4' decode --out a --epochs 4 --z 0,0
cp -r a other && run $small --epochs 2 --hidden 17 --out wide && cp wide/model.safetensors other/
expect_untouched other 1 '\[eval\] other holds a run with --hidden 17, got --hidden 16' eval --out other
expect_untouched other 1 '\[train\] other holds a run with --hidden 17, got --hidden 16' $small --epochs 2 --out other

# ---- damaged folders ----
damaged() { rm -rf damaged; cp -r a damaged; }
damaged; truncate -s 5000 damaged/model.safetensors
expect_untouched damaged 1 '\[load\] damaged/model.safetensors: expected a file of a model with' eval --out damaged
expect_untouched damaged 1 '\[read\] damaged/model.safetensors' $small --epochs 2 --out damaged
damaged; rm damaged/checkpoint-previous.safetensors; truncate -s 5000 damaged/checkpoint.safetensors
expect_untouched damaged 1 '\[read\] damaged/checkpoint.safetensors' $small --epochs 4 --out damaged
damaged; echo 'not a model' >damaged/model.safetensors
expect_untouched damaged 1 '\[read\] damaged/model.safetensors' encode --out damaged
damaged; sed -i 's/^2,/x,/' damaged/metrics.csv
expect_untouched damaged 1 '\[read\] damaged/metrics.csv' $small --epochs 2 --out damaged
damaged; echo 'speed = 3' >>damaged/config.toml
expect_untouched damaged 2 'damaged/config.toml is not a configuration of mnist_vae: line [0-9]+: speed' eval --out damaged
expect_untouched damaged 1 'damaged/config.toml is not a configuration of mnist_vae: .*speed' $small --epochs 2 --out damaged

# ---- invalid arguments of commands, reported before anything is read or trained ----
expect_untouched a 1 'expected latent codes: --z' decode --out a
expect_untouched a 1 'expected 2 numbers per code in --z, got 1 in "1"' decode --out a --z 1
for z in '1,' '1,2;;' '1,2,' ';1,2'; do expect_untouched a 1 'expected .*numbers .*in --z, got' decode --out a --z "$z"; done
expect_untouched a 1 'expected 2 numbers per code in --z, got 3 in "1,2,3"' decode --out a --z '0,0;1,2,3'
expect_untouched a 1 'expected numbers in --z, got "x"' decode --out a --z 0,x
expect_untouched a 1 'expected numbers in --z, got "nan"' decode --out a --z 0,nan
expect_untouched a 1 'x.txt: expected a file ending in .png or .csv or .npy' decode --out a --z 0,0 --output a/x.txt
expect_untouched a 1 'x.png: expected a file ending in .csv or .npy' encode --out a --output a/x.png
expect_untouched a 1 'x.csv: expected a file ending in .html' explore --out a --output a/x.csv
expect_untouched a 1 'either --z or --input' decode --out a --z 0,0 --input latent.npy
printf 'z1,z2,z3\n1,2,3\n' >three.csv
expect_untouched a 1 'three.csv: expected 2 columns, got 3' decode --out a --input three.csv
expect_untouched a 1 'decoded.npy: expected floats of \[n, 2\], got \[200, 784\]' decode --out a --input decoded.npy
printf '1,inf\n' >infinite.csv
expect_untouched a 1 'infinite.csv: expected finite' decode --out a --input infinite.csv
expect_untouched a 1 'nowhere.csv' decode --out a --input nowhere.csv
expect_untouched a 1 'nowhere.npy' encode --out a --input nowhere.npy
awk 'BEGIN { for (i = 0; i < 784; ++i) printf "%s%s", i == 5 ? 1.5 : 0, i < 783 ? "," : "\n" }' >bright.csv
expect_untouched a 1 'bright.csv: expected whole numbers from 0 to 255, like the training data, got 1.5' encode --out a --input bright.csv
expect_untouched a 1 'latent.npy: expected 784 values per row, like the training data, got 2' encode --out a --input latent.npy
expect_untouched a 1 '\[sample\] this command does not take --input' sample --out a --input latent.npy
expect_untouched a 1 '\[eval\] this command does not take --z' eval --out a --z 0,0
expect_untouched a 1 '\[train\] this command does not take --output' $small --epochs 2 --out a --output x.png
expect_untouched a 2 'importance-samples' eval --out a --importance-samples -1
expect_untouched a 2 'set' eval --out a --set all
expect_untouched a 2 'evaluate' evaluate --out a
expect_untouched a 2 'encode' encode --out a --encode median
expect_untouched a 2 'manifold' manifold --out a --manifold quantile:5:0:1
expect_untouched a 2 'sliders' explore --out a --sliders 3:-3:1
[ -e x.txt ] && fail "a file with the wrong ending"
expect_error 1 'expected latent codes' decode $small --out nothing
[ -e nothing ] && fail "a folder for a command that could not work"

# ---- other sets, other weights ----
run $small --epochs 1 --validation-set rest --out rest
said ': 600 training and 200 validation images'
grep -q '^validation-set="rest"' rest/config.toml || fail "config.toml without the validation set"
expect_error 1 'expects --train-images below 60000, got 0' --builtin-data --validation-set rest --device cpu --out rest2
[ "$(losses rest | cut -d, -f2)" = "$(losses a | head -2 | cut -d, -f2)" ] || fail "the validation set changes training"
[ "$(losses rest | tail -1 | cut -d, -f5)" != "$(losses a | sed -n 2p | cut -d, -f5)" ] || fail "--validation-set rest is the test set"

# ---- collapse ----
run $small --beta 50 --epochs 30 --learning-rate 0.01 --out collapsed
said '^warning posterior collapse'
said ' \+ 50 x KL '
run eval --out collapsed
grep -q '"collapsed": true' collapsed/eval.json || fail "eval.json does not say collapsed"
not_said '^epoch'

# ---- help ----
"$program" --help >help.txt || fail "--help fails"
for word in train eval encode decode reconstruct sample manifold explore export default keras-mnist tf-mnist flex-mnist theano-mnist \
  --importance-samples --retrain --format; do
  grep -qE "^ +$word[ =]" help.txt || fail "--help does not list $word"
done
finish
