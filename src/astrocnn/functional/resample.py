"""Values of an image between its pixels: cubic splines, with pixels that hold no data kept out of them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["MARGIN", "filled", "spline_at", "spline_shift", "touches_only"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
# pixels around the part that is used: the spline's memory of the border is 0.268 to this power, 3e-5
MARGIN = 8
ON_PIXEL = 1e-3


def filled(values: Array, good: Mask) -> Array:
    """``values`` (H, W) with those that are not ``good`` replaced by the nearest that is.

    A spline rings around a jump; so what stands in for missing pixels must be near to their neighbours.
    """
    if good.all() or not good.any():
        return values
    nearest = ndimage.distance_transform_edt(~good, return_distances=False, return_indices=True)  # (2, H, W)
    stand_in: Array = values[tuple(nearest)]
    return stand_in


def spline_at(values: Array, x: Array, y: Array) -> Array:
    """The cubic spline through ``values`` (H, W) at columns ``x`` and rows ``y`` (any shape)."""
    found: Array = ndimage.map_coordinates(values, [y, x], order=3, mode="mirror")
    return found


def spline_shift(values: Array, dx: float, dy: float, size: int) -> Array:
    """:func:`spline_at` a whole grid: (size, size) values from column ``dx`` and row ``dy`` on, in steps of 1.

    Each direction is one matrix product, several times faster than interpolating pixel by pixel.
    """
    across, along = (_matrix(n, d, size) for n, d in ((values.shape[1], dx), (values.shape[0], dy)))
    return along @ values @ across.T


def _matrix(length: int, start: float, size: int) -> Array:
    """(size, length): what each pixel of a row weighs in the spline at ``start``, ``start`` + 1, ..."""
    first = int(np.floor(start))
    t = start - first
    weights = np.array([(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3]) / 6
    taps = np.abs(np.arange(first - 1, first + size + 2))
    taps = np.where(
        taps > length - 1, 2 * (length - 1) - taps, taps
    )  # mirrored at the ends, as the filter is
    rows = _coefficients(length)[taps]  # (size + 3, length)
    matrix: Array = sum(weight * rows[k : k + size] for k, weight in enumerate(weights))
    return matrix


@lru_cache(maxsize=64)
def _coefficients(length: int) -> Array:
    """(length, length): a row of pixels to the coefficients of the cubic B-splines that go through them."""
    matrix: Array = ndimage.spline_filter1d(np.eye(length), order=3, axis=0, mode="mirror")
    return matrix


def touches_only(good: Mask, x: Array, y: Array) -> Mask:
    """Whether the pixels around each position, those that a bilinear interpolation would use, are all ``good``.

    A position within 0.001 of a column or row uses that one alone; outside the image nothing is good.
    """
    height, width = good.shape
    result = np.ones(np.shape(x), np.bool_)
    for column in (np.floor(x + ON_PIXEL), np.ceil(x - ON_PIXEL)):
        for row in (np.floor(y + ON_PIXEL), np.ceil(y - ON_PIXEL)):
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            i, j = np.where(inside, row, 0).astype(np.intp), np.where(inside, column, 0).astype(np.intp)
            result &= inside & good[i, j]
    return result
