"""Likelihoods of counts and bytes, columns of several types, and missing values."""

import numpy as np
import pytest

import gpuvae


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
