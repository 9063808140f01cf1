"""Keras 3, built like the published notebook: a functional model, a layer that adds the KL term, and model.fit over
an array of floats. Variants: tensorflow, jax, torch (the backend); "-50" runs fifty steps per execution."""
import os
import sys

import numpy

import images
from child import Skip


def model(config, pixels):
    import keras
    from keras import ops

    class KLDivergence(keras.layers.Layer):
        def call(self, inputs):
            mean, log_variance = inputs
            kl = -0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
            self.add_loss(ops.mean(kl))
            return inputs

    class Sample(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = keras.random.SeedGenerator(config["seed"])

        def call(self, inputs):
            mean, log_variance = inputs
            return mean + keras.random.normal(ops.shape(mean), seed=self.generator) * ops.exp(0.5 * log_variance)

    def bernoulli(x, mean):  # binary_crossentropy is elementwise here; the notebook sums it over the pixels
        return ops.sum(ops.binary_crossentropy(x, mean), axis=-1)

    def gaussian(x, out):
        mean, log_variance = ops.split(out, 2, axis=-1)
        log_variance = ops.clip(log_variance, -5, 5)
        terms = ops.square(x - mean) * ops.exp(-log_variance) + log_variance + float(numpy.log(2 * numpy.pi))
        return 0.5 * ops.sum(terms, axis=-1)

    dense, o = keras.layers.Dense, config["optimizer"]
    x = keras.Input((pixels,))
    h = dense(config["hidden"], activation="relu")(x)
    mean, log_variance = KLDivergence()([dense(config["latent"])(h), dense(config["latent"])(h)])
    h = dense(config["hidden"], activation="relu")(Sample()([mean, log_variance]))
    out = dense(pixels, activation="sigmoid")(h)
    if config["likelihood"] == "gaussian":
        out = keras.layers.Concatenate()([out, dense(pixels)(h)])
    if o["kind"] == "adam":
        optimizer = keras.optimizers.Adam(o["learning_rate"], o["beta1"], o["beta2"], o["epsilon"])
    else:
        optimizer = keras.optimizers.RMSprop(o["learning_rate"], o["beta2"], epsilon=o["epsilon"])
    vae = keras.Model(x, out)
    vae.compile(optimizer=optimizer, loss=gaussian if config["likelihood"] == "gaussian" else bernoulli,
                steps_per_execution=int(config["variant"].partition("-")[2] or 1))
    return vae


def check_device(backend, device):
    if backend == "tensorflow":
        import tensorflow
        seen = bool(tensorflow.config.list_physical_devices("GPU"))
    elif backend == "jax":
        import jax
        seen = jax.default_backend() == "gpu"
    else:
        import torch
        seen = torch.cuda.is_available()
    if device == "cuda" and not seen:
        raise Skip(f"the Keras backend {backend} sees no GPU")


def setup(config):
    backend = config["variant"].partition("-")[0]
    os.environ["KERAS_BACKEND"] = backend
    check_device(backend, config["device"])
    if backend == "tensorflow":
        import tensorflow
        tensorflow.config.threading.set_intra_op_parallelism_threads(config["threads"])
    elif backend == "torch":
        import torch
        torch.set_float32_matmul_precision("highest")
        if config["device"] == "cpu":
            torch.set_flush_denormal(True)
            torch.set_num_threads(config["threads"])
    elif backend == "jax":
        import jax
        jax.config.update("jax_default_matmul_precision", "float32")
    import keras
    keras.utils.set_random_seed(config["seed"])
    x = images.read(config["images"], config["limit"]).astype("float32") / 255
    vae = model(config, x.shape[1])
    fit = lambda: vae.fit(x, x, batch_size=config["batch"], epochs=1, shuffle=True, verbose=0)
    return lambda: fit().history["loss"][0]


def versions():
    keras = sys.modules["keras"]
    backend = keras.backend.backend()
    return {"keras": keras.__version__, backend: sys.modules[backend].__version__}
