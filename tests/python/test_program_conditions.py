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


def test_columns_of_a_condition_have_the_names_of_the_frame(rows, program, tmp_path):
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame(rows[:, :3], columns=list("abc"))
    y = pandas.DataFrame({"dose": rows[:, 3], "age": 50 + 10 * rows[:, 0]})
    vae = gpuvae.VAE(hidden=(8,), latent=2, epochs=1, verbose=False).fit(x, condition=y)
    (tmp_path / "P").mkdir()
    again = gpuvae.load(vae.save(tmp_path / "P/model.safetensors"))
    for model in (vae, again):
        assert np.allclose(model.transform(x, condition=y), model.transform(x, condition=y.to_numpy()))
        with pytest.raises(ValueError, match="expected a condition with the columns dose, age in this order, got age, dose"):
            model.transform(x, condition=y[["age", "dose"]])
    # The file does not have the mean of the condition, so that the programs cannot take it.
    with pytest.raises(subprocess.CalledProcessError) as failed:
        program("vae", "sample", "--out", "P", "--samples", 3, "--output", "s.csv", cwd=tmp_path)
    assert "expected values of the condition's columns (--given)" in failed.value.stderr
    program("vae", "sample", "--out", "P", "--samples", 3, "--given", "1,50", "--output", "s.csv", cwd=tmp_path)
    assert list(read_table(tmp_path / "s.csv")) == ["a", "b", "c"]
    # Names that the programs cannot read, or that features have, too, are not stored.
    odd = pandas.DataFrame({"a": rows[:, 3], "label": rows[:, 0], "x,y": rows[:, 1]})
    vae = gpuvae.VAE(hidden=(8,), latent=2, epochs=1, verbose=False).fit(x, condition=odd)
    again = gpuvae.load(vae.save(tmp_path / "odd.safetensors"))
    assert np.allclose(again.transform(x, condition=odd), vae.transform(x, condition=odd))


def test_classes_that_are_numbers_are_compared_as_numbers(rows, program, tmp_path):
    labels = np.array([1.0, 2.0, 3.0])[np.arange(len(rows)) % 3]
    vae = gpuvae.VAE(hidden=(8,), latent=2, epochs=1, verbose=False).fit(rows[:, :3], condition=labels)
    (tmp_path / "P").mkdir()
    vae.save(tmp_path / "P/model.safetensors")
    for name in ("1", "1.0", "3"):
        program("vae", "decode", "--out", "P", "--z", "0.5,-1", "--class", name, "--output", "x.csv", cwd=tmp_path)
        theirs = np.array([read_table(tmp_path / "x.csv")[f"x{i}"].astype(float)[0] for i in range(3)])
        ours = vae.inverse_transform(np.array([[0.5, -1]]), condition=float(name))
        assert np.allclose(ours[0], theirs, rtol=1e-4, atol=1e-4)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        program("vae", "decode", "--out", "P", "--z", "0,0", "--class", "0", "--output", "y.csv", cwd=tmp_path)
    assert "expected one of the classes 1.0, 2.0, 3.0 as --class, got 0" in failed.value.stderr


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
