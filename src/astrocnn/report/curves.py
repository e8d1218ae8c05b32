"""Figures of lines: how the training went, and completeness against false positives."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from astrocnn.functional.ranking import roc_curve
from astrocnn.report.history import History
from astrocnn.report.style import ACCENT, CLASS_COLORS, INK, MUTED, WARM
from astrocnn.report.words import short

__all__ = ["legend_above", "losses", "one_vs_rest", "roc", "schedule", "split_history"]

SMOOTHING = 0.02  # of the points; a batch's loss scatters too much to be read
MOST_LINES = 6
MOST_CLASSES = 12


def split_history(history: History) -> tuple[History, History, History]:
    """Curves of the loss, of the validation's other figures, and of the learning rate (one, where all agree)."""
    loss: History = {}
    figures: History = {}
    rate: History = {}
    for name, (steps, values) in history.items():
        if not np.isfinite(values).any() or name.endswith(("momentum", "weight_decay")):
            continue
        if name.startswith(("lr", "learning_rate")) or name.endswith("/lr"):
            same = any(np.array_equal(other[1], values) for other in rate.values())
            rate |= {} if same else {name: (steps, values)}
        elif name.rsplit("/")[-1].removesuffix("_epoch").removesuffix("_step") == "loss":
            loss[name] = (steps, values)
        elif name.startswith("val"):
            figures[name] = (steps, values)
    return loss, figures, rate


def losses(axes: Axes, curves: History) -> None:
    """Loss against step: the training's thin and smoothed, the validation's with its points."""
    for name, (steps, values) in sorted(curves.items()):
        if name.startswith("train"):
            _noisy_line(axes, steps, values, label="training")
        else:
            label = "validation" if name.startswith("val") else name
            marker = "o" if len(steps) <= 60 else ""
            axes.plot(steps, values, color=WARM, marker=marker, markersize=3.5, label=label, zorder=3)
    finite = np.concatenate([values[np.isfinite(values)] for _, values in curves.values()])
    if finite.min() > 0 and finite.max() > 20 * finite.min():
        axes.set_yscale("log")
        _plain_log(axes.yaxis, float(finite.min()), float(finite.max()))
    axes.set_xlabel("Step (batches seen)")
    axes.set_ylabel("Loss")
    legend_above(axes)


def schedule(axes: Axes | list[Axes], figures: History, rate: History) -> None:
    """The validation's figures against step and, in a panel below, the learning rate; either alone as well."""
    panels = axes if isinstance(axes, list) else [axes]
    if figures:
        for (name, (steps, values)), color in zip(
            list(figures.items())[:MOST_LINES], CLASS_COLORS, strict=False
        ):
            label = name.split("/", 1)[-1].replace("_", " ")
            panels[0].plot(
                steps, values, color=color, marker="o" if len(steps) <= 60 else "", ms=3, label=label
            )
        panels[0].set_ylabel("Validation")
        legend_above(panels[0])
    if rate:
        for (name, (steps, values)), color in zip(list(rate.items())[:2], (INK, MUTED), strict=False):
            panels[-1].plot(steps, values, color=color, linewidth=1.2, label=name)
        panels[-1].set_ylabel("Learning rate")
        panels[-1].set_ylim(bottom=0)
        panels[-1].ticklabel_format(axis="y", style="plain")
        panels[-1].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    panels[-1].set_xlabel("Step (batches seen)")


def roc(
    axes: Axes, curve: Mapping[str, Sequence[float]], *, n_negative: int, operating_fpr: float | None
) -> None:
    """Completeness against a logarithmic false-positive rate, with its interval and the operating point."""
    fpr, tpr = (np.asarray(curve[key], dtype=float) for key in ("fpr", "tpr"))
    left = _log_axis(axes, n_negative)
    shown = fpr > 0  # a logarithmic axis begins at one false positive
    if "low" in curve and "high" in curve:
        low, high = (np.asarray(curve[key], dtype=float) for key in ("low", "high"))
        axes.fill_between(
            fpr[shown], low[shown], high[shown], color=ACCENT, alpha=0.18, linewidth=0, label="95 % interval"
        )
    axes.plot(fpr[shown], tpr[shown], color=ACCENT, label="ROC")
    _chance(axes, left)
    if operating_fpr:
        found = float(np.interp(operating_fpr, fpr, tpr))
        axes.plot([operating_fpr] * 2, [0, found], color=WARM, linewidth=0.9, linestyle=(0, (2, 2)))
        label = f"operating point: {found:.3f} at {operating_fpr:g}"
        axes.plot([operating_fpr], [found], "o", color=WARM, markersize=6, label=label, zorder=4)
    legend_above(axes, columns=2)


