"""Trains with JAX. Variants: jit is one compiled step, called from Python; scan-N is one compiled epoch, a lax.scan
with N steps unrolled; "-rbg" uses the hardware's generator instead of threefry. The state is donated; matrix products
are float32."""
from functools import partial

import jax
from jax import numpy as jnp

import images
from child import Skip


def glorot(key, inputs, outputs, heads=1):
    limit = (6 / (inputs + outputs)) ** 0.5
    return {"w": jax.random.uniform(key, (inputs, outputs * heads), minval=-limit, maxval=limit),
            "b": jnp.zeros(outputs * heads)}


def apply(layer, x):
    return x @ layer["w"] + layer["b"]


def negative_elbo(parameters, x, noise, gaussian):
    """Returns the negative ELBO, averaged over the batch."""
    mean, log_variance = jnp.split(apply(parameters["posterior"], jax.nn.relu(apply(parameters["encoder"], x))), 2, 1)
    z = mean + noise * jnp.exp(0.5 * log_variance)
    out = apply(parameters["head"], jax.nn.relu(apply(parameters["decoder"], z)))
    if gaussian:
        logits, spread = jnp.split(out, 2, 1)
        spread = jnp.clip(spread, -5, 5)
        terms = 0.5 * (jnp.square(x - jax.nn.sigmoid(logits)) * jnp.exp(-spread) + spread + jnp.log(2 * jnp.pi))
    else:
        terms = jax.nn.softplus(out) - x * out
    kl = 0.5 * (jnp.exp(log_variance) + jnp.square(mean) - 1 - log_variance)
    return (terms.sum() + kl.sum()) / x.shape[0]


def update(o, parameters, slots, gradients, count):
    """Implements both optimisers of the workloads. `slots` holds the first and second moments; rmsprop does not use
    the first."""
    tree = jax.tree.map
    squares = tree(lambda v, g: o["beta2"] * v + (1 - o["beta2"]) * g * g, slots["square"], gradients)
    if o["kind"] == "rmsprop":
        moved = tree(lambda p, g, v: p - o["learning_rate"] * g / (jnp.sqrt(v) + o["epsilon"]), parameters, gradients,
                     squares)
        return moved, {"square": squares}
    means = tree(lambda m, g: o["beta1"] * m + (1 - o["beta1"]) * g, slots["mean"], gradients)
    rate, root = o["learning_rate"] / (1 - o["beta1"] ** count), jnp.sqrt(1 - o["beta2"] ** count)
    moved = tree(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + o["epsilon"]), parameters, means, squares)
    return moved, {"square": squares, "mean": means}


def initial_state(config, width, key):
    hidden, latent = config["hidden"], config["latent"]
    keys = jax.random.split(key, 5)
    parameters = {"encoder": glorot(keys[0], width, hidden), "posterior": glorot(keys[1], hidden, latent, 2),
                  "decoder": glorot(keys[2], latent, hidden),
                  "head": glorot(keys[3], hidden, width, 2 if config["likelihood"] == "gaussian" else 1)}
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    slots = {"square": zeros()} | ({"mean": zeros()} if config["optimizer"]["kind"] == "adam" else {})
    return {"parameters": parameters, "slots": slots, "count": jnp.zeros(()), "total": jnp.zeros(()), "key": keys[4]}


def setup(config):
    kind, _, rest = config["variant"].partition("-")
    jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_default_prng_impl", "rbg" if rest.endswith("rbg") else "threefry2x32")
    if config["device"] == "cuda" and jax.default_backend() != "gpu":
        raise Skip(f"jax {jax.__version__} sees no GPU")
    pixels = jnp.asarray(images.read(config["images"], config["limit"]))
    count, batch = pixels.shape[0], config["batch"]
    steps = count // batch
    loss_and_gradients = jax.value_and_grad(partial(negative_elbo, gaussian=config["likelihood"] == "gaussian"))

    def step(pixels, state, index, noise):
        x = jnp.take(pixels, index, axis=0).astype(jnp.float32) * (1 / 255)
        loss, gradients = loss_and_gradients(state["parameters"], x, noise)
        done = state["count"] + 1
        parameters, slots = update(config["optimizer"], state["parameters"], state["slots"], gradients, done)
        return state | {"parameters": parameters, "slots": slots, "count": done, "total": state["total"] + loss}

    def draw(state):
        """Draws the order and the noise of an epoch."""
        key, a, b = jax.random.split(state["key"], 3)
        order = jax.random.permutation(a, count)[:steps * batch].reshape(steps, batch)
        return state | {"key": key, "total": jnp.zeros(())}, order, jax.random.normal(b, (steps, batch, config["latent"]))

    @partial(jax.jit, donate_argnums=1)
    def scanned(pixels, state):
        state, order, noise = draw(state)
        body = lambda s, drawn: (step(pixels, s, *drawn), None)
        return jax.lax.scan(body, state, (order, noise), unroll=int(rest.partition("-")[0]))[0]

    draw_jit = jax.jit(draw, donate_argnums=0)

    @partial(jax.jit, donate_argnums=1)
    def one(pixels, state, order, noise, i):
        return step(pixels, state, order[i], noise[i])

    def stepped(pixels, state):
        state, order, noise = draw_jit(state)
        for i in range(steps):
            state = one(pixels, state, order, noise, i)
        return state

    run = scanned if kind == "scan" else stepped
    state = initial_state(config, pixels.shape[1], jax.random.key(config["seed"]))

    def epoch():
        nonlocal state
        state = run(pixels, state)
        return float(state["total"]) / steps

    return epoch


def versions():
    return {"jax": jax.__version__}
