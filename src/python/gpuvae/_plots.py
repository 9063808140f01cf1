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
# The number of quantiles that an axis of the manifold shows as ticks.
TICKS = 5


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
        two); with one, the points are scattered along the other axis at random. ``size`` is the area of a point in
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
    shown = np.unique(np.linspace(0, n - 1, min(n, TICKS)).round().astype(int))
    labels = [f"{quantiles[i]:.2g}" if abs(quantiles[i]) > 1e-9 else "0" for i in shown]
    ax.set_xticks(shown + 0.5, labels)
    ax.set_xlabel(f"$z_{{{dims[0]}}}$")
    if len(dims) == 2:
        ax.set_yticks(shown + 0.5, labels)
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
    if ax is None:
        ax = new_axes("plot_latent", figsize=(7.2, 6) if len(dims) == 2 else (7.2, 3))
    # A random order keeps the last class from hiding the others. The same seed draws the same picture.
    generator = np.random.default_rng(0)
    order = generator.permutation(len(codes))
    x = codes[order, dims[0]]
    y = codes[order, dims[1]] if len(dims) == 2 else generator.uniform(-1, 1, len(codes))
    size = np.clip(40_000 / max(len(codes), 1), 3, 30) if size is None else size
    style = {"s": size, "alpha": 0.7, "linewidths": 0, "rasterized": len(codes) > 2000}
    if labels is None:
        ax.scatter(x, y, **style)
    elif classes is None:
        _draw_numbers(ax, x, y, labels[order].astype(np.float64), cmap, style)
    else:
        _draw_classes(ax, x, y, np.searchsorted(classes, labels[order]), classes, cmap, style)
    ax.set_xlabel(f"$z_{{{dims[0]}}}$")
    if len(dims) == 2:
        ax.set_ylabel(f"$z_{{{dims[1]}}}$")
        ax.set_aspect("equal", adjustable="datalim")
    else:
        ax.set_yticks([])
    ax.spines[["top", "right"]].set_visible(False)
    return ax


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


def _draw_classes(ax, x, y, numbers, classes, cmap, style):
    from matplotlib import colormaps
    from matplotlib.lines import Line2D

    palette = colormaps[cmap or ("tab10" if len(classes) <= 10 else "tab20")]
    listed = getattr(palette, "colors", None)
    positions = np.linspace(0, 1, len(classes))
    colours = np.array([palette(i) if listed and len(listed) <= MAX_CLASSES else palette(positions[i])
                        for i in range(len(classes))])
    ax.scatter(x, y, c=colours[numbers], **style)
    handles = [Line2D([], [], color=colour, marker="o", linestyle="", label=str(name))
               for name, colour in zip(classes, colours)]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, handletextpad=0.2)
