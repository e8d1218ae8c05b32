"""The pixels of an image in which no object is, and their level."""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pixels_of", "sky_level"]

MOST, ENOUGH = 100_000, 10_000  # pixels for a median


def pixels_of(plane: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
    """Finite pixels (P,) of a plane (H, W) where a mask says so: some hundred thousand, or all if they are rare."""
    step = max(1, isqrt(plane.size // MOST))
    for every in sorted({step, 1}, reverse=True):
        thinned = plane[::every, ::every]
        values: NDArray[Any] = thinned[where[::every, ::every] & np.isfinite(thinned)]
        if len(values) >= ENOUGH:
            break
    return values


def sky_level(image: NDArray[np.floating], blank: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Medians (C,) of the bands of an image (C, H, W) where ``blank`` (H, W), else of all finite pixels, else 0."""
    levels = np.zeros(len(image), np.float32)
    for band, plane in enumerate(image):
        for where in (blank, np.ones_like(blank)):
            if len(values := pixels_of(plane, where)):
                levels[band] = np.median(values)
                break
    return levels
