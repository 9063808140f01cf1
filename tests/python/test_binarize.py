"""Models of binarized values: the methods use the threshold of the training, and conditions stay as they are."""

import pickle

import numpy as np
import pytest

import gpuvae


def settings(**others):
    return {"latent": 2, "hidden": (8,), "epochs": 2, "likelihood": "bernoulli", "verbose": False, **others}


def read_table(path):
    names, *lines = path.read_text().splitlines()
    return dict(zip(names.split(","), np.array([line.split(",") for line in lines], float).T))


@pytest.mark.parametrize("threshold", [0.5, 0.6])
@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_a_model_of_the_program_binarizes_with_the_threshold(images, program, tmp_path, kind, threshold):
    x = images if kind == "bytes" else (images / 255).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    program("vae", "--data", "x.npy", "--likelihood", "bernoulli", "--binarize", "threshold", "--threshold", threshold,
            "--hidden", "8", "--latent", 2, "--epochs", 5, "--validation-fraction", 0, "--device", "cpu", "--out", "R",
            cwd=tmp_path)
    vae = gpuvae.load(tmp_path / "R")
    program("vae", "encode", "--out", "R", "--input", "x.npy", "--output", "z.csv", cwd=tmp_path)
    codes = read_table(tmp_path / "z.csv")
    assert np.allclose(vae.transform(x), np.stack([codes["z1"], codes["z2"]], axis=1), rtol=0, atol=1e-5)
    program("vae", "reconstruct", "--out", "R", "--input", "x.npy", "--output", "rec.npy", cwd=tmp_path)
    theirs = np.load(tmp_path / "rec.npy").reshape(images.shape)
    assert np.allclose(vae.reconstruct(x), theirs, rtol=0, atol=1e-5)
    program("vae", "eval", "--out", "R", "--set", "train", "--importance-samples", 300, "--per-row", "e.csv",
            cwd=tmp_path)
    theirs, ours = read_table(tmp_path / "e.csv"), vae.scores(x, samples=300)
    assert np.allclose(ours["kl"], theirs["kl"], rtol=1e-4)
    assert np.isclose(ours["log_likelihood"].mean(), theirs["log_likelihood"].mean(), rtol=0.01)


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_a_fitted_model_binarizes_with_the_threshold(images, tmp_path, threshold):
    more = {} if threshold == 0.5 else {"settings": {"threshold": threshold}}
    vae = gpuvae.VAE(**settings(binarize="threshold", epochs=20, **more)).fit(images, validation=images)
    binary = (images / 255 > threshold).astype(np.float32)
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors"))
    for model in (vae, loaded, pickle.loads(pickle.dumps(vae))):
        assert (model.transform(images) == vae.transform(binary)).all()
        assert (model.score_samples(images, samples=3) == vae.score_samples(binary, samples=3)).all()
        assert (model.reconstruct(images) == vae.reconstruct(binary)).all()
    assert np.isclose(-vae.score(images), list(vae._history)[-1]["val_loss"], rtol=0.02)


def test_missing_values_stay_missing(images):
    x = np.where(np.arange(images.size).reshape(images.shape) % 7 == 0, np.nan, images / 255)
    vae = gpuvae.VAE(**settings(binarize="threshold", settings={"missing_values": True})).fit(x)
    binary = np.where(np.isnan(x), np.nan, x > 0.5)
    assert (vae.transform(x) == vae.transform(binary)).all()


def test_exemplars_are_binarized_once(images, tmp_path):
    vae = gpuvae.VAE(**settings(binarize="threshold", prior="exemplar", settings={"prior_components": 50})).fit(images)
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors")).set_exemplars(images)
    assert (loaded.score_samples(images) == vae.score_samples(images)).all()


@pytest.mark.parametrize("binarize", ["threshold", "fixed", "dynamic"])
def test_numbers_as_condition_are_not_binarized(images, binarize):
    condition = np.where(np.arange(len(images)) % 2, 0.4, 0.6)[:, None]
    with pytest.raises(ValueError, match=f'expected binarize="none" for a condition of real numbers, got .{binarize}'):
        gpuvae.VAE(**settings(binarize=binarize)).fit(images, condition=condition)
    classes = np.arange(len(images)) % 2
    vae = gpuvae.VAE(**settings(binarize=binarize)).fit(images, condition=classes)
    assert np.isfinite(vae.score(images, condition=classes))
