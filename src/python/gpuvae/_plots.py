"""Pictures of a latent space, drawn with matplotlib."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gpuvae._device import SupportsDLPack, imported, on_host

# More classes than these share a colour, so that a legend would mislead.
MAX_CLASSES = 20
# The values of a latent dimension that the manifold shows as ticks.
TICKS = (-2, -1, -0.5, 0, 0.5, 1, 2)


class Plots:
    """The pictures of VAE."""

    def plot_manifold(
        self,
        n: int = 20,
        *,
        dims: int | Sequence[int] | None = None,
        at: ArrayLike | None = None,
        shape: tuple[int, int] | None = None,
        ax: Any = None,
        cmap: str = "gray",
    ) -> Any:
        """Draws the means of p(x | z) as images for a grid of codes z, and returns the axes of matplotlib.

        The grid has n quantiles of N(0, 1) along each of the latent dimensions ``dims`` (one or two; None: the first
        two). The other dimensions have the values ``at``, a code [latent], or 0. ``shape`` is (height, width) of an
        image; None takes that of the data of a loaded model, or else a square. Draws into ``ax`` or, if it is None,
        into a new figure. Throws ImportError without matplotlib.
        """
        model, n = self._fitted(), operator.index(n)
        if n < 1:
            raise ValueError(f"[plot_manifold] expected n of 1 or more, got {n}")
        dims = chosen_dimensions(dims, self.latent_, "plot_manifold")
        height, width = image_shape(shape, self._image_shape, model.features)
        codes, quantiles = manifold_codes(n, dims, self.latent_, at)
        images = self.inverse_transform(codes).reshape(-1, height, width)
        return draw_manifold(ax, images, dims, quantiles, value_limits(self.values_), cmap)

    def plot_latent(
        self,
        X: ArrayLike | SupportsDLPack,
        labels: Any = None,
        *,
        dims: int | Sequence[int] | None = None,
        ax: Any = None,
        cmap: str | None = None,
        size: float | None = None,
    ) -> Any:
        """Draws the codes of rows X [rows, features] as points, and returns the axes of matplotlib.

        ``labels`` [rows] colour the points: up to 20 classes (texts, booleans or whole numbers) with a legend, and
        other numbers with a colour bar, where NaN is grey. ``dims`` are one or two latent dimensions (None: the first
        two); with one, each class is a band in which the points are scattered at random. ``size`` is the area of a point in
        points squared. Draws into ``ax`` or, if it is None, into a new figure. Throws ImportError without matplotlib.
        """
        self._fitted()
        dims = chosen_dimensions(dims, self.latent_, "plot_latent")
        codes = on_host(self._codes(X))
        return draw_latent(ax, codes, dims, labels, cmap, size)


def new_axes(operation, **arguments):
    """Returns the axes of a new figure of matplotlib."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"[{operation}] expected matplotlib, which is not installed: pip install matplotlib"
        ) from error
    return pyplot.subplots(layout="constrained", **arguments)[1]


def chosen_dimensions(dims, latent, operation):
    """Returns one or two latent dimensions as a tuple: ``dims`` or, for None, the first ones."""
    if dims is None:
        return tuple(range(min(latent, 2)))
    dims = tuple(operator.index(d) for d in np.atleast_1d(dims))
    valid = len(dims) in (1, 2) and len(set(dims)) == len(dims) and all(0 <= d < latent for d in dims)
    if not valid:
        raise ValueError(
            f"[{operation}] expected one or two different dimensions below {latent} as dims, got {dims}"
        )
    return dims


def image_shape(shape, loaded, features):
    """Returns (height, width) of a row: ``shape``, that of the loaded data, or a square."""
    if shape is None:
        side = math.isqrt(features)
        shape = loaded if loaded and loaded[0] > 1 else (side, side)
        if shape[0] * shape[1] != features:
            raise ValueError(
                f"[plot_manifold] expected shape=(height, width), because {features} features are not a square image"
            )
    elif len(shape) != 2 or shape[0] * shape[1] != features:
        raise ValueError(f"[plot_manifold] expected shape=(height, width) of {features} pixels, got {tuple(shape)}")
    return tuple(int(extent) for extent in shape)


def value_limits(values):
    """Returns the values that are black and white, or None for the least and the largest of a picture."""
    if values.scaled:
        return values.low, values.high
    return (0, 1) if values.kind in ("bytes", "unit") else None


def manifold_codes(n, dims, latent, at):
    """Returns n or n * n codes [rows, latent], row by row from the top left, and the n quantiles of N(0, 1).

    With two dimensions, the first grows to the right and the second upwards. The others have the values ``at``.
    """
    quantiles = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])
    center = np.zeros(latent) if at is None else np.asarray(at, np.float64)
    if center.shape != (latent,):
        raise ValueError(f"[plot_manifold] expected a code of {latent} values as at, got shape {center.shape}")
    codes = np.tile(center, (n ** len(dims), 1))
    codes[:, dims[0]] = quantiles if len(dims) == 1 else np.tile(quantiles, n)
    if len(dims) == 2:
        codes[:, dims[1]] = np.repeat(quantiles[::-1], n)
    return codes, quantiles


