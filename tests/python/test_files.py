"""Model files: exchange with the programs, pickles, and damaged files."""

import copy
import json
import os
import pickle
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

import gpuvae


def header(path):
    with open(path, "rb") as file:
        return json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))


def rewrite(path, change):
    """Rewrites the metadata of a model file, without the checksum."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    head = json.loads(content[8 : 8 + size])
    head["__metadata__"].pop("checksum", None)
    change(head["__metadata__"])
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])


@pytest.fixture
def vae(rows):
    return gpuvae.VAE(hidden=(8,), epochs=2, verbose=False).fit(rows)


def test_save_and_load_a_file(vae, rows, tmp_path):
    path = vae.save(tmp_path / "model.safetensors")
    loaded = gpuvae.load(path)
    assert (loaded.transform(rows) == vae.transform(rows)).all()
    assert (loaded.score_samples(rows) == vae.score_samples(rows)).all()
    assert list(map(dict, loaded._history)) == vae._history
    assert loaded.get_params() == {**vae.get_params(), "verbose": None}
    assert (loaded.fit(rows).transform(rows) == vae.transform(rows)).all()


def test_save_overwrites_only_on_request(vae, tmp_path):
    vae.save(tmp_path / "run")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        vae.save(tmp_path / "run")
    vae.save(tmp_path / "run", overwrite=True)


def test_save_keeps_a_run_of_the_programs(vae, tmp_path):
    vae.save(tmp_path)
    (tmp_path / "metrics.csv").write_text("epoch,train_loss\n")
    with pytest.raises(FileExistsError, match="metrics.csv"):
        vae.save(tmp_path, overwrite=True)


def test_a_model_file_needs_no_ending(vae, rows, tmp_path):
    vae.save(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "model")
    assert (gpuvae.load(tmp_path / "model").transform(rows) == vae.transform(rows)).all()


@pytest.mark.parametrize("widths, reason", [([100_000_000], "parameters, got one of"), ([0], "is refused")])
def test_a_description_that_does_not_fit_the_file(vae, tmp_path, widths, reason):
    path = vae.save(tmp_path / "model.safetensors")

    def change(metadata):
        metadata["settings"] = json.dumps({**json.loads(metadata["settings"]), "hidden": widths})

    rewrite(path, change)
    with pytest.raises(OSError, match=reason):
        gpuvae.load(path)


@pytest.mark.parametrize("prior", ["normal", "mixture", "vamp"])
def test_pickles_and_copies(rows, prior):
    vae = gpuvae.VAE(hidden=(8,), epochs=2, prior=prior, verbose=False, settings={"prior_components": 3}).fit(rows)
    for other in (pickle.loads(pickle.dumps(vae)), copy.deepcopy(vae)):
        assert (other.transform(rows) == vae.transform(rows)).all()
        assert (other.sample(5) == vae.sample(5)).all()
    unfitted = pickle.loads(pickle.dumps(gpuvae.VAE(latent=3)))
    assert unfitted.latent == 3


def test_training_gives_the_bits_of_the_program(rows, program, tmp_path):
    np.save(tmp_path / "x.npy", rows.astype(np.float32))
    program("vae", "--data", "x.npy", "--standardize=false", "--hidden", "16", "--epochs", 3,
            "--validation-fraction", 0, "--seed", 7, "--likelihood", "gaussian", "--gaussian-mean", "identity", "--out", "R", cwd=tmp_path)
    theirs = gpuvae.load(tmp_path / "R")
    ours = gpuvae.VAE(hidden=(16,), epochs=3, seed=7, standardize=False, verbose=False).fit(rows.astype(np.float32))
    for name, array in theirs._model.parameters().items():
        assert (ours._model.parameters()[name] == array).all(), name
    for mine, other in zip(ours._history, theirs._history):
        assert np.isclose(mine["train_loss"], other["train_loss"], rtol=1e-5)
    fingerprints = [json.loads(vae._metadata["data"])["fingerprint"] for vae in (theirs, ours)]
    assert fingerprints[0] == fingerprints[1]


@pytest.mark.parametrize("flags", [[], ["--standardize"]], ids=str)
def test_bytes_with_missing_values(images, program, tmp_path, flags):
    x = images[:, 8:40]
    np.save(tmp_path / "x.npy", x)
    program("vae", "--data", "x.npy", "--missing-values", "--hidden", "8", "--epochs", 2, "--validation-fraction", 0,
            "--device", "cpu", "--out", "R", *flags, cwd=tmp_path)
    program("vae", "reconstruct", "--out", "R", "--input", "x.npy", "--output", "rec.npy", cwd=tmp_path)
    theirs = np.load(tmp_path / "rec.npy").reshape(x.shape)
    vae = gpuvae.load(tmp_path / "R")
    assert np.allclose(vae.reconstruct(x), theirs, rtol=1e-4, atol=1e-3)
    assert (vae.impute(x) == x).all()
    holes = x.astype(np.float64)
    holes[:, ::5] = np.nan
    assert np.isfinite(vae.impute(holes)).all() and (vae.impute(holes)[:, 1] == x[:, 1]).all()


@pytest.mark.parametrize("missing", [False, True])
def test_columns_of_several_types_give_the_bits_of_the_program(missing, program, tmp_path):
    rng = np.random.default_rng(3)
    real = rng.normal(size=(200, 3)) * [3, 0.01, 40] + [100, 0, -7]
    x = np.column_stack([real[:, :2], rng.poisson(4, 200), np.eye(3)[rng.integers(0, 3, 200)], real[:, 2]])
    if missing:
        x[rng.random(200) < 0.2, 1] = np.nan
        x[::9, 3:6] = np.nan
    x = x.round(6)  # float32 has fewer digits
    np.savetxt(tmp_path / "x.csv", x, "%.6f", ",", header="a,b,c,d,e,f,g", comments="")
    types = "gaussian:2,poisson:1,categorical:3,laplace:1"
    flags = ["--missing-values"] if missing else []
    program("vae", "--data", "x.csv", "--column-types", types, "--hidden", "16", "--epochs", 3,
            "--validation-fraction", 0, "--seed", 7, "--out", "R", *flags, cwd=tmp_path)
    theirs = gpuvae.load(tmp_path / "R")
    settings = {"column_types": types, "missing_values": missing}
    ours = gpuvae.VAE(hidden=(16,), epochs=3, seed=7, likelihood="columns", verbose=False, settings=settings).fit(x)
    for name, array in theirs._model.parameters().items():
        assert (ours._model.parameters()[name] == array).all(), name
    described = [json.loads(vae._metadata["data"]) for vae in (theirs, ours)]
    for key in ("mean", "stddev", "fingerprint"):
        assert described[0][key] == described[1][key], key
    plain = gpuvae.VAE(hidden=(16,), epochs=3, seed=7, likelihood="columns", standardize=False, verbose=False, settings=settings)
    assert np.abs(ours.reconstruct(x)[:, 0] - 100).max() < 50  # in the units of the data
    assert not plain.fit(x).values_.mean


@pytest.mark.parametrize("scaling", [[], ["--standardize=false"], ["--value-range=-20:20"]])
def test_a_run_of_the_program_gives_its_codes(rows, scaling, program, tmp_path):
    np.savetxt(tmp_path / "x.csv", rows * [1, 2, 0.5, 1, 1] + 1, "%.6f", ",", header="a,b,c,d,e", comments="")
    program("vae", "--data", "x.csv", "--hidden", "16", "--epochs", 2, "--out", "R", *scaling, cwd=tmp_path)
    program("vae", "encode", "--out", "R", "--input", "x.csv", "--output", "codes.npy", cwd=tmp_path)
    x = np.loadtxt(tmp_path / "x.csv", delimiter=",", skiprows=1)
    vae = gpuvae.load(tmp_path / "R")
    theirs = np.load(tmp_path / "codes.npy")
    names = vae.feature_names_in_
    del vae.feature_names_in_  # scikit-learn warns of arrays without names
    assert np.max(np.abs(vae.transform(x) - theirs)) <= 1e-6
    assert list(names) == list("abcde")
    assert [row["epoch"] for row in vae._history] == [1, 2]
    program("vae", "decode", "--out", "R", "--input", "codes.npy", "--output", "decoded.npy", cwd=tmp_path)
    decoded = np.load(tmp_path / "decoded.npy")
    assert np.max(np.abs(vae.inverse_transform(theirs) - decoded)) <= 1e-5


def test_the_program_opens_what_python_saved(rows, program, tmp_path):
    np.save(tmp_path / "x.npy", rows)
    vae = gpuvae.VAE(hidden=(8, 4), epochs=2, optimizer="sgd", verbose=False).fit(rows)
    vae.save(tmp_path / "R")
    program("vae", "encode", "--out", "R", "--input", "x.npy", "--output", "codes.npy", cwd=tmp_path)
    assert np.max(np.abs(np.load(tmp_path / "codes.npy") - vae.transform(rows))) <= 1e-6
    program("vae", "sample", "--out", "R", cwd=tmp_path)


def test_bytes_in_a_file(images, program, tmp_path):
    vae = gpuvae.VAE(hidden=(8,), likelihood="bernoulli", epochs=2, verbose=False).fit(images)
    vae.save(tmp_path / "R")
    np.save(tmp_path / "x.npy", images)
    program("vae", "encode", "--out", "R", "--input", "x.npy", "--output", "codes.npy", cwd=tmp_path)
    assert np.max(np.abs(np.load(tmp_path / "codes.npy") - vae.transform(images))) <= 1e-6
    loaded = gpuvae.load(tmp_path / "R")
    assert (loaded.transform(images) == vae.transform(images)).all()


def test_a_model_of_the_c_interface_gives_its_codes(tmp_path):
    tool = Path(os.environ.get("GPUVAE_PROGRAMS", "")) / "c_run_folder_tool"
    if not tool.exists():
        pytest.skip("GPUVAE_PROGRAMS does not name a folder with c_run_folder_tool")
    (tmp_path / "R").mkdir()
    for arguments in (["images", "x.npy"], ["train", "R/model.safetensors"], ["encode-images", "R", "c"]):
        subprocess.run([str(tool), *arguments], cwd=tmp_path, check=True)
    images = np.load(tmp_path / "x.npy")
    codes = gpuvae.load(tmp_path / "R").transform(images.reshape(len(images), -1))
    assert (codes == np.fromfile(tmp_path / "c.codes", np.float32).reshape(codes.shape)).all()


def test_unsuitable_files(vae, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        gpuvae.load(tmp_path / "nothing")
    path = vae.save(tmp_path / "m.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    with pytest.raises(OSError, match="m.safetensors"):
        gpuvae.load(path)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(OSError, match="checksum"):
        gpuvae.load(path)
    path.write_bytes(content)
    rewrite(path, lambda metadata: metadata.update(format_version="3"))
    with pytest.raises(OSError, match="newer version"):
        gpuvae.load(path)
    path.write_bytes(content)
    rewrite(path, lambda metadata: metadata.pop("settings"))
    with pytest.raises(OSError, match="description"):
        gpuvae.load(path)
    path.write_bytes(content)
    rewrite(path, lambda metadata: metadata.update(settings="{}"))
    with pytest.raises(OSError, match="hidden, latent"):
        gpuvae.load(path)
    path.write_bytes(content)
    rewrite(path, lambda metadata: metadata.update(settings="{"))
    with pytest.raises(OSError, match="JSON"):
        gpuvae.load(path)
    path.write_bytes(content)
    rewrite(path, lambda metadata: metadata.update(settings="[1]"))
    with pytest.raises(OSError, match="JSON object"):
        gpuvae.load(path)


@pytest.mark.parametrize("change, message", [
    (lambda data: data.pop("height"), "height"),
    (lambda data: data.update(width=-5), "width"),
    (lambda data: data.update(values="pixels"), "kind of values"),
    (lambda data: data.update(mean=[0.0]), "moments of 5 columns"),
    (lambda data: data.update(stddev=[1, 1, -1, 1, 1]), "standard deviations of 0"),
    (lambda data: data.update(column_names=["a"]), "names of 5 columns"),
    (lambda data: data.update(fingerprint="none"), "16 hexadecimal digits"),
])
def test_damaged_descriptions_of_the_data(vae, tmp_path, change, message):
    path = vae.save(tmp_path / "m.safetensors")

    def edit(metadata):
        data = json.loads(metadata["data"])
        change(data)
        metadata["data"] = json.dumps(data)

    rewrite(path, edit)
    with pytest.raises(OSError, match=message):
        gpuvae.load(path)


def test_the_description_of_a_file(vae, tmp_path):
    metadata = header(vae.save(tmp_path / "m.safetensors"))["__metadata__"]
    data = json.loads(metadata["data"])
    assert (data["width"], data["training_examples"], data["values"]) == (5, 300, "standardized")
    assert json.loads(metadata["settings"])["hidden"] == [8]
