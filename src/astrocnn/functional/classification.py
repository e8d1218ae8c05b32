"""Everything that is said of a classifier on labelled objects, as one JSON-able dict."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.functional.bootstrap import wilson_interval
from astrocnn.functional.completeness import completeness_map, numbers, operating_point, rates_by_kind
from astrocnn.functional.figures import (
    FPRS,
    BinaryFigures,
    MulticlassFigures,
    calibration_error,
    entry,
    estimates,
)
from astrocnn.functional.probabilities import check_probabilities, reliability
from astrocnn.functional.ranking import check_two_classes, fpr_limit, tpr0

__all__ = ["summarise"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Summary = dict[str, Any]

FALSE_POSITIVE_RATE = 1e-2  # at which kinds and completeness are stated
ROC_POINTS = 300


def summarise(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    classes: Sequence[str],
    truth: Mapping[str, ArrayLike] | None = None,
    selections: Mapping[str, Mapping[str, float]] | None = None,
    strata: Sequence[str] | None = None,
    kind: str | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
    threshold: float = 0.5,
) -> Summary:
    """Figures, curves and tables of predicted probabilities against labels.

    Intervals are 95 %: the bootstrap over objects, drawn within their class so that none is ever missing (for
    ``ece``, whatever their class), for the figures and the ROC curve; Wilson's for rates at a fixed threshold.
    TPR0 has none: it is an extreme value. A rate that the negatives are too few to resolve is None, with a
    note.

    Args:
        probabilities: (N,) of ``classes[1]``, or (N, K).
        labels: (N,) class numbers; objects labelled −1 are left out and counted in ``n_unlabelled``.
        classes: names of the K classes.
        truth: columns (N,) that the next three arguments name.
        selections: {name: {column: lower bound}}: positives above all bounds, against all negatives.
        strata: two columns, for the completeness map of the positives.
        kind: column by which negatives have their own false-positive rate.
        n_bootstrap: number of resamples; 0 gives no intervals.
        seed: of the resamples.
        threshold: from which probability on an object is called positive, in accuracy and confusion matrix.

    Returns:
        ``n``, ``classes``, ``figures`` {name: {value, low, high}}, ``confusion`` (rows are the true classes),
        ``reliability``; for two classes also ``n_positive``, ``n_negative``, ``prevalence``, ``selections``,
        ``threshold_fpr``, ``false_positives``, ``completeness`` and ``roc``; for more ``n_per_class`` and
        ``recall``. Numbers, strings, lists and None only.

    Raises:
        DataError: no labelled object, one class only, NaN or other numbers that are no probabilities, or a
            column that ``truth`` lacks.
        ConfigError: options that do not fit the classes.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim == 2 and p.shape[1] == 2:
        p = p[:, 1]
    if y.shape != p.shape[:1]:
        raise DataError(
            f"there are {len(p)} probabilities and labels of shape {y.shape}; give one label each."
        )
    known = y != -1
    p, y = check_probabilities(p[known], y[known])
    n_classes = 2 if p.ndim == 1 else p.shape[1]
    if len(classes) != n_classes:
        raise ConfigError(
            f"{len(classes)} class names ({listed(classes)}) for {n_classes} classes; name each."
        )
    if n_bootstrap < 0:
        raise ConfigError(f"n_bootstrap={n_bootstrap} must be 0 or more.")
    if strata and len(strata) != 2:
        raise ConfigError(
            f"strata={list(strata)} must be two columns of the catalogue, or null (data.strata)."
        )
    needed = {column for bounds in (selections or {}).values() for column in bounds}
    columns = _columns(truth or {}, needed | set(strata or ()) | ({kind} if kind else set()), known)

    common: Summary = {
        "n": len(y),
        "n_unlabelled": int((~known).sum()),
        "classes": list(classes),
        "intervals": f"95 %; {n_bootstrap} bootstrap resamples of the objects, within their class but for ece",
        "reliability": _reliability(p, y),
    }
    options = {"n_resamples": n_bootstrap, "seed": seed}
    if n_classes > 2:
        if selections or strata or kind:
            raise ConfigError("selections, strata and kind need two classes; set them to null in data.")
        return common | _many(p, y, classes, options)
    check_two_classes(p, y)
    common |= _two(p, y, threshold, options)
    common["selections"] = {
        name: _selection(p, y, bounds, columns, threshold, options)
        for name, bounds in (selections or {}).items()
    }
    cut, fpr = common["threshold_fpr"]["threshold"], common["threshold_fpr"]["fpr"]
    if kind:
        common["false_positives"] = rates_by_kind(columns[kind][y == 0], p[y == 0] >= cut)
    if strata:
        x, z = (numbers(name, columns[name])[y == 1] for name in strata)
        common["completeness"] = completeness_map(x, z, p[y == 1] >= cut, names=strata) | {"fpr": fpr}
    return common


