"""The sky in an image: its level and its noise, from pixels that show no source."""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["pixels_of", "sky_and_noise"]

Floats = NDArray[np.floating]

MAD_TO_SIGMA = 1.4826
MOST, ENOUGH = 100_000, 10_000  # pixels for a median
CELL_PIX = 4  # rows and columns of a cell, in which faint light stands out from the noise
CLIP, ROUNDS = 3.0, 10  # σ, and how often at most
BRIGHT = 2.0  # σ of cells without sources: what is brighter is a source
LEAST_CELLS = 30  # without sources


def pixels_of(plane: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
    """Finite pixels (P,) of a plane (H, W) where a mask says so: some hundred thousand, or all if they are rare."""
    step = max(1, isqrt(plane.size // MOST))
    for every in sorted({step, 1}, reverse=True):
        thinned = plane[::every, ::every]
        values: NDArray[Any] = thinned[where[::every, ::every] & np.isfinite(thinned)]
        if len(values) >= ENOUGH:
            break
    return values


def sky_and_noise(image: Floats) -> tuple[Floats, Floats]:
    """Level (C,) of the sky in the bands of an image (C, H, W), NaN where not valid, and 1σ of its pixels (C,).

    They are median and 1.4826 times the median absolute deviation of the pixels that are in no cell (of 4 × 4 pixels)
    in which the bands together, each over its noise, are 2 σ brighter than the clipped median of all cells, nor next
    to such a cell: sources, and most of their faint wings. NaN where fewer than 30 cells are left; a noise that is 0
    is NaN too.
    """
    n_bands, rows, columns = len(image), image.shape[1] // CELL_PIX, image.shape[2] // CELL_PIX
    cut = image[:, : rows * CELL_PIX, : columns * CELL_PIX].reshape(
        n_bands, rows, CELL_PIX, columns, CELL_PIX
    )
    good = np.isfinite(cut)
    n_good = good.sum((2, 4))  # (C, rows, columns)
    means = np.where(good, cut, 0).sum((2, 4)) / np.maximum(n_good, 1)
    known = n_good >= CELL_PIX**2 / 2
    bright, n_known = np.zeros((rows, columns)), known.sum(0)
    for plane, there in zip(means, known, strict=True):
        if there.any():
            middle, sigma = _clipped(plane[there])
            bright[there] += (plane[there] - middle) / (sigma or np.inf)
    bright /= np.sqrt(np.maximum(n_known, 1))
    found = np.full((2, n_bands), np.nan)
    if n_known.any():
        middle, sigma = _clipped(bright[n_known > 0])
        source = ndimage.binary_dilation(bright > middle + BRIGHT * sigma, np.ones((3, 3)))
        for band in range(n_bands):
            blank = known[band] & ~source
            values = cut[band].transpose(0, 2, 1, 3)[blank]  # (cells, 4, 4)
            middle, sigma = _median_and_sigma(values[np.isfinite(values)]) if blank.any() else (0.0, 0.0)
            if blank.sum() >= LEAST_CELLS:
                found[:, band] = middle, sigma or np.nan
    return found[0], found[1]


def _clipped(values: Floats) -> tuple[float, float]:
    """Median and σ of values (n,), without those that are farther than 3 σ from it."""
    middle, sigma = _median_and_sigma(values)
    for _ in range(ROUNDS):
        kept = values[np.abs(values - middle) <= CLIP * sigma]
        if len(kept) == len(values):
            break
        values = kept
        middle, sigma = _median_and_sigma(values)
    return middle, sigma


def _median_and_sigma(values: Floats) -> tuple[float, float]:
    middle = _median(values)
    return middle, MAD_TO_SIGMA * _median(np.abs(values - middle))


def _median(values: Floats) -> float:
    """The middle one of values (n,), the lower of two: of few values numpy's own takes several times as long."""
    half = (len(values) - 1) // 2
    return float(np.partition(values, half)[half])