def mosaic(images, columns):
    """Returns images [rows * columns, height, width] as one picture."""
    count, height, width = images.shape
    grid = images.reshape(count // columns, columns, height, width)
    return grid.transpose(0, 2, 1, 3).reshape(-1, columns * width)


def draw_manifold(ax, images, dims, quantiles, limits, cmap):
    """Draws a mosaic of decoded codes, whose axes show the codes."""
    n, (_, height, width) = len(quantiles), images.shape
    picture = mosaic(images, n)
    rows = len(images) // n
    low, high = limits if limits else (picture.min(), picture.max())
    if ax is None:
        size = 6.5 / max(n * width, rows * height)  # inches per pixel, of a picture of 6.5 inches
        ax = new_axes("plot_manifold", figsize=(n * width * size + 0.8, max(rows * height * size, 0.3) + 0.8))
    ax.imshow(picture, cmap=cmap, vmin=low, vmax=high, interpolation="nearest", extent=(0, n, 0, rows),
              aspect=height / width)
    ticks = [z for z in TICKS if quantiles[0] <= z <= quantiles[-1]]
    positions = np.interp(ticks, quantiles, np.arange(n) + 0.5)
    labels = [f"{z:g}".replace("-", "\N{MINUS SIGN}") for z in ticks]
    ax.set_xticks(positions, labels)
    ax.set_xlabel(f"$z_{{{dims[0]}}}$")
    if len(dims) == 2:
        ax.set_yticks(positions, labels)
        ax.set_ylabel(f"$z_{{{dims[1]}}}$")
    else:
        ax.set_yticks([])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def draw_latent(ax, codes, dims, labels, cmap, size):
    """Draws codes [rows, latent] as points with the colours of their labels."""
    labels = None if labels is None else np.asarray(on_host(imported(labels)))
    if labels is not None and labels.shape != (len(codes),):
        raise ValueError(f"[plot_latent] expected {len(codes)} labels, one per row, got shape {labels.shape}")
    classes = None if labels is None else classes_of(labels)
    # A random order keeps the last class from hiding the others. The same seed draws the same picture.
    generator = np.random.default_rng(0)
    order = generator.permutation(len(codes))
    numbers = None if classes is None else np.searchsorted(classes, labels[order])
    flat = len(dims) == 1
    if ax is None:
        ax = new_axes("plot_latent", figsize=(7.2, _height(classes) if flat else 6))
    x = codes[order, dims[0]]
    y = generator.uniform(-0.4, 0.4, len(codes)) if flat else codes[order, dims[1]]
    if flat and classes is not None:
        y += numbers
    size = np.clip(40_000 / max(len(codes), 1), 3, 30) if size is None else size
    style = {"s": size, "alpha": 0.7, "linewidths": 0, "rasterized": len(codes) > 2000}
    if labels is None:
        ax.scatter(x, y, **style)
    elif classes is None:
        _draw_numbers(ax, x, y, labels[order].astype(np.float64), cmap, style)
    else:
        colours = _colours(len(classes), cmap)
        ax.scatter(x, y, c=colours[numbers], **style)
        if not flat:
            _add_legend(ax, classes, colours)
    _finish_axes(ax, dims, classes)
    return ax


def _height(classes):
    """Returns the height in inches of a picture of one dimension."""
    return 3 if classes is None else 1 + 0.35 * len(classes)


def _finish_axes(ax, dims, classes):
    ax.set_xlabel(f"$z_{{{dims[0]}}}$")
    if len(dims) == 2:
        ax.set_ylabel(f"$z_{{{dims[1]}}}$")
        ax.set_aspect("equal", adjustable="datalim")
    elif classes is None:
        ax.set_yticks([])
    else:
        ax.set_yticks(range(len(classes)), [str(name) for name in classes])
        ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)


def classes_of(labels):
    """Returns the sorted classes of labels, or None if they are numbers that have no legend."""
    if labels.dtype.kind == "f":
        return None
    classes = np.unique(labels)
    if len(classes) <= MAX_CLASSES:
        return classes
    if labels.dtype.kind in "iu":
        return None
    raise ValueError(f"[plot_latent] expected numbers, or at most {MAX_CLASSES} classes, got {len(classes)} classes")


def _draw_numbers(ax, x, y, numbers, cmap, style):
    from matplotlib import colormaps

    colours = colormaps[cmap or "viridis"].with_extremes(bad="lightgray")  # of NaN
    points = ax.scatter(x, y, c=numbers, cmap=colours, plotnonfinite=True, **style)
    ax.figure.colorbar(points, ax=ax).solids.set_alpha(1)


def _colours(count, cmap):
    """Returns one colour of a colour map per class, [count, 4]."""
    from matplotlib import colormaps

    palette = colormaps[cmap or ("tab10" if count <= 10 else "tab20")]
    if len(getattr(palette, "colors", range(256))) <= MAX_CLASSES:  # a list of distinct colours
        return palette(np.arange(count))
    return palette(np.linspace(0, 1, count))


def _add_legend(ax, classes, colours):
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="", label=str(name))
        for name, colour in zip(classes, colours)
    ]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, handletextpad=0.2)
