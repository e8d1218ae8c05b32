"""Objects placed on the tiles of each band: by their sky positions, or by pixels and the names of tiles."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.source import without_suffix
from astrocnn.datasets.tile_files import Tile, tiles_of
from astrocnn.datasets.tile_search import TileSearch
from astrocnn.errors import DataError, listed
from astrocnn.io.layers import Layer
from astrocnn.io.wcs import SkyWcs
from astrocnn.progress import track

__all__ = ["BandTiles", "Placed", "Targets", "place"]

Array = NDArray[np.float64]
SLOW_FILES = 200
OUTSIDE = "outside every tile"


@dataclass(frozen=True)
class Targets:
    """The objects: their ids (N,), and where they are.

    ``ra`` and ``dec`` (N,) are degrees (ICRS), NaN for unknown; ``x`` and ``y`` (N,) are pixels of the tile that
    ``tile`` (N,) names, None to go by the sky; ``tile`` may be None where there is but one. ``base`` is the folder
    from which the names of tiles may be paths.
    """

    ids: Sequence[str]
    ra: Array
    dec: Array
    x: Array | None = None
    y: Array | None = None
    tile: NDArray[np.str_] | None = None
    base: Path | None = None


@dataclass
class BandTiles:
    """The tiles of one band (None for the only one), and for each object (N,) the number of its tile, −1 for none,
    and its pixel there.
    """

    band: str | None
    tiles: list[Tile]
    number: NDArray[np.int64]
    x: Array
    y: Array

    def used(self) -> list[Tile]:
        """The tiles on which there are objects."""
        return [self.tiles[number] for number in np.unique(self.number[self.number >= 0])]


@dataclass
class Placed:
    """Where the objects are: in each band, and on the sky (``ra``, ``dec`` (N,) degrees, NaN for unknown).

    ``problems`` are (file, reason) of each tile that cannot be used; ``reasons`` say why an object, by its number, is
    on no tile of the first band, where more is known than that it is outside.
    """

    bands: list[BandTiles]
    ra: Array
    dec: Array
    problems: list[tuple[str, str]]
    reasons: dict[int, str]


@dataclass
class _Listing:
    """What the tiles of all bands are listed with."""

    patterns: Mapping[str | None, str]
    hdus: Mapping[str | None, str | int | None]
    layers: Sequence[Layer]
    problems: list[tuple[str, str]] = field(default_factory=list)

    def tiles(self, band: str | None) -> Iterator[tuple[Tile, SkyWcs | None]]:
        """Each tile of a band with its WCS."""
        return tiles_of(
            self.patterns[band],
            hdu=self.hdus[band],
            band=band,
            layers=self.layers,
            problems=self.problems,
            watch=_watched,
        )


def place(
    targets: Targets,
    patterns: Mapping[str | None, str],
    *,
    hdus: Mapping[str | None, str | int | None],
    layers: Sequence[Layer],
) -> Placed:
    """Find the tile of each object in each band of ``patterns``.

    By the sky, an object is on the tile where it lies deepest inside. By pixels, it is on the tile of the first band
    that the catalogue names; in the other bands it is sought by the sky position of that pixel, or, where there is no
    WCS, on the tile of the same name and size.

    Raises:
        DataError: a pattern matches nothing, or no tile of a band can be used.
    """
    listing = _Listing(patterns, hdus, layers)
    first, *others = patterns
    reasons: dict[int, str] = {}
    if targets.x is None:
        bands = [_by_sky(listing, first, targets.ra, targets.dec)]
        ra, dec = targets.ra, targets.dec
        for row in np.flatnonzero(~(np.isfinite(ra) & np.isfinite(dec))):
            reasons[int(row)] = "no position (ra or dec is missing)"
    else:
        band, ra, dec, reasons = _by_pixel(listing, first, targets)
        bands = [band]
    for name in others:
        bands.append(_by_sky(listing, name, ra, dec, pairs=bands[0]))
    return Placed(bands, ra, dec, listing.problems, reasons)


def _by_sky(
    listing: _Listing, band: str | None, ra: Array, dec: Array, *, pairs: BandTiles | None = None
) -> BandTiles:
    """Place objects by position; those without one on the tile that is the pair of their tile in ``pairs``."""
    tiles: list[Tile] = []
    search, n_sky, known = TileSearch(ra, dec), 0, len(listing.problems)
    for tile, wcs in listing.tiles(band):
        if wcs is not None:
            n_sky += 1
            search.add(len(tiles), wcs, *tile.image.hdu.shape)
        elif pairs is None:
            listing.problems.append((os.path.basename(tile.image.path), _no_wcs(tile)))
            continue
        tiles.append(tile)
    found = BandTiles(band, tiles, search.tile, search.x, search.y)
    if pairs is not None and n_sky < len(tiles):
        _by_pairs(found, pairs, np.isfinite(ra))
    elif n_sky == 0:
        reasons = [reason for _, reason in listing.problems[known:]]
        raise DataError(
            f"none of the files of {listing.patterns[band]!r} can be used: {listed(reasons, most=2)}"
        )
    return found


def _no_wcs(tile: Tile) -> str:
    return (
        f"{tile.image.path}, {tile.image.hdu.label}: there is no celestial WCS, so ra and dec lead to no pixel of it; "
        "give pixels instead, by columns of the catalogue (data.x=<column> data.y=<column>), or leave it out."
    )


def _by_pairs(band: BandTiles, pairs: BandTiles, on_sky: NDArray[np.bool_]) -> None:
    numbers = {(tile.key, tile.image.hdu.shape): i for i, tile in enumerate(band.tiles)}
    for number in np.unique(pairs.number[~on_sky & (pairs.number >= 0)]):
        tile = pairs.tiles[number]
        match = numbers.get((tile.key, tile.image.hdu.shape), -1)
        rows = np.flatnonzero((pairs.number == number) & ~on_sky)
        band.number[rows], band.x[rows], band.y[rows] = match, pairs.x[rows], pairs.y[rows]


def _by_pixel(
    listing: _Listing, band: str | None, targets: Targets
) -> tuple[BandTiles, Array, Array, dict[int, str]]:
    """Place objects on the tiles that the catalogue names; also their sky positions, NaN without a WCS."""
    assert targets.x is not None
    assert targets.y is not None
    n = len(targets.ids)
    x, y = targets.x, targets.y
    found = BandTiles(band, [], np.full(n, -1, np.int64), x, y)
    ra, dec = np.full(n, np.nan), np.full(n, np.nan)
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate([] if targets.tile is None else targets.tile.tolist()):
        rows_of.setdefault(name, []).append(row)
    twice: set[int] = set()
    for tile, wcs in listing.tiles(band):
        if targets.tile is None:
            rows = np.arange(n)
            if found.tiles:
                raise DataError(
                    f"data.x and data.y are pixels, but of which tile? {listing.patterns[band]!r} matches several "
                    f"({listed([found.tiles[0].name, tile.name])}); name the column that holds the tile's name with "
                    "data.tile=<column>."
                )
        else:
            rows = np.array(
                sorted({r for name in _names(tile, targets.base) for r in rows_of.get(name, ())}), int
            )
        twice.update(rows[found.number[rows] >= 0].tolist())
        found.number[rows] = len(found.tiles)
        if wcs is not None and len(rows):
            ra[rows], dec[rows] = wcs.sky(x[rows], y[rows])
        found.tiles.append(tile)
    if not found.tiles:
        raise DataError(
            f"none of the files of {listing.patterns[band]!r} can be used: "
            f"{listed([reason for _, reason in listing.problems], most=2)}"
        )
    return found, ra, dec, _misplaced(found, twice)


def _misplaced(band: BandTiles, twice: Iterable[int]) -> dict[int, str]:
    """Why objects are not where the catalogue says; they are taken off their tiles."""
    reasons = {
        int(row): "its tile is not among those of data.tiles" for row in np.flatnonzero(band.number < 0)
    }
    reasons |= dict.fromkeys(twice, "the name of its tile is that of several")
    shape = np.array([tile.image.hdu.shape for tile in band.tiles])[
        band.number
    ]  # (N, 2), of any where there is none
    inside = (
        (band.x >= -0.5) & (band.y >= -0.5) & (band.x <= shape[:, 1] - 0.5) & (band.y <= shape[:, 0] - 0.5)
    )
    known = np.isfinite(band.x) & np.isfinite(band.y)
    for row in np.flatnonzero(~inside):
        if band.number[row] >= 0:
            reasons[int(row)] = "outside its tile" if known[row] else "no position (x or y is missing)"
    band.number[list(reasons)] = -1
    return reasons


def _names(tile: Tile, base: Path | None) -> set[str]:
    """What a catalogue may call a tile."""
    path, name = tile.image.path, os.path.basename(tile.image.path)
    names = {tile.name, path, os.path.abspath(path), name, without_suffix(name)}
    if base is not None:
        names.add(os.path.relpath(path, base))
    hdu = tile.image.hdu
    return names | {f"{without_suffix(name)}[{label}]" for label in (hdu.name, hdu.number)}


def _watched(files: list[Any]) -> Iterator[Any]:
    return track(files, "reading headers of tiles") if len(files) > SLOW_FILES else iter(files)
