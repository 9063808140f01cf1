"""The errors of unsuitable rows, parameters, codes and seeds, and the bytes and booleans that are suitable."""

import numpy as np
import pytest

import gpuvae


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
    with pytest.raises(ValueError, match="trained on bytes: expected 0 to 255, got -"):
        pictures.transform(images.astype(np.int8))
    small = (images // 2).astype(np.int8)
    assert (pictures.transform(small) == pictures.transform(small.astype(np.uint8))).all()
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
