"""Objects placed on tiles into stacks of cutouts: tile by tile, each opened once a portion."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.tile_cuts import Cut, boxes, cut
from astrocnn.datasets.tile_files import Tile
from astrocnn.datasets.tile_grids import (
    Grid,
    Mapping,
    NativeGrid,
    TangentGrid,
    mapping,
    shift_between,
    shifted,
)
from astrocnn.datasets.tile_pixels import TilePixels, named
from astrocnn.datasets.tile_placement import Placed
from astrocnn.errors import DataError
from astrocnn.io.layers import FluxScale, Mask, Variance
from astrocnn.io.wcs import SkyWcs
from astrocnn.io.windows import Unpacked

__all__ = ["SCALE_TOLERANCE", "CutOptions", "Cutter", "Stack"]

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
SCALE_TOLERANCE = 0.01


@dataclass(frozen=True)
class CutOptions:
    """How to cut, as :class:`astrocnn.datasets.tiles.TileCutouts` says; ``zero_points`` are one a band.

    ``scale_arcsec`` is that of the cutouts; the pixels of a tile that are within 1 % of it are kept.
    """

    size: int
    subpixel: bool
    zero_points: Sequence[float | None]
    scale_arcsec: float | None = None
    mask: Mask | None = None
    variance: Variance | None = None
    flux: FluxScale | None = None


@dataclass(frozen=True)
class Stack:
    """All bands of one object: (C, n, n) as :class:`astrocnn.datasets.tile_cuts.Cut` has each."""

    flux: NDArray[np.float32]
    valid: NDArray[np.bool_]
    variance: NDArray[np.float32] | None


class Cutter:
    """Cuts the objects of ``placed``.

    Args:
        placed: objects and tiles.
        grid_band: (N,) the band of whose tile's grid each object's cutout is.
        options: how.
    """

    def __init__(self, placed: Placed, grid_band: Numbers, options: CutOptions) -> None:
        self._placed, self._grid_band, self._options = placed, grid_band, options
        self._checked: set[tuple[int, int]] = set()

    def open(self, band: int, number: int, unpack: Unpacked) -> TilePixels:
        """A tile of a band, open for reading. Raises a DataError as :class:`TilePixels` does."""
        options = self._options
        return TilePixels(
            self._placed.bands[band].tiles[number],
            unpack,
            mask=options.mask,
            variance=options.variance,
            flux=options.flux,
            zero_point=options.zero_points[band],
        )

    def check(self, band: int, number: int) -> None:
        """Read one pixel of a tile, unless that was done before or means to unpack it.

        Raises:
            DataError: it cannot be read; its unit is not known, or its mask has no such bits.
        """
        tile = self._placed.bands[band].tiles[number]
        if (band, number) in self._checked or any(plane.packed for plane in tile.planes):
            return
        unpack = Unpacked()
        with self.open(band, number, unpack) as pixels:
            for found in pixels(np.array([[0, 1, 0, 1]])):
                if isinstance(found, DataError):
                    raise found
        self._checked.add((band, number))

    def __call__(self, numbers: Numbers, unpack: Unpacked) -> list[Stack | DataError]:
        """The cutouts of the objects ``numbers`` (n,), or why they cannot be had."""
        bands = self._grid_band[numbers]
        tiles = np.array(
            [self._placed.bands[b].number[i] for b, i in zip(bands, numbers, strict=True)], dtype=np.int64
        )
        found: list[Stack | DataError] = [DataError("")] * len(numbers)
        for band, tile in sorted(set(zip(bands.tolist(), tiles.tolist(), strict=True))):
            rows = np.flatnonzero((bands == band) & (tiles == tile))
            try:
                cuts = self._around(band, tile, numbers[rows], unpack)
            except DataError as error:
                cuts = [[error]] * len(rows)
            for row, parts in zip(rows, cuts, strict=True):
                found[row] = self._stacked(parts)
        return found

    def _around(
        self, band: int, tile: int, numbers: Numbers, unpack: Unpacked
    ) -> list[list[Cut | DataError | None]]:
        """Every band of objects (n,) whose grid is that of one tile."""
        home = self._placed.bands[band]
        cuts: list[list[Cut | DataError | None]] = [[None] * len(self._placed.bands) for _ in numbers]
        with self.open(band, tile, unpack) as pixels:
            place = self._place(home.tiles[tile], pixels, home.x[numbers], home.y[numbers], numbers)
            for b, other in enumerate(self._placed.bands):
                for t in np.unique(other.number[numbers]).tolist():
                    rows = np.flatnonzero(other.number[numbers] == t)
                    if t < 0:
                        continue
                    try:
                        same = (b, t) == (band, tile)
                        with nullcontext(pixels) if same else self.open(b, t, unpack) as source:
                            made = self._cut(source, other.tiles[t], place, rows)
                    except DataError as error:
                        made = [error] * len(rows)
                    for row, part in zip(rows, made, strict=True):
                        cuts[row][b] = part
        return cuts

    def _place(self, tile: Tile, pixels: TilePixels, x: Array, y: Array, numbers: Numbers) -> "_Place":
        """The grids of cutouts around pixels (n,) of their tile."""
        size, scale = self._options.size, self._options.scale_arcsec
        wcs = pixels.header.wcs(tile.image.hdu, tile.image.path)
        kept = scale is None or wcs is None or abs(wcs.scale_arcsec / scale - 1) <= SCALE_TOLERANCE
        if scale is None or wcs is None or kept:
            centre = np.stack([x, y], axis=1)
            if not self._options.subpixel:
                centre = np.floor(centre - (size - 1) / 2 + 0.5) + (size - 1) / 2
            own = shifted(size, centre)
            return _Place(tile, wcs, None if wcs is None else NativeGrid(wcs, *own.centre.T), own)
        grid = TangentGrid(self._placed.ra[numbers], self._placed.dec[numbers], wcs.jacobian(x, y), scale)
        return _Place(tile, wcs, grid, mapping(grid, np.arange(len(x)), size, wcs))

    def _cut(self, pixels: TilePixels, tile: Tile, place: "_Place", rows: Numbers) -> list[Cut | DataError]:
        """The cutouts ``rows`` of ``place`` from a tile of any band."""
        wcs = place.wcs if tile is place.tile else pixels.header.wcs(tile.image.hdu, tile.image.path)
        to = place.into(tile, wcs, rows, self._options.size)
        cuts: list[Cut | DataError] = []
        windows = boxes(to)
        for i, (box, part) in enumerate(zip(windows, pixels(windows), strict=True)):
            through = None if wcs is None or place.grid is None else (place.grid, int(rows[i]), wcs)
            try:
                if isinstance(part, DataError):
                    cuts.append(part)
                else:
                    cuts.append(cut(part, box, to, i, surface=pixels.surface, through=through))
            except DataError as error:
                cuts.append(named(tile.image, error))
        return cuts

    def _stacked(self, cuts: list[Cut | DataError | None]) -> Stack | DataError:
        """One object's bands; None is a band that there is not."""
        n, size = len(self._placed.bands), self._options.size
        stack = Stack(
            np.zeros((n, size, size), np.float32),
            np.zeros((n, size, size), np.bool_),
            None if self._options.variance is None else np.zeros((n, size, size), np.float32),
        )
        for band, part in enumerate(cuts):
            if isinstance(part, DataError):
                return part
            if part is not None:
                stack.flux[band], stack.valid[band] = part.flux, part.valid
                if stack.variance is not None and part.variance is not None:
                    stack.variance[band] = part.variance
        return stack


@dataclass(frozen=True)
class _Place:
    """Grids of cutouts around objects of one tile (``own`` says how they lie in it); ``grid`` is None without a WCS."""

    tile: Tile
    wcs: SkyWcs | None
    grid: Grid | None
    own: Mapping

    def into(self, tile: Tile, wcs: SkyWcs | None, rows: Numbers, size: int) -> Mapping:
        """How the cutouts ``rows`` lie in a tile."""
        if tile is self.tile:
            return self.own
        if self.grid is None or self.wcs is None or wcs is None:
            return shifted(size, self.own.centre[rows])  # a pair of tiles without WCS
        if isinstance(self.grid, NativeGrid):
            shift = shift_between(self.wcs, wcs, *self.tile.image.hdu.shape)
            if shift is not None:
                return shifted(size, self.own.centre[rows] + np.array(shift))
        return mapping(self.grid, rows, size, wcs)
