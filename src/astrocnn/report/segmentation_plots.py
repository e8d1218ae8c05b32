"""Figures of predicted maps: what is found against magnitude and S/N, stars told from galaxies, positions."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from astrocnn.report.curves import legend_above, unit_ticks
from astrocnn.report.style import ACCENT, INK, MUTED, WARM
from astrocnn.report.words import count

__all__ = [
    "against_magnitude",
    "against_snr",
    "auroc_by_snr",
    "distances",
    "has_points",
    "pairs_against_separation",
    "pairs_against_snr",
    "star_rates",
]

KINDS = {"all": INK, "isolated": ACCENT, "blended": WARM}
LEAST_IN_BIN = 5  # objects; what fewer say is noise
ROOM = 0.06  # between the points of one bin, as a fraction of the bin


def has_points(curve: Mapping[str, Any] | None) -> bool:
    """Whether a rate against magnitude has a bin of enough objects to be drawn."""
    return curve is not None and max(curve["all"]["n"]) >= LEAST_IN_BIN


def against_magnitude(axes: Axes, curve: Mapping[str, Any], *, name: str, of: str) -> None:
    """A rate against magnitude, of all objects, isolated ones and blended ones."""
    _kinds(axes, curve)
    _rate_axes(axes, name=name, of=of)


def against_snr(axes: Axes, curve: Mapping[str, Any], *, name: str, of: str) -> None:
    """A rate against S/N, of the same three."""
    axes.set_xscale("log")
    _kinds(axes, curve)
    _rate_axes(axes, name=name, of=of)


def pairs_against_separation(
    axes: Axes, pairs: Mapping[str, Any], *, pixel_scale_arcsec: float | None
) -> None:
    """The share of pairs of which both objects are found, against how far apart they are."""
    edges = [edge * (pixel_scale_arcsec or 1.0) for edge in pairs["edges"]]
    unit = "arcsec" if pixel_scale_arcsec else "pixels"
    _rate(axes, edges, pairs, color=ACCENT, label=f"pairs ({count(sum(pairs['n']))})", shift=0)
    axes.set_xlim(0, edges[-1])
    _rate_axes(axes, name="Both found", of=f"separation ({unit})")


def pairs_against_snr(axes: Axes, pairs: Mapping[str, Any]) -> None:
    """The share of blended pairs of which both objects are found, against the lower S/N of the two."""
    axes.set_xscale("log")
    label = f"blended pairs ({count(sum(pairs['n']))})"
    _rate(axes, pairs["edges"], pairs, color=WARM, label=label, shift=0)
    _rate_axes(axes, name="Both found", of="S/N of the fainter one, alone")


def star_rates(axes: Axes, stars: Mapping[str, Any]) -> None:
    """Completeness of stars against true, purity against measured magnitude."""
    for number, (name, color) in enumerate((("completeness", ACCENT), ("purity", WARM))):
        if has_points(stars[name]):
            curve = stars[name]
            label = f"{name} ({count(sum(curve['all']['n']))})"
            _rate(axes, curve["edges"], curve["all"], color=color, label=label, shift=ROOM * (number - 0.5))
    _rate_axes(axes, name="Fraction", of="magnitude")


def auroc_by_snr(axes: Axes, table: Mapping[str, Any], *, whole: float | None) -> None:
    """How well stars are told from galaxies in bins of S/N; in brackets the numbers of both."""
    edges, bins = table["edges"], table["bins"]
    names = [f"{low:g}–{high:g}" if high is not None else f"> {low:g}" for low, high in pairwise(edges)]
    lowest = 1.0
    for place, part in enumerate(bins):
        if part["value"] is None:
            continue
        low, high = (part[key] if part[key] is not None else part["value"] for key in ("low", "high"))
        axes.vlines(place, low, high, color=ACCENT, linewidth=1.6, alpha=0.6)
        axes.plot([place], [part["value"]], "o", color=ACCENT, markersize=5.5)
        lowest = min(lowest, low)
    if whole is not None:
        axes.axhline(whole, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), label=f"all: {whole:.3f}")
        lowest = min(lowest, whole)
    bottom = np.floor(20 * (lowest - 0.02)) / 20
    axes.set(xlim=(-0.5, len(bins) - 0.5), ylim=(max(bottom, 0), 1 + 0.02 * (1 - bottom)))
    shown = [
        f"{name}\n({count(part['n_star'])}, {count(part['n_galaxy'])})"
        for name, part in zip(names, bins, strict=True)
    ]
    axes.set_xticks(range(len(bins)), shown)
    axes.set(xlabel="S/N of the isolated object (stars, galaxies found)", ylabel="AUROC of p(star)")
    legend_above(axes)


def distances(
    axes: Axes, residuals: Mapping[str, Any], *, median: float | None, pixel_scale_arcsec: float | None
) -> None:
    """How far found objects lie from the true ones."""
    scale = pixel_scale_arcsec or 1.0
    unit = "arcsec" if pixel_scale_arcsec else "pixels"
    edges = scale * np.asarray(residuals["edges_pix"])
    axes.stairs(residuals["n"], edges, color=ACCENT, fill=True, alpha=0.2)
    axes.stairs(residuals["n"], edges, color=ACCENT, linewidth=1.4, label="pairs")
    if median is not None:
        label = f"median: {scale * median:.3g} {unit}"
        axes.axvline(scale * median, color=WARM, linewidth=1.1, linestyle=(0, (3, 2)), label=label)
    axes.set(xlim=(0, edges[-1]), xlabel=f"Distance to the true position ({unit})", ylabel="Objects")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    legend_above(axes)


def _kinds(axes: Axes, curve: Mapping[str, Any]) -> None:
    for number, (kind, color) in enumerate(KINDS.items()):
        if kind in curve:
            label = f"{kind} ({count(sum(curve[kind]['n']))})"
            _rate(axes, curve["edges"], curve[kind], color=color, label=label, shift=ROOM * (number - 1))


def _rate(
    axes: Axes, edges: Sequence[float], rate: Mapping[str, Any], *, color: str, label: str, shift: float
) -> None:
    """Points with their intervals in the middle of bins, moved by ``shift`` bins so that none hides another."""
    borders = np.asarray(edges, dtype=float)
    if axes.get_xscale() == "log":
        ends = np.log(borders)
        middle = np.exp((ends[1:] + ends[:-1]) / 2 + shift * np.diff(ends))
    else:
        middle = (borders[1:] + borders[:-1]) / 2 + shift * np.diff(borders)
    value, low, high = (_numbers(rate[key]) for key in ("value", "low", "high"))
    known = np.asarray(rate["n"]) >= LEAST_IN_BIN
    axes.vlines(middle[known], low[known], high[known], color=color, linewidth=1.2, alpha=0.6)
    axes.plot(middle[known], value[known], "o-", color=color, markersize=3.8, linewidth=1.2, label=label)


def _rate_axes(axes: Axes, *, name: str, of: str) -> None:
    axes.set(ylim=(-0.02, 1.03), xlabel=of[:1].upper() + of[1:], ylabel=name)
    if axes.get_xscale() == "log":
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    unit_ticks(axes.yaxis)
    legend_above(axes)


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
