"""The exemplar prior, whose exemplars are the training rows and not in model files."""

import pickle

import numpy as np
import pytest

import gpuvae


def exemplar_vae(**others):
    options = {"hidden": (8,), "epochs": 3, "batch_size": 50, "settings": {"prior_components": 60}}
    return gpuvae.VAE(prior="exemplar", verbose=False, **{**options, **others})


def same_results(a, b, rows, **condition):
    given = {name: value[0] for name, value in condition.items()}
    return (
        (a.score_samples(rows, samples=3, **condition) == b.score_samples(rows, samples=3, **condition)).all()
        and (a.sample(7, **given) == b.sample(7, **given)).all()
        and all((a.scores(rows, **condition)[k] == v).all() for k, v in b.scores(rows, **condition).items())
    )


def test_exemplars_are_a_learned_prior(rows):
    vae = exemplar_vae(epochs=40, learning_rate=5e-3).fit(rows)
    normal = gpuvae.VAE(hidden=(8,), epochs=40, batch_size=50, learning_rate=5e-3, verbose=False).fit(rows)
    assert vae._model.parameters()["prior.log_variance"] < -0.1
    assert vae.score(rows, samples=20) > normal.score(rows, samples=20)
    assert vae.sample(50).shape == (50, rows.shape[1])


def test_a_loaded_model_needs_its_exemplars(rows, tmp_path):
    vae = exemplar_vae().fit(rows)
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors"))
    assert (loaded.transform(rows) == vae.transform(rows)).all()
    assert (loaded.reconstruct(rows) == vae.reconstruct(rows)).all()
    for call in (lambda: loaded.sample(2), lambda: loaded.score(rows), lambda: loaded.scores(rows)):
        with pytest.raises(ValueError, match="expected a model with its exemplars.*set_exemplars"):
            call()
    assert loaded.set_exemplars(rows) is loaded
    assert same_results(vae, loaded, rows)
    assert (loaded.fit(rows).transform(rows) == vae.transform(rows)).all()


def test_exemplars_must_be_the_training_rows(rows, tmp_path):
    loaded = gpuvae.load(exemplar_vae().fit(rows).save(tmp_path / "model.safetensors"))
    with pytest.raises(ValueError, match="expected the 300 rows of the training set, got 299"):
        loaded.set_exemplars(rows[1:])
    with pytest.raises(ValueError, match="in their order, with the fingerprint"):
        loaded.set_exemplars(rows[::-1])
    with pytest.raises(ValueError, match="4 features"):
        loaded.set_exemplars(rows[:, 1:])
    with pytest.raises(ValueError, match="expected a model with the prior exemplar, got standard normal"):
        gpuvae.VAE(hidden=(8,), epochs=1, verbose=False).fit(rows).set_exemplars(rows)
    with pytest.raises(ValueError, match="expected 2 or more exemplars per step, got 1"):
        exemplar_vae(settings={"prior_components": 1}).fit(rows)
    with pytest.raises(ValueError, match="expected 2 or more exemplars, in all"):
        exemplar_vae().fit(rows[:1])


def test_pickles_hold_the_exemplars(images):
    vae = exemplar_vae(likelihood="bernoulli", binarize="dynamic").fit(images)
    assert same_results(vae, pickle.loads(pickle.dumps(vae)), images)


def test_the_estimator_copies_the_rows(images):
    rows = images.copy()
    vae = exemplar_vae(likelihood="bernoulli").fit(rows)
    before = vae.sample(5)
    rows[:] = 0
    assert (vae.sample(5) == before).all()


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_exemplars_with_a_condition(rows, tmp_path, kind):
    count = np.arange(len(rows))
    condition = count % 3 if kind == "classes" else np.stack([count % 5, np.cos(count)], axis=1)
    vae = exemplar_vae().fit(rows, condition=condition)
    loaded = gpuvae.load(vae.save(tmp_path / "model.safetensors")).set_exemplars(rows, condition=condition)
    assert same_results(vae, loaded, rows, condition=condition)
    with pytest.raises(ValueError, match="expected a condition"):
        loaded.set_exemplars(rows)


