"""Average precision of detections that are told to be right by the distance of their centres."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from astrocnn.functional.detections import Detections

__all__ = ["average_precision", "precision_recall"]

Floats = NDArray[np.float64]


def average_precision(
    found: Sequence[Detections], true: Sequence[Mapping[str, NDArray[Any]]], *, radius_pix: float
) -> dict[str, Any]:
    """The area under precision against completeness, all classes together, and the curve itself.

    Detections are taken from the best score on; each takes the nearest object within the radius that no better one has
    taken. One that takes an object to be ignored counts neither way.

    Args:
        found: of each image, down to scores that are low.
        true: of each image ``x``, ``y`` (N,) in pixels and ``ignore``.
        radius_pix: largest distance of a pair.

    Returns:
        ``value``; ``score``, ``precision``, ``completeness`` of at most 200 points of the curve.
    """
    scores, hits, n_true = [], [], 0
    for said, there in zip(found, true, strict=True):
        ignored = np.asarray(there["ignore"], dtype=bool)
        n_true += int((~ignored).sum())
        hit = _greedy(said, np.stack([there["x"], there["y"]], 1).astype(np.float64), ignored, radius_pix)
        scores.append(said.scores[hit >= 0])
        hits.append(hit[hit >= 0])
    score, right = (np.concatenate([np.empty(0), *parts]) for parts in (scores, hits))
    order = np.argsort(-score, kind="stable")
    precision, completeness = precision_recall(right[order] > 0, n_true)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    area = float((np.diff(completeness, prepend=0.0) * best).sum()) if len(best) else 0.0
    shown = np.unique(np.linspace(0, len(order) - 1, 200).astype(int)) if len(order) else np.empty(0, int)
    curve = {"score": score[order], "precision": precision, "completeness": completeness}
    return {"value": area} | {name: values[shown].tolist() for name, values in curve.items()}


def precision_recall(right: NDArray[np.bool_], n_true: int) -> tuple[Floats, Floats]:
    """Precision and recall (N,) after each of N detections, the best first."""
    hits = np.cumsum(right)
    return hits / np.arange(1, len(right) + 1), hits / max(n_true, 1)


def _greedy(
    found: Detections, places: Floats, ignored: NDArray[np.bool_], radius_pix: float
) -> NDArray[np.int64]:
    """Of each detection 1 where it takes an object, −1 where that is to be ignored, 0 otherwise."""
    said = np.zeros(len(found), np.int64)
    if not len(places):
        return said
    tree, taken = cKDTree(places), np.zeros(len(places), bool)
    at = np.stack([found.x, found.y], 1).astype(np.float64)
    for row in np.argsort(-found.scores, kind="stable").tolist():
        near = np.array(tree.query_ball_point(at[row], radius_pix), dtype=np.int64)
        near = near[~taken[near]]
        if len(near):
            best = near[np.lexsort((((places[near] - at[row]) ** 2).sum(1), ignored[near]))[0]]
            taken[best] = not ignored[best]
            said[row] = -1 if ignored[best] else 1
    return said
