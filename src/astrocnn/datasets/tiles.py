"""Cutouts of a catalogue's objects, cut from tiles when they are read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.source import Source, Words
from astrocnn.datasets.tile_files import By, Tile, by_band
from astrocnn.datasets.tile_placement import Targets, place
from astrocnn.datasets.tile_reading import SCALE_TOLERANCE, CutOptions, Cutter
from astrocnn.errors import ConfigError, DataError, choose, listed
from astrocnn.functional.resample import MARGIN
from astrocnn.io.layers import FluxScale, Layer, Mask, Variance
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.windows import Unpacked

__all__ = ["MISSING_BAND", "TileCutouts"]

Numbers = NDArray[np.int64]
MISSING_BAND = {"error": False, "invalid": True}
OBJECTS_A_TASK = 1024
MOST_IN_PORTION = 512
PORTION_BYTES = 64 * 2**20
BYTES_A_PIXEL = 32  # stored, as float64, its variance, its validity
VERSION = 1


class TileCutouts(Source):
    """Cutouts of ``size_pix`` × ``size_pix`` pixels around objects, from the tiles on which they lie.

    The grid of a cutout is that of the object's tile in the first band; or, where another ``pixel_scale_arcsec`` is
    asked for than the tiles have, a gnomonic one that is turned and mirrored as that tile is. In its centre is the
    object: in the middle of the central pixel of an odd size, on the corner of the four central ones of an even.
    Other bands are resampled onto it where their tiles have other pixels: by an affine map where that is true to 0.05
    pixel, else through both WCS; :func:`astrocnn.datasets.tile_cuts.cut` says how.

    Args:
        tiles: pattern of the files, or a mapping from band to pattern.
        targets: the objects.
        size_pix: rows and columns of a cutout.
        hdu: which images of a file are tiles: None the first, a number, a name (every image of that name), 'all' (where
            any has a WCS, those that have one); a mapping says it for each band, and a list of HDUs of the same files
            makes each of them a band.
        pixel_scale_arcsec: of the cutouts; None, or a value within 1 % of the tiles', keeps the tiles' pixels.
        subpixel: centre exactly, by interpolation; False takes the nearest whole pixels of the first band.
        missing_band: what of an object that is on no tile of some band: 'error' lists it as one that cannot be used,
            'invalid' fills that band with pixels that are not valid.
        mask, variance: where they are.
        flux: the unit to bring all to; None leaves the values as they are.

    Attributes:
        bands: the mapping's keys; of a single pattern what FILTER says, or nothing.

    Raises:
        ConfigError: an option that cannot be.
        DataError: no tile can be used, no object lies on one, or the tiles of a band do not fit together.
    """

    words = Words("cutout", "cutouts", "pixel", "data.tiles")
    bands: tuple[str, ...]

    def __init__(
        self,
        tiles: By,
        targets: Targets,
        *,
        size_pix: int = 64,
        hdu: str | int | Sequence[str | int] | Mapping[str, str | int] | None = None,
        pixel_scale_arcsec: float | None = None,
        subpixel: bool = True,
        missing_band: str = "error",
        mask: Mask | None = None,
        variance: Variance | None = None,
        flux: FluxScale | None = None,
    ) -> None:
        if not isinstance(size_pix, int) or isinstance(size_pix, bool) or size_pix < 1:
            raise ConfigError(f"data.size_pix={size_pix}: a cutout has a whole number of pixels, at least 1.")
        if pixel_scale_arcsec is not None and not pixel_scale_arcsec > 0:
            raise ConfigError(f"data.pixel_scale_arcsec={pixel_scale_arcsec}: it is larger than 0.")
        self._size, self._fill = size_pix, choose("data.missing_band", missing_band, MISSING_BAND)
        patterns, hdus = by_band(tiles, hdu)
        layers: list[Layer] = [layer for layer in (mask, variance) if layer is not None]
        self._placed = place(targets, patterns, hdus=hdus, layers=layers)
        self._order(targets)
        scale = self._pixel_scale(pixel_scale_arcsec)
        self.bands = self._names()
        zero_points = [None] * len(patterns) if flux is None else flux.zero_points(self.bands, len(patterns))
        self._cut = CutOptions(size_pix, subpixel, zero_points, scale, mask, variance, flux)
        self._cutter = Cutter(self._placed, self._grid_band, self._cut)

    def _order(self, targets: Targets) -> None:
        """Number the objects that can be read by tile and row, so that neighbours stand together."""
        placed = self._placed
        self.incomplete = list(placed.problems)
        on = np.stack([band.number >= 0 for band in placed.bands])  # (C, N)
        usable = on.any(axis=0) if self._fill else on.all(axis=0)
        first = on.argmax(axis=0)  # (N,) the first band that there is
        for row in np.flatnonzero(~usable).tolist():
            reason = placed.reasons.get(row) or self._absence(on[:, row])
            self.incomplete.append((str(targets.ids[row]), reason))
        if not usable.any():
            raise DataError(self._nowhere(targets))
        tile, y, x = (
            np.stack([getattr(band, key) for band in placed.bands])[first, np.arange(len(first))]
            for key in ("number", "y", "x")
        )
        rows = np.flatnonzero(usable)
        rows = rows[np.lexsort((x[rows], y[rows], tile[rows], first[rows]))]
        for band in placed.bands:
            band.number, band.x, band.y = band.number[rows], band.x[rows], band.y[rows]
        placed.ra, placed.dec, self._grid_band, self._home = (
            placed.ra[rows],
            placed.dec[rows],
            first[rows],
            tile[rows],
        )
        self.ids = [str(targets.ids[row]) for row in rows.tolist()]
        known: dict[tuple[int, ...], tuple[str, ...]] = {}
        self.paths = []
        for key in map(tuple, np.stack([band.number for band in placed.bands], axis=1).tolist()):
            if key not in known:
                tiles = [band.tiles[n] for band, n in zip(placed.bands, key, strict=True) if n >= 0]
                known[key] = tuple(dict.fromkeys(plane.path for tile in tiles for plane in tile.planes))
            self.paths.append(known[key])

    def _absence(self, on: NDArray[np.bool_]) -> str:
        """Why an object cannot be read that is on tiles of the bands ``on`` (C,)."""
        if not on.any():
            return "outside every tile"
        missing = [band.band for band, there in zip(self._placed.bands, on, strict=True) if not there]
        return f"on no tile of band {listed(missing)}"

    def _nowhere(self, targets: Targets) -> str:
        reasons = sorted({reason for _, reason in self.incomplete})
        tiles = [
            plane.path for band in self._placed.bands for tile in band.tiles for plane in tile.planes[:1]
        ]
        span = ""
        if targets.x is None and np.isfinite(targets.ra).any():
            span = (
                f" They have ra {np.nanmin(targets.ra):g} to {np.nanmax(targets.ra):g} and dec "
                f"{np.nanmin(targets.dec):g} to {np.nanmax(targets.dec):g} degrees."
            )
        return (
            f"none of the {len(targets.ids)} objects lies on the {len(tiles)} tile(s) ({listed(tiles, most=1)}): "
            f"{listed(reasons, most=3)}.{span} "
            "Check data.ra and data.dec (degrees, ICRS), or data.x, data.y and data.tile, and data.tiles."
        )

    def _homes(self) -> list[Tile]:
        """The tiles of the first band on which there are objects."""
        return self._placed.bands[0].used() or [tile for band in self._placed.bands for tile in band.used()]

    def _pixel_scale(self, wanted: float | None) -> float | None:
        """Arcseconds per pixel of the cutouts; None where no tile has a WCS."""
        tiles = [tile for tile in self._homes() if tile.scale_arcsec is not None]
        if wanted is not None or not tiles:
            return wanted
        scales = np.array([tile.scale_arcsec for tile in tiles])
        scale = float(np.median(scales))
        if np.abs(scales / scale - 1).max() > SCALE_TOLERANCE:
            small, large = tiles[int(scales.argmin())], tiles[int(scales.argmax())]
            raise DataError(
                f"the tiles have pixels of different sizes, such as {small.scale_arcsec:.4g} arcsec in "
                f"{small.image.path} and {large.scale_arcsec:.4g} in {large.image.path}; give the size that all "
                "cutouts are to have with data.pixel_scale_arcsec=..."
            )
        return scale

    def _names(self) -> tuple[str, ...]:
        """The names of the bands, as far as they are known."""
        names = [band.band for band in self._placed.bands if band.band is not None]
        if names:
            return tuple(names)
        filters: dict[str, Tile] = {}
        for tile in self._homes():
            if tile.filter:
                filters.setdefault(tile.filter, tile)
        if len(filters) > 1:
            each = [f"{name!r} in {tile.image.path}" for name, tile in filters.items()]
            raise DataError(
                f"the tiles are of several bands ({listed(each, most=3)}); give one pattern a band, such as "
                "data.tiles={g: 'g/*.fits', r: 'r/*.fits'}, or one name to all: data.tiles={any: '*.fits'}."
            )
        return tuple(filters)

    @property
    def options(self) -> dict[str, Any]:
        cut = self._cut
        return {
            "version": VERSION,
            "size_pix": cut.size,
            "subpixel": cut.subpixel,
            "pixel_scale_arcsec": cut.scale_arcsec,
            "bands": self.bands,
            "mask": None if cut.mask is None else asdict(cut.mask),
            "variance": None if cut.variance is None else asdict(cut.variance),
            "flux": None if cut.flux is None else cut.flux.unit,
            "zero_points": list(cut.zero_points),
        }

    @property
    def has_variance(self) -> bool:
        return self._cut.variance is not None

    def key(self, number: int) -> str:
        """The HDUs and the exact position in each band."""
        parts = [f"{self._placed.ra[number]!r} {self._placed.dec[number]!r}"]
        for band in self._placed.bands:
            if (n := band.number[number]) >= 0:
                hdus = " ".join(f"{plane.path}[{plane.hdu.number}]" for plane in band.tiles[n].planes)
                parts.append(f"{hdus} {band.x[number]!r} {band.y[number]!r}")
            else:
                parts.append("")
        return "\0".join(parts)

    def columns(self, numbers: Numbers) -> dict[str, NDArray[Any]]:
        """``tile``: the name of each object's tile in the first band that it is on."""
        names = [
            self._placed.bands[band].tiles[tile].name
            for band, tile in zip(self._grid_band[numbers], self._home[numbers], strict=True)
        ]
        return {"tile": np.array(names, dtype=str)}

    def probe(self, number: int) -> SampleInfo:
        """What the headers of the object's tiles say, and that a pixel of each can be read."""
        for b, band in enumerate(self._placed.bands):
            if (tile := int(band.number[number])) >= 0:
                self._cutter.check(b, tile)
        return self._info(number)

    def _info(self, number: int) -> SampleInfo:
        size, flux = self._cut.size, self._cut.flux
        tiles = [
            band.tiles[n] if (n := int(band.number[number])) >= 0 else None for band in self._placed.bands
        ]
        stored = tuple(None if tile is None else tile.unit for tile in tiles)
        unit = stored if len(set(stored)) > 1 else stored[0]
        return SampleInfo(
            (len(self._placed.bands), size, size),
            self.bands,
            self._placed.bands[0].band is not None,
            float(self._placed.ra[number]),
            float(self._placed.dec[number]),
            self._cut.scale_arcsec,
            unit if flux is None else flux.unit,
        )

    def read(self, number: int, *, sky: bool = False) -> Sample:
        """The cutout of object ``number``."""
        sample = next(iter(self.read_many(np.array([number]), sky=sky)))
        if isinstance(sample, DataError):
            raise sample
        return sample

    def tasks(self, numbers: Numbers) -> list[Numbers]:
        """Portions of one tile each, in the order of its rows; whole tiles where these are packed as files."""
        order = np.lexsort((numbers, self._home[numbers], self._grid_band[numbers]))
        new = np.diff(self._home[numbers][order]) | np.diff(self._grid_band[numbers][order])
        portions: list[Numbers] = []
        for rows in np.split(order, np.flatnonzero(new) + 1):
            first = numbers[rows[0]] if len(rows) else 0
            bands = [(band, int(band.number[first])) for band in self._placed.bands]
            packed = any(p.packed for band, n in bands if n >= 0 for p in band.tiles[n].planes)
            step = max(1, len(rows)) if packed else OBJECTS_A_TASK
            portions += [rows[start : start + step] for start in range(0, len(rows), step)]
        return portions

    def read_many(self, numbers: Numbers, *, sky: bool = False) -> Iterator[Sample | DataError]:
        """The cutouts, in portions of bounded memory; each stripe of a compressed tile is decoded once a portion."""
        del sky  # positions are known
        n_bytes = len(self._placed.bands) * (self._cut.size + 2 * MARGIN) ** 2 * BYTES_A_PIXEL
        step = min(max(1, PORTION_BYTES // n_bytes), MOST_IN_PORTION)
        unpack = Unpacked()
        try:
            for start in range(0, len(numbers), step):
                portion = numbers[start : start + step]
                for number, found in zip(portion.tolist(), self._cutter(portion, unpack), strict=True):
                    if isinstance(found, DataError):
                        yield found
                    else:
                        yield Sample(self._info(number), found.flux, found.valid, found.variance)
        finally:
            unpack.close()
