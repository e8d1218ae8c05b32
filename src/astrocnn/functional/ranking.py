"""Figures of a ranking of objects of two classes: ROC curve and what is read off it. Float64, exact on ties.

Objects are ranked by falling score. Objects of equal score form a block that enters as a whole: no threshold
can separate them, so no figure may depend on their order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import DataError

__all__ = [
    "Curve",
    "Ranking",
    "area",
    "auroc",
    "average_precision",
    "before",
    "check_two_classes",
    "fpr_limit",
    "precision_area",
    "rank",
    "roc_curve",
    "tpr0",
    "tpr10",
    "tpr_at_fpr",
    "tpr_before",
    "tpr_within",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """N objects by falling score, and the T blocks of equal scores.

    ``order`` (N,) sorts the objects; ``last`` (T,) is the place of each block's last object in that order;
    ``scores`` (T,) are the blocks' scores, falling.
    """

    order: NDArray[np.int64]
    last: NDArray[np.int64]
    scores: Floats

    def curve(self, positive: NDArray[np.bool_], weight: Floats | None = None) -> "Curve":
        """Positives and negatives above each threshold; ``weight`` (..., N) counts objects more than once."""
        member = positive[self.order]
        if weight is None:
            true, false = member.astype(np.float64), (~member).astype(np.float64)
        else:
            ordered = weight[..., self.order]
            true, false = ordered * member, ordered * ~member
        return Curve(tp=self._cumulative(true), fp=self._cumulative(false))

    def _cumulative(self, values: Floats) -> Floats:
        total = np.zeros((*values.shape[:-1], len(self.last) + 1))
        np.cumsum(values, axis=-1, out=values)
        total[..., 1:] = values[..., self.last]
        return total


@dataclass(frozen=True)
class Curve:
    """True and false positives as the threshold falls past one block after another: (..., T + 1), from 0."""

    tp: Floats
    fp: Floats


def rank(scores: ArrayLike) -> Ranking:
    """The ranking of ``scores`` (N,), the largest first."""
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return Ranking(order=order, last=last, scores=ordered[last])


def area(curve: Curve) -> Floats:
    """(...) area under the ROC curve: P(score₊ > score₋) + ½ P(score₊ = score₋)."""
    step = np.diff(curve.fp)
    height = (curve.tp[..., 1:] + curve.tp[..., :-1]) / 2
    return np.asarray((step * height).sum(-1) / (curve.fp[..., -1] * curve.tp[..., -1]))


def precision_area(curve: Curve) -> Floats:
    """(...) average precision Σ (Rₙ − Rₙ₋₁) Pₙ over the blocks, without interpolation."""
    above = curve.tp[..., 1:] + curve.fp[..., 1:]
    precision = curve.tp[..., 1:] / np.where(above > 0, above, 1)
    return np.asarray((np.diff(curve.tp) * precision).sum(-1) / curve.tp[..., -1])


def tpr_within(curve: Curve, false_positives: ArrayLike) -> Floats:
    """(..., G) largest true-positive rate with at most so many false positives, for G limits (G,)."""
    limits = np.atleast_1d(np.asarray(false_positives, dtype=np.float64))
    shape = curve.fp.shape[:-1]
    tp = curve.tp.reshape(-1, curve.tp.shape[-1])  # (R, T + 1)
    fp = curve.fp.reshape(tp.shape)
    within = [t[np.searchsorted(f, limits, side="right") - 1] / t[-1] for t, f in zip(tp, fp, strict=True)]
    return np.stack(within).reshape(*shape, len(limits))


def fpr_limit(fpr: float, n_negative: ArrayLike) -> Floats:
    """False positives that a rate allows among so many negatives, with room for rounding (0.1 · 30 ≥ 3)."""
    return np.asarray(fpr * np.asarray(n_negative, dtype=np.float64) * (1 + 1e-12))


def before(n: int) -> float:
    """The limit "fewer than ``n`` false positives" as a largest number."""
    return float(np.nextafter(n, 0))


def check_two_classes(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores (N,) as float64 and labels (N,) as bool.

    Raises:
        DataError: shapes that differ, scores that are not numbers, labels other than 0 and 1, or one class.
    """
    values, classes = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if values.ndim != 1 or classes.shape != values.shape:
        raise DataError(
            f"a ranking needs scores (N,) and labels (N,) and got {values.shape} and {classes.shape}."
        )
    if n_bad := int(np.isnan(values).sum()):
        raise DataError(
            f"{n_bad} of {len(values)} scores are NaN; look for these objects' images (all pixels invalid?) and "
            f"leave them out, or train again if the network itself gives NaN."
        )
    if not np.isin(classes, (0, 1)).all():
        raise DataError(
            f"labels of two classes are 0 and 1 and these are {np.unique(classes)[:5].tolist()}; "
            f"leave out objects without label (−1)."
        )
    positive = classes == 1
    if positive.all() or not positive.any():
        raise DataError(
            f"{int(positive.sum())} positives and {int((~positive).sum())} negatives: a ranking needs both "
            f"classes; choose another split (data.split_seed, data.test_fraction) or add labelled objects."
        )
    return values, positive


