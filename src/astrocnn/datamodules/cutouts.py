"""Cutouts and a catalogue, as a user has them."""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pytorch_lightning.utilities import rank_zero_warn

from astrocnn.datamodules.catalog import Catalog, read_catalog
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.source import Source
from astrocnn.datasets.stacks import CHANNELS, CutoutStack, is_stacked
from astrocnn.errors import DataError, choose
from astrocnn.io.layers import FluxScale, Mask, Variance, ZeroPoint
from astrocnn.io.pictures import NO_FLUX, PictureWarning
from astrocnn.io.select import HDUS

__all__ = ["CutoutDataModule"]


class CutoutDataModule(ImageDataModule):
    """Cutouts as files or as rows of one file, with or without a catalogue.

    Args:
        images: glob pattern (one file an object), or mapping from band to pattern (one file a band).
        hdu: HDU of the image (or array, data set, column): None for the first that holds one, a name, a number, or
            a list (a band each).
        mask: ``hdu`` or ``files`` of a quality mask, and the ``bits`` that make a pixel bad; see
            :class:`~astrocnn.io.layers.Mask`.
        variance: ``hdu`` or ``files`` of the variance, to have it in the batches, and its ``kind``; see
            :class:`~astrocnn.io.layers.Variance`.
        flux_unit: the unit to bring all images to, one of :data:`~astrocnn.io.flux_units.UNITS`; None leaves them
            as stored.
        zero_point: AB magnitude of one stored unit, for headers that do not say it: a number, or one a band.
        stacked: whether a file holds all objects, row i being object i of the catalogue; None finds out (``.npz``,
            HDF5, Parquet, a single ``.npy``, FITS of four axes).
        channels: whether in arrays the bands stand 'first' or 'last'; None finds out.

    The others are those of :class:`~astrocnn.datamodules.images.ImageDataModule`.
    """

    carried = (*ImageDataModule.carried, "flux_unit")

    def __init__(
        self,
        *,
        images: str | Mapping[str, str] | None = None,
        hdu: HDUS = None,
        mask: Mapping[str, Any] | None = None,
        variance: Mapping[str, Any] | None = None,
        flux_unit: str | None = None,
        zero_point: ZeroPoint = None,
        stacked: bool | None = None,
        channels: str | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.images, self.hdu, self.stacked, self.channels = images, hdu, stacked, channels
        if channels is not None:
            choose("data.channels", channels, dict.fromkeys(CHANNELS))
        self.mask, self.variance = Mask.of(mask), Variance.of(variance)
        self.flux = FluxScale.of(flux_unit, zero_point, common.get("pixel_scale_arcsec"), common.get("bands"))

    def source(self, catalog: Catalog | None) -> Source:
        """The files, or the rows of one."""
        del catalog
        if self._stack is not None:
            if self._stack.pictures:
                rank_zero_warn(f"{self._stack.paths[0][0]}: {NO_FLUX}", category=PictureWarning)
            return self._stack
        files = CutoutFiles(
            self._images,
            hdu=self.hdu,
            mask=self.mask,
            variance=self.variance,
            flux=self.flux,
            channels=self.channels,
        )
        if files.kind == "picture":
            rank_zero_warn(f"{files.paths[0][0]}: {NO_FLUX}", category=PictureWarning)
        return files

    def read_catalog(self) -> Catalog | None:
        """The user's table; that of the stack's own file where no other is named; None without one."""
        stack = self._stack
        if stack is None:
            return super().read_catalog()
        if self.table is None or os.path.abspath(self.table) in map(os.path.abspath, stack.paths[0]):
            own = stack.table()
            if own is None:
                return None
            self.table = stack.paths[0][0]
            return read_catalog(self.table, self.columns, table=own, by_row=True)
        return read_catalog(self.table, self.columns, by_row=True)

    @property
    def _images(self) -> str | Mapping[str, str]:
        if self.images is None:
            raise DataError("no images given; name them with data.images='folder/*.fits'.")
        return self.images

    @cached_property
    def _stack(self) -> CutoutStack | None:
        """The rows of the images' file; None where each file holds one object."""
        stacked = is_stacked(self._images, self.hdu) if self.stacked is None else self.stacked
        if not stacked:
            return None
        return CutoutStack(
            self._images,
            hdu=self.hdu,
            mask=self.mask,
            variance=self.variance,
            flux=self.flux,
            channels=self.channels,
            row_shape=self._row_shape(),
        )

    def _row_shape(self) -> tuple[int, ...] | None:
        """What data.image_size and data.n_bands say of the shape of a row."""
        size: Any = self.wanted["image_size"]
        n_bands: Any = self.wanted["n_bands"]
        if size is None:
            return None
        height, width = (size, size) if isinstance(size, int) else size
        if n_bands is None:
            return (height, width)
        return (height, width, n_bands) if self.channels == "last" else (n_bands, height, width)
