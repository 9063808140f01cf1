"""Trains the importance-weighted autoencoder of Burda et al., 2015, with JAX: two hidden layers, several draws of z per
image, images binarised at every visit. The variants are those of jax_peer.py."""
from functools import partial

import jax
from jax import numpy as jnp

import images
from child import Skip
from jax_peer import apply, layer, update


def hidden(layers, x):
    for one in layers:
        x = jnp.tanh(apply(one, x))
    return x


def negative_bound(parameters, x, noise):
    """Returns minus the bound in nats per image, averaged over the batch. `noise` is [images, draws, latent]."""
    mean, s = jnp.split(apply(parameters["posterior"], hidden(parameters["encoder"], x)), 2, 1)
    z = mean[:, None] + noise * jnp.exp(0.5 * s)[:, None]
    logits = apply(parameters["head"], hidden(parameters["decoder"], z.reshape(-1, z.shape[2])))
    logits = logits.reshape(*z.shape[:2], -1)
    log_likelihood = (x[:, None] * logits - jax.nn.softplus(logits)).sum(2)
    log_ratio = 0.5 * (jnp.square(noise) - jnp.square(z) + s[:, None]).sum(2)
    log_mean = jax.nn.logsumexp(log_likelihood + log_ratio, 1) - jnp.log(noise.shape[1])
    return -log_mean.mean()


def initial_state(config, width):
    latent, size = config["latent"], config["hidden"]
    keys = jax.random.split(jax.random.key(config["seed"]), 7)
    parameters = {"encoder": [layer(config, keys[0], width, size), layer(config, keys[1], size, size)],
                  "posterior": layer(config, keys[2], size, latent, 2),
                  "decoder": [layer(config, keys[3], latent, size), layer(config, keys[4], size, size)],
                  "head": layer(config, keys[5], size, width)}
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    return {"parameters": parameters, "slots": {"square": zeros(), "mean": zeros()}, "count": jnp.zeros(()),
            "total": jnp.zeros(()), "key": keys[6]}


def setup(config):
    """Returns a function that trains an epoch and returns its mean loss."""
    kind, _, rest = config["variant"].partition("-")
    jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_default_prng_impl", "rbg" if rest.endswith("rbg") else "threefry2x32")
    if config["device"] == "cuda" and jax.default_backend() != "gpu":
        raise Skip(f"jax {jax.__version__} sees no GPU")
    pixels = jnp.asarray(images.training(config))
    count, batch = pixels.shape[0], config["batch"]
    steps = count // batch

    def step(pixels, state, index):
        key, a, b = jax.random.split(state["key"], 3)
        means = jnp.take(pixels, index, axis=0).astype(jnp.float32) * (1 / 255)
        x = jax.random.bernoulli(a, means).astype(jnp.float32)
        noise = jax.random.normal(b, (batch, config["draws"], config["latent"]))
        loss, gradients = jax.value_and_grad(negative_bound)(state["parameters"], x, noise)
        done = state["count"] + 1
        parameters, slots = update(config["optimizer"], state["parameters"], state["slots"], gradients, done)
        return {"parameters": parameters, "slots": slots, "count": done, "total": state["total"] + loss, "key": key}

    def draw(state):
        """Draws the order of an epoch."""
        key, a = jax.random.split(state["key"])
        order = jax.random.permutation(a, count)[:steps * batch].reshape(steps, batch)
        return state | {"key": key, "total": jnp.zeros(())}, order

    @partial(jax.jit, donate_argnums=1)
    def scanned(pixels, state):
        state, order = draw(state)
        body = lambda s, index: (step(pixels, s, index), None)
        return jax.lax.scan(body, state, order, unroll=int(rest.partition("-")[0]))[0]

    draw_jit = jax.jit(draw, donate_argnums=0)

    @partial(jax.jit, donate_argnums=1)
    def one(pixels, state, order, i):
        return step(pixels, state, order[i])

    def stepped(pixels, state):
        state, order = draw_jit(state)
        for i in range(steps):
            state = one(pixels, state, order, i)
        return state

    run = scanned if kind == "scan" else stepped
    state = initial_state(config, pixels.shape[1])

    def epoch():
        nonlocal state
        state = run(pixels, state)
        return float(state["total"]) / steps

    return epoch
