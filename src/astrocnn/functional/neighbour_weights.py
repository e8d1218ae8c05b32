"""Weights that make a training sample stand for another one, by counting neighbours."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["effective_number", "neighbour_weights"]

Array = NDArray[np.float64]


def neighbour_weights(sample: Array, wanted: Array, *, neighbours: int = 20) -> Array:
    """How often each object of a sample would have to be there for the sample to be distributed as ``wanted``.

    Lima et al. (2008, MNRAS 390, 118): the ratio of the densities of both samples at the object. They are counted in
    the ball that reaches the object's ``neighbours``-th other object of the sample, all on its surface included, so
    that equal samples give equal weights. The distance is Euclidean: give colours and magnitudes in one unit.

    Args:
        sample: (N, F), at least two objects.
        wanted: (M, F).
        neighbours: fewer where the sample has fewer.

    Returns:
        (N,), of mean 1; all 1 where nothing of ``wanted`` is near any.
    """
    tree, others = cKDTree(sample), cKDTree(wanted)
    k = min(neighbours, len(sample) - 1)
    reach = tree.query(sample, k=[k + 1])[0][:, 0]  # the first is the object itself
    reach = np.nextafter(reach, np.inf)  # rounding must not lose what defines it
    own, theirs = (each.query_ball_point(sample, reach, return_length=True) for each in (tree, others))
    ratio = theirs / own
    return np.asarray(ratio / ratio.mean() if ratio.any() else np.ones(len(sample)))


def effective_number(weight: Array) -> float:
    """(Σw)² / Σw²: how many objects of equal weight scatter as these (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight**2).sum())
