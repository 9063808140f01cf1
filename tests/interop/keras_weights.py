"""Writes a small VAE of Keras with its outputs, for tests/vae/weights_test.cpp: keras_weights.py FOLDER.

keras.safetensors has the weights under their paths, LAYER/kernel and LAYER/bias, and inputs and outputs under names
that begin with "test.".
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from keras import layers
from safetensors.numpy import save_file

FEATURES, HIDDEN, LATENT, ROWS = 6, 5, 2, 3


def main():
    keras.utils.set_random_seed(2)
    x = keras.Input((FEATURES,))
    h = layers.Dense(HIDDEN, activation="relu", name="enc_hidden")(x)
    mean = layers.Dense(LATENT, name="z_mean")(h)
    logvar = layers.Dense(LATENT, name="z_log_var")(h)
    encoder = keras.Model(x, [mean, logvar])
    z = keras.Input((LATENT,))
    g = layers.Dense(HIDDEN, activation="relu", name="dec_hidden")(z)
    decoder = keras.Model(z, layers.Dense(FEATURES, activation="sigmoid", name="dec_output")(g))
    rng = np.random.default_rng(3)
    for weight in encoder.weights + decoder.weights:  # Keras initialises biases with zeros
        if weight.path.endswith("bias"):
            weight.assign(rng.normal(size=weight.shape).astype(np.float32) / 2)
    examples = rng.random((ROWS, FEATURES), dtype=np.float32)
    epsilon = rng.normal(size=(ROWS, LATENT)).astype(np.float32)
    means, logvars = [np.asarray(keras.ops.convert_to_numpy(a)) for a in encoder(examples)]
    draws = means + epsilon * np.exp(logvars / 2)
    decoded = np.asarray(keras.ops.convert_to_numpy(decoder(draws)))
    tensors = {w.path: np.ascontiguousarray(keras.ops.convert_to_numpy(w)) for w in encoder.weights + decoder.weights}
    tensors.update({"test.x": examples, "test.epsilon": epsilon, "test.mean": means, "test.logvar": logvars,
                    "test.z": draws, "test.decoded": decoded})
    save_file(tensors, Path(sys.argv[1]) / "keras.safetensors")


main()
