"""The figures of a classifier with their bootstrap intervals, each figure a function of object counts.

A statistic takes counts (b, N), how often each object was drawn in each of b resamples, and gives (b, M):
the M figures ``names``. The point estimate is the row of all ones.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from astrocnn.functional.bootstrap import bootstrap, percentile_interval
from astrocnn.functional.probabilities import N_BINS, bin_numbers, confidence, log_losses, squared_errors
from astrocnn.functional.ranking import area, before, fpr_limit, precision_area, rank, tpr_within

__all__ = [
    "FPRS",
    "BinaryFigures",
    "MulticlassFigures",
    "Statistic",
    "calibration_error",
    "entry",
    "estimates",
    "turned_entry",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FPRS = {"tpr_at_fpr_1e-1": 1e-1, "tpr_at_fpr_1e-2": 1e-2, "tpr_at_fpr_1e-3": 1e-3}


class BinaryFigures:
    """Figures of two classes, and the true-positive rates of the ROC curve at ``roc_false_positives``.

    Args:
        p: (N,) probability of the positive class.
        y: (N,) 0 or 1, both present.
        threshold: from which p on an object is called positive.
        roc_false_positives: (G,) numbers of false positives at which the ROC curve is wanted.
    """

    def __init__(self, p: Floats, y: Ints, *, threshold: float, roc_false_positives: Floats) -> None:
        self.positive = y == 1
        self.ranking = rank(p)
        n_negative = int((~self.positive).sum())
        limits = [fpr_limit(fpr, n_negative) for fpr in FPRS.values()]
        self.limits = np.array([*limits, before(10), *roc_false_positives])
        self.names = ["auroc", "average_precision", *FPRS, "tpr10"]
        self.names += [f"roc_{number}" for number in range(len(roc_false_positives))]
        self.means = _Means(p, y, correct=(p >= threshold) == self.positive)
        self.names += self.means.names

    def __call__(self, counts: Floats) -> Floats:
        """(b, M) figures of counts (b, N)."""
        curve = self.ranking.curve(self.positive, counts)
        ranked = [area(curve)[:, None], precision_area(curve)[:, None], tpr_within(curve, self.limits)]
        return np.hstack([*ranked, self.means(counts)])


class MulticlassFigures:
    """Figures of K classes; AUROC is the mean over the classes of one against the rest.

    Args:
        p: (N, K) probabilities.
        y: (N,) class numbers; classes without an object are left out of the means over classes.
    """

    def __init__(self, p: Floats, y: Ints) -> None:
        self.rankings = [(rank(p[:, k]), y == k) for k in np.unique(y)]
        self.means = _Means(p, y, correct=p.argmax(1) == y)
        self.names = ["auroc", *self.means.names]

    def __call__(self, counts: Floats) -> Floats:
        """(b, M) figures of counts (b, N)."""
        areas = [area(ranking.curve(member, counts)) for ranking, member in self.rankings]
        return np.hstack([np.mean(areas, axis=0)[:, None], self.means(counts)])


class _Means:
    """Figures that are means over objects or classes: one matrix product gives all their sums."""

    names = ("accuracy", "balanced_accuracy", "brier", "nll")

    def __init__(self, p: Floats, y: Ints, *, correct: NDArray[np.bool_]) -> None:
        of_class = y[:, None] == np.unique(y)  # (N, K present)
        self.n_classes = of_class.shape[1]
        scores = np.stack([squared_errors(p, y), log_losses(p, y)], axis=1)
        self.columns = np.hstack([scores, of_class, of_class & correct[:, None]])

    def __call__(self, counts: Floats) -> Floats:
        n = counts.sum(1)
        sums = counts @ self.columns
        squares, logs, of_class, found = np.split(sums, [1, 2, 2 + self.n_classes], axis=1)
        accuracy = found.sum(1, keepdims=True) / n[:, None]
        balanced = (found / of_class).mean(1, keepdims=True)
        return np.hstack([accuracy, balanced, squares / n[:, None], logs / n[:, None]])


class Statistic(Protocol):
    """Figures of object counts, and their names."""

    @property
    def names(self) -> Sequence[str]:
        """M of them."""
        ...

    def __call__(self, counts: Floats) -> Floats:
        """(b, M) figures of counts (b, N)."""
        ...


def estimates(statistic: Statistic, y: Ints, *, n_resamples: int, seed: int) -> dict[str, dict[str, Any]]:
    """Every figure's value and 95 % percentile interval, resampled within the classes.

    The intervals are those of sets with the same number of objects in each class. 0 resamples give none.
    """
    value = statistic(np.ones((1, len(y))))[0]
    if n_resamples == 0:
        return {name: entry(v) for name, v in zip(statistic.names, value, strict=True)}
    low, high = percentile_interval(bootstrap(statistic, y, n_resamples=n_resamples, seed=seed))
    return {name: entry(v, lo, hi) for name, v, lo, hi in zip(statistic.names, value, low, high, strict=True)}


def calibration_error(p: Floats, y: Ints, *, n_resamples: int, seed: int) -> dict[str, Any]:
    """The expected calibration error and its 95 % interval.

    Resampled whatever the class: with the classes' numbers held fixed, probabilities could not be off as a
    whole. The interval is turned about the value, (2v − high, 2v − low), then widened to hold it: noise
    enlarges the error, resampling adds noise, and so the percentiles themselves lie too high.
    """
    stated, came_true = confidence(p, y)
    of_bin = bin_numbers(stated, N_BINS)[:, None] == np.arange(N_BINS)
    # Within a bin the number of objects cancels: n |mean p − fraction| = |Σ (p − y)|.
    gaps = of_bin * (stated - came_true)[:, None]  # (N, bins)

    def error(counts: Floats) -> Floats:
        return np.asarray(np.abs(counts @ gaps).sum(1) / counts.sum(1))

    value = float(error(np.ones((1, len(y))))[0])
    if n_resamples == 0:
        return entry(value)
    low, high = percentile_interval(bootstrap(error, np.zeros(len(y)), n_resamples=n_resamples, seed=seed))
    return turned_entry(value, low, high)


def turned_entry(value: Any, low: Any, high: Any) -> dict[str, Any]:
    """A figure that noise enlarges, with its percentiles turned about it, as :func:`calibration_error` says."""
    return entry(value, max(min(2 * value - high, value), 0.0), max(2 * value - low, value))


def entry(value: Any, low: Any = None, high: Any = None, **more: Any) -> dict[str, Any]:
    """A figure as metrics.json holds it: floats, None for what is not known."""
    parts = {"value": value, "low": low, "high": high}
    return {k: None if v is None or not np.isfinite(v) else float(v) for k, v in parts.items()} | more
