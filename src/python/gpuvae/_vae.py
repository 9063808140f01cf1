"""The estimator VAE."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpuvae import _core, _files, _settings
from gpuvae._estimator import BaseEstimator, NotFittedError, TransformerMixin, check_numbers, check_rows, host_array
from gpuvae._progress import progress, wanted
from gpuvae._values import Values

# Likelihoods of values in [0, 1].
UNIT_LIKELIHOODS = ("bernoulli", "continuous-bernoulli")


class VAE(TransformerMixin, BaseEstimator):
    """A variational autoencoder: an encoder q(z | x), a decoder p(x | z) and a prior p(z), all learned by fit.

    Rows X are arrays [rows, features] of any numeric type: of NumPy, pandas, or any library with DLPack whose array is
    in host memory. Rows of uint8 above 1 are bytes, which are divided by 255 like the pixels of images. fit scales each
    feature of other rows to mean 0 and standard deviation 1, unless ``standardize`` is False or the likelihood needs
    values in [0, 1]. The model computes in float32. It keeps what the training data were, and refuses rows that do not
    match: a model of bytes refuses floats outside [0, 1].

    Results depend only on the parameters, the seed and the data, and not on the number of threads. The result of a row
    does not depend on the other rows of the call.

    Parameters
    ----------
    latent : int, the number of latent dimensions.
    hidden : tuple of int, the widths of the encoder's hidden layers.
    decoder_hidden : tuple of int, the widths of the decoder's hidden layers; None reverses ``hidden``.
    likelihood : p(x | z). "gaussian" (a mean and a variance per feature), "gaussian-shared", "gaussian-fixed" and
        "laplace" fit any real numbers. "bernoulli" and "continuous-bernoulli" need values in [0, 1] or bytes.
    prior : p(z), "normal", "mixture" or "vamp".
    activation : of the hidden layers, "relu", "leaky_relu", "sigmoid", "tanh", "softplus", "gelu" or "silu".
    beta : float, the weight of the KL term in the loss.
    binarize : how bytes become 0 or 1 in training, "none", "threshold", "fixed" or "dynamic".
    epochs : int, the number of passes over the rows.
    batch_size : int, the number of rows per step.
    optimizer : "adam", "adamw", "sgd", "rmsprop", "rmsprop_tf1" or "adagrad".
    learning_rate : float; None is the usual one of the optimiser.
    seed : int, of the initial parameters, the order of the rows and the noise.
    device : "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:1".
    standardize : bool, whether fit scales the features of data that are not bytes, as above.
    verbose : bool, whether to show a progress bar; None shows it in terminals and notebooks.
    settings : dict of further settings by the names of the programs' flags with underscores, such as
        {"free_bits": 0.1, "posterior_scale": "softplus"}.

    Attributes
    ----------
    n_features_in_ : int, the number of features.
    feature_names_in_ : array of str, the names of the features, if X had any.
    history_ : the losses of the epochs in nats per row, a DataFrame if pandas is installed, else a list of dicts.

    One thread at a time may call fit. Any number of threads may call the other methods. Other threads run while the
    library computes.
    """

    def __init__(
        self,
        latent: int = 2,
        hidden: int | Sequence[int] = (256,),
        *,
        decoder_hidden: int | Sequence[int] | None = None,
        likelihood: str = "gaussian",
        prior: str = "normal",
        activation: str = "relu",
        beta: float = 1.0,
        binarize: str = "none",
        epochs: int = 10,
        batch_size: int = 100,
        optimizer: str = "adam",
        learning_rate: float | None = None,
        seed: int = 0,
        device: str = "auto",
        standardize: bool = True,
        verbose: bool | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.latent = latent
        self.hidden = hidden
        self.decoder_hidden = decoder_hidden
        self.likelihood = likelihood
        self.prior = prior
        self.activation = activation
        self.beta = beta
        self.binarize = binarize
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.seed = seed
        self.device = device
        self.standardize = standardize
        self.verbose = verbose
        self.settings = settings

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        validation: ArrayLike | None = None,
        callback: Callable[[dict[str, float]], Any] | None = None,
    ) -> VAE:
        """Trains a new model on rows X [rows, features], and returns self. ``y`` is ignored.

        ``validation`` holds rows whose losses history_ then has as val_loss and so on. ``callback`` is called after
        each epoch with a dictionary of its losses, and ends the training by returning True. Ctrl-C ends it with
        KeyboardInterrupt. If an exception ends the training, the estimator keeps the model that it had before.

        Throws ValueError for unsuitable rows or parameters, MemoryError, and RuntimeError if the loss becomes infinite.
        """
        epochs = operator.index(self.epochs)
        model_settings, training = _settings.resolve(self.get_params(deep=False), self.settings)
        before = {name: vars(self)[name] for name in ("n_features_in_", "feature_names_in_") if name in vars(self)}
        try:
            X = check_rows(self, X, reset=True)
            values = Values.of(X, self.likelihood in UNIT_LIKELIHOODS, self.standardize)
            held_out = None if validation is None else values.rows(check_rows(self, validation, reset=False))
            model = _core.Model(X.shape[1], model_settings, self.device)
            history = _train(model, values.rows(X), held_out, epochs, training, wanted(self.verbose), callback)
        except BaseException:
            # A model that fit() has not replaced keeps the features that belong to it.
            if "_model" in vars(self):
                vars(self).pop("feature_names_in_", None)
                vars(self).update(before)
            raise
        self._keep(model, model_settings, values, history if held_out is not None else _without_validation(history))
        self._metadata = None
        self._training_settings = training
        self.n_samples_ = X.shape[0]
        self.fingerprint_ = model.fingerprint
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Returns the codes of rows X [rows, features]: the means of q(z | x), float32 [rows, latent]."""
        return self._fitted().encode(self._rows(X))

    def inverse_transform(self, Z: ArrayLike) -> NDArray:
        """Returns the means of p(x | z) for codes Z [rows, latent]: [rows, features], in the units of the data.

        They are float64 for standardised or scaled data, else float32. Bytes stay in [0, 1].
        """
        model = self._fitted()
        Z = np.asarray(host_array(Z))
        check_numbers(Z)
        return self.values_.restored(model.decode(np.ascontiguousarray(Z, np.float32)))

    def reconstruct(self, X: ArrayLike) -> NDArray:
        """Returns inverse_transform(transform(X)) for rows X [rows, features]."""
        return self.values_.restored(self._fitted().reconstruct(self._rows(X)))

    def sample(self, n: int = 1, *, mean: bool = False, seed: int | None = None) -> NDArray:
        """Draws z from the prior and returns n draws from p(x | z), or its means: [n, features], as inverse_transform.

        The draws depend only on the model and the seed, which is that of the estimator if it is None.
        """
        _, means, draws = self._fitted().sample(operator.index(n), self._seed(seed))
        return self.values_.restored(means if mean else draws)

    def score_samples(self, X: ArrayLike, *, samples: int = 1, seed: int | None = None) -> NDArray[np.float64]:
        """Returns an estimate of log p(x) in nats per row of X: float64 [rows].

        With one sample it is the ELBO, with more the importance-weighted bound (Burda et al., 2016), which approaches
        log p(x) as ``samples`` grows. Values of standardised or scaled data are those that the model sees. The noise
        depends on the seed and on the values of the row.
        """
        return self._fitted().score(self._rows(X), operator.index(samples), self._seed(seed))

    def score(self, X: ArrayLike, y: Any = None, *, samples: int = 1, seed: int | None = None) -> float:
        """Returns the mean of score_samples(X), in nats. ``y`` is ignored. Higher is better."""
        return float(self.score_samples(X, samples=samples, seed=seed).mean())

    @property
    def history_(self) -> Any:
        """The losses of the epochs in nats per row: a DataFrame if pandas is installed, else a list of dicts."""
        self._fitted()
        try:
            import pandas
        except ImportError:
            return [dict(row) for row in self._history]
        return pandas.DataFrame(self._history)

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Saves the model as a run folder, or as one file if the path ends in .safetensors. Returns the file's path.

        gpuvae.load and the program vae open it. Throws FileExistsError if there is a model already, unless
        ``overwrite`` is true.
        """
        model = self._fitted()
        file = _files.model_file(path)
        if file.exists() and not overwrite:
            raise FileExistsError(f"[save] {file} exists: choose another path, or pass overwrite=True")
        file.parent.mkdir(parents=True, exist_ok=True)
        metadata = self._metadata or _files.describe(self, self._model_settings, self._training_settings)
        model.save(file, {key: text for key, text in metadata.items() if key != "checksum"})
        return file

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Returns the names of the columns of transform: "vae0", "vae1", ..."""
        self._fitted()
        return np.array([f"vae{i}" for i in range(self.latent_)], dtype=object)

    def _keep(self, model, model_settings, values, history):
        self._model = model
        self._model_settings = model_settings
        self._history = history
        self.values_ = values
        self.latent_ = model.latent

    def _fitted(self):
        if "_model" not in vars(self):
            raise NotFittedError(f"This {type(self).__name__} instance is not fitted yet: call fit, or gpuvae.load")
        return self._model

    def _rows(self, X):
        self._fitted()
        return self.values_.rows(check_rows(self, X, reset=False))

    def _seed(self, seed):
        return operator.index(self.seed if seed is None else seed)

    def __sklearn_is_fitted__(self):
        return "_model" in vars(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __getstate__(self):
        state = dict(vars(self))
        model = state.pop("_model", None)
        if model is not None:
            state["_saved"] = (model.features, self._model_settings, model.parameters())
        return state

    def __setstate__(self, state):
        state = dict(state)
        saved = state.pop("_saved", None)
        vars(self).update(state)
        if saved is not None:
            features, model_settings, parameters = saved
            self._model = _core.Model(features, model_settings, self.device)
            for name, array in parameters.items():
                self._model.set_parameter(name, array)


def _train(model, rows, held_out, epochs, settings, show, callback):
    if not show:
        return model.train(rows, held_out, epochs, settings, None, callback)
    bar = progress(epochs, len(rows))

    def on_epoch(result):
        bar.update(result["epoch"], len(rows), result["train_loss"])
        return callback is not None and callback(result)

    try:
        return model.train(rows, held_out, epochs, settings, bar.update, on_epoch)
    finally:
        bar.close()


def _without_validation(history):
    return [{name: value for name, value in row.items() if not name.startswith("val_")} for row in history]


def load(path: str | os.PathLike, *, device: str = "auto") -> VAE:
    """Opens a run folder or model file of the programs or of VAE.save, and returns a VAE.

    The methods take and return numbers in the units of the training data: standardised columns are restored. fit on the
    result trains a new model with the same settings.

    Throws FileNotFoundError, OSError for a damaged file, and ValueError for a file that does not describe its model or
    that a newer version wrote.
    """
    file = _files.model_file(Path(path))
    metadata, settings, data = _files.read(file)
    vae = VAE(**_settings.from_file(settings, file), device=device)
    features = data["height"] * data["width"]
    model_settings, _ = _settings.resolve(
        vae.get_params(deep=False), {k: v for k, v in (vae.settings or {}).items() if k in _settings.MODEL}
    )
    model = _core.Model(features, model_settings, device)
    model.load(file)
    vae._keep(model, model_settings, _files.values_of(data), _files.history_of(file, metadata))
    vae._metadata = metadata
    vae.n_features_in_ = features
    if data["column_names"]:
        vae.feature_names_in_ = np.array(data["column_names"], dtype=object)
    return vae
