"""The numbers that VAE computes, against NumPy, and the errors of unsuitable arguments."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gpuvae


def forward(vae, x, prefix, head):
    """The encoder or decoder of a VAE with ReLU in NumPy, in float64."""
    p = {name: array.astype(np.float64) for name, array in vae._model.parameters().items()}
    layer = 0
    while f"{prefix}.{layer}.weight" in p:
        x = np.maximum(x @ p[f"{prefix}.{layer}.weight"].T + p[f"{prefix}.{layer}.bias"], 0)
        layer += 1
    assert layer > 0
    return x @ p[f"{head}.weight"].T + p[f"{head}.bias"]


def encoded(vae, x):
    mean, log_variance = np.split(forward(vae, x, "encoder", "posterior"), 2, axis=1)
    return mean, log_variance


def gaussian_log_density(x, mean, log_variance):
    v = np.clip(log_variance, -5, 5)
    return -0.5 * (np.log(2 * np.pi) + v + (x - mean) ** 2 * np.exp(-v)).sum(axis=-1)


def close(actual, expected, tolerance):
    return np.shape(actual) == np.shape(expected) and np.max(np.abs(actual - expected)) <= tolerance


@pytest.fixture
def vae(rows):
    return gpuvae.VAE(latent=2, hidden=(16, 8), epochs=5, batch_size=50, verbose=False).fit(rows)


def standardized(rows):
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def test_transform_is_the_mean_of_the_posterior(vae, rows):
    codes = vae.transform(rows)
    assert codes.dtype == np.float32
    assert close(codes, encoded(vae, standardized(rows))[0], 1e-5)


def test_inverse_transform_is_in_the_units_of_the_data(vae, rows):
    z = np.random.default_rng(3).normal(size=(7, 2))
    mean, _ = np.split(forward(vae, z, "decoder", "output"), 2, axis=1)
    assert close(vae.inverse_transform(z), mean * rows.std(axis=0) + rows.mean(axis=0), 1e-5)
    assert close(vae.reconstruct(rows), vae.inverse_transform(vae.transform(rows)), 1e-6)


def test_training_lowers_the_loss_of_validation_rows(rows):
    vae = gpuvae.VAE(hidden=(32,), epochs=60, batch_size=20, learning_rate=3e-3, verbose=False)
    vae.fit(rows[:200], validation=rows[200:])
    losses = [row["val_loss"] for row in vae._history]
    assert len(losses) == 60
    assert losses[-1] < losses[0] - 1
    # A Gaussian with independent features, the best model without a latent code, has this loss.
    assert losses[-1] < 5 * 0.5 * (np.log(2 * np.pi) + 1)


def test_bernoulli_of_bytes(images):
    vae = gpuvae.VAE(hidden=(16,), likelihood="bernoulli", epochs=3, batch_size=20, verbose=False).fit(images)
    x = images / 255.0
    assert close(vae.transform(images), encoded(vae, x)[0], 1e-5)
    logits = forward(vae, vae.transform(images), "decoder", "output")
    assert close(vae.reconstruct(images), 1 / (1 + np.exp(-logits)), 1e-5)
    assert close(vae.transform(x), vae.transform(images), 1e-5)
    assert close(vae.transform(images.astype(np.int64)), vae.transform(images), 0)


def test_importance_weighted_scores_approach_log_p(rows):
    vae = gpuvae.VAE(latent=1, hidden=(8,), epochs=20, batch_size=20, learning_rate=3e-3, verbose=False).fit(rows)
    x = standardized(rows)[:40]
    # log p(x) by quadrature over the one latent dimension
    z = np.linspace(-8, 8, 4001)
    mean, log_variance = np.split(forward(vae, z[:, None], "decoder", "output"), 2, axis=1)
    log_prior = -0.5 * (z**2 + np.log(2 * np.pi))
    joint = gaussian_log_density(x[:, None, :], mean, log_variance) + log_prior
    largest = joint.max(axis=1, keepdims=True)
    log_p = largest[:, 0] + np.log(np.exp(joint - largest).sum(axis=1) * (z[1] - z[0]))
    scores = vae.score_samples(rows[:40], samples=20000)
    assert scores.dtype == np.float64
    assert close(scores, log_p, 0.05)
    assert abs(np.mean(scores - log_p)) <= 0.01
    # The mean of the single draws is the ELBO, the expectation of log p(x | z) under q less the KL divergence.
    center, log_variance = encoded(vae, x)
    density = np.exp(-0.5 * ((z - center) ** 2 / np.exp(log_variance) + log_variance + np.log(2 * np.pi)))
    kl = 0.5 * (center**2 + np.exp(log_variance) - log_variance - 1)[:, 0]
    elbo = (density * (joint - log_prior)).sum(axis=1) * (z[1] - z[0]) - kl
    draws = [vae.score_samples(rows[:40], seed=seed) for seed in range(100)]
    assert abs(np.mean(draws) - elbo.mean()) <= 0.1
    assert (elbo <= log_p + 1e-3).all()
    assert np.isclose(vae.score(rows[:40]), vae.score_samples(rows[:40]).mean())


def test_rows_do_not_depend_on_each_other(vae, rows):
    many = np.vstack([rows, rows])
    for function in (vae.transform, vae.reconstruct, vae.score_samples):
        all_rows = function(many)
        assert (all_rows[:300] == all_rows[300:]).all()
        assert (function(rows[7:8]) == all_rows[7:8]).all()
        assert (function(rows[::-1]) == all_rows[:300][::-1]).all()


def test_same_seed_same_bits(rows):
    def codes(seed):
        return gpuvae.VAE(hidden=(8,), epochs=2, seed=seed, verbose=False).fit(rows).transform(rows)

    assert (codes(4) == codes(4)).all()
    assert (codes(4) != codes(5)).any()


def test_samples_follow_the_model(vae, rows):
    draws = vae.sample(20000)
    assert draws.shape == (20000, 5)
    assert (draws == vae.sample(20000)).all()
    assert (draws != vae.sample(20000, seed=1)).any()
    z = np.random.default_rng(5).normal(size=(20000, 2))
    mean, log_variance = np.split(forward(vae, z, "decoder", "output"), 2, axis=1)
    variance = mean.var(axis=0) + np.exp(np.clip(log_variance, -5, 5)).mean(axis=0)
    assert close(draws.std(axis=0) / rows.std(axis=0), np.sqrt(variance), 0.03)
    expected = mean.mean(axis=0) * rows.std(axis=0) + rows.mean(axis=0)
    assert close(vae.sample(20000, mean=True).mean(axis=0), expected, 0.03)


def test_blocks_of_rows_are_scaled_alike(vae, rows):
    many = np.tile(rows, (30, 1))
    assert (vae.values_.rows(many) == np.tile(vae.values_.rows(rows), (30, 1))).all()


@pytest.mark.parametrize("convert", [
    lambda x: np.asfortranarray(x),
    lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    lambda x: x.tolist(),
    lambda x: x[::-1][::-1],
])
def test_strides_and_lists(vae, rows, convert):
    assert (vae.transform(convert(rows)) == vae.transform(rows)).all()


def test_large_offsets_are_kept(rows):
    # Unix seconds, whose differences float32 loses
    times = 1.7e9 + np.arange(80.0)[:, None] * [1, 2]
    vae = gpuvae.VAE(hidden=(8,), epochs=2, verbose=False).fit(times)
    assert len(np.unique(vae.transform(times)[:, 0])) > 40
    assert close(vae.inverse_transform([[0.0, 0.0]])[0], times.mean(axis=0), 1000)
    with pytest.raises(ValueError, match="feature 0 .* float32 cannot resolve"):
        gpuvae.VAE(standardize=False, verbose=False).fit(times)


@pytest.mark.parametrize("X, message", [
    (np.ones((3, 2)) * np.nan, "NaN"),
    (np.ones((3, 2)) * 1j, "omplex|real numbers"),
    (np.ones(3), "1D array|rows"),
    (np.ones((3, 0)), "0 feature|at least one value"),
    (np.array([["a", "b"]]), "string|real numbers"),
    ([[None, 1.0]], "NaN|finite"),
    (np.zeros((3, 2), "M8[s]"), "real numbers.*datetime64"),
    (np.ma.masked_array([[1.0, -999.0], [2.0, 3.0]], mask=[[0, 1], [0, 0]]), "masked array with 1 masked elements"),
    (np.array([[1e308, 1.0], [-1e308, 1.0]]), "smaller numbers|large"),
])
def test_unsuitable_rows(X, message):
    with pytest.raises(ValueError, match=message):
        gpuvae.VAE(epochs=1, verbose=False).fit(X)


@pytest.mark.parametrize("parameters, message", [
    ({"latent": 0}, "latent"),
    ({"hidden": (0,)}, "[Oo]utputs|width|1 or more|above 0|\\[linear"),
    ({"likelihood": "student"}, "bernoulli, continuous-bernoulli"),
    ({"prior": "flat"}, "one of normal, mixture, vamp"),
    ({"activation": "step"}, "one of identity, relu"),
    ({"optimizer": "lion"}, "one of sgd"),
    ({"learning_rate": -1.0}, "learning rate"),
    ({"batch_size": 0}, "batch"),
    ({"seed": -1}, "0 or more"),
    ({"device": "tpu"}, "tpu"),
    ({"hidden": "64"}, "whole numbers as hidden, got '64'"),
    ({"hidden": (8.5,)}, "whole numbers as hidden, got \\(8.5,\\)"),
    ({"seed": None}, "a value as seed, got None"),
    ({"likelihood": None}, "a value as likelihood, got None"),
    ({"standardize": "no"}, "True or False as standardize, got 'no'"),
    ({"settings": {"fre_bits": 1}}, "got fre_bits"),
    ({"settings": {"value_range": "0:1"}}, "only the programs have value_range"),
    ({"settings": {"free_bits": "many"}}, "a number as free_bits"),
    ({"settings": {"objective": "vae"}}, "one of elbo, stl, iwae, iwae_stl, dreg, ciwae, miwae, piwae as objective"),
    ({"settings": {"objective": "iwae", "objective_samples": 0}}, "1 or more samples"),
    ({"settings": {"objective": "iwae", "free_bits": 0.1}}, "no free bits with the objective iwae"),
])
def test_unsuitable_parameters(rows, parameters, message):
    with pytest.raises(ValueError, match=message):
        gpuvae.VAE(**{"epochs": 1, "verbose": False, **parameters}).fit(rows)


def test_values_that_do_not_match_the_training_data(vae, rows, images):
    with pytest.raises(ValueError, match="5 features|expecting 5"):
        vae.transform(rows[:, :4])
    with pytest.raises(ValueError, match="2 columns|columns"):
        vae.inverse_transform(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="\\[0, 1\\]"):
        gpuvae.VAE(likelihood="bernoulli", verbose=False).fit(rows)
    pictures = gpuvae.VAE(hidden=(8,), likelihood="bernoulli", epochs=1, verbose=False).fit(images)
    with pytest.raises(ValueError, match="trained on bytes.*got floats from 0.0 to"):
        pictures.transform(images.astype(np.float32))
    with pytest.raises(ValueError, match="trained on bytes"):
        pictures.transform(images.astype(int) * 2)
    with pytest.raises(ValueError, match="not trained on bytes"):
        gpuvae.VAE(hidden=(8,), epochs=1, verbose=False).fit(images / 255.0).transform(images)


def test_bytes_of_zero_and_one_are_numbers():
    mask = np.random.default_rng(0).integers(0, 2, (50, 6))
    fit = {dtype: gpuvae.VAE(hidden=(8,), likelihood="bernoulli", epochs=2, verbose=False).fit(mask.astype(dtype))
           for dtype in (np.uint8, np.float64, bool)}
    codes = {dtype: vae.transform(mask.astype(dtype)) for dtype, vae in fit.items()}
    assert (codes[np.uint8] == codes[np.float64]).all()
    assert (codes[bool] == codes[np.float64]).all()


def test_a_model_of_bytes_takes_bool_as_zero_and_one(images):
    vae = gpuvae.VAE(hidden=(8,), likelihood="bernoulli", epochs=2, verbose=False).fit(images)
    mask = images > 0
    codes = vae.transform(np.where(mask, 255, 0).astype(np.uint8))
    assert (vae.transform(mask) == codes).all()
    assert (vae.transform(mask.astype(np.float64)) == codes).all()


def test_unsuitable_codes_and_seeds(vae):
    for codes, message in [([[1e300, 0]], "range of float32, got up to 1e\\+300"), ([["a", "b"]], "real numbers"),
                           (np.ma.masked_array([[1.0, 2.0]], mask=[[0, 1]]), "masked array")]:
        with pytest.raises(ValueError, match=message):
            vae.inverse_transform(codes)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match=f"0 or more, below 2\\^64, as seed, got {seed}"):
            vae.sample(1, seed=seed)
    with pytest.raises(ValueError, match="got 0.0 to 1.0000001"):
        gpuvae.VAE(likelihood="bernoulli", verbose=False).fit([[0.0, 1.0000001]])


def test_use_before_fit():
    for name, arguments in {"transform": [[[1.0]]], "sample": [], "save": ["x"], "score": [[[1.0]]]}.items():
        with pytest.raises(ValueError, match="not fitted"):
            getattr(gpuvae.VAE(), name)(*arguments)


def test_callback_stops_the_training(rows):
    seen = []
    vae = gpuvae.VAE(hidden=(8,), epochs=10, verbose=False)
    vae.fit(rows, callback=lambda result: seen.append(result) or result["epoch"] == 3)
    assert [row["epoch"] for row in seen] == [1, 2, 3]
    assert len(vae.history_) == 3


def test_patience_keeps_the_best_epoch(rows):
    settings = {"patience": 2, "ema": 0.5, "output_bias": "data", "schedule": "cosine", "lr_final": 1e-3}
    vae = gpuvae.VAE(hidden=(16,), epochs=60, learning_rate=0.05, verbose=False, settings=settings)
    vae.fit(rows[:60], validation=rows[60:])
    history = pandas_free(vae)
    losses = [row["val_reconstruction"] + row["val_kl"] for row in history]
    best = int(np.argmin(losses))
    assert len(history) == best + 3 < 60
    again = gpuvae.VAE(hidden=(16,), epochs=60, learning_rate=0.05, verbose=False, settings=settings)
    again.fit(rows[:60], validation=rows[60:], callback=lambda result: result["epoch"] == best + 1)
    assert (again.transform(rows) == vae.transform(rows)).all()
    with pytest.raises(ValueError, match="expected validation examples"):
        gpuvae.VAE(epochs=1, verbose=False, settings={"patience": 1}).fit(rows)
    for bad in ({"ema": 1.5}, {"ema_form": "none"}, {"output_bias": "mean"}, {"schedule": "linear"}, {"patience": -1},
                {"schedule": "cosine", "lr_final": 1.0}):
        with pytest.raises(ValueError, match="expected"):
            gpuvae.VAE(epochs=1, verbose=False, settings=bad).fit(rows)


def test_patience_compares_importance_weighted_objectives(rows):
    settings = {"patience": 40, "objective": "iwae", "objective_samples": 5}
    vae = gpuvae.VAE(hidden=(16,), epochs=20, learning_rate=0.05, verbose=False, settings=settings)
    vae.fit(rows[:60], validation=rows[60:])
    best = int(np.argmin([row["val_loss"] for row in pandas_free(vae)]))
    again = gpuvae.VAE(hidden=(16,), epochs=20, learning_rate=0.05, verbose=False, settings=settings)
    again.fit(rows[:60], validation=rows[60:], callback=lambda result: result["epoch"] == best + 1)
    assert (again.transform(rows) == vae.transform(rows)).all()


def pandas_free(vae):
    return vae.history_ if isinstance(vae.history_, list) else vae.history_.to_dict("records")


def test_scores(vae, rows):
    scores = vae.scores(rows, samples=20, seed=4)
    assert set(scores) == {"elbo", "reconstruction", "kl", "log_likelihood", "effective_samples"}
    assert all(values.shape == (len(rows),) and values.dtype == np.float64 for values in scores.values())
    assert (scores["log_likelihood"] == vae.score_samples(rows, samples=20, seed=4)).all()
    assert close(scores["elbo"], -(scores["reconstruction"] + scores["kl"]), 1e-9)
    assert ((scores["effective_samples"] >= 1 - 1e-12) & (scores["effective_samples"] <= 20 + 1e-9)).all()
    one = vae.scores(rows[:7], seed=4)
    assert close(one["elbo"], vae.score_samples(rows[:7], seed=4), 1e-4)
    assert (one["elbo"] == scores["elbo"][:7]).all() and (one["effective_samples"] == 1).all()


def test_a_failed_fit_keeps_the_model(vae, rows):
    before = vae.transform(rows)

    def fail(result):
        raise KeyError("stop here")

    with pytest.raises(KeyError, match="stop here"):
        vae.fit(rows[:, :3], callback=fail)
    assert (vae.transform(rows) == before).all()


def test_diverging_training_is_a_runtime_error(rows):
    with pytest.raises(RuntimeError, match="not finite"):
        gpuvae.VAE(optimizer="sgd", learning_rate=1e30, epochs=20, verbose=False).fit(rows)


def test_the_example_prints_what_its_header_says():
    example = Path(__file__).parents[2] / "apps/examples/python_vae.py"
    header = example.read_text().split('"""')[1]
    expected = [line[2:] for line in header.splitlines() if line.startswith("  ")]
    output = subprocess.check_output([sys.executable, str(example)], text=True)
    assert output.splitlines() == expected


