"""Tiles and a catalogue: cutouts around the catalogue's objects."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datamodules.catalog import Catalog
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datasets.source import Source
from astrocnn.datasets.tile_placement import Targets
from astrocnn.datasets.tiles import TileCutouts
from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.io.layers import FluxScale, Mask, Variance, ZeroPoint
from astrocnn.io.tables import column

__all__ = ["TileDataModule"]


class TileDataModule(ImageDataModule):
    """Cutouts around the objects of a catalogue, from full images.

    Args:
        tiles: glob pattern of the images, or mapping from band to pattern.
        size_pix: rows and columns of a cutout.
        hdu: which images of a file are tiles: None for the first, a number, a name, 'all', or one of these a band.
        x, y: names of columns with 0-based pixels of the objects, instead of their right ascension and declination.
        tile: name of the column that says of which tile these pixels are.
        subpixel: centre the objects exactly, by interpolation; False cuts whole pixels.
        missing_band: 'error' lists objects that are on no tile of some band as unusable, 'invalid' keeps them, with
            that band not valid.
        mask, variance: ``hdu`` or ``files`` of a quality mask and its ``bits``, of the variance and its ``kind``;
            see :class:`~astrocnn.io.layers.Mask` and :class:`~astrocnn.io.layers.Variance`.
        flux_unit, zero_point: the unit to bring all images to, and the AB magnitude of one stored unit for headers
            that do not say it; see :class:`~astrocnn.io.layers.FluxScale`.

    The others are those of :class:`~astrocnn.datamodules.images.ImageDataModule`; another ``pixel_scale_arcsec``
    than the tiles' resamples them to it.
    """

    carried = (*ImageDataModule.carried, "flux_unit")

    def __init__(
        self,
        *,
        tiles: str | Mapping[str, str] | None = None,
        size_pix: int = 64,
        hdu: str | int | Sequence[str | int] | Mapping[str, str | int] | None = None,
        x: str | None = None,
        y: str | None = None,
        tile: str = "tile",
        subpixel: bool = True,
        missing_band: str = "error",
        mask: Mapping[str, Any] | None = None,
        variance: Mapping[str, Any] | None = None,
        flux_unit: str | None = None,
        zero_point: ZeroPoint = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.pixel_scale_arcsec: float | None = common.get("pixel_scale_arcsec")
        if (x is None) != (y is None):
            raise ConfigError(f"data.x={x} and data.y={y}: give both columns of pixels, or neither.")
        self.tiles, self.pixel_columns = tiles, (x, y, tile)
        self.mask, self.variance = Mask.of(mask), Variance.of(variance)
        self.flux = FluxScale.of(flux_unit, zero_point, self.pixel_scale_arcsec)
        self.size_pix, self.hdu, self.subpixel, self.missing_band = size_pix, hdu, subpixel, missing_band

    def source(self, catalog: Catalog | None) -> Source:
        """The objects of the catalogue on the tiles."""
        if self.tiles is None:
            raise DataError("no tiles given; name them with data.tiles='survey/*.fits.fz'.")
        if catalog is None:
            raise DataError(
                "tiles need a catalogue of the objects to cut out; give it with data.catalog=<table>, with columns "
                "of right ascension and declination (data.ra, data.dec) or of pixels (data.x, data.y)."
            )
        return TileCutouts(
            self.tiles,
            self._targets(catalog),
            size_pix=self.size_pix,
            hdu=self.hdu,
            pixel_scale_arcsec=self.pixel_scale_arcsec,
            subpixel=self.subpixel,
            missing_band=self.missing_band,
            mask=self.mask,
            variance=self.variance,
            flux=self.flux,
        )

    def _targets(self, catalog: Catalog) -> Targets:
        n = len(catalog.ids)
        ids, base = catalog.ids.tolist(), Path(catalog.path).parent
        position = np.full((n, 2), np.nan) if catalog.position is None else catalog.position
        ra, dec = position[:, 0], position[:, 1]
        x, y, tile = self.pixel_columns
        if x is not None and y is not None:
            names = None
            if tile in catalog.table.colnames or tile != "tile":
                names = np.asarray(column(catalog.table, tile, "data.tile", source=catalog.path)).astype(str)
            pixels = _numbers(catalog, x, "data.x"), _numbers(catalog, y, "data.y")
            return Targets(ids, ra, dec, *pixels, names, base)
        if catalog.position is None:
            raise DataError(
                f"{catalog.path} has no positions in columns {self.columns['ra']!r} and {self.columns['dec']!r}; its "
                f"columns are {listed(catalog.table.colnames, most=30)}; name those of right ascension and declination "
                "(data.ra=<column> data.dec=<column>), or of pixels (data.x=<column> data.y=<column>)."
            )
        return Targets(ids, ra, dec, base=base)


def _numbers(catalog: Catalog, name: str, option: str) -> NDArray[np.float64]:
    values = column(catalog.table, name, option, source=catalog.path)
    data = np.ma.filled(np.ma.asarray(values).astype(float), np.nan) if values.dtype.kind in "fiu" else None
    if data is None:
        raise DataError(
            f"the column {name!r} of {catalog.path} holds {values.dtype}, such as {values[0]!r}; pixels are numbers, "
            f"the first is 0; choose another with {option}=<column>."
        )
    return np.asarray(data, dtype=np.float64)
