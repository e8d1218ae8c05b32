"""The figures of a classifier with their bootstrap intervals, each figure a function of object counts.

A statistic takes counts (b, N), how often each object was drawn in each of b resamples, and gives (b, M):
the M figures ``names``. The point estimate is the row of all ones.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.functional.bootstrap import bootstrap, percentile_interval
from astrocnn.functional.probabilities import N_BINS, bin_numbers, confidence, log_losses, squared_errors
from astrocnn.functional.ranking import area, before, fpr_limit, precision_area, rank, tpr_within

__all__ = ["FPRS", "BinaryFigures", "MulticlassFigures", "entry", "estimates"]

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
    """Figures that are means over objects, classes or bins: one matrix product gives all their sums."""

    names = ("accuracy", "balanced_accuracy", "brier", "nll", "ece")

    def __init__(self, p: Floats, y: Ints, *, correct: NDArray[np.bool_]) -> None:
        of_class = y[:, None] == np.unique(y)  # (N, K present)
        self.n_classes = of_class.shape[1]
        stated, came_true = confidence(p, y)
        of_bin = bin_numbers(stated, N_BINS)[:, None] == np.arange(N_BINS)
        # Within a bin the shared number of objects cancels: n |mean p − fraction| = |Σ (p − y)|.
        self.columns = np.hstack(
            [
                squared_errors(p, y)[:, None],
                log_losses(p, y)[:, None],
                of_class,
                of_class & correct[:, None],
                of_bin * (stated - came_true)[:, None],
            ]
        )

    def __call__(self, counts: Floats) -> Floats:
        n = counts.sum(1)
        sums = counts @ self.columns
        squares, logs, rest = sums[:, 0], sums[:, 1], sums[:, 2:]
        of_class, found, gaps = np.split(rest, [self.n_classes, 2 * self.n_classes], axis=1)
        accuracy = found.sum(1) / n
        balanced = (found / of_class).mean(1)
        return np.stack([accuracy, balanced, squares / n, logs / n, np.abs(gaps).sum(1) / n], axis=1)


def estimates(
    statistic: BinaryFigures | MulticlassFigures, y: Ints, *, n_resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Every figure's value and 95 % interval, resampled within the classes; without interval for 0 resamples.

    Percentile intervals. That of ``ece`` is turned about its value (2v − high, 2v − low) and then widened to
    hold it: the error grows with noise, resampling adds noise, and the percentiles lie too high.
    """
    value = statistic(np.ones((1, len(y))))[0]
    if n_resamples == 0:
        return {name: entry(v) for name, v in zip(statistic.names, value, strict=True)}
    low, high = percentile_interval(bootstrap(statistic, y, n_resamples=n_resamples, seed=seed))
    ece = statistic.names.index("ece")
    turned = 2 * value[ece] - high[ece], 2 * value[ece] - low[ece]
    low[ece], high[ece] = max(min(turned[0], value[ece]), 0.0), max(turned[1], value[ece])
    return {name: entry(v, lo, hi) for name, v, lo, hi in zip(statistic.names, value, low, high, strict=True)}


def entry(value: Any, low: Any = None, high: Any = None, **more: Any) -> dict[str, Any]:
    """A figure as metrics.json holds it: floats, None for what is not known."""
    parts = {"value": value, "low": low, "high": high}
    return {k: None if v is None or not np.isfinite(v) else float(v) for k, v in parts.items()} | more