def _curve(scores: ArrayLike, labels: ArrayLike, weight: ArrayLike | None) -> tuple[Ranking, Curve]:
    values, positive = check_two_classes(scores, labels)
    ranking = rank(values)
    return ranking, ranking.curve(positive, None if weight is None else np.asarray(weight, dtype=np.float64))


def roc_curve(
    scores: ArrayLike, labels: ArrayLike, *, weight: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """False-positive rate, true-positive rate and threshold at the end of every block of equal scores.

    Args:
        scores: (N,) larger for likelier positives.
        labels: (N,) 0 or 1.
        weight: (N,) weights of the objects.

    Returns:
        Three float64 arrays (T + 1,), beginning at (0, 0) with threshold +∞; an object is called positive
        when its score is at least the threshold.

    Raises:
        DataError: as :func:`check_two_classes`.
    """
    ranking, curve = _curve(scores, labels, weight)
    thresholds = np.concatenate([[np.inf], ranking.scores])
    return curve.fp / curve.fp[-1], curve.tp / curve.tp[-1], thresholds


def auroc(scores: ArrayLike, labels: ArrayLike, *, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve; a tie between a positive and a negative counts ½. See :func:`roc_curve`."""
    return float(area(_curve(scores, labels, weight)[1]))


def average_precision(scores: ArrayLike, labels: ArrayLike, *, weight: ArrayLike | None = None) -> float:
    """Precision averaged over the recall, at the prevalence of ``labels``. See :func:`roc_curve`."""
    return float(precision_area(_curve(scores, labels, weight)[1]))


def tpr_before(scores: ArrayLike, labels: ArrayLike, *, false_positives: int) -> float:
    """Largest true-positive rate with fewer than so many false positives; 1 when there are no so many."""
    return float(tpr_within(_curve(scores, labels, None)[1], before(false_positives))[0])


def tpr0(scores: ArrayLike, labels: ArrayLike) -> float:
    """True-positive rate before the first false positive (Metcalf+19, A&A 625, A119): the ROC at FPR = 0.

    A block that holds a negative is past it, with all its positives. Depends on the number of negatives:
    state it beside the figure.
    """
    return tpr_before(scores, labels, false_positives=1)


def tpr10(scores: ArrayLike, labels: ArrayLike) -> float:
    """True-positive rate with fewer than ten false positives (Metcalf+19)."""
    return tpr_before(scores, labels, false_positives=10)


def tpr_at_fpr(scores: ArrayLike, labels: ArrayLike, *, fpr: float, weight: ArrayLike | None = None) -> float:
    """Largest true-positive rate (completeness) at a false-positive rate of at most ``fpr``."""
    curve = _curve(scores, labels, weight)[1]
    return float(tpr_within(curve, fpr_limit(fpr, curve.fp[-1]))[0])
