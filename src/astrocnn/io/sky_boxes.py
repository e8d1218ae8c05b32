"""Boxes on the sky, turned or not, in the pixels of an image."""

from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.io.wcs import SkyWcs

__all__ = ["ANGLE", "BOX", "ELLIPSE", "SKY_BOX", "boxes_in_pixels"]

Floats = NDArray[np.float64]
BOX = ("x0", "y0", "x1", "y1")  # edges in pixels
SKY_BOX = ("ra", "dec", "width_arcsec", "height_arcsec")
ANGLE = "_angle_deg"  # columns that only region files give
ELLIPSE = "_ellipse"


def boxes_in_pixels(table: Table, wcs: SkyWcs) -> Floats:
    """The least boxes (N, 4) in pixels around boxes on the sky; NaN where the image's projection does not show them.

    A side below 0 is one of no length.

    Args:
        table: of N boxes ``ra``, ``dec`` (degrees, ICRS), ``width_arcsec`` and ``height_arcsec``, the width along right
            ascension, and of regions ``_angle_deg``, the position angle of the height (from north to east), and
            ``_ellipse``, whether the shape is the ellipse that fills the box.
        wcs: of the image.
    """
    ra, dec, width, height = (_numbers(table[name]) for name in SKY_BOX)
    width, height = (np.maximum(side, 0) for side in (width, height))  # below 0 there is nothing
    turned = ANGLE in table.colnames
    angle = np.radians(np.asarray(table[ANGLE], dtype=np.float64)) if turned else np.zeros(len(table))
    ellipse = np.asarray(table[ELLIPSE], dtype=bool) if turned else np.zeros(len(table), dtype=bool)
    x, y = wcs.pixel(ra, dec)
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.array([[width * cos, height * sin], [-width * sin, height * cos]]) / 2  # (2, 2, N) east, north
    # which way in pixels each half axis goes: (N, 2, 2), [:, 0] is x, [:, :, 0] the width
    ways = np.linalg.inv(3600 * wcs.jacobian(x, y)) @ np.moveaxis(axes, -1, 0)
    half = np.where(ellipse[:, None], np.sqrt((ways**2).sum(-1)), np.abs(ways).sum(-1))  # (N, 2)
    centre = np.stack([x, y], 1)
    return np.concatenate([centre - half, centre + half], 1)


def _numbers(column: Any) -> Floats:
    """A column, NaN where it is masked."""
    return np.asarray(np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan))
