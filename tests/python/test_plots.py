"""The pictures of a latent space, by what matplotlib was told to draw."""

import sys
from statistics import NormalDist

import numpy as np
import pytest

import gpuvae

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def fitted(images, **arguments):
    vae = gpuvae.VAE(hidden=(8,), likelihood="bernoulli", epochs=1, verbose=False, **arguments)
    return vae.fit(images)


def test_the_manifold_decodes_quantiles(images):
    vae = fitted(images)
    ax = vae.plot_manifold(4)
    picture = ax.images[0].get_array()
    assert picture.shape == (4 * 8, 4 * 8)
    quantiles = [NormalDist().inv_cdf(p) for p in (1 / 8, 3 / 8, 5 / 8, 7 / 8)]
    for row in range(4):
        for column in range(4):
            # The first dimension grows to the right, the second upwards.
            image = vae.inverse_transform([[quantiles[column], quantiles[3 - row]]]).reshape(8, 8)
            part = picture[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            assert np.abs(part - image).max() <= 1e-6
    assert ax.images[0].get_clim() == (0, 1)
    labels = [label.get_text().replace("\N{MINUS SIGN}", "-") for label in ax.get_xticklabels()]
    assert labels == ["-1", "-0.5", "0", "0.5", "1"]
    assert np.allclose(ax.get_xticks(), np.interp([-1, -0.5, 0, 0.5, 1], quantiles, [0.5, 1.5, 2.5, 3.5]))


def test_one_dimension_is_a_strip(images):
    vae = fitted(images, latent=1)
    assert vae.plot_manifold(5).images[0].get_array().shape == (8, 40)
    assert len(vae.plot_latent(images).collections[0].get_offsets()) == 200
    # Each class has its band.
    classes = np.arange(200) % 3
    ax = vae.plot_latent(images, np.array(["a", "b", "c"])[classes])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    drawn = {x: y for x, y in ax.collections[0].get_offsets().astype(np.float32)}
    for code, label in zip(vae.transform(images)[:, 0], classes):
        assert abs(drawn[code] - label) <= 0.5


def test_chosen_dimensions(images):
    vae = fitted(images, latent=4)
    at = np.array([0.5, -1, 0.25, 2])
    picture = vae.plot_manifold(3, dims=(3, 1), at=at).images[0].get_array()
    q = NormalDist().inv_cdf(5 / 6)
    corner = vae.inverse_transform([[0.5, q, 0.25, q]]).reshape(8, 8)
    assert np.abs(picture[:8, 16:] - corner).max() <= 1e-6
    strip = vae.plot_manifold(3, dims=2).images[0].get_array()
    assert np.abs(strip[:, :8] - vae.inverse_transform([[0, 0, -q, 0]]).reshape(8, 8)).max() <= 1e-6
    offsets = vae.plot_latent(images, dims=(3, 1)).collections[0].get_offsets()
    codes = vae.transform(images)
    assert np.allclose(np.sort(offsets[:, 0]), np.sort(codes[:, 3]))
    assert np.allclose(np.sort(offsets[:, 1]), np.sort(codes[:, 1]))


@pytest.mark.parametrize("arguments, message", [
    ({"dims": (0, 0)}, "two different dimensions below 2"), ({"dims": (0, 2)}, "below 2"), ({"dims": ()}, "one or two"),
    ({"dims": -1}, "below 2"), ({"at": [0, 0, 0]}, "2 values as at"), ({"shape": (5, 5)}, "64 pixels"),
    ({"n": 0}, "1 or more"),
])
def test_unsuitable_arguments_of_the_manifold(images, arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(images).plot_manifold(**arguments)


def test_shapes_of_images(images, rows, program, tmp_path):
    vae = fitted(images)
    assert vae.plot_manifold(2, shape=(4, 16)).images[0].get_array().shape == (8, 32)
    with pytest.raises(ValueError, match="5 features are not a square"):
        gpuvae.VAE(hidden=(8,), epochs=1, verbose=False).fit(rows).plot_manifold()
    # A loaded model knows the shape of its images.
    np.save(tmp_path / "x.npy", np.repeat(images.reshape(200, 8, 8), 2, axis=2))
    program("vae", "--data", "x.npy", "--hidden", "8", "--epochs", 1, "--out", "R", cwd=tmp_path)
    loaded = gpuvae.load(tmp_path / "R")
    assert loaded.plot_manifold(3).images[0].get_array().shape == (24, 48)
    loaded.fit(np.repeat(images, 4, axis=1))
    assert loaded.plot_manifold(3).images[0].get_array().shape == (48, 48)


def test_classes_have_a_legend(images):
    vae = fitted(images)
    classes = np.arange(200) % 3
    ax = vae.plot_latent(images, classes)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1", "2"]
    colours = [handle.get_color() for handle in ax.get_legend().legend_handles]
    drawn = dict(zip(map(tuple, ax.collections[0].get_offsets().astype(np.float32)),
                     ax.collections[0].get_facecolors()))
    for code, label in zip(vae.transform(images), classes):
        assert np.allclose(drawn[tuple(code)][:3], colours[label][:3])
    ax = vae.plot_latent(images, np.array(["cat", "dog"])[classes % 2])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cat", "dog"]
    ax = vae.plot_latent(images, classes > 1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["False", "True"]


def test_numbers_have_a_colour_bar(images):
    vae = fitted(images)
    for numbers in (np.linspace(0, 7, 200), np.arange(200)):
        ax = vae.plot_latent(images, numbers)
        assert ax.get_legend() is None
        assert len(ax.figure.axes) == 2
        assert ax.collections[0].get_clim() == (numbers[0], numbers[-1])
    numbers = np.linspace(0, 7, 200)
    numbers[3] = np.nan
    ax = vae.plot_latent(images, numbers)
    assert len(ax.collections[0].get_offsets()) == 200
    ax.figure.canvas.draw()
    grey = np.isclose(ax.collections[0].get_facecolors()[:, :3], 211 / 255, atol=1e-3).all(axis=1)
    assert grey.sum() == 1


def test_unsuitable_labels(images):
    vae = fitted(images)
    with pytest.raises(ValueError, match="200 labels"):
        vae.plot_latent(images, [1, 2])
    with pytest.raises(ValueError, match="at most 20 classes, got 21"):
        vae.plot_latent(images, np.array([f"c{i % 21}" for i in range(200)]))


def test_axes_are_taken_and_returned(images):
    vae = fitted(images)
    _, (left, right) = pyplot.subplots(1, 2)
    assert vae.plot_manifold(3, ax=left) is left
    assert vae.plot_latent(images, np.arange(200) % 2, ax=right) is right
    assert len(pyplot.get_fignums()) == 1


def test_without_matplotlib(images, monkeypatch):
    vae = fitted(images)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        vae.plot_manifold()
    with pytest.raises(ImportError, match="pip install matplotlib"):
        vae.plot_latent(images)
