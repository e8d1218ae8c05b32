"""Figures of predicted images: predicted against true values, and on which scales they agree."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from astrocnn.report.curves import legend_above
from astrocnn.report.style import CELL, CLASS_COLORS, MUTED, WARM
from astrocnn.report.words import scientific, short

__all__ = ["power", "values"]

MOST_PLANES = len(CLASS_COLORS)
N_TICKS = 5
LEAST_SHADE = 0.08


def values(axes: Axes, table: Mapping[str, Any], *, name: str) -> None:
    """Predicted against true values of the pixels: the darker, the more pixels (their logarithm).

    The bins are even in the target's scale, which the axes follow. A line goes through the median prediction of each
    true value, the diagonal is the truth.

    Args:
        axes: to draw on.
        table: ``edges`` (m + 1) and ``counts`` (m, m), the rows true values.
        name: of the plane, with its unit.
    """
    counts = np.asarray(table["counts"], dtype=float)
    m = len(counts)
    shade = np.log1p(counts) / max(np.log1p(counts.max()), 1e-9)
    picture = np.zeros((m, m, 4))  # rows are predicted values
    picture[..., :3] = to_rgb(CELL)
    picture[..., 3] = np.where(counts.T > 0, LEAST_SHADE + (1 - LEAST_SHADE) * shade.T, 0)
    axes.imshow(
        picture, origin="lower", extent=(0, m, 0, m), interpolation="nearest", aspect="auto", zorder=2
    )
    axes.plot([0, m], [0, m], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), label="truth", zorder=3)
    row, median = _medians(counts)
    if len(row):
        axes.plot(row + 0.5, median, color=WARM, linewidth=1.3, label="median prediction", zorder=4)
    places = np.linspace(0, m, N_TICKS)
    edges = np.asarray(table["edges"], dtype=float)
    shown = np.interp(places, np.arange(m + 1), edges)
    if np.ptp(np.diff(edges)) < 1e-3 * np.ptp(edges):  # even: what is small against the steps is 0
        shown = np.where(np.abs(shown) < 1e-3 * np.ptp(edges), 0.0, shown)
    labels = [scientific(value, 3) for value in shown]
    axes.set_xticks(places, labels)
    axes.set_yticks(places, labels)
    axes.set(xlim=(0, m), ylim=(0, m), xlabel=f"True {short(name)}", ylabel="Predicted")
    legend_above(axes)


def power(axes: list[Axes], spectra: Mapping[str, Mapping[str, Sequence[float | None]]]) -> None:
    """Above: power of the prediction over that of the target; below: their correlation. A line a plane."""
    top, bottom = axes
    for (plane, found), color in zip(list(spectra.items())[:MOST_PLANES], CLASS_COLORS, strict=False):
        curves = {name: np.array(curve, dtype=float) for name, curve in found.items() if name != "n"}
        for panel, keys in ((top, ("ratio", "low", "high")), (bottom, ("r", "r_low", "r_high"))):
            line, low, high = (curves[key] for key in keys)
            panel.fill_between(curves["k"], low, high, color=color, alpha=0.16, linewidth=0)
            panel.plot(curves["k"], line, color=color, label=short(plane))
    for panel in axes:
        panel.axhline(1, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    top.set_ylabel("P predicted / P true")
    top.set_ylim(0, max(1.1, min(2.0, top.get_ylim()[1])))
    bottom.set_ylabel("Correlation r")
    bottom.set_ylim(min(0.0, max(-1.0, bottom.get_ylim()[0])), 1.05)
    bottom.set_xlabel("Spatial frequency (cycles per pixel)")
    bottom.set_xlim(0, 0.5)
    legend_above(top)


def _medians(counts: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows of true values that have pixels, and where in the row half of them lie below."""
    rows = np.flatnonzero(counts.sum(1) > 0)
    below = np.cumsum(counts[rows], axis=1)
    half = below[:, -1:] / 2
    column = (below >= half).argmax(1)
    here = counts[rows, column]
    before = below[np.arange(len(rows)), column] - here
    return rows, column + (half[:, 0] - before) / here
