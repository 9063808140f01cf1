"""The estimator VAE."""

from __future__ import annotations

import dataclasses
import json
import operator
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpuvae import _core, _files, _settings
from gpuvae._condition import Condition
from gpuvae._core import DeviceArray
from gpuvae._device import SupportsDLPack, imported, on_host, placed_like
from gpuvae._estimator import (
    BaseEstimator,
    NotFittedError,
    TransformerMixin,
    check_features,
    check_rows,
    real_numbers,
    refuse_masked,
)
from gpuvae._plots import Plots
from gpuvae._progress import progress, wanted
from gpuvae._values import FINITE, Values, checked, float32_numbers, has_column_types, rows_for_training


class VAE(Plots, TransformerMixin, BaseEstimator):
    """A variational autoencoder: an encoder q(z | x), a decoder p(x | z) and a prior p(z), all learned by fit.

    Rows X are arrays [rows, features] of any numeric type: of NumPy, pandas, or any library with DLPack. Rows of uint8
    above 1 are bytes, which are divided by 255 like the pixels of images. fit scales each feature of other rows to mean
    0 and standard deviation 1, unless ``standardize`` is False or the likelihood needs values in [0, 1] or counts. With
    the likelihood "columns", it scales the columns of the types gaussian and laplace. The model computes in float32. It
    keeps what the training data were, and refuses rows that do not match: a model of bytes refuses floats outside
    [0, 1].

    A model on a CUDA device also takes contiguous rows of float32, float64, uint8 or int32 on that device. Results are
    then there, too, as a DeviceArray, which other libraries take by DLPack. Rows of uint8 and float32 that need no
    scaling are used without a copy: fit only inspects a copy on the host. Other rows are converted on the host. A call
    returns when the GPU has finished.

    Results depend only on the parameters, the seed and the data, and not on the number of threads. The result of a row
    does not depend on the other rows of the call.

    Parameters
    ----------
    latent : int, the number of latent dimensions.
    hidden : tuple of int, the widths of the encoder's hidden layers.
    decoder_hidden : tuple of int, the widths of the decoder's hidden layers; None reverses ``hidden``.
    likelihood : p(x | z). "gaussian" (a mean and a variance per feature), "gaussian-shared", "gaussian-fixed" and
        "laplace" fit any real numbers. "bernoulli" and "continuous-bernoulli" need values in [0, 1] or bytes,
        "logistic-256" needs bytes, and "poisson", "negative-binomial" and "zero-inflated-negative-binomial" need counts.
        "columns" has a likelihood per column: settings={"column_types": "bernoulli:3,gaussian:5,categorical:4"}.
    prior : p(z), "normal", "mixture", "vamp" or "exemplar". "exemplar" is a mixture of Gaussians around the codes of the
        training rows, which the estimator keeps; a step uses settings={"prior_components": 500} of them. Files do not
        hold these rows, so an estimator that load returns needs set_exemplars before it samples or scores.
    activation : of the hidden layers, "relu", "leaky_relu", "sigmoid", "tanh", "softplus", "gelu" or "silu".
    beta : float, the weight of the KL term in the loss.
    binarize : how bytes become 0 or 1, "none", "threshold", "fixed" or "dynamic". The methods use the threshold, too.
        "fixed" and "dynamic" draw the values in training only: the methods take bytes as probabilities.
    epochs : int, the number of passes over the rows.
    batch_size : int, the number of rows per step.
    optimizer : "adam", "adamw", "sgd", "rmsprop", "rmsprop_tf1" or "adagrad".
    learning_rate : float; None is the usual one of the optimiser.
    seed : int, of the initial parameters, the order of the rows and the noise.
    device : "auto" (the GPU that holds X, or else a GPU if there is one), "cpu", "cuda" or "cuda:1".
    standardize : bool, whether fit scales the features of data that are not bytes, as above.
    verbose : bool, whether to show a progress bar; None shows it in terminals and notebooks.
    settings : dict of further settings by the names of the programs' flags with underscores, such as
        {"free_bits": 0.1, "posterior_scale": "softplus"}. {"patience": 10} stops after 10 epochs without a better
        loss on the rows of fit(validation=...) and keeps the weights of the best epoch; {"ema": 0.999} keeps the
        moving average of the weights; {"output_bias": "data"} starts the output at the means of the rows.

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
        X: ArrayLike | SupportsDLPack,
        y: Any = None,
        *,
        condition: Any = None,
        validation: ArrayLike | SupportsDLPack | None = None,
        validation_condition: Any = None,
        callback: Callable[[dict[str, float]], Any] | None = None,
    ) -> VAE:
        """Trains a new model on rows X [rows, features], and returns self. ``y`` is ignored.

        ``condition`` trains a conditional model p(x | y): the classes of the rows (whole numbers or texts, [rows]), as
        one-hot codes, or real numbers [rows, columns], as they are. Encoder and decoder get it, and the other methods
        need it, too; ``validation_condition`` is that of the validation rows.
        ``validation`` holds rows whose losses history_ then has as val_loss and so on. ``callback`` is called after
        each epoch with a dictionary of its losses, and ends the training by returning True. Ctrl-C ends it with
        KeyboardInterrupt. If an exception ends the training, the estimator keeps the model that it had before.

        Throws ValueError for unsuitable rows or parameters, MemoryError, and RuntimeError if the loss becomes infinite.
        """
        epochs = operator.index(self.epochs)
        if not isinstance(self.standardize, (bool, np.bool_)):
            raise ValueError(f"[VAE] expected True or False as standardize, got {self.standardize!r}")
        model_settings, training = _settings.resolve(vars(self), self.settings)
        before = {name: vars(self)[name] for name in ("n_features_in_", "feature_names_in_") if name in vars(self)}
        try:
            X, validation = imported(X), imported(validation)
            missing = bool(model_settings["missing_values"])
            host = check_rows(self, on_host(X), reset=True, missing=missing)
            values = Values.of(host, self.likelihood, self.standardize, missing, model_settings["column_types"])
            rows = rows_for_training(values, X, host, model_settings)
            conditions = Condition()
            if condition is not None:
                conditions = Condition.of(condition, len(host), training["binarize"])
            rows = conditions.joined(rows, condition)
            held_out = None
            if validation is None and validation_condition is not None:
                raise ValueError("[fit] expected no validation_condition without validation rows, got one")
            if validation is not None:
                held_out = check_rows(self, on_host(validation), False, missing)
                held_out = rows_for_training(values, validation, held_out, model_settings)
                held_out = conditions.joined(held_out, validation_condition)
            if len(conditions):
                model_settings["conditions"] = len(conditions)
            device = X.device if self.device == "auto" and isinstance(X, DeviceArray) else self.device
            model = _core.Model(host.shape[1], model_settings, device)
            history = _train(model, rows, held_out, epochs, training, wanted(self.verbose), callback)
        except BaseException:
            # A model that fit() has not replaced keeps the features that belong to it.
            if "_model" in vars(self):
                vars(self).pop("feature_names_in_", None)
                vars(self).update(before)
            raise
        self.condition_ = conditions
        values.set_binarize(training["binarize"], training["threshold"])
        self._keep(model, model_settings, values, history if held_out is not None else _without_validation(history))
        self._image_shape = None
        names = [str(name) for name in getattr(self, "feature_names_in_", ())]
        self._metadata = _files.describe(
            _files.describe_rows(rows, values, names, conditions),
            {**_files.with_condition(model_settings, conditions, names), **training},
            self._history,
            conditions,
            rows,
        )
        return self

    # An array on a GPU gives a DeviceArray.
    @overload
    def transform(self, X: ArrayLike, *, condition: Any = None) -> NDArray[np.float32]: ...
    @overload
    def transform(self, X: SupportsDLPack, *, condition: Any = None) -> Any: ...
    def transform(self, X, *, condition=None):
        """Returns the codes of rows X [rows, features]: the means of q(z | x), float32 [rows, latent].

        ``condition`` is that of the rows, for a model that fit() trained with one.
        """
        return self._codes(X, condition)

    @overload
    def inverse_transform(self, Z: ArrayLike, *, condition: Any = None) -> NDArray: ...
    @overload
    def inverse_transform(self, Z: SupportsDLPack, *, condition: Any = None) -> Any: ...
    def inverse_transform(self, Z, *, condition=None):
        """Returns the means of p(x | z) for codes Z [rows, latent]: [rows, features], in the units of the data.

        They are float64 for standardised or scaled data, else float32. Bytes stay in [0, 1]. A model with a condition
        needs ``condition``, one for each code or one for all: a class, or the numbers [columns].
        """
        model, Z = self._fitted(), imported(Z)
        if not (isinstance(Z, DeviceArray) and Z.dtype == "float32" and Z.within(*FINITE)):
            refuse_masked(Z)
            Z = placed_like(Z, float32_numbers(real_numbers(np.asarray(on_host(Z)))))
        return self._restored(model.decode(self.condition_.joined(Z, condition)))

    @overload
    def reconstruct(self, X: ArrayLike, *, condition: Any = None) -> NDArray: ...
    @overload
    def reconstruct(self, X: SupportsDLPack, *, condition: Any = None) -> Any: ...
    def reconstruct(self, X, *, condition=None):
        """Returns inverse_transform(transform(X)) for rows X [rows, features].

        A model with missing values (settings={"missing_values": True}) estimates the missing values, too.
        """
        return self._restored(self._fitted().reconstruct(self._rows(X, condition)))

    def impute(self, X: ArrayLike, *, condition: Any = None) -> NDArray:
        """Returns rows X [rows, features] with their missing values replaced by those of reconstruct(X)."""
        means = on_host(self.reconstruct(X, condition=condition))
        rows = check_rows(self, on_host(imported(X)), reset=False, missing=self.values_.missing_values)
        return np.where(np.isnan(rows), means, rows)

    def sample(
        self, n: int = 1, *, mean: bool = False, seed: int | None = None, condition: Any = None
    ) -> NDArray:
        """Draws z from the prior and returns n draws from p(x | z), or its means: [n, features], as inverse_transform.

        The draws depend only on the model, the condition and the seed, which is that of the estimator if it is None.
        ``condition`` is as for inverse_transform.
        """
        model, n = self._fitted(), operator.index(n)
        if not len(self.condition_):
            self.condition_.joined(None, condition)
        codes = self.condition_.codes(condition, n) if len(self.condition_) and n > 0 else None
        _, means, draws = model.sample(n, self._seed(seed), codes)
        return self.values_.restored(means if mean else draws)

    @overload
    def score_samples(
        self, X: ArrayLike, *, samples: int = 1, seed: int | None = None, condition: Any = None
    ) -> NDArray[np.float64]: ...
    @overload
    def score_samples(
        self, X: SupportsDLPack, *, samples: int = 1, seed: int | None = None, condition: Any = None
    ) -> Any: ...
    def score_samples(self, X, *, samples=1, seed=None, condition=None):
        """Returns an estimate of log p(x) in nats per row of X: float64 [rows].

        With one sample it is the ELBO, with more the importance-weighted bound (Burda et al., 2016), which approaches
        log p(x) as ``samples`` grows. Values of standardised or scaled data are those that the model sees. The noise
        depends on the seed and on the values of the row. A row far outside the training data may have a density that
        f32 cannot hold: its score is not finite, of which a RuntimeWarning tells. With a condition y, the estimate is
        one of log p(x | y), which is not comparable with log p(x).
        """
        scores = self._fitted().score(self._rows(X, condition), operator.index(samples), self._seed(seed))
        if isinstance(scores, np.ndarray) and (rows := np.count_nonzero(~np.isfinite(scores))):
            warnings.warn(
                f"[score_samples] {rows} of {len(scores)} rows have no finite score: compare their values with those of "
                "the training data",
                RuntimeWarning,
                stacklevel=2,
            )
        return scores

    def scores(
        self,
        X: ArrayLike | SupportsDLPack,
        *,
        samples: int = 1,
        seed: int | None = None,
        condition: Any = None,
    ) -> dict[str, NDArray[np.float64]]:
        """Returns scores of rows X in nats by name, float64 [rows] each.

        "elbo" is -("reconstruction" + "kl") with one draw of z per row. "log_likelihood" is score_samples(X), and
        "effective_samples" is the effective sample size (sum w)^2 / sum w^2 of its importance weights w, from 1 to
        ``samples``. The noise is that of score_samples.
        """
        return self._fitted().scores(self._rows(X, condition), operator.index(samples), self._seed(seed))

    def score(
        self,
        X: ArrayLike | SupportsDLPack,
        y: Any = None,
        *,
        samples: int = 1,
        seed: int | None = None,
        condition: Any = None,
    ) -> float:
        """Returns the mean of score_samples(X), in nats. ``y`` is ignored. Higher is better."""
        return float(np.mean(on_host(self.score_samples(X, samples=samples, seed=seed, condition=condition))))

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
        ``overwrite`` is true, and if the folder holds other files of a run of the programs, which would no longer
        belong to the model.
        """
        model = self._fitted()
        file = _files.model_file(path)
        if file.exists() and not overwrite:
            raise FileExistsError(f"[save] {file} exists: choose another path, or pass overwrite=True")
        if file.name == _files.MODEL_FILE and (others := _files.run_files(file.parent)):
            raise FileExistsError(f"[save] {file.parent} holds a run of the programs ({others[0]}): choose another folder")
        file.parent.mkdir(parents=True, exist_ok=True)
        model.save(file, {key: text for key, text in self._metadata.items() if key != "checksum"})
        return file

    def set_exemplars(self, X: ArrayLike | SupportsDLPack, *, condition: Any = None) -> VAE:
        """Gives a loaded model with the prior "exemplar" its training rows X [rows, features], and returns self.

        The rows are copied. They are those of fit or of the program's training set, in the same order and units, with
        their ``condition``. Throws ValueError for another prior and for other rows. Those of a training set with labels,
        such as MNIST, are only counted. The other methods must not run at the same time.
        """
        self._fitted()
        rows = self.condition_.joined(self._values_of(X, binarize=False), condition)
        _files.check_classes(rows, self._metadata)
        self._model.set_exemplars(rows, self._exemplar_settings(), self._metadata["data"])
        return self

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

    def _exemplar_settings(self):
        settings = json.loads(self._metadata["settings"])
        return {name: settings[name] for name in ("binarize", "threshold", "seed") if name in settings}

    # transform() is wrapped by scikit-learn, which may make its result a data frame.
    def _codes(self, X, condition=None):
        return self._fitted().encode(self._rows(X, condition))

    def _rows(self, X, condition=None):
        self._fitted()
        return self.condition_.joined(self._values_of(X), condition)

    def _values_of(self, X, binarize=True):
        # Training and set_exemplars() binarize the rows in the library.
        binarize = binarize and self.values_.threshold is not None
        X = imported(X)
        if isinstance(X, DeviceArray) and len(X.shape) == 2 and 0 not in X.shape:
            check_features(self, X)
            if not binarize and self.values_.accepts_unchanged(X):
                return checked(X, self._model_settings)
        host = check_rows(self, on_host(X), reset=False, missing=self.values_.missing_values)
        rows = self.values_.rows(host, by_column=has_column_types(self._model_settings))
        rows = checked(rows, self._model_settings)
        return placed_like(X, self.values_.binarized(rows) if binarize else rows)

    def _restored(self, rows):
        if isinstance(rows, DeviceArray) and not self.values_.restores():
            return rows
        return placed_like(rows, self.values_.restored(on_host(rows)))

    def _seed(self, seed):
        seed = operator.index(self.seed if seed is None else seed)
        if not 0 <= seed < 2**64:
            raise ValueError(f"[VAE] expected a whole number of 0 or more, below 2^64, as seed, got {seed}")
        return seed

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
            state["_exemplars"] = model.exemplars()
        return state

    def __setstate__(self, state):
        state = dict(state)
        saved, exemplars = state.pop("_saved", None), state.pop("_exemplars", None)
        vars(self).update(state)
        vars(self).setdefault("condition_", Condition())
        if saved is not None:
            features, model_settings, parameters = saved
            self._model = _core.Model(features, model_settings, self.device)
            for name, array in parameters.items():
                self._model.set_parameter(name, array)
            if exemplars is not None:
                self._model.set_exemplars(exemplars, self._exemplar_settings(), "")


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

    The methods take and return numbers in the units of the training data: standardised columns are restored, and a
    condition of numbers is scaled as in training. fit on the result trains a new model with the same settings; it
    throws ValueError if the model was trained with a setting that only the programs have, such as --value-range.

    Throws FileNotFoundError, and OSError for a file that is damaged, does not describe its model, or was written by a
    newer version.
    """
    file = _files.model_file(Path(path))
    metadata, settings, data = _files.read(file)
    vae = VAE(**_settings.from_file(settings, file), device=device)
    vae.condition_ = _files.condition_of(data, metadata)
    features = data["height"] * data["width"] - vae.condition_.columns
    model_settings, _ = _settings.resolve(
        vars(vae), {k: v for k, v in (vae.settings or {}).items() if k in _settings.MODEL}
    )
    if len(vae.condition_):
        model_settings["conditions"] = len(vae.condition_)
    model = _core.Model(features, model_settings, device, file)
    # The condition keeps the moments of its columns.
    data["mean"], data["stddev"] = data["mean"][:features], data["stddev"][:features]
    values = Values(**{field.name: data[field.name] for field in dataclasses.fields(Values)})
    threshold = settings.get("threshold", _settings.TRAINING["threshold"])
    if not isinstance(threshold, (int, float)):
        raise OSError(f"[load] {file}: expected a number as the setting threshold, got {threshold!r}")
    values.set_binarize(vae.binarize, threshold)
    vae._keep(model, model_settings, values, _files.history_of(file, metadata))
    vae._metadata = metadata
    vae._image_shape = (data["height"], data["width"])
    vae.n_features_in_ = features
    if data["column_names"]:
        vae.feature_names_in_ = np.array(data["column_names"][:features], dtype=object)
    return vae
