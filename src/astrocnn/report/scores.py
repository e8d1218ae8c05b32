"""Figures of probabilities: are they true, how do they spread, and what is confused with what."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from astrocnn.functional.bootstrap import wilson_interval
from astrocnn.report.curves import legend_above, unit_ticks
from astrocnn.report.style import ACCENT, CELL, CLASS_COLORS, INK, MUTED, PAPER, WARM
from astrocnn.report.words import count, short

__all__ = ["cell", "confusion", "histogram", "reliability"]

BINS = 40


def reliability(
    axes: list[Axes], diagram: Mapping[str, Sequence[float | None]], *, unit: str = "Objects"
) -> None:
    """Above: the fraction of positives against the mean probability of a bin; below: objects a bin."""
    n = np.array([value or 0 for value in diagram["n"]], dtype=float)
    mean_p, fraction = (
        np.array([np.nan if value is None else value for value in diagram[key]], dtype=float)
        for key in ("mean_p", "fraction")
    )
    filled = n > 0
    low, high = wilson_interval(fraction[filled] * n[filled], n[filled])
    top, bottom = axes
    top.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), label="perfectly calibrated")
    top.vlines(mean_p[filled], low, high, color=ACCENT, linewidth=1.1)
    top.plot(
        mean_p[filled], fraction[filled], "o-", color=ACCENT, markersize=4.5, linewidth=1, label="this set"
    )
    top.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.02), ylabel="Fraction that is true")
    unit_ticks(top.yaxis)
    legend_above(top)
    edges = np.asarray(diagram["edges"], dtype=float)
    bottom.bar(
        edges[:-1], n, width=np.diff(edges), align="edge", color=ACCENT, alpha=0.75, edgecolor=PAPER, lw=0.6
    )
    bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    bottom.yaxis.set_major_formatter(lambda value, _: count(value))
    bottom.set(xlabel="Predicted probability", ylabel=unit)
    unit_ticks(bottom.xaxis)


def histogram(
    axes: Axes,
    scores: Sequence[NDArray[np.floating]],
    names: Sequence[str],
    *,
    colors: Sequence[str] = CLASS_COLORS,
    threshold: float | None = None,
) -> None:
    """How many objects of each class have which probability; the count is logarithmic."""
    edges = np.linspace(0, 1, BINS + 1)
    for score, name, color in zip(scores, names, colors, strict=False):
        counts = np.histogram(score, bins=edges)[0]
        label = f"{short(name)} ({count(len(score))})"
        axes.stairs(counts, edges, color=color, fill=True, alpha=0.14, baseline=0.5)
        axes.stairs(counts, edges, color=color, linewidth=1.4, baseline=None, label=label)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.5)
    axes.set_xlim(-0.01, 1.01)
    axes.yaxis.set_major_formatter(lambda value, _: count(value))
    axes.yaxis.set_minor_locator(NullLocator())
    if threshold is not None:
        axes.axvline(threshold, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), label="operating point")
    axes.set(xlabel="Predicted probability", ylabel="Objects per bin of 0.025")
    unit_ticks(axes.xaxis)
    legend_above(axes, columns=3)


def confusion(axes: Axes, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
    """Counts of true class (rows) and predicted class (columns); the shade is the fraction of the row."""
    counts = np.asarray(matrix, dtype=float)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    K = len(classes)
    size = float(np.clip(40 / K, 4.5, 10))
    for row in range(K):
        for column in range(K):
            text = count(counts[row, column])
            if K <= 8:
                text += f"\n{100 * fractions[row, column]:.1f} %"
            cell(
                axes,
                column,
                row,
                fractions[row, column],
                text,
                color=CELL if row == column else WARM,
                size=size,
            )
    axes.set(xlim=(0, K), ylim=(K, 0), xlabel="Predicted", ylabel="True")
    shown = [short(name, 18) for name in classes]
    long = K > 4 or max(map(len, shown)) > 12
    axes.set_xticks(np.arange(K) + 0.5, shown, rotation=45 if long else 0, ha="right" if long else "center")
    axes.set_yticks(np.arange(K) + 0.5, shown)
    cells_only(axes)


def cell(
    axes: Axes, x: float, y: float, shade: float, text: str, *, color: str = CELL, size: float = 8
) -> None:
    """A unit square at (x, y), as strong as ``shade`` in [0, 1], with a text that stays readable on it."""
    strength = 0.04 + 0.88 * float(np.clip(shade, 0, 1))
    axes.add_patch(
        Rectangle((x + 0.015, y + 0.015), 0.97, 0.97, facecolor=color, alpha=strength, linewidth=0)
    )
    ink = PAPER if strength > 0.8 else INK
    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=size, color=ink, linespacing=1.35)


def cells_only(axes: Axes) -> None:
    """No grid, no frame and no tick marks: the squares are the picture."""
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
