"""Where a detector is full: saturated cores, and the charge that bleeds along their columns."""

import numpy as np
from numpy.typing import NDArray

from astrocnn.simulate.observe import Survey

__all__ = ["saturated"]


def saturated(clean: NDArray[np.float32], survey: Survey) -> NDArray[np.bool_]:
    """True where pixels are full, (C, H, W).

    What a pixel cannot hold runs along its column, half of it either way, and fills pixel after pixel.

    Args:
        clean: image without noise, (C, H, W) nJy.
        survey: with the flux at which a pixel is full.
    """
    full = survey.saturation[:, None, None]
    lost = clean > full
    bands, columns = np.nonzero(lost.any(axis=1))
    if len(bands):
        light = clean[bands, :, columns].astype(np.float64)  # (K, H), each a column
        trail = _filled(light, full[bands, 0]) | _filled(light[:, ::-1], full[bands, 0])[:, ::-1]
        lost[bands, :, columns] = trail
    return np.asarray(lost)


def _filled(light: NDArray[np.float64], full: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels that half the surplus fills on its way towards higher rows, and those that are full themselves."""
    lost = np.zeros(light.shape, dtype=bool)
    running = np.zeros(len(light))
    for row in range(light.shape[1]):
        surplus = light[:, row, None] - full  # (K, 1), negative where there is room
        lost[:, row] = (running > 0) | (surplus[:, 0] > 0)
        running = np.where(
            surplus[:, 0] > 0, running + surplus[:, 0] / 2, np.maximum(running + surplus[:, 0], 0.0)
        )
    return lost
