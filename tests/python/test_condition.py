"""Conditional models: classes and real numbers as condition, and models with other posteriors and gated layers."""

import numpy as np
import pytest

import gpuvae


@pytest.fixture
def classes(rows):
    return np.arange(len(rows)) % 3


def settings(**others):
    return {"latent": 2, "hidden": (8,), "epochs": 3, "batch_size": 50, "verbose": False, **others}


def test_classes_as_condition(rows, classes, tmp_path):
    moved = rows + 3 * rows.std(axis=0) * classes[:, None]
    vae = gpuvae.VAE(**settings(epochs=60, learning_rate=5e-3)).fit(moved, condition=classes)
    assert vae.transform(moved, condition=classes).shape == (len(rows), 2)
    assert vae.reconstruct(moved, condition=classes).shape == rows.shape
    low, high = (vae.sample(200, mean=True, condition=c).mean(axis=0) for c in (0, 2))
    assert (high > low).all()
    assert np.isfinite(vae.score(moved, condition=classes, samples=5))
    codes = np.zeros((4, 2))
    assert (vae.inverse_transform(codes, condition=1) == vae.inverse_transform(codes, condition=[1] * 4)).all()
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors"))
    assert (loaded.transform(moved, condition=classes) == vae.transform(moved, condition=classes)).all()
    assert (loaded.sample(3, condition=2) == vae.sample(3, condition=2)).all()


def test_texts_and_bytes(images):
    names = np.array(["even", "odd"])[np.arange(len(images)) % 2]
    vae = gpuvae.VAE(**settings(likelihood="bernoulli")).fit(images, condition=names)
    assert vae.transform(images, condition=names).shape == (len(images), 2)
    assert vae.sample(2, condition="odd").shape == (2, images.shape[1])


def test_numbers_as_condition(rows, tmp_path):
    condition = np.random.default_rng(0).normal(size=(len(rows), 2))
    with pytest.raises(ValueError, match="expected no validation_condition without validation rows"):
        gpuvae.VAE(**settings()).fit(rows, condition=condition, validation_condition=condition)
    vae = gpuvae.VAE(**settings()).fit(rows, condition=condition, validation=rows, validation_condition=condition)
    codes = vae.transform(rows, condition=condition)
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors"))
    assert (loaded.transform(rows, condition=condition) == codes).all()
    assert loaded.n_features_in_ == rows.shape[1]
    assert vae.inverse_transform(codes[:3], condition=[0.5, -1]).shape == (3, rows.shape[1])


def test_unsuitable_conditions(rows, classes):
    vae = gpuvae.VAE(**settings(epochs=1)).fit(rows, condition=classes)
    for call, message in [
        (lambda: vae.transform(rows), "expected a condition"),
        (lambda: vae.transform(rows, condition=classes[:-1]), "for each of"),
        (lambda: vae.sample(2, condition=7), "expected classes among 0, 1, 2"),
        (lambda: gpuvae.VAE(**settings()).fit(rows, condition=classes + 0.5), "got fractions"),
        (lambda: gpuvae.VAE(**settings()).fit(rows, condition=classes[:5]), "for each of"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    plain = gpuvae.VAE(**settings(epochs=1)).fit(rows)
    for call in (
        lambda: plain.transform(rows, condition=classes),
        lambda: plain.sample(2, condition=1),
    ):
        with pytest.raises(ValueError, match="expected no condition"):
            call()


@pytest.mark.parametrize("posterior", ["planar:2", "iaf:2:8", "full"])
def test_posteriors_and_gated_layers(rows, posterior, tmp_path):
    vae = gpuvae.VAE(**settings(settings={"posterior": posterior, "gated": True, "init": "he_normal"})).fit(rows)
    assert np.isfinite(vae.score(rows, samples=3))
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors"))
    assert (loaded.transform(rows) == vae.transform(rows)).all()


@pytest.mark.parametrize(
    "values",
    [[0.0, 1.0], [False, True], [-1, 1], ["0", "1"], ["01", "1"], [0, 1], ["a", "1"], [-0.0, 2.0]],
    ids=repr,
)
def test_classes_keep_their_kind_in_files(rows, values, tmp_path):
    condition = np.array(values)[np.arange(len(rows)) % 2]
    vae = gpuvae.VAE(**settings(epochs=1)).fit(rows, condition=condition)
    codes = vae.transform(rows, condition=condition)
    path = vae.save(tmp_path / "model.safetensors")
    for _ in range(2):  # the second file is that of a loaded model
        loaded = gpuvae.load(path)
        assert loaded.condition_ == vae.condition_
        assert [type(c) for c in loaded.condition_.classes] == [type(c) for c in vae.condition_.classes]
        assert (loaded.transform(rows, condition=condition) == codes).all()
        path = loaded.save(tmp_path / "again.safetensors", overwrite=True)


def test_classes_of_files_of_the_programs(rows, classes, tmp_path):
    vae = gpuvae.VAE(**settings(epochs=1)).fit(rows, condition=classes)
    del vae._metadata["classes"]
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors"))
    assert (loaded.transform(rows, condition=classes) == vae.transform(rows, condition=classes)).all()
    vae._metadata["classes"] = "[0, 1]"
    path = vae.save(tmp_path / "damaged.safetensors")
    with pytest.raises(OSError, match="expected 3 classes of the condition"):
        gpuvae.load(path)


def test_classes_with_two_dimensions_are_refused(rows, classes):
    vae = gpuvae.VAE(**settings(epochs=1)).fit(rows, condition=classes)
    with pytest.raises(ValueError, match=r"expected classes among 0, 1, 2 as condition \[rows\], got shape \(\d+, 1\)"):
        vae.transform(rows, condition=classes[:, None])


@pytest.mark.parametrize("likelihood", ["negative-binomial", "zero-inflated-negative-binomial"])
def test_conditional_models_of_counts(classes, likelihood):
    counts = np.random.default_rng(0).poisson(1 + 5 * classes[:, None], (len(classes), 4)).astype(np.float64)
    vae = gpuvae.VAE(**settings(likelihood=likelihood)).fit(counts, condition=classes)
    assert np.isfinite(vae.score(counts, condition=classes, samples=3))
    assert vae.sample(3, condition=1).shape == (3, 4)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_classes_are_refused(rows, missing):
    names = ["a", "b", missing] * 100
    for given in (names, np.array(names, dtype=object), [0, 1, missing] * 100):
        with pytest.raises(ValueError, match="expected texts or whole numbers as classes"):
            gpuvae.VAE(**settings()).fit(rows, condition=given)
    vae = gpuvae.VAE(**settings(epochs=1)).fit(rows, condition=["a", "b", "c"] * 100)
    with pytest.raises(ValueError, match="expected classes among a, b, c"):
        vae.transform(rows, condition=names)


def test_lists_are_no_classes(rows, classes):
    vae = gpuvae.VAE(**settings(epochs=1)).fit(rows, condition=classes)
    lists = np.empty(len(rows), object)
    lists[:] = [[0]] * len(rows)
    for given in ([[0]] * len(rows), [[0, 1]] * len(rows), lists):
        with pytest.raises(ValueError, match="expected classes among 0, 1, 2"):
            vae.transform(rows, condition=given)
        with pytest.raises(ValueError, match="expected"):
            vae.sample(len(rows), condition=given)
    with pytest.raises(ValueError, match="expected texts or whole numbers as classes"):
        gpuvae.VAE(**settings()).fit(rows, condition=lists)
