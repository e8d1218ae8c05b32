"""The sky of an image of any size: level and noise in patches that are spread over it, and between these."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from astrocnn.functional.sky_level import sky_and_noise

__all__ = ["SkyMesh", "patch_starts"]

Floats = NDArray[np.float64]

PATCH_PIX, MOST_PATCHES = 128, 12  # rows and columns of a patch, and how many a side at most


def patch_starts(length: int) -> tuple[list[int], int]:
    """First pixels of the patches along a side of ``length`` pixels, from one end to the other, and their length."""
    size = min(length, PATCH_PIX)
    n = min(MOST_PATCHES, -(-length // size))
    return np.unique(np.linspace(0, length - size, n).astype(int)).tolist(), size


@dataclass(frozen=True)
class SkyMesh:
    """Level and noise of the sky at the centres of patches.

    Attributes:
        y, x: (R,) and (S,) centres in pixels.
        values: (2, C, R, S) levels and noises of the bands, NaN where nothing is known.
    """

    y: Floats
    x: Floats
    values: Floats

    @classmethod
    def of(
        cls, rows: Iterable[Sequence[NDArray[np.floating]]], shape: tuple[int, int], otherwise: Floats
    ) -> "SkyMesh":
        """Measure patches.

        A patch in which no sky is seen, or none that scatters while that of others does, has that of the nearest one;
        of each and its eight neighbours the median is taken, so that what a large galaxy or a halo covers does not
        count for more. The noise is NaN where no patch has any.

        Args:
            rows: rows of patches (C, h, w), at :func:`patch_starts` of both sides, NaN where not valid.
            shape: rows and columns of the image.
            otherwise: (2, C) level and noise of bands that have no sky in any patch.
        """
        found = np.array([[sky_and_noise(patch) for patch in row] for row in rows])  # (R, S, 2, C)
        values = np.moveaxis(found, (0, 1), (2, 3)).copy()
        for band, (level, noise) in enumerate(np.moveaxis(values, 1, 0)):
            known = np.isfinite(noise) if np.isfinite(noise).any() else np.isfinite(level)
            for plane, other in zip((level, noise), otherwise[:, band], strict=True):
                plane[:] = _smooth(plane, known) if known.any() else other
        starts = [patch_starts(side) for side in shape]
        y, x = (np.array(first) + (size - 1) / 2 for first, size in starts)
        return cls(y, x, values)

    def at(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Level (N, C) and noise (N, C) at positions (N,) in pixels: linear between the patches."""
        place = [np.interp(of, along, np.arange(len(along))) for of, along in ((y, self.y), (x, self.x))]
        found = [
            [ndimage.map_coordinates(plane, place, order=1, mode="nearest") for plane in kind]
            for kind in self.values
        ]
        level, noise = np.moveaxis(np.array(found), 1, 2)  # (N, C) each
        return level, noise


def _smooth(plane: Floats, known: NDArray[np.bool_]) -> Floats:
    """A plane (R, S) without gaps, each value the median of nine; beyond the ends it goes on as it goes there."""
    if not known.all():
        nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        plane = plane[tuple(nearest)]
    wide = np.pad(plane, 1, mode="reflect", reflect_type="odd")
    return np.asarray(ndimage.median_filter(wide, 3)[1:-1, 1:-1])