def _columns(truth: Mapping[str, ArrayLike], needed: set[str], known: NDArray[np.bool_]) -> dict[str, Any]:
    if missing := sorted(needed - set(truth)):
        raise DataError(
            f"the catalogue has no column {listed(missing)}; it has {listed(list(truth), most=20)}. Name others "
            f"in data.selections, data.strata and data.kind, or set these to null."
        )
    return {name: np.ma.asarray(truth[name])[known] for name in needed}


def _two(p: Floats, y: Ints, threshold: float, options: dict[str, int]) -> Summary:
    n_negative = int((y == 0).sum())
    false_positives = np.unique(np.r_[0, np.geomspace(1, n_negative, ROC_POINTS).round()])
    found = _binary(p, y, threshold, options, roc_false_positives=false_positives)
    points = [found.pop(f"roc_{number}") for number in range(len(false_positives))]
    roc = {
        name: [point[key] for point in points]
        for name, key in (("tpr", "value"), ("low", "low"), ("high", "high"))
    }
    cut, fpr = operating_point(p, y, fpr=FALSE_POSITIVE_RATE)
    return {
        "n_positive": len(y) - n_negative,
        "n_negative": n_negative,
        "prevalence": 1 - n_negative / len(y),
        "figures": found,
        "confusion": _confusion(y, (p >= threshold).astype(np.int64), 2),
        "threshold": threshold,
        "threshold_fpr": {"fpr": fpr, "threshold": cut},
        "roc": {"fpr": (false_positives / n_negative).tolist(), **roc},
    }


def _binary(
    p: Floats, y: Ints, threshold: float, options: dict[str, int], *, roc_false_positives: Floats
) -> Summary:
    """The figures of two classes, those that the negatives are too few for as None with a note."""
    statistic = BinaryFigures(p, y, threshold=threshold, roc_false_positives=roc_false_positives)
    found = estimates(statistic, y, **options) | {"ece": calibration_error(p, y, **options)}
    n_negative = int((y == 0).sum())
    for name, fpr in FPRS.items():
        if fpr_limit(fpr, n_negative) < 1:
            note = f"{n_negative} negatives cannot resolve a rate of {fpr:g}; at least {round(1 / fpr)} can"
            found[name] = entry(None, note=note)
    found["tpr0"] = entry(tpr0(p, y), n_negative=n_negative, note="an extreme value: no interval")
    found["tpr10"] = {**found["tpr10"], "n_negative": n_negative}
    if n_negative < 10:
        found["tpr10"]["note"] = f"1 by definition: there are {n_negative} negatives in all"
    return found


def _many(p: Floats, y: Ints, classes: Sequence[str], options: dict[str, int]) -> Summary:
    per_class = np.bincount(y, minlength=len(classes))
    if (per_class > 0).sum() < 2:
        raise DataError(
            f"all {len(y)} objects are of class {classes[int(y[0])]!r}; choose another split (data.split_seed, "
            f"data.test_fraction) or add labelled objects."
        )
    confusion = np.array(_confusion(y, p.argmax(1), len(classes)))
    hits = confusion.diagonal()
    low, high = wilson_interval(hits, per_class)
    recall = hits / np.where(per_class > 0, per_class, np.nan)
    found = estimates(MulticlassFigures(p, y), y, **options) | {"ece": calibration_error(p, y, **options)}
    if absent := [name for name, n in zip(classes, per_class, strict=True) if n == 0]:
        for name in ("auroc", "balanced_accuracy"):
            found[name] = {**found[name], "note": f"without {listed(absent)}, which no object belongs to"}
    return {
        "n_per_class": per_class.tolist(),
        "figures": found,
        "recall": {
            name: entry(recall[k], low[k], high[k], n=int(per_class[k])) for k, name in enumerate(classes)
        },
        "confusion": confusion.tolist(),
    }


def _selection(
    p: Floats,
    y: Ints,
    bounds: Mapping[str, float],
    columns: Mapping[str, Any],
    threshold: float,
    options: dict[str, int],
) -> Summary:
    """Figures of the positives above all bounds against all negatives."""
    inside = y == 1
    for column, bound in bounds.items():
        inside &= numbers(column, columns[column]) > bound  # False where NaN
    rows = inside | (y == 0)
    chosen: Summary = {
        "where": dict(bounds),
        "n_positive": int(inside.sum()),
        "n_negative": int((y == 0).sum()),
    }
    if not inside.any():
        return chosen | {"figures": {}, "note": "no positive is above the bounds"}
    figures = _binary(p[rows], y[rows], threshold, options, roc_false_positives=np.empty(0))
    return chosen | {"figures": figures}


def _confusion(y: Ints, called: NDArray[np.int64], n_classes: int) -> list[list[int]]:
    table = np.bincount(y * n_classes + called, minlength=n_classes**2)
    return table.reshape(n_classes, n_classes).tolist()


def _reliability(p: Floats, y: Ints) -> Summary:
    diagram = reliability(p, y)
    listed_bins = {
        name: [None if np.isnan(v) else float(v) for v in getattr(diagram, name)]
        for name in ("mean_p", "fraction")
    }
    return {"edges": diagram.edges.tolist(), **listed_bins, "n": diagram.n.astype(int).tolist()}
