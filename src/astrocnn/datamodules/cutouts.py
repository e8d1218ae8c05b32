"""Cutouts and a catalogue, as a user has them."""

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.utilities import rank_zero_warn

from astrocnn.datamodules.catalog import Catalog
from astrocnn.datamodules.images import ImageDataModule
from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.source import Source
from astrocnn.errors import DataError
from astrocnn.io.layers import FluxScale, Mask, Variance, ZeroPoint
from astrocnn.io.pictures import NO_FLUX, PictureWarning
from astrocnn.io.select import HDUS

__all__ = ["CutoutDataModule"]


class CutoutDataModule(ImageDataModule):
    """FITS cutouts, with or without a catalogue.

    Args:
        images: glob pattern (one file an object), or mapping from band to pattern (one file a band).
        hdu: HDU of the image: None for the first that holds one, a name, a number, or a list (a band each).
        mask: ``hdu`` or ``files`` of a quality mask, and the ``bits`` that make a pixel bad; see
            :class:`~astrocnn.io.layers.Mask`.
        variance: ``hdu`` or ``files`` of the variance, to have it in the batches, and its ``kind``; see
            :class:`~astrocnn.io.layers.Variance`.
        flux_unit: the unit to bring all images to, one of :data:`~astrocnn.io.flux_units.UNITS`; None leaves them
            as stored.
        zero_point: AB magnitude of one stored unit, for headers that do not say it: a number, or one a band.

    The others are those of :class:`~astrocnn.datamodules.images.ImageDataModule`.
    """

    def __init__(
        self,
        *,
        images: str | Mapping[str, str] | None = None,
        hdu: HDUS = None,
        mask: Mapping[str, Any] | None = None,
        variance: Mapping[str, Any] | None = None,
        flux_unit: str | None = None,
        zero_point: ZeroPoint = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.images, self.hdu = images, hdu
        self.mask, self.variance = Mask.of(mask), Variance.of(variance)
        self.flux = FluxScale.of(flux_unit, zero_point, common.get("pixel_scale_arcsec"))

    def source(self, catalog: Catalog | None) -> Source:
        """The files."""
        del catalog
        if self.images is None:
            raise DataError("no images given; name them with data.images='folder/*.fits'.")
        files = CutoutFiles(self.images, hdu=self.hdu, mask=self.mask, variance=self.variance, flux=self.flux)
        if files.pictures:
            rank_zero_warn(f"{files.paths[0][0]}: {NO_FLUX}", category=PictureWarning)
        return files
