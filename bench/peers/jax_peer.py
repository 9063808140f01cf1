"""Trains with JAX. Variants: jit is one compiled step, called from Python; scan-N is one compiled epoch, a lax.scan
with N steps unrolled; "-rbg" uses the hardware's generator instead of threefry. The state is donated; matrix products
are float32."""
from functools import partial

import jax
from jax import numpy as jnp

import images
from child import Skip


def layer(config, key, inputs, outputs, heads=1):
    shape, weight_key, bias_key = (inputs, outputs * heads), *jax.random.split(key)
    if config["init"] == "glorot":
        limit = (6 / (inputs + outputs)) ** 0.5
        return {"w": jax.random.uniform(weight_key, shape, minval=-limit, maxval=limit), "b": jnp.zeros(shape[1])}
    if config["init"] == "small":
        return {"w": 0.01 * jax.random.normal(weight_key, shape), "b": 0.01 * jax.random.normal(bias_key, shape[1:])}
    return {"w": 2 / inputs**0.5 * jax.random.normal(weight_key, shape), "b": jnp.zeros(shape[1])}


def apply(layer, x):
    return x @ layer["w"] + layer["b"]


def posterior(kind, mean, s):
    """Returns the standard deviations of q(z | x) and the terms of its KL divergence to the standard normal."""
    if kind == "log_variance":
        return jnp.exp(0.5 * s), 0.5 * (jnp.exp(s) + jnp.square(mean) - 1 - s)
    sigma = jnp.exp(s) if kind == "log_sigma" else jax.nn.softplus(s) + 1e-6
    return sigma, 0.5 * (jnp.square(sigma) + jnp.square(mean) - 1) - jnp.log(sigma)


def negative_elbo(parameters, x, noise, config):
    """Returns the loss in nats per image, averaged over the batch."""
    activation = jnp.tanh if config["activation"] == "tanh" else jax.nn.relu
    mean, s = jnp.split(apply(parameters["posterior"], activation(apply(parameters["encoder"], x))), 2, 1)
    sigma, kl = posterior(config["posterior"], mean, s)
    z = mean + config["noise_std"] * noise * sigma
    out = apply(parameters["head"], activation(apply(parameters["decoder"], z)))
    if config["likelihood"] == "gaussian":
        logits, spread = jnp.split(out, 2, 1)
        spread = jnp.clip(spread, -5, 5)
        terms = 0.5 * (jnp.square(x - jax.nn.sigmoid(logits)) * jnp.exp(-spread) + spread + jnp.log(2 * jnp.pi))
    else:
        terms = jax.nn.softplus(out) - x * out
    return (terms.sum() / (x.shape[1] if config["pixel_mean"] else 1) + kl.sum()) / x.shape[0]


def update(o, parameters, slots, gradients, count):
    """Implements the optimisers of the workloads. `slots` holds the moments that the optimiser uses."""
    tree = jax.tree.map
    if o["kind"] == "sgd":
        return tree(lambda p, g: p - o["learning_rate"] * g, parameters, gradients), slots
    squares = tree(lambda v, g: o["beta2"] * v + (1 - o["beta2"]) * g * g, slots["square"], gradients)
    if o["kind"] == "rmsprop":
        moved = tree(lambda p, g, v: p - o["learning_rate"] * g / (jnp.sqrt(v) + o["epsilon"]), parameters, gradients,
                     squares)
        return moved, {"square": squares}
    if o["kind"] == "rmsprop_tf1":
        moved = tree(lambda p, g, v: p - o["learning_rate"] * g / jnp.sqrt(v + o["epsilon"]), parameters, gradients,
                     squares)
        return moved, {"square": squares}
    means = tree(lambda m, g: o["beta1"] * m + (1 - o["beta1"]) * g, slots["mean"], gradients)
    rate, root = o["learning_rate"] / (1 - o["beta1"] ** count), jnp.sqrt(1 - o["beta2"] ** count)
    moved = tree(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + o["epsilon"]), parameters, means, squares)
    return moved, {"square": squares, "mean": means}


