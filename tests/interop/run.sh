#!/usr/bin/env bash
# Writes the models of tests/interop/weights again with PyTorch and Keras, loads them into the library, and compares
# ONNX Runtime with exported models. Argument: the folder of the programs. The first run installs the packages in
# build/interop-venv.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../../build/interop-venv
if [ ! -e "$venv/complete" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q torch keras safetensors numpy onnx onnxruntime
  touch "$venv/complete"
fi
"$venv/bin/python3" "$here/pytorch_weights.py" "$here/weights"
"$venv/bin/python3" "$here/keras_weights.py" "$here/weights"
"$1/gpuvae_tests" --gtest_brief=1 --gtest_filter='LoadWeights.*:Safetensors*'
"$venv/bin/python3" "$here/../vae/onnx_test.py" "$1/onnx_models"
