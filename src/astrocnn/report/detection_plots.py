"""The plots of detections."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

__all__ = ["counts_per_scene", "precision_completeness", "values"]


def precision_completeness(axes: Axes, curve: Mapping[str, Any], *, threshold: float | None) -> None:
    """Precision against completeness, and where the threshold lies."""
    completeness, precision = np.array(curve["completeness"]), np.array(curve["precision"])
    axes.plot(completeness, precision)
    if threshold is not None and len(completeness):
        at = int(np.searchsorted(-np.array(curve["score"]), -threshold, side="right")) - 1
        axes.plot(completeness[max(at, 0)], precision[max(at, 0)], "o", label=f"score {threshold:g}")
        axes.legend(loc="lower left")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03), xlabel="Completeness", ylabel="Precision")


def counts_per_scene(axes: Axes, counts: Mapping[str, Any]) -> None:
    """Numbers of found and of true objects."""
    most = max([1, *counts["true"], *counts["found"]]) * 1.05
    axes.plot([0, most], [0, most], "--", color="0.5", linewidth=1)
    axes.plot(counts["true"], counts["found"], "o", markersize=3, alpha=0.6)
    least = 0.9 * min([most, *counts["true"], *counts["found"]])
    axes.set(xlim=(least, most), ylim=(least, most), xlabel="True objects", ylabel="Found objects")


def values(axes: Axes, found: Mapping[str, Any], *, name: str) -> None:
    """Predicted against true values."""
    true, said = np.array(found["true"]), np.array(found["found"])
    low, high = np.nanpercentile(np.concatenate([true, said]), [0.5, 99.5]) if len(true) else (0, 1)
    axes.plot([low, high], [low, high], "--", color="0.5", linewidth=1)
    axes.plot(true, said, ".", markersize=2, alpha=0.4)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel=f"True {name}", ylabel=f"Predicted {name}")
