"""The tiles of a band: which files and HDUs hold them, and the masks and variances that belong to each."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from astrocnn.datasets.patterns import found
from astrocnn.datasets.source import without_suffix
from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.io.layers import Layer, Mask, Variance
from astrocnn.io.tiles import ImageHdu, TileHeader, image_hdus, named, select
from astrocnn.io.unpacking import is_packed
from astrocnn.io.wcs import SkyWcs

__all__ = ["SAME_PIX", "By", "Plane", "Tile", "by_band", "tiles_of"]

By = str | Mapping[str, str]
Key = tuple[str, ...]
SAME_PIX = 0.1  # by how much positions in two images of one grid of pixels may differ


@dataclass(frozen=True)
class Plane:
    """An image HDU of a file."""

    path: str
    hdu: ImageHdu
    packed: bool


@dataclass(frozen=True)
class Tile:
    """One image that objects are cut from.

    Attributes:
        image: where its pixels are; ``mask`` and ``variance`` those of its mask and variance, if any.
        key: what the wildcards of the pattern matched, and the HDU: tiles of two bands with the same are a pair.
        name: of its file without suffix, and of its HDU where the file holds several tiles.
        filter: what FILTER or BAND says, '' for nothing.
        unit: what BUNIT says, None for nothing.
        scale_arcsec: of a pixel at its centre; None without a WCS.
    """

    image: Plane
    mask: Plane | None
    variance: Plane | None
    key: tuple[Key, str]
    name: str
    filter: str
    unit: str | None
    scale_arcsec: float | None

    @property
    def planes(self) -> tuple[Plane, ...]:
        """All of them that there are."""
        return tuple(plane for plane in (self.image, self.mask, self.variance) if plane is not None)


def by_band(
    tiles: By, hdu: Any, *, option: str = "data.tiles"
) -> tuple[dict[str | None, str], dict[str | None, str | int | None]]:
    """The pattern of the files and the HDU of each band; the one band of a single pattern is None.

    ``option`` names the patterns in messages.

    Raises:
        ConfigError: there is no band, or HDUs are for other bands than patterns.
    """
    hdus: dict[str, str | int] | None = None
    if isinstance(hdu, Mapping):
        hdus = {str(band): of for band, of in hdu.items()}
    elif isinstance(hdu, Sequence) and not isinstance(hdu, str):
        hdus = {str(of): of for of in hdu}
    if isinstance(tiles, Mapping):
        patterns: dict[str | None, str] = {str(band): str(pattern) for band, pattern in tiles.items()}
    elif hdus is not None:
        patterns = {band: str(tiles) for band in hdus}
    else:
        patterns = {None: str(tiles)}
    if not patterns:
        raise ConfigError(f"{option}={{}} or data.hdu=[] is empty; give a pattern, or one pattern a band.")
    if hdus is not None and set(hdus) != set(patterns):
        raise ConfigError(
            f"data.hdu is for {listed(list(hdus))} but {option} has the bands {listed([str(b) for b in patterns])}; "
            "give one HDU for all, or one for each band."
        )
    return patterns, {band: hdu if hdus is None else hdus[str(band)] for band in patterns}


def tiles_of(
    pattern: str,
    *,
    hdu: str | int | None,
    band: str | None,
    layers: Sequence[Layer],
    problems: list[tuple[str, str]],
    watch: Callable[[list[Any]], Iterator[Any]],
    option: str = "data.tiles",
    cubes: bool = False,
) -> Iterator[tuple[Tile, SkyWcs | None]]:
    """The tiles that ``pattern`` matches, in the order of their paths, each with its WCS.

    Args:
        pattern: of the files.
        hdu: None for the first image of each, a number, a name (every image of that name), or 'all'.
        band: whose they are; None where there is but one.
        layers: the masks and variances that belong to them.
        problems: (file, reason) is added of each tile that cannot be used.
        watch: passes the files on, and shows how far they are.
        option: names the pattern in messages.
        cubes: whether an image may have several planes; there are then as many of its variance, and of its mask as
            many or one.

    Raises:
        DataError: a pattern matches nothing.
    """
    files = found(pattern, option if band is None else f"{option}.{band}")
    partners = {of.option: _partners(of, band, files, option) for of in layers if of.files is not None}
    stems = Counter(without_suffix(os.path.basename(path)) for _, path in files)
    shared = os.path.dirname(os.path.commonpath([os.path.abspath(path) for _, path in files]))
    for key, path in watch(files):
        stem = without_suffix(os.path.basename(path))
        if stems[stem] > 1:
            stem = without_suffix(os.path.relpath(os.path.abspath(path), shared))
        try:
            chosen, own = image_hdus(path, partial(_chosen, path, hdu, layers, cubes))
            packed = is_packed(path)
            with_wcs = [(image, header, header.wcs(image, path)) for image, header in chosen]
            if hdu == "all":
                # of every image those on the sky, where there are any: the others are previews and the like
                with_wcs = [part for part in with_wcs if part[2] is not None] or with_wcs
            once = Counter(image.name for image, _, _ in with_wcs)
            for image, header, wcs in with_wcs:
                label = image.name if image.name and once[image.name] == 1 else str(image.number)
                parts = {
                    of.option: _plane(of, partners.get(of.option), key, path, image, own, wcs)
                    for of in layers
                }
                yield (
                    Tile(
                        Plane(path, image, packed),
                        parts.get(Mask.option),
                        parts.get(Variance.option),
                        key=(key, label),
                        name=f"{stem}[{label}]" if len(with_wcs) > 1 else stem,
                        filter=str(header.get("FILTER") or header.get("BAND") or "").strip(),
                        unit=str(header.get("BUNIT") or "").strip() or None,
                        scale_arcsec=None if wcs is None else wcs.scale_arcsec,
                    ),
                    wcs,
                )
        except DataError as error:
            problems.append((os.path.basename(path), str(error)))


def _chosen(
    path: str,
    hdu: str | int | None,
    layers: Sequence[Layer],
    cubes: bool,
    images: Iterator[tuple[ImageHdu, TileHeader]],
) -> tuple[list[tuple[ImageHdu, TileHeader]], list[ImageHdu]]:
    """The tiles among a file's images, and the images among which its masks and variances are to be found."""
    beside = [_hdu(layer) for layer in layers if layer.files is None and layer.hdu is not None]
    if not beside:
        return select(path, images, hdu, "data.hdu", cubes=cubes), []
    every = list(images)
    rest = [
        (image, header)
        for image, header in every
        if not any(named(image, other) for other in beside if other is not None)
    ]
    return select(path, iter(rest), hdu, "data.hdu", cubes=cubes), [image for image, _ in every]


