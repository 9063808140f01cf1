"""The settings of a model and its training, by the names of the programs' flags with underscores."""

import operator

from ._values import BYTE_LIKELIHOODS

# Settings that VAE(settings={...}) accepts, with their defaults. None is the usual value of the optimiser.
MODEL = {
    "prior_components": 50,
    "gaussian_mean": "identity",  # "sigmoid" for logistic-256
    "sigma": 0.1,
    "log_variance_low": -5.0,
    "log_variance_high": 5.0,
    "log_scale_low": -7.0,
    "log_scale_high": 2.0,
    "column_types": "",
    "library_reference": 0.0,
    "log1p_counts": True,
    "missing_values": False,
    "precision": "f32",
    "gated": False,
    "posterior": "gaussian",
    "posterior_scale": "log_variance",
    "noise_std": 1.0,
    "init": "glorot_uniform",
    "init_std": 0.01,
    "bias_std": 0.0,
    "init_generator": "philox",
}
TRAINING = {
    "drop_last": False,
    "no_shuffle": False,
    "threshold": 0.5,
    "frozen_noise": False,
    "warmup_epochs": 0.0,
    "free_bits": 0.0,
    "objective": "elbo",
    "objective_samples": 1,
    "objective_groups": 1,
    "objective_mix": 0.5,
    "sampled_kl": False,
    "pixel_mean": False,
    "batch_sum": False,
    "on_nan": "stop",
    "beta1": None,
    "beta2": None,
    "epsilon": None,
    "l2": None,
    "l2_biases": False,
    "clip_norm": None,
    "schedule": "constant",
    "lr_warmup": 0.0,
    "lr_decay_epochs": 30.0,
    "lr_decay_rate": 0.1,
    "lr_final": 0.0,
    "patience": 0,
    "ema": 0.0,
    "ema_form": "warmup",
    "output_bias": "zero",
}
# Parameters of VAE that are settings of the model and of its training.
MODEL_PARAMS = ("latent", "hidden", "decoder_hidden", "likelihood", "prior", "activation", "seed")
TRAINING_PARAMS = ("beta", "binarize", "batch_size", "optimizer", "learning_rate", "seed")

# Those of them that have no meaning for None.
REQUIRED_PARAMS = tuple(
    name for name in (*MODEL_PARAMS, *TRAINING_PARAMS) if name not in ("decoder_hidden", "learning_rate")
)

# Settings of the programs that decide the training and that fit() does not have, with the values that change nothing.
PROGRAMS_ONLY = {
    "value_range": "",
}
# Settings without which a file does not describe its model.
REQUIRED = ("hidden", "latent", "activation", "posterior_scale", "likelihood", "gaussian_mean", "prior")


def widths(name, value):
    """Returns the widths of hidden layers as a list. One number is one layer, and None is an empty list."""
    if value is None:
        return []
    try:
        return [operator.index(w) for w in (value if hasattr(value, "__iter__") else [value])]
    except TypeError:
        raise ValueError(f"[VAE] expected whole numbers as {name}, got {value!r}") from None


def resolve(params, settings):
    """Returns the settings of the model and of its training as two dictionaries for gpuvae._core."""
    settings = dict(settings or {})
    known = MODEL.keys() | TRAINING.keys()
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise ValueError(
            f"[VAE] expected settings among {', '.join(sorted(known))}, got {', '.join(unknown)}"
            + "".join(f"; only the programs have {name}" for name in unknown if name in PROGRAMS_ONLY)
        )
    for name in REQUIRED_PARAMS:
        if params[name] is None:
            raise ValueError(f"[VAE] expected a value as {name}, got None")
    values = {**params, **{name: widths(name, params[name]) for name in ("hidden", "decoder_hidden")}}
    model = {**{k: values[k] for k in MODEL_PARAMS}, **MODEL}
    if model["likelihood"] in BYTE_LIKELIHOODS:
        model["gaussian_mean"] = "sigmoid"  # bytes never lie outside [0, 1]
    training = {**{k: values[k] for k in TRAINING_PARAMS}, **TRAINING}
    for name, value in settings.items():
        (model if name in MODEL else training)[name] = value
    return _given(model), _given(training)


def _given(settings):
    return {name: _plain(value) for name, value in settings.items() if value is not None}


def _plain(value):
    # Searches over parameters pass the scalars of NumPy.
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value


def to_file(settings, epochs, standardize):
    """Returns the settings of the model and of its training as the programs write them into a model file."""
    return {"preset": "default", "epochs": epochs, "standardize": standardize} | {
        name.replace("_", "-"): value for name, value in settings.items()
    }


def from_file(settings, where):
    """Returns parameters of VAE for the settings of a model file."""
    values = {name.replace("-", "_"): value for name, value in settings.items()}
    missing = [name for name in REQUIRED if name not in values]
    if missing:
        raise OSError(f"[load] {where}: expected the settings {', '.join(missing)}, which the file lacks")
    params = {name: values[name] for name in (*MODEL_PARAMS, *TRAINING_PARAMS, "epochs") if name in values}
    params["standardize"] = bool(values.get("standardize", False))
    params["hidden"] = tuple(values["hidden"])
    params["decoder_hidden"] = tuple(values.get("decoder_hidden", ())) or None
    further = {
        name: values[name]
        for name, default in {**MODEL, **TRAINING, **PROGRAMS_ONLY}.items()
        if name in values and values[name] != default
    }
    return {**params, "settings": further or None}
