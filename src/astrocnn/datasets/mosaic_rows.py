"""The pixels of a mosaic of any size: by rows, each read once, or in windows."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.mosaics import Layers, Mosaic
from astrocnn.datasets.tile_pixels import TilePixels
from astrocnn.errors import DataError
from astrocnn.io.windows import Unpacked

__all__ = ["OpenMosaic"]

CHUNK_VALUES = 2**21  # that are converted at a time, in float64


class OpenMosaic:
    """A mosaic, open for reading; use it in a ``with`` statement, in one thread.

    Args:
        mosaic: which.
        layers: as :func:`find_mosaics` was given them.
        variance: whether the rows have the variances below the bands.

    Attributes:
        header: of the first band.
        shape: rows and columns.
        n_bands: of the mosaic.
        surface: whether the values of each band are a surface brightness, which does not depend on the size of pixels.

    Raises:
        DataError: a file cannot be read, or the unit of its pixels is not known.
    """

    def __init__(self, mosaic: Mosaic, layers: Layers, *, variance: bool = False) -> None:
        self._mosaic = mosaic
        self._variance = variance and layers.variance is not None
        scale = layers.flux
        self.shape, self.n_bands = mosaic.shape, len(mosaic.bands)
        zero_points = (
            [None] * self.n_bands if scale is None else scale.zero_points(mosaic.bands, self.n_bands)
        )
        self._kept, self._top, self._bottom = np.zeros((0, 0, 0), np.float32), 0, 0
        with ExitStack() as stack:
            unpack = Unpacked()
            stack.callback(unpack.close)
            self._bands = [
                None if tile is None else stack.enter_context(
                    TilePixels(
                        tile, unpack, mask=layers.mask, variance=layers.variance, flux=scale, zero_point=zero_point
                    )
                )
                for tile, zero_point in zip(mosaic.tiles, zero_points, strict=True)
            ]  # fmt: skip
            self.header = next(band for band in self._bands if band is not None).header
            self.surface = tuple(band is not None and band.surface for band in self._bands)
            self._stack = stack.pop_all()

    def __enter__(self) -> "OpenMosaic":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def rows(self, top: int, bottom: int) -> NDArray[np.float32]:
        """Whole rows, (C, bottom − top, W): flux, NaN where not valid; with variances (2C, bottom − top, W).

        What was read by the call before is not read again. The array is valid until the next call.
        """
        width = self._mosaic.shape[1]
        n_planes = len(self._bands) * (2 if self._variance else 1)
        if bottom - top > self._kept.shape[1]:
            more = np.empty((n_planes, bottom - top, width), np.float32)
            if self._kept.size:
                more[:, : self._kept.shape[1]] = self._kept
            self._kept = more
        first = self._bottom if self._top <= top < self._bottom else top
        first = min(first, bottom)
        if top != self._top:
            for plane in self._kept:
                plane[: first - top] = plane[top - self._top : first - self._top]
        for box in self._chunks(first, bottom):
            self._read([box], [self._kept[:, box[0] - top : box[1] - top]])
        self._top, self._bottom = top, bottom
        return self._kept[:, : bottom - top]

    def window(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.float32]:
        """A part of these rows, read anew: (C or 2C, bottom − top, right − left)."""
        return self.windows([[top, bottom, left, right]])[0]

    def windows(self, boxes: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """Several parts, each from its first row to the one behind its last, and likewise of columns."""
        n_planes = len(self._bands) * (2 if self._variance else 1)
        found = [
            np.empty((n_planes, bottom - top, right - left), np.float32) for top, bottom, left, right in boxes
        ]
        self._read(boxes, found)
        return found

    def _chunks(self, top: int, bottom: int) -> list[list[int]]:
        """Boxes of whole rows, each of whole stripes of compressed pixels where it can be."""
        width = self._mosaic.shape[1]
        unit = max(tile.image.hdu.stripe[0] for tile in self._mosaic.there)
        step = max(unit, CHUNK_VALUES // width // unit * unit)
        edges = [top, *range(-(-(top + 1) // step) * step, bottom, step), bottom]
        return [[a, b, 0, width] for a, b in pairwise(edges) if b > a]

    def _read(self, boxes: Sequence[Sequence[int]], parts: Sequence[NDArray[np.float32]]) -> None:
        for n, band in enumerate(self._bands):
            if band is None:
                for into in parts:
                    into[n :: self.n_bands] = np.nan
                continue
            for into, pixels in zip(parts, band(np.array(boxes)), strict=True):
                if isinstance(pixels, DataError):
                    raise pixels
                into[n] = np.where(pixels.good, pixels.flux, np.nan)
                if self._variance and pixels.variance is not None:
                    into[self.n_bands + n] = np.where(pixels.good, pixels.variance, np.nan)
