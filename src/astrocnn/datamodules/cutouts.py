"""Cutouts and a catalogue, as a user has them."""

from collections.abc import Mapping
from typing import Any

from astrocnn.datamodules.catalog import Catalog
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.source import Source
from astrocnn.errors import DataError
from astrocnn.io.fits import HDUS

__all__ = ["CutoutDataModule"]


class CutoutDataModule(ObjectDataModule):
    """FITS cutouts, with or without a catalogue.

    Args:
        images: glob pattern (one file an object), or mapping from band to pattern (one file a band).
        hdu: HDU of the image: None for the first that holds one, a name, a number, or a list (a band each).
        variance_hdu: HDU of the variance, to have it in the batches.

    The others are those of :class:`~astrocnn.datamodules.objects.ObjectDataModule`.
    """

    def __init__(
        self,
        *,
        images: str | Mapping[str, str] | None = None,
        hdu: HDUS = None,
        variance_hdu: HDUS = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.images, self.hdu, self.variance_hdu = images, hdu, variance_hdu

    def source(self, catalog: Catalog | None) -> Source:
        """The files."""
        del catalog
        if self.images is None:
            raise DataError("no images given; name them with data.images='folder/*.fits'.")
        return CutoutFiles(self.images, hdu=self.hdu, variance_hdu=self.variance_hdu)
