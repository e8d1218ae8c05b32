"""Where the pixels of cutouts lie in the images that they are cut from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrocnn.io.wcs import SkyWcs, tangent_basis

__all__ = ["Grid", "Mapping", "NativeGrid", "TangentGrid", "mapping", "shift_between", "shifted"]

Array = NDArray[np.float64]
TOLERANCE_PIX = 0.05
SAME_PIX = 1e-3
# in units of half a cutout; those at half the way see the cubic terms, which vanish at the edges
POINTS = np.array(
    [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
    + [(s * a, t * a) for a in (1, 0.5) for s in (-1, 1) for t in (-1, 1)]
)


class Grid:
    """The pixel grids of N cutouts: positions on the sky of points ``u`` columns and ``v`` rows off the centre."""

    def sky(self, rows: NDArray[np.int64], u: Array, v: Array) -> tuple[Array, Array]:
        """Right ascension and declination, (n, K) for the cutouts ``rows`` (n,) and K points, degrees."""
        raise NotImplementedError


class NativeGrid(Grid):
    """Grids of an image's own pixels, around its positions ``x``, ``y`` (N,)."""

    def __init__(self, wcs: SkyWcs, x: Array, y: Array) -> None:
        self.wcs, self.x, self.y = wcs, x, y

    def sky(self, rows: NDArray[np.int64], u: Array, v: Array) -> tuple[Array, Array]:
        """As the image's WCS has it."""
        return self.wcs.sky(self.x[rows, None] + u, self.y[rows, None] + v)


class TangentGrid(Grid):
    """Gnomonic grids (TAN) around sky positions, turned and mirrored as an image is there.

    Args:
        ra, dec: (N,) centres, degrees.
        jacobian: (N, 2, 2) of the image at the centres, :meth:`astrocnn.io.wcs.SkyWcs.jacobian`; of it is taken
            the nearest matrix that only turns and mirrors.
        scale_arcsec: of the grids' square pixels.
    """

    def __init__(self, ra: Array, dec: Array, jacobian: Array, scale_arcsec: float) -> None:
        u, _, vt = np.linalg.svd(jacobian)
        self._matrix = np.radians(scale_arcsec / 3600) * (u @ vt)  # (N, 2, 2)
        self._east, self._north, self._centre = tangent_basis(ra, dec)  # (N, 3)

    def sky(self, rows: NDArray[np.int64], u: Array, v: Array) -> tuple[Array, Array]:
        """The gnomonic projection of Calabretta and Greisen (2002), from plane to sky."""
        plane = self._matrix[rows] @ np.stack([u, v])  # (n, 2, K)
        toward = (
            self._centre[rows, None]
            + plane[:, 0, :, None] * self._east[rows, None]
            + plane[:, 1, :, None] * self._north[rows, None]
        )  # (n, K, 3)
        ra = np.degrees(np.arctan2(toward[..., 1], toward[..., 0])) % 360.0
        return ra, np.degrees(np.arctan2(toward[..., 2], np.hypot(toward[..., 0], toward[..., 1])))


@dataclass(frozen=True)
class Mapping:
    """Where N cutouts of ``size`` pixels lie in one image.

    Attributes:
        centre: (N, 2) pixel x, y of the image at the centres.
        matrix: (N, 2, 2) the image's pixels, x and y, of a step of one column and one row of the cutout.
        low, high: (N, 2) pixel x, y that bound the cutouts.
        exact: (N,) the affine map leaves the true one by 0.05 pixel or more, of the image or of the cutout,
            whichever is smaller: each pixel is to be mapped through both WCS.
        copied: (N,) the cutouts are whole pixels of the image.
    """

    size: int
    centre: Array
    matrix: Array
    low: Array
    high: Array
    exact: NDArray[np.bool_]
    copied: NDArray[np.bool_]


def shifted(size: int, centre: Array) -> Mapping:
    """The mapping of cutouts whose grid is the image's own, around ``centre`` (N, 2)."""
    n, half = len(centre), size / 2
    first = centre - (size - 1) / 2
    whole = np.asarray((np.abs(first - np.rint(first)) < SAME_PIX).all(axis=1))
    return Mapping(
        size,
        np.where(whole[:, None], np.rint(first) + (size - 1) / 2, centre),
        np.broadcast_to(np.eye(2), (n, 2, 2)),
        centre - half,
        centre + half,
        np.zeros(n, np.bool_),
        whole,
    )


def mapping(grid: Grid, rows: NDArray[np.int64], size: int, wcs: SkyWcs) -> Mapping:
    """Map the cutouts ``rows`` of ``grid`` into the image of ``wcs``: affine where that is true to 0.05 pixel."""
    half = size / 2
    u, v = half * POINTS.T  # (K,)
    x, y = wcs.pixel(*grid.sky(rows, u, v))  # (n, K)
    found = np.stack([x, y], axis=1)  # (n, 2, K)
    centre = found[:, :, 0]
    matrix = np.stack([found[:, :, 2] - found[:, :, 1], found[:, :, 4] - found[:, :, 3]], axis=2) / size
    off = np.hypot(*np.moveaxis(found - centre[:, :, None] - matrix @ np.stack([u, v]), 1, 0)).max(axis=1)
    known = np.asarray(np.isfinite(matrix).all(axis=(1, 2)))
    matrix = np.where(known[:, None, None], matrix, np.eye(2))
    step = np.sqrt(np.abs(np.linalg.det(matrix)))
    exact = ~(off < TOLERANCE_PIX * np.minimum(1.0, step))
    seen = np.isfinite(found)
    some = seen.any(axis=2)
    low = np.where(some, np.where(seen, found, np.inf).min(axis=2), 0.0)
    high = np.where(some, np.where(seen, found, -np.inf).max(axis=2), 0.0)
    return Mapping(size, centre, matrix, low, high, exact, np.zeros(len(rows), np.bool_))


def shift_between(one: SkyWcs, other: SkyWcs, height: int, width: int) -> tuple[int, int] | None:
    """Whole columns and rows from a pixel of ``one`` (``height`` × ``width``) to the same place in ``other``.

    None where the two images do not share one pixel grid, to 0.001 pixel.
    """
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, width - 1, 5), np.linspace(0, height - 1, 5)))
    there = np.stack(other.pixel(*one.sky(x, y))) - np.stack([x, y])  # (2, 25)
    whole = np.rint(there[:, :1])
    if not np.all(np.abs(there - whole) < SAME_PIX):  # also where it is NaN
        return None
    return int(whole[0, 0]), int(whole[1, 0])
