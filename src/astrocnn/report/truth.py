"""Figures against the truth: where positives are found, and which negatives pass for positives."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from astrocnn.report.scores import cell, cells_only
from astrocnn.report.style import ACCENT, MUTED, WARM
from astrocnn.report.words import Estimate, axis_label, count, short

__all__ = ["MOST_KINDS", "completeness", "false_positives"]

MOST_KINDS = 20


def completeness(axes: Axes, grid: Mapping[str, Any], *, units: Mapping[str, str] | None = None) -> None:
    """Fraction of positives found per cell of two truth columns (as Lanusse+18 figure 7), with their number.

    All cells are drawn equally large, whatever their edges; ``grid["value"]`` has one row per bin of x.
    """
    units = units or {}
    x_edges, y_edges = grid["x"]["edges"], grid["y"]["edges"]
    value = np.array(
        [[np.nan if v is None else v for v in row] for row in grid["value"]], dtype=float
    ).T  # (y, x)
    n = np.array(grid["n"], dtype=float).T
    shape = value.shape
    size = float(np.clip(66 / max(shape), 5.5, 8))
    for row in range(shape[0]):
        for column in range(shape[1]):
            if n[row, column] > 0:
                text = f"{value[row, column]:.2f}\n({count(n[row, column])})"
                cell(axes, column, row, value[row, column], text, size=size)
    axes.set(xlim=(0, shape[1]), ylim=(0, shape[0]))
    axes.set_xlabel(axis_label(grid["x"]["name"], units.get(grid["x"]["name"], "")))
    axes.set_ylabel(axis_label(grid["y"]["name"], units.get(grid["y"]["name"], "")))
    axes.set_xticks(range(shape[1] + 1), _edges(x_edges))
    axes.set_yticks(range(shape[0] + 1), _edges(y_edges))
    cells_only(axes)


def false_positives(axes: Axes, kinds: Mapping[str, Mapping[str, Any]], *, whole_fpr: float | None) -> None:
    """False-positive rate per kind of negative, the most deceptive on top, with 95 % intervals."""
    estimates = {name: Estimate(kind["fpr"]) for name, kind in kinds.items()}
    order = sorted(estimates, key=lambda name: estimates[name].value or 0.0)[-MOST_KINDS:]
    right = max([e.high or e.value or 0.0 for e in estimates.values()] + [whole_fpr or 0.0, 1e-3])
    for row, name in enumerate(order):
        estimate = estimates[name]
        if estimate.value is None:
            continue
        if estimate.low is not None and estimate.high is not None:
            axes.hlines(row, estimate.low, estimate.high, color=ACCENT, linewidth=1.4, alpha=0.6)
        axes.plot([estimate.value], [row], "o", color=ACCENT, markersize=5.5)
        axes.text(
            1.02, row, f"{100 * estimate.value:.1f} %", transform=axes.get_yaxis_transform(), va="center"
        )
    if whole_fpr is not None:
        axes.axvline(whole_fpr, color=WARM, linewidth=0.9, linestyle=(0, (2, 2)), label="all together")
        axes.annotate(
            f"all together {100 * whole_fpr:.2g} %",
            (whole_fpr, len(order) - 0.45),
            xytext=(3, 0),
            textcoords="offset points",
            color=WARM,
            fontsize=8,
            va="bottom",
        )
    labels = [f"{short(name.replace('_', ' '))} ({count(kinds[name].get('n'))})" for name in order]
    axes.set_yticks(range(len(order)), labels)
    axes.set(xlim=(-0.02 * right, 1.04 * right), ylim=(-0.6, len(order) - 0.4), xlabel="False-positive rate")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.2g} %"))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(MUTED)


def _edges(edges: Sequence[float | None]) -> list[str]:
    """Edges as they are read; an open end is ∞."""
    finite = [edge if edge is not None and np.isfinite(edge) else None for edge in edges]
    return ["∞" if edge is None else count(edge) if edge >= 1000 else f"{edge:.3g}" for edge in finite]