def one_vs_rest(
    axes: Axes, probabilities: NDArray[np.floating], labels: NDArray[np.integer], classes: Sequence[str]
) -> None:
    """One ROC a class, that class against all others, for the most numerous classes."""
    left = _log_axis(axes, int(min((labels != k).sum() for k in range(len(classes)))))
    numbers = np.bincount(labels, minlength=len(classes))
    known = [k for k in np.argsort(-numbers, kind="stable") if 0 < numbers[k] < len(labels)]
    for k in sorted(known[:MOST_CLASSES]):
        fpr, tpr = _thinned(*roc_curve(probabilities[:, k], labels == k)[:2])
        color = CLASS_COLORS[k % len(CLASS_COLORS)]
        style = "-" if k < len(CLASS_COLORS) else "--"
        axes.plot(fpr[fpr > 0], tpr[fpr > 0], style, color=color, linewidth=1.4, label=short(classes[k]))
    _chance(axes, left)
    legend_above(axes, columns=3)


def legend_above(axes: Axes, *, columns: int = 3) -> None:
    """The legend above the axes, where it can cover nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1.01),
            ncols=columns,
            borderaxespad=0,
            columnspacing=1.4,
            handletextpad=0.6,
        )


def _thinned(fpr: NDArray[np.float64], tpr: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """At most 500 points, dense at small FPR: what a line on a logarithmic axis needs."""
    if len(fpr) <= 500:
        return fpr, tpr
    smallest = fpr[fpr > 0].min()
    wanted = np.concatenate([np.geomspace(smallest, 1, 400), np.linspace(0, 1, 100)])
    keep = np.unique(np.append(np.searchsorted(fpr, wanted, side="right") - 1, [0, len(fpr) - 1]))
    return fpr[keep], tpr[keep]


def _log_axis(axes: Axes, n_negative: int) -> float:
    """A logarithmic x axis down to one false positive of ``n_negative``; its left end."""
    left = 1 / max(n_negative, 10)
    axes.set_xscale("log")
    axes.set_xlim(left * 0.9, 1.05)
    axes.set_ylim(0, 1.02)
    _plain_log(axes.xaxis, left, 1.0)
    axes.set_xlabel("False-positive rate")
    axes.set_ylabel("Completeness (true-positive rate)")
    return left


def _chance(axes: Axes, left: float) -> None:
    fpr = np.geomspace(left, 1, 100)
    axes.plot(fpr, fpr, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), label="chance")


def _plain_log(axis: Any, low: float, high: float) -> None:
    """0.001 instead of 10⁻³; 2 and 5 are labelled too where there are few decades."""
    axis.set_major_locator(LogLocator(subs=(1.0,) if high > 30 * low else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _noisy_line(axes: Axes, steps: NDArray[np.int64], values: NDArray[np.float64], *, label: str) -> None:
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    width = max(1, round(SMOOTHING * len(values)))
    if width < 3:
        axes.plot(steps, values, color=ACCENT, label=label)
        return
    axes.plot(steps, values, color=ACCENT, alpha=0.25, linewidth=0.7)
    smooth = np.convolve(values, np.ones(width) / width, mode="valid")
    centre = np.convolve(steps, np.ones(width) / width, mode="valid")
    axes.plot(centre, smooth, color=ACCENT, label=f"{label} (mean of {width})")


def unit_ticks(axis: Any) -> None:
    """0, 0.2, … 1 on an axis of probabilities."""
    axis.set_major_locator(FixedLocator(list(np.linspace(0, 1, 6))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.1g}"))
