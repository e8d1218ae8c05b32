"""Confidence intervals: the bootstrap over objects, and Wilson's for a rate."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import ConfigError

__all__ = ["bootstrap", "percentile_interval", "stratified_counts", "wilson_interval"]

Floats = NDArray[np.float64]

COUNTS_AT_ONCE = 1_000_000  # 8 MB of counts: several arrays of the size stay in the processor's cache


def stratified_counts(strata: ArrayLike, n_resamples: int, *, seed: int) -> Iterator[Floats]:
    """How often each of N objects is drawn in each resample, in blocks (b, N) of float64.

    Objects are drawn with replacement within their stratum, so each keeps its number of objects; with the
    class as stratum, no resample lacks a class. Figures take these counts as weights, so that one sort serves
    all resamples.

    Args:
        strata: (N,) integers, the stratum of each object.
        n_resamples: sum of b over the blocks.
        seed: equal seeds, equal counts.
    """
    labels = np.asarray(strata)
    members = [np.flatnonzero(labels == stratum) for stratum in np.unique(labels)]
    rng = np.random.default_rng(seed)
    at_once = max(COUNTS_AT_ONCE // max(len(labels), 1), 1)
    for done in range(0, n_resamples, at_once):
        size = min(at_once, n_resamples - done)
        counts = np.empty((size, len(labels)))
        for rows in members:
            n = len(rows)
            drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
            counts[:, rows] = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        yield counts


def bootstrap(
    statistic: Callable[[Floats], Floats], strata: ArrayLike, *, n_resamples: int = 1000, seed: int = 0
) -> Floats:
    """(n_resamples, ...) values of a statistic under resampling.

    Args:
        statistic: takes counts (b, N) of the objects, gives (b, ...).
        strata: (N,) integers; see :func:`stratified_counts`.
        n_resamples: number of resamples, at least 1.
        seed: of the draws.

    Raises:
        ConfigError: no resample.
    """
    if n_resamples < 1:
        raise ConfigError(f"n_resamples={n_resamples} must be at least 1; 1000 serve a 95 % interval.")
    return np.concatenate([statistic(counts) for counts in stratified_counts(strata, n_resamples, seed=seed)])


def percentile_interval(values: Floats, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper bounds (...) that hold the central ``level`` of resampled values (n_resamples, ...)."""
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    return low, high


def wilson_interval(successes: ArrayLike, n: ArrayLike, *, z: float = 1.959964) -> tuple[Floats, Floats]:
    """Wilson's score interval of a rate (Wilson 1927, JASA 22, 209), 95 % by default.

    Sensible at 0 and n successes, where the bootstrap would give an interval of no width. NaN where n is 0.

    Args:
        successes: (...) whole numbers from 0 to ``n``.
        n: (...) numbers of trials.
        z: quantile of the normal distribution.
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    n = np.where(n > 0, n, np.nan)
    rate = k / n
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return np.clip(centre - half, 0, rate), np.clip(centre + half, rate, 1)
