"""The plots of redshifts: points against the truth, figures in bins, PITs, coverage, n(z) and single PDFs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from scipy.stats import binom

from astrocnn.report.curves import legend_above
from astrocnn.report.redshift_words import POINT_FIGURES, property_label
from astrocnn.report.style import ACCENT, CLASS_COLORS, INK, MUTED, PAPER, WARM
from astrocnn.report.words import count

__all__ = ["conditional_pit", "coverage", "in_bins", "n_of_z", "one_pdf", "pit_histogram", "points"]

DASHED = (0, (4, 3))
OUTLIER = 0.15
MOST_POINTS = 4000
IN_BINS = ("bias", "sigma_nmad", "outliers_015")
STRONGEST = 2.0  # ratio of a cell's number to the expected one that has the full colour


def points(axes: list[Axes], z_spec: NDArray[np.float64], z_phot: NDArray[np.float64]) -> None:
    """Above: estimated against true redshift, with |Δz| = 0.15; below: Δz. Of very many objects an even choice."""
    top, bottom = axes
    step = -(-len(z_spec) // MOST_POINTS)
    z, found = z_spec[::step], z_phot[::step]
    low, high = _range(np.concatenate([z, found]))
    line = np.array([low, high])
    size, alpha = (2.2, 0.35) if len(z) > 600 else (4, 0.6)
    top.plot(line, line, color=MUTED, linewidth=0.9)
    for sign in (-1, 1):
        label = f"|Δz| = {OUTLIER}" if sign == 1 else None
        top.plot(line, line + sign * OUTLIER * (1 + line), color=WARM, lw=0.9, linestyle=DASHED, label=label)
        bottom.axhline(sign * OUTLIER, color=WARM, linewidth=0.9, linestyle=DASHED)
    residual = (found - z) / (1 + z)
    for panel, values in ((top, found), (bottom, residual)):
        panel.plot(z, values, "o", color=ACCENT, markersize=size, alpha=alpha, markeredgewidth=0)
    bottom.axhline(0, color=MUTED, linewidth=0.9)
    reach = 1.25 * max(OUTLIER, float(np.quantile(np.abs(residual), 0.99)))
    top.set(xlim=(low, high), ylim=(low, high), ylabel="Estimated redshift")
    bottom.set(xlabel="True redshift", ylabel="Δz", ylim=(-reach, reach))
    legend_above(top)


def in_bins(axes: list[Axes], bins: Mapping[str, Any], *, name: str) -> None:
    """Bias, scatter and outliers of the point estimate in bins of a property, with 95 % intervals."""
    edges = np.asarray(bins["edges"], dtype=float)
    middle = np.array([np.nan if each is None else each for each in bins["median"]], dtype=float)
    for panel, key in zip(axes, IN_BINS, strict=True):
        value, low, high = (
            np.array([_number(figures.get(key), part) for figures in bins["figures"]], dtype=float)
            for part in ("value", "low", "high")
        )
        panel.hlines(value, edges[:-1], edges[1:], color=ACCENT, linewidth=1.4)
        panel.vlines(middle, low, high, color=ACCENT, linewidth=1.1)
        panel.set_ylabel(POINT_FIGURES[key][0])
        panel.yaxis.set_major_locator(MaxNLocator(4))
        if key == "bias":
            panel.axhline(0, color=MUTED, linewidth=0.9, linestyle=DASHED)
        else:
            panel.set_ylim(bottom=0)
        if key.startswith("outliers"):
            panel.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:.3g} %"))
    axes[-1].set_xlabel(property_label(name))


def pit_histogram(
    axes: Axes, pit: Mapping[str, Sequence[float]], before: Sequence[float] | None = None
) -> None:
    """Numbers of objects by PIT, with the band in which 95 % of the bins of true PDFs lie."""
    edges, counts = np.asarray(pit["edges"]), np.asarray(pit["counts"])
    n, share = int(counts.sum()), 1 / len(counts)
    low, high = binom.interval(0.95, n, share)
    axes.axhspan(low, high, color=MUTED, alpha=0.22, linewidth=0, label="true PDFs, 95 %")
    axes.stairs(counts, edges, color=ACCENT, fill=True, alpha=0.2)
    axes.stairs(counts, edges, color=ACCENT, linewidth=1.4, baseline=None, label="this set")
    if before is not None:
        axes.stairs(
            before,
            edges,
            color=WARM,
            linewidth=1,
            linestyle=DASHED,
            baseline=None,
            label="before recalibration",
        )
    axes.axhline(n * share, color=MUTED, linewidth=0.9)
    axes.set(xlim=(0, 1), xlabel="PIT", ylabel="Objects")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: count(value))
    legend_above(axes)


def coverage(axes: Axes, found: Mapping[str, Sequence[float]], n: int) -> None:
    """How many true redshifts are in the equal-tailed interval of each probability, less that probability."""
    level, value = np.asarray(found["level"]), np.asarray(found["value"])
    low, high = binom.interval(0.95, n, level)
    axes.fill_between(
        level,
        low / n - level,
        high / n - level,
        color=MUTED,
        alpha=0.22,
        linewidth=0,
        label="true PDFs, 95 %",
    )
    axes.axhline(0, color=MUTED, linewidth=0.9)
    axes.plot(level, value - level, "o-", color=ACCENT, markersize=4, linewidth=1.2, label="this set")
    reach = 1.2 * max(0.02, float(np.abs(value - level).max()), float((high / n - level).max()))
    axes.set(
        xlim=(0, 1),
        ylim=(-reach, reach),
        xlabel="Probability of the interval",
        ylabel="Coverage − probability",
    )
    legend_above(axes)


def conditional_pit(axes: Axes, bins: Mapping[str, Any], *, name: str) -> None:
    """Histograms of the PIT, one column a bin of a property: blue where there are too many objects, red too few."""
    edges = np.asarray(bins["edges"], dtype=float)
    counts = np.asarray(bins["pit"], dtype=float)  # (bins, cells)
    ratio = counts / np.maximum(counts.mean(1, keepdims=True), 1e-9)
    strength = np.clip(np.log(np.maximum(ratio, 1e-3)) / np.log(STRONGEST), -1, 1).T  # (cells, bins)
    picture = np.zeros((*strength.shape, 4))
    picture[..., :3] = np.where(strength[..., None] > 0, to_rgb(ACCENT), to_rgb(WARM))
    picture[..., 3] = np.abs(strength)
    axes.imshow(
        picture,
        origin="lower",
        extent=(0, len(counts), 0, 1),
        aspect="auto",
        interpolation="nearest",
        zorder=2,
    )
    places = np.arange(len(edges))[:: -(-len(edges) // 8)]
    axes.set_xticks(places, [f"{edges[place]:.3g}".replace("-", "−") for place in places])
    axes.set(xlabel=property_label(name), ylabel="PIT")
    axes.grid(False)


def n_of_z(axes: Axes, tomography: Mapping[str, Any]) -> None:
    """Stacked PDFs (lines) and true redshifts (steps) of tomographic bins."""
    grid = np.asarray(tomography["grid"])
    width, middle = np.diff(grid), (grid[1:] + grid[:-1]) / 2
    for number, found in enumerate(tomography["bins"]):
        color = CLASS_COLORS[number % len(CLASS_COLORS)]
        axes.stairs(np.asarray(found["true"]) / width, grid, color=color, fill=True, alpha=0.22)
        label = f"{tomography['edges'][number]:.2f}–{tomography['edges'][number + 1]:.2f}"
        axes.plot(middle, np.asarray(found["stacked"]) / width, color=color, linewidth=1.4, label=label)
    axes.set(xlim=(grid[0], grid[-1]), xlabel="Redshift", ylabel="n(z)")
    axes.set_ylim(bottom=0)
    legend_above(axes)


def one_pdf(axes: Axes, example: Mapping[str, Any]) -> None:
    """The PDF of an object with its 68 % interval, the point estimate and the true redshift."""
    grid, density = np.asarray(example["grid"]), np.asarray(example["density"])
    low, high = example["interval"]
    inside = (grid >= low) & (grid <= high)
    axes.fill_between(grid[inside], density[inside], color=ACCENT, alpha=0.2, linewidth=0)
    axes.plot(grid, density, color=ACCENT, linewidth=1.3)
    axes.axvline(example["z_phot"], color=ACCENT, linewidth=0.9, linestyle=DASHED)
    axes.axvline(example["z_spec"], color=WARM, linewidth=1.2)
    top = 1.08 * float(density.max())
    axes.set(xlim=(grid[0], grid[-1]), ylim=(0, top), xlabel="Redshift", ylabel="p(z)")
    axes.plot(
        [example["z_spec"]], [0.97 * top], "v", color=WARM, markersize=5, markeredgecolor=PAPER, mew=0.5
    )
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.label.set_color(INK)


def _number(figure: Any, part: str) -> float:
    value = (figure or {}).get(part)
    return np.nan if value is None else float(value)


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.03 * (high - low) or 0.01
    return low - margin, high + margin
