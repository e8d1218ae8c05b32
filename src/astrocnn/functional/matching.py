"""Which measured object is which true one: by position, or by the pixels that they share."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from astrocnn.errors import ConfigError, DataError

__all__ = ["match_instances", "match_positions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def match_positions(
    x: ArrayLike, y: ArrayLike, x_true: ArrayLike, y_true: ArrayLike, radius_pix: float
) -> tuple[Ints, Ints]:
    """Pairs of measured and true positions, one to one, of least total distance.

    An object without a partner costs the radius: a pair is not broken to bring two distant objects together.
    Any number of objects will do, since only those within reach of each other are weighed together.

    Args:
        x: (N,) measured positions in pixels, finite; likewise ``y``.
        y: (N,)
        x_true: (M,) true positions; likewise ``y_true``.
        y_true: (M,)
        radius_pix: largest distance of a pair, above 0.

    Returns:
        Two arrays (P,): measured objects, rising, and the true object of each.

    Raises:
        ConfigError: ``radius_pix`` not above 0.
        DataError: positions that are not finite.
    """
    if not radius_pix > 0:
        raise ConfigError(f"radius_pix={radius_pix} must be above 0; the seeing's FWHM is usual.")
    measured, true = (
        np.stack([np.asarray(a, np.float64).ravel() for a in axes], axis=1)
        for axes in ((x, y), (x_true, y_true))
    )
    for name, positions in (("measured", measured), ("true", true)):
        if not np.isfinite(positions).all():
            raise DataError(f"{name} positions hold NaN or infinities; leave these objects out.")
    if not len(measured) or not len(true):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    near = cKDTree(measured).sparse_distance_matrix(cKDTree(true), radius_pix, output_type="ndarray")
    i, j = near["i"].astype(np.intp), near["j"].astype(np.intp)
    pairs = _assign(i, j, radius_pix - near["v"], n=len(measured))
    return i[pairs], j[pairs]


def match_instances(instances: ArrayLike, true: ArrayLike) -> tuple[Ints, Ints, Floats]:
    """Pairs of measured and true objects, one to one, of the greatest total overlap of their pixels.

    Args:
        instances: (H, W) measured instance map: 0 background, 1 and above objects.
        true: (H, W) true instance map; pixels at −1 are left out of both.

    Returns:
        Three arrays (P,): numbers of the measured objects, numbers of the true ones, and the intersection over
        union of each pair, above 0.

    Raises:
        DataError: maps of different shapes.
    """
    a, b = np.asarray(instances), np.asarray(true)
    if a.shape != b.shape:
        raise DataError(f"instance maps of one image have one shape; these are {a.shape} and {b.shape}.")
    known = b >= 0
    measured, first = np.unique(np.maximum(a[known], 0), return_inverse=True)
    of_truth, second = np.unique(b[known], return_inverse=True)
    shared, n_shared = np.unique(first * len(of_truth) + second, return_counts=True)
    i, j = np.divmod(shared, max(len(of_truth), 1))
    objects = (measured[i] > 0) & (of_truth[j] > 0)
    i, j, n_shared = i[objects], j[objects], n_shared[objects]
    iou = n_shared / (np.bincount(first)[i] + np.bincount(second)[j] - n_shared)
    pairs = _assign(i, j, iou, n=len(measured))
    return measured[i[pairs]].astype(np.intp), of_truth[j[pairs]].astype(np.intp), iou[pairs]


def _assign(i: Ints, j: Ints, gain: Floats, *, n: int) -> Ints:
    """Which of the possible pairs (i, j), with gains ≥ 0, make the greatest total gain, each object in one at most.

    The numbers of the pairs, by rising i; ``n`` is above every i.
    """
    size = n + int(j.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(i)), (i, n + j)), shape=(size, size))
    group = connected_components(graph, directed=False)[1][i] if size else i
    order = np.argsort(group, kind="stable")
    chosen = [np.empty(0, np.intp)]
    for pairs in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(pairs) > 1:
            row = np.unique(i[pairs], return_inverse=True)[1]
            column = np.unique(j[pairs], return_inverse=True)[1]
            pair = np.full((row.max() + 1, column.max() + 1), -1)
            pair[row, column] = pairs
            together = linear_sum_assignment(np.where(pair >= 0, gain[pair], 0), maximize=True)
            pairs = pair[together]
            pairs = pairs[pairs >= 0]
        chosen.append(pairs)
    found = np.concatenate(chosen)
    return found[np.argsort(i[found], kind="stable")]
