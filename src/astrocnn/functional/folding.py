"""Time series by phase and in bins."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["bin_mean", "phase_of"]

Array = NDArray[np.float64]


def phase_of(time: Array, *, period: float, epoch: float) -> Array:
    """Phase in [0, 1) of each time (n,): 0 at ``epoch`` and every period from it; NaN stays NaN."""
    cycles = (time - epoch) / period
    phase: Array = cycles - np.floor(cycles)
    phase[phase >= 1] = 0.0  # a time just before the epoch rounds up to 1
    return phase


def bin_mean(
    position: Array,
    values: Array,
    valid: NDArray[np.bool_],
    edges: Array,
    *,
    variance: Array | None = None,
) -> tuple[Array, NDArray[np.bool_], Array | None]:
    """Mean value in each bin; with variances the inverse-variance weighted one and its variance 1/Σ(1/σ²).

    Args:
        position: (n,) time or phase.
        values: (n,).
        valid: (n,) which of them count.
        edges: (m + 1,) increasing; a value at the last edge belongs to the last bin.
        variance: (n,); a value with variance 0 or below does not count.

    Returns:
        Means (m,), 0 in empty bins; which bins hold a value (m,); variances (m,) or None.
    """
    m = len(edges) - 1
    with np.errstate(invalid="ignore"):
        inside = valid & (position >= edges[0]) & (position <= edges[-1])
    if variance is not None:
        inside &= variance > 0
    bins = np.clip(np.searchsorted(edges, position[inside], side="right") - 1, 0, m - 1)
    # relative to the smallest variance, so that fluxes of 1e-15 do not overflow when their variances are inverted
    least = float(variance[inside].min()) if variance is not None and inside.any() else 1.0
    weight = np.ones(inside.sum()) if variance is None else least / variance[inside]
    total = np.bincount(bins, weight, m)
    filled = total > 0
    norm = np.where(filled, total, np.inf)
    mean = np.bincount(bins, weight * values[inside], m) / norm
    return mean, filled, None if variance is None else np.where(filled, least / norm, 0.0)
