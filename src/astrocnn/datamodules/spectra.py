"""Spectra and a catalogue, as a user has them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from astrocnn.datamodules.catalog import Catalog
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datasets.source import Source
from astrocnn.datasets.spectra import SpectrumFiles
from astrocnn.errors import DataError
from astrocnn.io.spectra import Reading

__all__ = ["SpectrumDataModule"]


class SpectrumDataModule(ObjectDataModule):
    """Spectra (1, L) on a grid even in log λ, with or without a catalogue.

    Args:
        files: glob pattern of the files: SDSS, DESI, LAMOST, tables, 1-D images.
        wave_min, wave_max, n_pixels: of the grid; None takes the files'.
        variance: whether batches have the variance of the flux.
        wave, flux, ivar, error, mask, hdu, wave_unit, medium, mask_bits: what files do not say themselves; see
            :class:`~astrocnn.io.spectra.Reading`.
        redshift: column whose values become ``redshift`` (B,) float32 of the batch, NaN where unknown.

    The others are those of :class:`~astrocnn.datamodules.objects.ObjectDataModule`.
    """

    carried: ClassVar[tuple[str, ...]] = (*ObjectDataModule.carried, "wave_min", "wave_max", "n_pixels")

    def __init__(
        self,
        *,
        files: str | None = None,
        wave_min: float | None = None,
        wave_max: float | None = None,
        n_pixels: int | None = None,
        variance: bool = False,
        wave: str | None = None,
        flux: str | None = None,
        ivar: str | None = None,
        error: str | None = None,
        mask: str | None = None,
        hdu: str | int | None = None,
        wave_unit: str | None = None,
        medium: str | None = None,
        mask_bits: Sequence[int] | None = None,
        redshift: str | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.files, self.variance = files, variance
        self.grid: dict[str, Any] = {"wave_min": wave_min, "wave_max": wave_max, "n_pixels": n_pixels}
        self.reading = Reading(
            wave=wave,
            flux=flux,
            ivar=ivar,
            error=error,
            mask=mask,
            hdu=hdu,
            wave_unit=wave_unit,
            medium=medium,
            mask_bits=mask_bits,
        )
        self.targets = {} if redshift is None else {"redshift": redshift}

    def source(self, catalog: Catalog | None) -> Source:
        """The files."""
        del catalog
        if self.files is None:
            raise DataError("no spectra given; name them with data.files='folder/*.fits'.")
        files = SpectrumFiles(self.files, reading=self.reading, variance=self.variance, **self.grid)
        self.grid = {name: getattr(files, name) for name in self.grid}
        return files

    def filled(self) -> dict[str, Any]:
        """As of any objects, with the grid."""
        return super().filled() | self.grid