def test_exemplars_must_have_their_classes(rows, program, tmp_path):
    classes = np.arange(len(rows)) % 3
    vae = exemplar_vae().fit(rows, condition=classes)
    vae.save(tmp_path / "P")
    table = np.column_stack([rows.round(4), classes])
    np.savetxt(tmp_path / "x.csv", table, ",".join(["%.4f"] * 5 + ["%d"]), header="a,b,c,d,e,label", comments="")
    flags = ["--data", "x.csv", "--label-column", "label", "--condition", "label", "--prior", "exemplar"]
    program("vae", *flags, "--prior-components", 60, "--validation-fraction", 0, "--hidden", "8", "--epochs", 2,
            "--device", "cpu", "--out", "R", cwd=tmp_path)
    for folder, x in (("P", rows), ("R", rows.round(4))):
        loaded = gpuvae.load(tmp_path / folder)
        with pytest.raises(ValueError, match="in their order, with the fingerprint"):
            loaded.set_exemplars(x, condition=2 - classes)
        with pytest.raises(ValueError, match="expected the 300 rows of the training set, got 299"):
            loaded.set_exemplars(x[1:], condition=classes[1:])
        assert np.isfinite(loaded.set_exemplars(x, condition=classes).score(x, condition=classes))
    loaded = gpuvae.load(tmp_path / "P").set_exemplars(rows, condition=classes)
    assert same_results(vae, loaded, rows, condition=classes)


def test_the_program_and_python_agree(rows, program, tmp_path):
    x = rows.astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    flags = ["--data", "x.npy", "--standardize=false", "--validation-fraction", 0, "--hidden", "8", "--epochs", 3,
             "--seed", 7, "--likelihood", "gaussian", "--gaussian-mean", "identity", "--prior", "exemplar",
             "--prior-components", 60, "--device", "cpu"]
    program("vae", *flags, "--out", "R", cwd=tmp_path)
    theirs = gpuvae.load(tmp_path / "R").set_exemplars(x)
    ours = exemplar_vae(batch_size=100, seed=7, standardize=False).fit(x)
    for name, array in theirs._model.parameters().items():
        assert (ours._model.parameters()[name] == array).all(), name
    assert same_results(theirs, ours, x)
    program("vae", "sample", "--out", "R", "--samples", 9, "--output", "theirs.npy", cwd=tmp_path)
    assert (np.load(tmp_path / "theirs.npy") == ours.sample(9, mean=True)).all()
    # The program opens a model of Python if it gets the training data.
    ours.save(tmp_path / "P")
    program("vae", "sample", "--out", "P", *flags[:5], "--samples", 9, "--output", "ours.npy", cwd=tmp_path)
    assert (np.load(tmp_path / "ours.npy") == np.load(tmp_path / "theirs.npy")).all()


def write_idx(path, array):
    """Writes bytes in the format of MNIST."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_a_run_of_the_preset(program, tmp_path):
    generator = np.random.default_rng(2)
    images, labels = generator.integers(0, 256, (160, 28, 28)), generator.integers(0, 10, 160)
    for part, rows in (("train", slice(0, 120)), ("t10k", slice(120, 160))):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images[rows])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels[rows])
    # 100 of the 120 images are exemplars, and the others the validation set.
    program("mnist_vae", "--preset", "exemplar-mnist", "--data-dir", ".", "--train-images", 100, "--hidden", "16",
            "--latent", 3, "--epochs", 2, "--device", "cpu", "--out", "R", cwd=tmp_path)
    exemplars = images[:100].reshape(100, 784).astype(np.uint8)
    vae = gpuvae.load(tmp_path / "R").set_exemplars(exemplars)
    assert np.isfinite(vae.score(exemplars, samples=2))
    program("mnist_vae", "sample", "--out", "R", "--samples", 6, "--output", "samples.npy", cwd=tmp_path)
    assert (np.load(tmp_path / "samples.npy").reshape(6, 784) == vae.sample(6, mean=True)).all()
    with pytest.raises(ValueError, match="expected the 100 rows"):
        vae.set_exemplars(exemplars[:99])
