"""Conditional models of the programs: scaled columns of real numbers, names of classes, and classes without rows."""

import subprocess

import numpy as np
import pytest

import gpuvae

FLAGS = ["--hidden", "8", "--latent", 2, "--epochs", 2, "--validation-fraction", 0, "--samples", 4, "--threads", 1,
         "--device", "cpu"]


def table(path, names, columns):
    path.write_text("\n".join(",".join(map(str, row)) for row in [names, *zip(*columns)]) + "\n")


def read_table(path):
    names, *lines = path.read_text().splitlines()
    return dict(zip(names.split(","), np.array([line.split(",") for line in lines]).T))


def codes_of(path):
    columns = read_table(path)
    return np.stack([columns["z1"], columns["z2"]], axis=1).astype(np.float64)


@pytest.fixture
def numbers():
    """Whole numbers [200, 4] from 0 to 255."""
    return np.random.default_rng(3).integers(0, 256, (200, 4))


@pytest.mark.parametrize("prior", ["normal", "exemplar"])
@pytest.mark.parametrize("units", [["--standardize"], ["--value-range", "0:300"]], ids=str)
def test_numbers_as_condition_have_the_units_of_the_data(numbers, program, tmp_path, units, prior):
    table(tmp_path / "x.csv", "abcd", numbers.T)
    more = ["--prior", prior, "--prior-components", 50] if prior == "exemplar" else []
    data = ["--data", "x.csv", "--condition", "b"]
    program("vae", *data, *units, *more, *FLAGS, "--out", "R", cwd=tmp_path)
    features, condition = numbers[:, [0, 2, 3]].astype(np.float64), numbers[:, [1]]
    vae = gpuvae.load(tmp_path / "R")
    vae.save(tmp_path / "P")
    for run in ("R", "P"):
        program("vae", "encode", "--out", run, "--input", "x.csv", "--output", "z.csv", cwd=tmp_path)
        codes = vae.transform(features, condition=condition)
        assert np.allclose(codes, codes_of(tmp_path / "z.csv"), rtol=0, atol=1e-5)
        program("vae", "reconstruct", "--out", run, "--input", "x.csv", "--output", "rec.csv", cwd=tmp_path)
        theirs = np.stack([read_table(tmp_path / "rec.csv")[name].astype(float) for name in "acd"], axis=1)
        ours = vae.reconstruct(features, condition=condition)
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-2)
    if prior == "exemplar":
        vae.set_exemplars(features, condition=condition)
        with pytest.raises(ValueError, match="fingerprint"):
            vae.set_exemplars(features, condition=255 - condition)
    program("vae", "sample", "--out", "R", *(data[:2] if more else []), "--given", 100, "--samples", 5, "--output",
            "s.csv", cwd=tmp_path)
    theirs = np.stack([read_table(tmp_path / "s.csv")[name].astype(float) for name in "acd"], axis=1)
    assert np.allclose(vae.sample(5, mean=True, condition=[100]), theirs, rtol=1e-4, atol=1e-2)
    assert np.isfinite(vae.score(features, condition=condition))


def test_bytes_as_condition_of_bytes_are_divided_by_255(program, tmp_path):
    bytes_ = np.random.default_rng(4).integers(0, 256, (100, 17))
    bytes_[0, 0] = 255
    names = [f"c{i}" for i in range(17)]
    table(tmp_path / "x.csv", names, bytes_.T)
    program("vae", "--data", "x.csv", "--condition", "c16", *FLAGS, "--out", "R", cwd=tmp_path)
    program("vae", "encode", "--out", "R", "--input", "x.csv", "--output", "z.csv", cwd=tmp_path)
    vae = gpuvae.load(tmp_path / "R")
    codes = vae.transform(bytes_[:, :16].astype(np.uint8), condition=bytes_[:, [16]])
    assert np.allclose(codes, codes_of(tmp_path / "z.csv"), rtol=0, atol=1e-5)


def test_numbers_as_condition_of_bytes_are_not_divided(program, tmp_path):
    random = np.random.default_rng(5)
    x, y = random.integers(0, 256, (100, 16)).astype(np.uint8), random.normal(30, 10, (100, 1))
    vae = gpuvae.VAE(hidden=(8,), latent=2, epochs=1, likelihood="bernoulli", verbose=False).fit(x, condition=y)
    (tmp_path / "P").mkdir()
    vae.save(tmp_path / "P/model.safetensors")
    (tmp_path / "z.csv").write_text("z1,z2\n0.5,-1\n1,2\n")
    program("vae", "decode", "--out", "P", "--input", "z.csv", "--given", 35.5, "--output", "x.csv", cwd=tmp_path)
    theirs = np.stack([read_table(tmp_path / "x.csv")[f"x{i}"].astype(float) for i in range(16)], axis=1)
    ours = vae.inverse_transform(np.array([[0.5, -1], [1, 2]]), condition=np.array([[35.5], [35.5]]))
    assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    table(tmp_path / "rows.csv", [*(f"x{i}" for i in range(16)), "condition0"], np.concatenate([x, y.round()], axis=1).T)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        program("vae", "encode", "--out", "P", "--input", "rows.csv", "--output", "q.csv", cwd=tmp_path)
    assert "expected no --input for a model of bytes with numbers as condition" in failed.value.stderr


def trained_with_labels(rows, labels, program, folder):
    table(folder / "x.csv", ["a", "b", "c", "label"], [*rows[:, :3].round(4).T, labels])
    flags = ["--label-column", "label", "--condition", "label", *FLAGS]
    program("vae", "--data", "x.csv", *flags, "--out", "R", cwd=folder)
    program("vae", "encode", "--out", "R", "--input", "x.csv", "--output", "z.csv", cwd=folder)
    return gpuvae.load(folder / "R"), rows[:, :3].round(4), codes_of(folder / "z.csv")


@pytest.mark.parametrize("names", [["\u00b2", "x", "y"], ["1", "a", "b"]], ids=str)
def test_names_of_classes_that_are_texts(rows, program, tmp_path, names):
    labels = np.array(names)[np.arange(len(rows)) % 3]
    vae, x, codes = trained_with_labels(rows, labels, program, tmp_path)
    assert np.allclose(vae.transform(x, condition=labels), codes, rtol=0, atol=1e-5)


def test_names_of_classes_that_are_numbers(rows, program, tmp_path):
    labels = np.array([8, 9, 10])[np.arange(len(rows)) % 3]
    vae, x, codes = trained_with_labels(rows, labels, program, tmp_path)
    assert np.allclose(vae.transform(x, condition=labels), codes, rtol=0, atol=1e-5)


def test_classes_without_training_rows_are_refused(rows, program, tmp_path):
    labels = np.array([1, 4, 7])[np.arange(len(rows)) % 3]
    vae, x, codes = trained_with_labels(rows, labels, program, tmp_path)
    again = gpuvae.load(vae.save(tmp_path / "model.safetensors"))
    for model in (vae, again):
        assert np.allclose(model.transform(x, condition=labels), codes, rtol=0, atol=1e-5)
        assert model.sample(2, condition=4).shape == (2, 3)
        for call in (lambda: model.sample(2, condition=2), lambda: model.transform(x, condition=labels - 1)):
            with pytest.raises(ValueError, match="expected classes among 1, 4, 7"):
                call()
    fitted = gpuvae.VAE(hidden=(8,), epochs=1, verbose=False).fit(x, condition=labels)
    with pytest.raises(ValueError, match="expected classes among 1, 4, 7"):
        fitted.sample(2, condition=2)
