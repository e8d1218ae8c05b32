"""On which tile each object lies: on the one where it is deepest inside."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from astrocnn.functional.sphere import unit_vectors
from astrocnn.io.wcs import SkyWcs

__all__ = ["TileSearch"]

Array = NDArray[np.float64]
DEEPER_ARCSEC = 1e-3


class TileSearch:
    """Takes the tiles of a band one after the other and keeps for each object the best so far.

    Deep is how far an object is from the nearest edge of the tile, in arcseconds; of tiles where it is equally deep,
    to a thousandth of an arcsecond, the first counts.

    Args:
        ra, dec: (N,) positions of the objects, degrees (ICRS); NaN for unknown ones.

    Attributes:
        tile: (N,) int64 the number of the tile, −1 for none.
        x, y: (N,) the object's pixel there.
    """

    def __init__(self, ra: Array, dec: Array) -> None:
        self._ra, self._dec = ra, dec
        self.tile = np.full(len(ra), -1, np.int64)
        self.x, self.y = np.full(len(ra), np.nan), np.full(len(ra), np.nan)
        self._depth = np.full(len(ra), -np.inf)
        self._known = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
        position = np.stack([ra[self._known], dec[self._known]], axis=1)
        self._tree = cKDTree(unit_vectors(position)) if len(self._known) else None

    def add(self, number: int, wcs: SkyWcs, height: int, width: int) -> None:
        """Look which objects lie deeper in the tile ``number`` than in those before."""
        if self._tree is None:
            return
        centre, radius = wcs.cap()
        near = self._tree.query_ball_point(centre, 2 * np.sin(np.radians(radius) / 2), return_sorted=True)
        if not near:
            return
        rows = self._known[np.asarray(near, dtype=np.int64)]
        x, y = wcs.pixel(self._ra[rows], self._dec[rows])
        inside = np.minimum(np.minimum(x + 0.5, width - 0.5 - x), np.minimum(y + 0.5, height - 0.5 - y))
        depth = inside * wcs.scale_arcsec
        better = (inside >= 0) & (depth > self._depth[rows] + DEEPER_ARCSEC)  # False where x is NaN
        rows, x, y, depth = rows[better], x[better], y[better], depth[better]
        self.tile[rows], self.x[rows], self.y[rows], self._depth[rows] = number, x, y, depth