def _partners(layer: Layer, band: str | None, files: list[tuple[Key, str]], tiles: str) -> dict[Key, str]:
    """The mask or variance file of each tile's file, by what the wildcards match."""
    option = f"{layer.option}.files"
    pattern = layer.files
    if isinstance(pattern, Mapping):
        if band is None or band not in pattern:
            raise ConfigError(
                f"{option} is by band ({listed(list(pattern))}) but has none for "
                f"{f'the single pattern of {tiles}' if band is None else band}; give one a band of {tiles}."
            )
        pattern, option = pattern[band], f"{option}.{band}"
    others = found(str(pattern), option)
    whole = len(others[0][0]) == len(files[0][0])
    if len(files) == len(others) == 1:
        return {files[0][0]: others[0][1]}
    table: dict[Key, str] = {}
    for key, path in others:
        key = key if whole else key[-1:]
        if key in table:
            raise DataError(
                f"{table[key]} and {path} match {option} in the same way; put a * wherever the names of tiles differ."
            )
        table[key] = path
    paired = {key: table[short] for key, _ in files if (short := key if whole else key[-1:]) in table}
    if not paired:
        raise DataError(
            f"no file of {option} belongs to a tile: what the * match differs ({listed(list(table), most=2)} and "
            f"{listed([key for key, _ in files], most=2)}); give it the same * as {tiles}."
        )
    return paired


