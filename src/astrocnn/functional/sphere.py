"""Angles on the sky as lengths in space, where a tree finds neighbours without edges at RA 0 or the poles."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["chord", "unit_vectors"]


def unit_vectors(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 3) on the unit sphere, for right ascension and declination (N, 2) in degrees."""
    ra, dec = np.radians(position).T
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)  # (N, 3)


def chord(arcsec: float) -> float:
    """Straight distance of two points of the unit sphere that are ``arcsec`` apart: 2 sin(angle / 2)."""
    return 2 * math.sin(math.radians(min(arcsec / 3600, 180.0)) / 2)
