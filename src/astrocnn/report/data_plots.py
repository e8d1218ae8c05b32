"""Figures of a data set: how its values spread, where they are missing, how its classes balance."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from astrocnn.report.curves import legend_above
from astrocnn.report.data_facts import AXES, Histogram
from astrocnn.report.inspection import Counts
from astrocnn.report.style import ACCENT, CLASS_COLORS, INK, MUTED, PAPER, WARM
from astrocnn.report.words import count, percent, scientific, short

__all__ = [
    "MOST_LINES",
    "SPLIT_COLORS",
    "balance",
    "invalid_map",
    "invalid_share",
    "noise_ratios",
    "series",
    "spread",
    "target",
]

SPLIT_COLORS = {"train": ACCENT, "val": WARM, "test": CLASS_COLORS[2], "no split": MUTED, "objects": ACCENT}
MOST_LINES = 8
MOST_TARGET_BINS = 50
MOST_POINTS = 600  # of a drawn series; longer ones keep the extremes of each stretch
LARGEST_MAP = 256  # rows and columns of a drawn map
LINEAR_UP_TO = 13.0  # knees; an axis that reaches further is bent


def spread(
    axes: Axes,
    histograms: Sequence[tuple[str, Histogram]],
    *,
    label: str,
    factor: float = 1.0,
    what: str = "Pixels",
) -> None:
    """How many values of each band lie where; the axis is linear near 0 and logarithmic far from it.

    Args:
        axes: to draw on.
        histograms: name and histogram of each line.
        label: of the x axis.
        factor: values are multiplied by it, so that the axis has numbers that can be read.
        what: is counted.
    """
    for number, (name, shown) in enumerate(histograms[:MOST_LINES]):
        color, edges = CLASS_COLORS[number % len(CLASS_COLORS)], shown.edges * factor
        axes.stairs(shown.counts, edges, color=color, fill=True, alpha=0.08, baseline=0.5)
        axes.stairs(shown.counts, edges, color=color, linewidth=1.3, baseline=None, label=short(name))
    low = min(shown.edges[0] for _, shown in histograms) * factor
    high = max(shown.edges[-1] for _, shown in histograms) * factor
    middle = float(np.median([shown.middle for _, shown in histograms])) * factor
    knee = float(np.median([shown.knee for _, shown in histograms])) * factor
    if max(middle - low, high - middle) > LINEAR_UP_TO * knee:
        _bent(axes, middle, knee, low, high)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5 if high >= 1000 else 7))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.5)
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axes.set(xlabel=label, ylabel=f"{what} a bin")
    if len(histograms) > 1:
        legend_above(axes, columns=4)


def _bent(axes: Axes, middle: float, knee: float, low: float, high: float) -> None:
    """An asinh axis about the middle, with a tick there and at powers of ten away from it, where there is room."""

    def bend(x: Any) -> Any:
        return np.arcsinh((np.asarray(x) - middle) / knee)

    axes.set_xscale("function", functions=(bend, lambda u: middle + knee * np.sinh(u)))
    digit = 10.0 ** np.floor(np.log10(knee))
    centre = round(middle / digit) * digit if abs(middle) > knee else 0.0
    first, last = np.floor(np.log10(knee)) + 1, np.floor(np.log10(max(centre - low, high - centre)))
    steps = 10.0 ** np.arange(first, last + 1)
    kept: list[float] = []
    for tick in [centre, *np.stack([centre + steps, centre - steps], axis=1).ravel()]:
        room = (bend(high) - bend(low)) / 14
        if low <= tick <= high and all(abs(bend(tick) - bend(other)) > room for other in kept):
            kept.append(float(tick))
    axes.set_xticks(kept, [_plain(tick) for tick in kept])
    axes.xaxis.set_minor_locator(NullLocator())


def _plain(value: float) -> str:
    """A number for a tick: 0.1, 1 000, 1 437 500 or 10⁶."""
    power = math.log10(abs(value)) if value else 0.0
    if abs(power) >= 6 and power == round(power):
        return scientific(value, 1).replace("1×", "")
    return (count(value) if abs(value) >= 1000 else f"{value:g}").replace("-", "−")


def balance(axes: Axes, counts: Counts) -> None:
    """Objects of each class, its splits side by side in one bar."""
    classes = counts.columns[:-1]
    splits = counts.rows[:-1] or counts.rows
    left = np.zeros(len(classes))
    place = np.arange(len(classes))
    for row, split in enumerate(splits):
        numbers = counts.numbers[row, :-1]
        color = SPLIT_COLORS.get(split, ACCENT)
        axes.barh(place, numbers, left=left, color=color, height=0.62, label=split, edgecolor=PAPER, lw=0.6)
        left += numbers
    for row, number in enumerate(left):
        text = f"{count(number)} ({percent(number / max(left.sum(), 1))})"
        axes.annotate(
            text, (number, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, color=INK
        )
    axes.set_yticks(place, [short(name) for name in classes])
    axes.set(xlim=(0, 1.3 * max(left.max(), 1)), ylim=(len(classes) - 0.4, -0.6), xlabel="Objects")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    if len(splits) > 1:
        legend_above(axes, columns=4)


def target(
    axes: Axes,
    values: NDArray[np.floating],
    groups: NDArray[np.str_],
    *,
    label: str,
    what: str = "Objects",
) -> None:
    """How numbers spread in each split; the few beyond 99.9 % are counted in the last bins. ``what`` has them."""
    known = np.isfinite(values)
    low, high = np.quantile(values[known], [0.001, 0.999])
    bins = int(np.clip(math.sqrt(known.sum()), 10, MOST_TARGET_BINS))
    edges = np.linspace(low, high if high > low else low + (abs(low) or 1.0), bins + 1)
    for name, color in SPLIT_COLORS.items():
        chosen = values[known & (groups == name)]
        if len(chosen):
            counts = np.histogram(np.clip(chosen, edges[0], edges[-1]), bins=edges)[0]
            axes.stairs(counts, edges, color=color, fill=True, alpha=0.08)
            axes.stairs(counts, edges, color=color, linewidth=1.3, label=f"{name} ({count(len(chosen))})")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.set(xlabel=label[:1].upper() + label[1:], ylabel=f"{what} a bin")
    legend_above(axes, columns=4)


def invalid_share(axes: Axes, valid_fraction: NDArray[np.floating]) -> None:
    """How many of the objects that lack something lack how much of their values."""
    lacking = 1 - np.asarray(valid_fraction, dtype=float)
    top = min(1.0, max(0.05, 1.05 * float(lacking.max())))
    counts, edges = np.histogram(lacking[lacking > 0], bins=40, range=(0, top))
    axes.stairs(counts, edges, fill=True, color=ACCENT, alpha=0.75)
    axes.set(xlabel="Fraction of an object's values without data", ylabel="Objects a bin", xlim=(0, top))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def invalid_map(
    axes: Axes, invalid: NDArray[np.floating], bands: Sequence[str], place: tuple[str, NDArray[np.floating]]
) -> None:
    """The fraction of objects without data at each place: the mean over the bands of (C, H, W), a line a band of
    (C, L), which lies along ``place``.
    """
    if invalid.ndim == 2:
        for number, name in enumerate(list(bands)[:MOST_LINES]):
            color = CLASS_COLORS[number % len(CLASS_COLORS)]
            axes.plot(*_thinned(place[1], invalid[number]), color=color, lw=1, label=short(name))
        axes.set(xlabel=place[0], ylabel="Objects without data", ylim=(0, None))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        legend_above(axes, columns=4)
        return
    shown = _reduced(np.asarray(invalid.mean(axis=0), dtype=float))  # (H, W)
    H, W = invalid.shape[-2:]
    top = float(shown.max()) or 1.0
    picture = axes.imshow(
        shown, origin="lower", extent=(-0.5, W - 0.5, -0.5, H - 0.5), cmap=_see_through(), vmin=0, vmax=top
    )
    bar = axes.figure.colorbar(picture, ax=axes, shrink=0.85, pad=0.03)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_locator(MaxNLocator(5))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    bar.ax.tick_params(length=0)
    axes.grid(False)
    axes.set(xlabel="Column (pixel)", ylabel="Row (pixel)")


def _see_through() -> ListedColormap:
    """From nothing to a full blue: right on a light page and on a dark one."""
    ramp = np.linspace(0.04, 1, 256)
    return ListedColormap([(*to_rgb("#2f8fce"), alpha) for alpha in ramp])


def _reduced(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The means of blocks, at most :data:`LARGEST_MAP` of them along an axis."""
    for axis in (0, 1):
        step = -(-image.shape[axis] // LARGEST_MAP)
        if step > 1:
            starts = np.arange(0, image.shape[axis], step)
            sizes = np.diff(np.append(starts, image.shape[axis]))
            sums = np.add.reduceat(image, starts, axis=axis)
            image = sums / (sizes[:, None] if axis == 0 else sizes)
    return image


def noise_ratios(axes: Axes, bands: Sequence[tuple[str, NDArray[np.floating]]]) -> None:
    """The scatter of each object's pixels over what its variance states, on a logarithmic axis; 1 is right."""
    everything = np.concatenate([ratio[np.isfinite(ratio) & (ratio > 0)] for _, ratio in bands])
    low, high = np.quantile(everything, [0.005, 0.995])
    edges = np.geomspace(min(low, 0.8), max(high, 1.25), 61)
    for number, (name, ratio) in enumerate(list(bands)[:MOST_LINES]):
        color = CLASS_COLORS[number % len(CLASS_COLORS)]
        inside = np.clip(ratio[np.isfinite(ratio) & (ratio > 0)], edges[0], edges[-1])
        counts = np.histogram(inside, bins=edges)[0]
        axes.stairs(counts, edges, color=color, fill=True, alpha=0.08)
        axes.stairs(counts, edges, color=color, linewidth=1.3, label=short(name))
    axes.axvline(1, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
    axes.set_xscale("log")
    near = (0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0)
    axes.xaxis.set_major_locator(LogLocator(subs=near if high < 4 * low else (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set(xlabel="Noise of the pixels / noise by the variance", ylabel="Objects a bin")
    legend_above(axes, columns=4)


def series(
    axes: Axes | list[Axes],
    flux: NDArray[np.floating],
    valid: NDArray[np.bool_],
    *,
    names: Sequence[str],
    bands: Sequence[str],
    place: tuple[str, NDArray[np.floating]],
    unit: str = "",
    factor: float = 1.0,
) -> None:
    """A panel for each of (n, C, L) series: a line a band, with gaps where there are no data.

    Where the first channel says when, as in light curves, the others are points against it.
    """
    panels = axes if isinstance(axes, list) else [axes]
    timed = bands[0] in AXES
    for panel, values, known, name in zip(panels, flux, valid, names, strict=True):
        for number, band in enumerate(list(bands)[timed : timed + MOST_LINES]):
            c, color = number + timed, CLASS_COLORS[number % len(CLASS_COLORS)]
            if timed:
                seen = known[0] & known[c]
                panel.plot(
                    values[0][seen], factor * values[c][seen], ".", color=color, ms=3, label=short(band)
                )
            else:
                x, y = _thinned(place[1], np.where(known[c], factor * values[c], np.nan))
                panel.plot(x, y, color=color, lw=0.8, label=short(band))
        panel.set_title(short(name, 60), loc="left", fontsize=8, color=MUTED, pad=2)
        panel.yaxis.set_major_locator(MaxNLocator(3))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    panels[-1].set_xlabel(bands[0].capitalize() if timed else place[0])
    if unit:
        panels[len(panels) // 2].set_ylabel(unit)
    if len(bands) - timed > 1:
        handles: Any = panels[0].get_legend_handles_labels()
        panels[0].legend(*handles, loc="lower right", bbox_to_anchor=(1, 1.0), ncols=4, borderaxespad=0)


def _thinned(
    place: NDArray[np.floating], values: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The points of a line; of a long one the least and the greatest of each stretch."""
    step = -(-2 * len(values) // MOST_POINTS)
    if step <= 2:
        return place, values
    keep = []
    for start in range(0, len(values), step):
        part = values[start : start + step]
        if np.isnan(part).all():
            keep.append(start)
        else:
            keep += sorted({start + int(np.nanargmin(part)), start + int(np.nanargmax(part))})
    return place[keep], values[keep]
