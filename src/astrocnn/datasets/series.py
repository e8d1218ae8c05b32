"""A light curve as rows of one time and several bands: put together, folded, binned."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrocnn.functional.folding import bin_mean, phase_of

__all__ = ["Series", "binned", "folded", "places"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """Rows (n,) of one object: ``time``; ``value``, ``variance`` or None, and ``valid`` (n, n_bands)."""

    time: Array
    value: Array
    variance: Array | None
    valid: NDArray[np.bool_]


def places(time: Array, band: NDArray[np.int64], n_bands: int) -> tuple[NDArray[np.int64], Array]:
    """In which row each observation (n,) belongs, −1 for none, and the time of each row.

    Equal times of several bands share a row, and a band that is observed twice at one time has two. A single band
    keeps its rows as they are, those without a time as gaps, unless its times are in no order: then they are
    sorted, and rows without a time are left out.
    """
    if n_bands == 1:
        stamped = np.isfinite(time)
        if (np.diff(time[stamped]) >= 0).all():
            return np.arange(len(time)), time
        order = np.flatnonzero(stamped)[np.argsort(time[stamped], kind="stable")]
        place = np.full(len(time), -1)
        place[order] = np.arange(len(order))
        return place, time[order]
    order = np.lexsort((band, time))
    again = np.zeros(len(time), np.int64)  # how often this band has been seen at this time before
    same = (np.diff(time[order]) == 0) & (np.diff(band[order]) == 0)
    for i in np.flatnonzero(same):
        again[order[i + 1]] = again[order[i]] + 1
    rows, place = np.unique(np.stack([time, again], 1), axis=0, return_inverse=True)
    return place.reshape(-1), rows[:, 0]


def folded(series: Series, *, period: float, epoch: float) -> Series:
    """The rows in the order of phase, which takes the place of time; rows without a time are left out."""
    phase = phase_of(series.time, period=period, epoch=epoch)
    order = np.argsort(phase, kind="stable")[: int(np.isfinite(phase).sum())]
    variance = None if series.variance is None else series.variance[order]
    return Series(phase[order], series.value[order], variance, series.valid[order])


def binned(series: Series, low: float, high: float, *, n_bins: int) -> Series:
    """Weighted means in bins of equal width from ``low`` to ``high``, a row a bin, at its middle."""
    edges = np.linspace(low, high if high > low else low + 1.0, n_bins + 1)
    noise = [None if series.variance is None else series.variance[:, b] for b in range(series.value.shape[1])]
    parts = [
        bin_mean(series.time, series.value[:, b], series.valid[:, b], edges, variance=variance)
        for b, variance in enumerate(noise)
    ]
    variances = [part[2] for part in parts if part[2] is not None]
    return Series(
        (edges[1:] + edges[:-1]) / 2,
        np.stack([part[0] for part in parts], 1),
        np.stack(variances, 1) if len(variances) == len(parts) else None,
        np.stack([part[1] for part in parts], 1),
    )
