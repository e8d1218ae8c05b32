"""Mosaics: images of one or several bands on one grid of pixels, found and put together from their headers."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from astrocnn.datasets.packing import planes
from astrocnn.datasets.source import without_suffix
from astrocnn.datasets.tile_files import SAME_PIX, By, Tile, by_band, tiles_of
from astrocnn.errors import ConfigError, DataError, choose, listed
from astrocnn.io.layers import FluxScale, Layer, Mask, Variance
from astrocnn.io.sample import SampleInfo
from astrocnn.io.tiles import TileHeader, image_hdus
from astrocnn.io.wcs import SkyWcs

__all__ = ["Layers", "Mosaic", "find_mosaics"]

OPTION = "data.images"
STRANGE = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Layers:
    """What belongs to the pixels: quality mask, variance, and the unit to bring all to."""

    mask: Mask | None = None
    variance: Variance | None = None
    flux: FluxScale | None = None


@dataclass(frozen=True)
class Mosaic:
    """One image of C bands.

    Attributes:
        name: what its products are called.
        bands: names of the bands.
        tiles: where the pixels of each are, with their masks and variances; None for a band that it lacks.
        wcs: of all bands; None where no header has one.
        units: of each band, once brought to the one that is asked for; None where it is not known.
    """

    name: str
    bands: tuple[str, ...]
    tiles: tuple[Tile | None, ...]
    wcs: SkyWcs | None
    units: tuple[str | None, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.there[0].image.hdu.shape

    @property
    def there(self) -> list[Tile]:
        """Those of the tiles that there are."""
        return [tile for tile in self.tiles if tile is not None]

    @property
    def paths(self) -> list[str]:
        """The files, each once: those of the images first."""
        images = [tile.image.path for tile in self.there]
        return list(dict.fromkeys([*images, *(plane.path for tile in self.there for plane in tile.planes)]))


def find_mosaics(
    images: By,
    *,
    hdu: str | int | Sequence[str | int] | Mapping[str, str | int] | None = None,
    layers: Layers | None = None,
    bands: Sequence[str] | None = None,
    missing_band: str = "error",
) -> list[Mosaic]:
    """The mosaics that match, from their headers.

    Args:
        images: pattern of the files, each a mosaic of one band or of several planes, or a mapping from band to
            pattern; what the ``*`` match then says which files belong together.
        hdu: None for the first image of a file, a number, a name, a list of those of the bands, or one a band.
        layers: masks, variances and the unit.
        bands: names and order of the bands; None takes all as they stand.
        missing_band: 'error' refuses a mosaic that lacks one, 'invalid' takes it with that band not valid.

    Raises:
        ConfigError: options that do not go together.
        DataError: no file matches, one cannot be read, a band is missing, or the bands differ in shape or WCS.
    """
    layers = layers or Layers()
    lenient = choose("data.missing_band", missing_band, {"error": False, "invalid": True})
    if hdu == "all":
        raise ConfigError("data.hdu=all: a mosaic is one image; give the number or name of its HDU.")
    patterns, hdus = by_band(images, hdu, option=OPTION)
    if lenient and bands and (unknown := [band for band in patterns if band not in (None, *map(str, bands))]):
        raise DataError(
            f"{OPTION} has the band {listed(unknown)}, and the bands that are wanted are {listed(bands, most=12)}; "
            "mend its name, or leave it out: a band that is missing is not given (data.missing_band=invalid)."
        )
    found: list[dict[tuple[str, ...], tuple[Tile, SkyWcs | None]]] = []
    for number, (band, pattern) in enumerate(patterns.items()):
        problems: list[tuple[str, str]] = []
        beside = [_of_band(layer, number, len(patterns)) for layer in (layers.mask, layers.variance) if layer]
        tiles: dict[tuple[str, ...], tuple[Tile, SkyWcs | None]] = {}
        for tile, wcs in tiles_of(
            pattern, hdu=hdus[band], band=band, layers=beside, problems=problems, watch=iter, option=OPTION,
            cubes=True,
        ):  # fmt: skip
            if tiles.setdefault(tile.key[0], (tile, wcs))[0] is not tile:
                raise DataError(
                    f"{tile.image.path} has several images {hdus[band]!r}; give the number of the one that is meant "
                    "(data.hdu=...)."
                )
        if problems:
            raise DataError(problems[0][1])
        found.append(tiles)
    names = [band for band in patterns if band is not None]
    if all(len(tiles) == 1 for tiles in found):  # one file a band, whatever the * match
        found = [{(): next(iter(tiles.values()))} for tiles in found]
    mosaics = []
    for key in sorted(set().union(*found)):
        missing = [name for name, tiles in zip(names, found, strict=False) if key not in tiles]
        if missing and not lenient:
            raise DataError(
                f"the mosaic {'_'.join(key)} has no file of band {listed(missing)}: none matches {OPTION}.{missing[0]}="
                f"{patterns[missing[0]]!r} as those of the other bands do; give all its bands, or a narrower pattern."
            )
        own = [name for name in names if name not in missing]
        parts = [tiles[key] for tiles in found if key in tiles]
        mosaics.append(_joined(key, own, parts, layers, bands or names, lenient=lenient))
    return mosaics


def _of_band(layer: Layer, number: int, n_bands: int) -> Layer:
    """The layer of one band, where a list has an HDU for each."""
    wanted = layer.hdu
    if wanted is None or isinstance(wanted, (str, int)):
        return layer
    if len(wanted) != n_bands:
        raise ConfigError(
            f"{layer.option}.hdu={list(wanted)} has {len(wanted)} HDUs for {n_bands} bands; give one a band, or one "
            "for all."
        )
    return replace(layer, hdu=wanted[number])


def _joined(
    key: tuple[str, ...],
    names: list[str],
    parts: list[tuple[Tile, SkyWcs | None]],
    layers: Layers,
    bands: Sequence[str] | None,
    *,
    lenient: bool,
) -> Mosaic:
    """The mosaic of the images of all bands, or of the planes of one image, in the wanted order."""
    tiles = [_of_plane(tile, plane) for tile, _ in parts for plane in range(tile.image.hdu.n_planes)]
    first, by_file = tiles[0].image, bool(names)
    for name, (tile, _) in zip(names, parts, strict=False):
        image = tile.image
        if image.hdu.n_planes > 1:
            raise DataError(
                f"{image.path}, {image.hdu.label}: {' × '.join(map(str, image.hdu.axes))} pixels, several planes "
                f"for the one band {name}; give such files as one pattern ({OPTION}='*.fits'), or an HDU a band "
                "(data.hdu)."
            )
        if image.hdu.shape != first.hdu.shape:
            raise DataError(
                f"{image.path}, {image.hdu.label}: band {name} is {_size(tile)} pixels but band {names[0]} "
                f"({first.path}) is {_size(tiles[0])}; the bands of a mosaic have one grid of pixels; resample them."
            )
    wcs = _one_sky(names, parts)
    found = tuple(names) if names else _named_planes(first.path, first.hdu.number, tiles[0], len(tiles))
    info = SampleInfo((len(tiles), *first.hdu.shape), found, bool(found) and (by_file or len(tiles) > 1))
    wanted = tuple(str(band) for band in bands) if bands else found
    wanted = wanted or tuple(f"band{n + 1}" for n in range(len(tiles)))
    lacking = [band for band in wanted if band not in found] if info.named_planes else []
    if lacking and (not lenient or len(lacking) == len(wanted)):
        raise DataError(
            f"the mosaic in {first.path} has no band {listed(lacking)}; it has {listed(found, most=12)}; name the "
            f"files of all bands ({OPTION}={{band: file}}), or choose among these with data.bands=[...]; a network "
            "that was trained with augment.band_dropout can do without one (data.missing_band=invalid)."
        )
    known = [band for band in wanted if band not in lacking]
    chosen = planes(first.path, info, known) or range(len(tiles))
    of_band: dict[str, Tile] = dict(zip(known, (tiles[n] for n in chosen), strict=True))
    in_order = tuple(of_band.get(band) for band in wanted)
    units = tuple(
        None if tile is None else layers.flux.unit if layers.flux else tile.unit for tile in in_order
    )
    return Mosaic(_name(key, tiles, names), wanted, in_order, wcs, units)


def _of_plane(tile: Tile, plane: int) -> Tile:
    """The tile of one plane of a cube."""

    def of(part: Any) -> Any:
        several = part is not None and part.hdu.n_planes > 1
        return replace(part, hdu=replace(part.hdu, plane=plane)) if several else part

    return replace(tile, image=of(tile.image), mask=of(tile.mask), variance=of(tile.variance))


def _size(tile: Tile) -> str:
    return " × ".join(map(str, tile.image.hdu.shape))


def _one_sky(names: list[str], parts: list[tuple[Tile, SkyWcs | None]]) -> SkyWcs | None:
    """The WCS of all bands: of the first that has one.

    Raises:
        DataError: that of another band puts its pixels elsewhere.
    """
    known = [(n, tile, wcs) for n, (tile, wcs) in enumerate(parts) if wcs is not None]
    if not known:
        return None
    first, home, wcs = known[0]
    for n, tile, other in known[1:]:
        apart = wcs.apart_pix(other, *home.image.hdu.shape)
        if apart > SAME_PIX:
            raise DataError(
                f"{tile.image.path}, {tile.image.hdu.label}: the WCS of band {names[n]} is not that of band "
                f"{names[first]} ({home.image.path}): the same positions are up to {apart:.3g} pixels apart; the "
                "bands of a mosaic have one grid of pixels; resample them."
            )
    return wcs


def _named_planes(path: str, number: int, tile: Tile, n_planes: int) -> tuple[str, ...]:
    """What BAND1, BAND2, ... call the planes of an image, or FILTER the only one; () for nothing."""

    def names(header: TileHeader) -> list[str]:
        return [str(header.get(f"BAND{n + 1}") or "").strip() for n in range(n_planes)]

    found = image_hdus(
        path, lambda images: next(names(header) for image, header in images if image.number == number)
    )
    if all(found) and len(set(found)) == n_planes:
        return tuple(found)
    return (tile.filter,) if n_planes == 1 and tile.filter else ()


def _name(key: tuple[str, ...], tiles: list[Tile], names: list[str]) -> str:
    """What the products of a mosaic are called: by its file, by what the * match, or by what its files share."""
    stems = [without_suffix(os.path.basename(tile.image.path)) for tile in tiles]
    if not names or len(set(stems)) == 1:
        name = tiles[0].name
    else:
        alike = [each[0] for each in takewhile(lambda each: len(set(each)) == 1, zip(*stems, strict=False))]
        name = "_".join(key) or "".join(alike).rstrip("_-. ")
    return STRANGE.sub("_", name).strip("_") or "mosaic"