def _plane(
    layer: Layer,
    partners: dict[Key, str] | None,
    key: Key,
    path: str,
    image: ImageHdu,
    own: list[ImageHdu],
    wcs: SkyWcs | None,
) -> Plane:
    """The mask or variance that belongs to an image."""
    headers: dict[int, TileHeader] = {}
    if partners is None:
        where, every, packed = path, own, is_packed(path)
    else:
        if key not in partners:
            raise DataError(f"no file of {layer.option}.files belongs to the tile {path}.")
        where = partners[key]
        images = image_hdus(where, lambda images: list(images))
        headers = {hdu.number: header for hdu, header in images}
        every, packed = [hdu for hdu, _ in images], is_packed(where)
    wanted, role = _hdu(layer), layer.option.rpartition(".")[2]
    several = every if wanted is None else [hdu for hdu in every if named(hdu, wanted)]
    match = _partner(several, image)
    if match is None:
        content = listed([hdu.label for hdu in every], most=8) or "none"
        if not several:
            raise DataError(
                f"{where} has no image HDU {wanted!r}, which is to be the {role}; its images are {content}; choose one "
                f"with {layer.option}.hdu=..."
            )
        raise DataError(
            f"{where}: which HDU is the {role} of {path}, {image.label}, is not clear; its images are "
            f"{content}; choose one with {layer.option}.hdu=..."
        )
    counts = (1, image.n_planes) if isinstance(layer, Mask) else (image.n_planes,)
    if match.shape != image.shape or match.n_planes not in counts:
        raise DataError(
            f"{where}, {match.label}: the {role} is {' × '.join(map(str, match.axes))} pixels but the tile "
            f"{path} is {' × '.join(map(str, image.axes))}; choose another with {layer.option}.hdu or "
            f"{layer.option}.files."
        )
    if wcs is not None and match.number in headers:
        _check_place(headers[match.number], Plane(where, match, packed), wcs, path, layer)
    return Plane(where, match, packed)


def _check_place(header: TileHeader, plane: Plane, wcs: SkyWcs, path: str, layer: Layer) -> None:
    """Raise a :class:`DataError` where the WCS of a mask or variance, if it has one, is not that of its image."""
    own = header.wcs(plane.hdu, plane.path)
    apart = 0.0 if own is None else wcs.apart_pix(own, *plane.hdu.shape)
    if apart > SAME_PIX:
        raise DataError(
            f"{plane.path}, {plane.hdu.label}: the WCS of the {layer.option.rpartition('.')[2]} is not that of {path}: "
            f"the same positions are up to {apart:.3g} pixels apart; give one on the image's grid of pixels "
            f"({layer.option}.files)."
        )


def _hdu(layer: Layer) -> str | int | None:
    """Which HDU holds the planes of a layer: one, since a tile is of one band."""
    if layer.hdu is not None and not isinstance(layer.hdu, (str, int)):
        raise ConfigError(
            f"{layer.option}.hdu={list(layer.hdu)} is a list; for tiles give one name or number, of which each "
            f"image takes the one of its own EXTVER, or files of each band with {layer.option}.files={{band: pattern}}."
        )
    return layer.hdu


def _partner(several: list[ImageHdu], image: ImageHdu) -> ImageHdu | None:
    """Of several HDUs the one that belongs to ``image``: the only one, or that of its version, name or number."""
    if len(several) == 1:
        return several[0]
    tests: list[Callable[[ImageHdu], bool]] = [
        lambda hdu: hdu.name == image.name and hdu.version == image.version and bool(hdu.name),
        lambda hdu: len({h.name for h in several}) == 1 and hdu.version == image.version,
        lambda hdu: hdu.number == image.number,
    ]
    for test in tests:
        matches = [hdu for hdu in several if test(hdu)]
        if len(matches) == 1:
            return matches[0]
    return None
