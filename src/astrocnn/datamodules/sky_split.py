"""Splits by region of the sky: whole cells train, validate or test, and no cutout reaches over the border."""

import math

import numpy as np
from astropy import units
from astropy_healpix import lonlat_to_healpix
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from astrocnn.functional.sphere import chord, unit_vectors

__all__ = ["cell_deg", "cells", "choose_nside", "nside_of", "overlapping", "reach"]

CELL_DEG = math.degrees(
    math.sqrt(4 * math.pi / 12)
)  # side of a square of the area of one of the 12 base cells
MOST_NSIDE = 2**20  # cells of 0.2 arcsec
CELLS_A_PART = 10  # that the smallest part of the split should have
OBJECTS_A_CELL = 4
CUTOUTS_A_CELL = 4  # a cell is at least so many reaches of a cutout wide, else its borders eat it up

Ints = NDArray[np.int64]
Positions = NDArray[np.float64]


def reach(shape: tuple[int, ...], pixel_scale_arcsec: float | None) -> float | None:
    """Within how many arcsec two cutouts of ``shape`` (..., H, W) can overlap: the diagonal, whatever their angle.

    0 for what has no extent (a spectrum, a row of a table); None where the pixel scale is not known.
    """
    if len(shape) < 3:
        return 0.0
    return None if pixel_scale_arcsec is None else math.hypot(*shape[-2:]) * pixel_scale_arcsec


def cell_deg(nside: int) -> float:
    """Width in degrees of a HEALPix cell: the root of its area, which is 4π / (12 nside²)."""
    return CELL_DEG / nside


def nside_of(width_deg: float) -> int:
    """The power of two whose cells are nearest to ``width_deg`` in ratio."""
    return int(np.clip(2.0 ** round(math.log2(CELL_DEG / width_deg)), 1, MOST_NSIDE))


def cells(position: Positions, nside: int) -> Ints:
    """Number (N,) of the HEALPix cell (nested, ICRS) of each right ascension and declination (N, 2) in degrees.

    Source: Górski et al. 2005, ApJ 622, 759.
    """
    ra, dec = position.T * units.deg
    return np.asarray(lonlat_to_healpix(ra, dec, nside, order="nested"), dtype=np.int64)


def choose_nside(position: Positions, *, smallest_share: float, reach_arcsec: float) -> int:
    """The largest cells in which the smallest part of a split has some ten, counted as if all were equally full.

    A few objects are not cut finer than four a cell, and no cell is narrower than four times ``reach_arcsec``,
    within which another cutout would overlap: then there are fewer cells.
    """
    wanted = min(CELLS_A_PART / smallest_share, len(position) / OBJECTS_A_CELL)
    finest = int(math.log2(MOST_NSIDE))
    if reach_arcsec > 0:
        widest = CELL_DEG * 3600 / (CUTOUTS_A_CELL * reach_arcsec)
        finest = int(np.clip(math.floor(math.log2(max(widest, 1))), 0, finest))
    of_object = cells(position, 2**finest)
    for order in range(finest):
        _, counts = np.unique(of_object >> 2 * (finest - order), return_counts=True)  # nested: four in one
        if counts.sum() ** 2 / (counts.astype(np.float64) ** 2).sum() >= wanted:
            return int(2**order)
    return int(2**finest)


def overlapping(split: NDArray[np.str_], position: Positions, *, reach_arcsec: float) -> NDArray[np.bool_]:
    """Which objects (N,) come within ``reach_arcsec`` of one that must not see them.

    Nothing of the test split is given up: first training and validation yield to it, then training to what is
    left of validation.
    """
    points = unit_vectors(position)
    out = np.zeros(len(split), np.bool_)
    for kept, yielding in (("test", ("train", "val")), ("val", ("train",))):
        fixed, others = (split == kept) & ~out, np.isin(split, yielding) & ~out
        if fixed.any() and others.any():
            # the tree looks for what is nearer than its bound, and to touch is to overlap
            bound = chord(reach_arcsec) * (1 + 1e-9)
            distance, _ = cKDTree(points[fixed]).query(points[others], distance_upper_bound=bound)
            out[others] = np.isfinite(distance)
    return out
