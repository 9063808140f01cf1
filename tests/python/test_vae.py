"""The numbers that VAE computes, against NumPy, and its training."""

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