def initial_state(config, width, key):
    hidden, latent, kind = config["hidden"], config["latent"], config["optimizer"]["kind"]
    keys = jax.random.split(key, 5)
    parameters = {"encoder": layer(config, keys[0], width, hidden), "posterior": layer(config, keys[1], hidden, latent, 2),
                  "decoder": layer(config, keys[2], latent, hidden),
                  "head": layer(config, keys[3], hidden, width, 2 if config["likelihood"] == "gaussian" else 1)}
    filled = lambda value: jax.tree.map(lambda p: jnp.full_like(p, value), parameters)
    slots = {} if kind == "sgd" else {"square": filled(1 if kind == "rmsprop_tf1" else 0)}
    slots |= {"mean": filled(0)} if kind == "adam" else {}
    return {"parameters": parameters, "slots": slots, "count": jnp.zeros(()), "total": jnp.zeros(()), "key": keys[4]}


def step(pixels, state, index, noise, config):
    """Returns the state after a training step."""
    x = jnp.take(pixels, index, axis=0).astype(jnp.float32) * (1 / 255)
    loss, gradients = jax.value_and_grad(negative_elbo)(state["parameters"], x, noise, config)
    if config["batch_sum"]:
        gradients = jax.tree.map(lambda g: x.shape[0] * g, gradients)
    if config["l2"]:
        gradients = jax.tree.map(lambda g, p: g + 2 * config["l2"] * p, gradients, state["parameters"])
    done = state["count"] + 1
    parameters, slots = update(config["optimizer"], state["parameters"], state["slots"], gradients, done)
    return state | {"parameters": parameters, "slots": slots, "count": done, "total": state["total"] + loss}


def training(config):
    """Returns two functions: one trains an epoch, the other evaluates the validation images. Both return a mean loss."""
    kind, _, rest = config["variant"].partition("-")
    jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_default_prng_impl", "rbg" if rest.endswith("rbg") else "threefry2x32")
    if config["device"] == "cuda" and jax.default_backend() != "gpu":
        raise Skip(f"jax {jax.__version__} sees no GPU")
    pixels = jnp.asarray(images.training(config))
    count, batch, latent = pixels.shape[0], config["batch"], config["latent"]
    steps = count // batch
    frozen = [jax.random.key(config["seed"] + 2**20 * k) for k in (1, 2)] if config["frozen_noise"] else []
    noise_of_image = jax.random.normal(frozen[0], (count, latent)) if frozen else None

    def draw(state):
        """Draws the order and the noise of an epoch."""
        key, a, b = jax.random.split(state["key"], 3)
        order = jax.random.permutation(a, count) if config["shuffle"] else jnp.arange(count)
        order = order[:steps * batch].reshape(steps, batch)
        noise = noise_of_image[order] if frozen else jax.random.normal(b, (steps, batch, latent))
        return state | {"key": key, "total": jnp.zeros(())}, order, noise

    @partial(jax.jit, donate_argnums=1)
    def scanned(pixels, state):
        state, order, noise = draw(state)
        body = lambda s, drawn: (step(pixels, s, *drawn, config), None)
        return jax.lax.scan(body, state, (order, noise), unroll=int(rest.partition("-")[0]))[0]

    draw_jit = jax.jit(draw, donate_argnums=0)

    @partial(jax.jit, donate_argnums=1)
    def one(pixels, state, order, noise, i):
        return step(pixels, state, order[i], noise[i], config)

    def stepped(pixels, state):
        state, order, noise = draw_jit(state)
        for i in range(steps):
            state = one(pixels, state, order, noise, i)
        return state

    @jax.jit
    def evaluate(parameters, x, key):
        noise = jax.random.normal(key, (x.shape[0], latent))
        return negative_elbo(parameters, x.astype(jnp.float32) * (1 / 255), noise, config)

    run = scanned if kind == "scan" else stepped
    state = initial_state(config, pixels.shape[1], jax.random.key(config["seed"]))
    held_out = None  # the validation images

    def epoch():
        nonlocal state
        state = run(pixels, state)
        return float(state["total"]) / steps

    def validate():
        nonlocal state, held_out
        if held_out is None:
            held_out = jnp.asarray(images.validation(config))
        key, drawn = jax.random.split(state["key"])
        state = state | {"key": key}
        return float(evaluate(state["parameters"], held_out, frozen[1] if frozen else drawn))

    return epoch, validate


def setup(config):
    if config["draws"] > 1:
        import jax_iwae
        return jax_iwae.setup(config)
    return training(config)[0]


def versions():
    return {"jax": jax.__version__}