def test_a_score_that_f32_cannot_hold_warns(rows):
    vae = gpuvae.VAE(hidden=(8,), epochs=1, verbose=False).fit(rows)
    far = np.array(rows, dtype=float)
    far[0] = 1e30
    with pytest.warns(RuntimeWarning, match="1 of .* rows have no finite score"):
        scores = vae.score_samples(far)
    assert not np.isfinite(scores[0])
    assert np.isfinite(scores[1:]).all()


def counts(rows=200):
    rng = np.random.default_rng(3)
    return rng.negative_binomial(2, 0.3, (rows, 6)).astype(np.float64)


def test_likelihoods_of_counts_train_and_return_counts(tmp_path):
    X = counts()
    vae = gpuvae.VAE(latent=2, hidden=(8,), epochs=2, likelihood="negative-binomial").fit(X)
    assert vae.values_.kind == "counts"
    draws = vae.sample(50)
    assert (draws >= 0).all() and (draws == np.floor(draws)).all()
    loaded = gpuvae.load(vae.save(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(loaded.transform(X), vae.transform(X))
    with pytest.raises(ValueError, match="expected counts, whole numbers of 0 or more"):
        gpuvae.VAE(epochs=1, likelihood="poisson").fit(X - 0.5)
    with pytest.raises(ValueError, match="expected uint8 for the likelihood logistic-256"):
        gpuvae.VAE(epochs=1, likelihood="logistic-256").fit(X)


def test_the_location_of_bytes_is_between_0_and_1(tmp_path):
    X = np.full((40, 6), [0, 0, 0, 255, 255, 255], np.uint8)
    vae = gpuvae.VAE(latent=1, hidden=(8,), epochs=60, learning_rate=0.1, likelihood="logistic-256").fit(X)
    means = vae.reconstruct(X[:1])
    assert (means >= 0).all() and (means <= 1).all() and (means[0, :3] < 0.1).all() and (means[0, 3:] > 0.9).all()


def test_missing_values_are_left_out_and_imputed(tmp_path):
    X = counts()
    X[::3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        gpuvae.VAE(epochs=1).fit(X)
    for likelihood in ("gaussian", "poisson"):
        vae = gpuvae.VAE(hidden=(8,), epochs=2, likelihood=likelihood, settings={"missing_values": True}).fit(X)
        assert np.isfinite([row["train_loss"] for row in vae._history]).all()
        assert np.isfinite(vae.score_samples(X, samples=5)).all()
        filled = vae.impute(X)
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
        loaded = gpuvae.load(vae.save(tmp_path / f"{likelihood}.safetensors"))
        np.testing.assert_array_equal(loaded.impute(X), filled)


def test_columns_of_several_types():
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.poisson(3, 100), rng.normal(size=100), np.eye(3)[rng.integers(0, 3, 100)]])
    settings = {"column_types": "poisson:1,gaussian:1,categorical:3"}
    vae = gpuvae.VAE(hidden=(8,), epochs=2, likelihood="columns", settings=settings).fit(X)
    means = vae.reconstruct(X)
    np.testing.assert_allclose(means[:, 2:].sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="expected types of 5 columns, got types of 4"):
        gpuvae.VAE(epochs=1, likelihood="columns", settings={"column_types": "poisson:4"}).fit(X)


def test_columns_refuse_values_that_their_types_do_not_allow():
    types = "poisson:1,bernoulli:1,library:1,categorical:2"
    vae = gpuvae.VAE(hidden=(8,), epochs=1, likelihood="columns", settings={"column_types": types})
    X = np.tile([[2, 0.5, 100, 0, 1], [4, 0, 80, 1, 0.0]], (20, 1))
    vae.fit(X)
    for column, value, message in [
        (0, -1, r"whole numbers of 0 or more in column 0 \(poisson\), got -1 in row 1"),
        (0, 2.5, r"whole numbers of 0 or more in column 0 \(poisson\), got 2.5"),
        (1, 2, r"numbers from 0 to 1 in column 1 \(bernoulli\)"),
        (2, -80, r"a library size above 0 in column 2 \(library\)"),
        (4, 1, r"at most one 1 in the columns 3 to 4 \(categorical\)"),
    ]:
        bad = X.copy()
        bad[1, column] = value
        for call in (vae.transform, vae.reconstruct, vae.score, vae.scores, lambda rows: vae.fit(X, validation=rows)):
            with pytest.raises(ValueError, match=message):
                call(bad)
        with pytest.raises(ValueError, match=message):
            gpuvae.VAE(epochs=1, likelihood="columns", settings={"column_types": types}).fit(bad)


def test_columns_take_uint8_as_numbers(tmp_path):
    X = np.random.default_rng(1).poisson(4, (60, 3)).astype(np.uint8)
    vae = gpuvae.VAE(hidden=(8,), epochs=2, likelihood="columns", settings={"column_types": "poisson:3"})
    codes = vae.fit(X).transform(X)
    np.testing.assert_array_equal(vae.transform(X.astype(np.float64)), codes)
    np.testing.assert_array_equal(gpuvae.load(vae.save(tmp_path / "m.safetensors")).transform(X), codes)


def test_columns_start_at_the_means_and_decode_at_the_library_size():
    rng = np.random.default_rng(2)
    library = rng.integers(50, 500, 200).astype(np.float64)
    X = np.column_stack([rng.poisson(library / 20), rng.normal(3, 0.1, 200), library])
    settings = {"column_types": "poisson:1,gaussian:1,library:1", "output_bias": "data", "library_reference": 100.0}
    vae = gpuvae.VAE(hidden=(8,), epochs=0, likelihood="columns", standardize=False, settings=settings).fit(X)
    bias = vae._model.parameters()["output.bias"]
    rate = X[:, 0].mean() / library.mean() * 100
    np.testing.assert_allclose(bias, [np.log(rate), X[:, 1].mean(), 0], atol=1e-4)
    means = vae.reconstruct(X)
    np.testing.assert_array_equal(means[:, 2], library)
    at_reference = vae.inverse_transform(vae.transform(X))
    np.testing.assert_allclose(means[:, 0], at_reference[:, 0] * library / 100, rtol=1e-4)
    np.testing.assert_array_equal(at_reference[:, 2], 100)


def test_missing_bytes_in_later_rows():
    X = np.random.default_rng(3).integers(0, 256, (60, 5)).astype(np.uint8)
    vae = gpuvae.VAE(hidden=(8,), epochs=1, likelihood="bernoulli", settings={"missing_values": True}).fit(X)
    later = X / 255.0
    later[::2, 1] = np.nan
    filled = vae.impute(later)
    assert np.isfinite(filled).all() and (filled >= 0).all() and (filled <= 1).all()
    with pytest.raises(ValueError, match="trained on bytes"):
        vae.impute(later - 0.5)


def test_rows_whose_draws_all_have_the_weight_zero(rows):
    vae = gpuvae.VAE(hidden=(8,), epochs=1, standardize=False).fit(rows)
    for name in ("posterior.weight", "posterior.bias"):  # q(z | x) = N(0, I) for all x
        vae._model.set_parameter(name, np.zeros_like(vae._model.parameters()[name]))
    far = np.full((2, rows.shape[1]), 1e30)
    for samples in (1, 4):
        with pytest.warns(RuntimeWarning, match="no finite score"):
            assert (vae.score_samples(far, samples=samples) == -np.inf).all()
        scores = vae.scores(far, samples=samples)
        assert (scores["log_likelihood"] == -np.inf).all() and (scores["effective_samples"] == 0).all()


def test_columns_without_values_are_refused(rows):
    X = rows.copy()
    X[:, 2] = np.nan
    for likelihood in ("gaussian", "bernoulli"):
        with pytest.raises(ValueError, match=r"only missing values in feature 2 \(from 0\)"):
            gpuvae.VAE(epochs=1, likelihood=likelihood, settings={"missing_values": True}).fit(X)


def test_categorical_variables_are_missing_as_a_whole():
    X = np.column_stack([np.linspace(-1, 1, 60), np.eye(3)[np.arange(60) % 3]])
    settings = {"column_types": "gaussian:1,categorical:3", "missing_values": True}
    X[5, 1:] = np.nan
    vae = gpuvae.VAE(hidden=(8,), epochs=2, likelihood="columns", settings=settings).fit(X)
    assert np.isfinite(vae.impute(X)).all()
    partly = X.copy()
    partly[7, 2] = np.nan
    message = r"columns 1 to 3 \(categorical\) to be missing or none of them, got 1 missing values in row 7"
    with pytest.raises(ValueError, match=message):
        vae.impute(partly)
    with pytest.raises(ValueError, match=message):
        vae.fit(partly)
    with pytest.raises(ValueError, match=message):
        vae.fit(X, validation=partly)
