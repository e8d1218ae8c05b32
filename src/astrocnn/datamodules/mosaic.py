"""Mosaics to be mapped: which files, which bands, and what belongs to their pixels."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from pytorch_lightning import LightningDataModule

from astrocnn.batch import DataSpec
from astrocnn.datasets.mosaics import Layers, Mosaic, find_mosaics
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.layers import FluxScale, Mask, Variance, ZeroPoint

__all__ = ["MosaicDataModule"]

SCALE_TOLERANCE = 0.01


class MosaicDataModule(LightningDataModule):
    """Images of any size that a trained task is to map; nothing is learned from them.

    Args:
        images: pattern of the files, each a mosaic, or mapping from band to pattern.
        hdu: where the image is in a file: None for the first, a number, a name, or a list or mapping with one a band.
        bands: names and order of the bands; None takes the files'.
        n_bands: None takes the files'; another value than theirs is an error.
        missing_band: 'error' refuses a mosaic that lacks a band, 'invalid' maps it with that band not valid, which a
            network can that was trained with ``augment.band_dropout``.
        mask, variance: ``hdu`` or ``files`` of a quality mask and its ``bits``, of the variance and its ``kind``; see
            :class:`~astrocnn.io.layers.Mask` and :class:`~astrocnn.io.layers.Variance`.
        flux_unit, zero_point: the unit to bring all to, and the AB magnitude of one stored unit for headers that do not
            say it; see :class:`~astrocnn.io.layers.FluxScale`.
        pixel_scale_arcsec: arcsec per pixel of images without a WCS; another than that of a WCS is an error.
        window: rows and columns that the network sees at once; None takes what suits it, most often 1024.
        batch_size: windows that it sees together.

    Attributes:
        mosaics: after :meth:`probe`, those that were found.
        layers: masks, variances and the unit.
    """

    carried = ("bands", "flux_unit")  # options that are taken from a run
    targets: ClassVar[Mapping[str, str]] = {}  # nothing is known of them

    mosaics: list[Mosaic]

    def __init__(
        self,
        *,
        images: str | Mapping[str, str] | None = None,
        hdu: str | int | Sequence[str | int] | Mapping[str, str | int] | None = None,
        bands: Sequence[str] | None = None,
        n_bands: int | None = None,
        missing_band: str = "error",
        mask: Mapping[str, Any] | None = None,
        variance: Mapping[str, Any] | None = None,
        flux_unit: str | None = None,
        zero_point: ZeroPoint = None,
        pixel_scale_arcsec: float | None = None,
        window: int | None = None,
        batch_size: int = 1,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ConfigError(f"data.batch_size={batch_size}: at least 1 window.")
        self.images, self.hdu, self.bands, self.n_bands = images, hdu, bands, n_bands
        self.missing_band = missing_band
        flux = FluxScale.of(flux_unit, zero_point, pixel_scale_arcsec, bands)
        self.layers = Layers(Mask.of(mask), Variance.of(variance), flux)
        self.pixel_scale_arcsec, self.window, self.batch_size = pixel_scale_arcsec, window, batch_size
        self._spec: DataSpec | None = None

    def probe(self) -> DataSpec:
        """Read the headers; the shape is that of the first mosaic.

        Raises:
            DataError: files are missing or do not fit together, or the user's values are not theirs.
        """
        if self._spec is None:
            if self.images is None:
                raise DataError(
                    "no images given; name the mosaic's files with data.images={g: g.fits, r: r.fits}, or "
                    "data.images='coadds/*.fits' for files of all bands."
                )
            self.mosaics = find_mosaics(
                self.images,
                hdu=self.hdu,
                layers=self.layers,
                bands=self.bands,
                missing_band=self.missing_band,
            )
            for mosaic in self.mosaics:
                self._check(mosaic)
            first = self.mosaics[0]
            scale = self.pixel_scale_arcsec if first.wcs is None else first.wcs.scale_arcsec
            shape = (len(first.bands), *first.shape)
            self._spec = DataSpec(first.bands, shape, (), scale, first.units)
        return self._spec

    def _check(self, mosaic: Mosaic) -> None:
        path, n, said = mosaic.paths[0], len(mosaic.bands), self.pixel_scale_arcsec
        if self.n_bands not in (None, n):
            raise DataError(
                f"data.n_bands={self.n_bands} but {path} has {n}; leave it null to take what the files have, or take "
                "other files."
            )
        scale = None if mosaic.wcs is None else mosaic.wcs.scale_arcsec
        if said is not None and scale is not None and abs(scale / said - 1) > SCALE_TOLERANCE:
            raise DataError(
                f"data.pixel_scale_arcsec={said} but {path} has {scale:.6g} by its WCS; leave it null to take what the "
                "files have, or take other files."
            )

    def filled(self) -> dict[str, Any]:
        """What :meth:`probe` found, by the option that would have said it."""
        spec = self.probe()
        scale = {"pixel_scale_arcsec": spec.pixel_scale_arcsec} if len(self.mosaics) == 1 else {}
        return {"bands": list(spec.bands), "n_bands": len(spec.bands)} | scale

    def require_labels(self) -> NoReturn:
        """Raise a :class:`ConfigError`: there is nothing to learn."""
        raise ConfigError(
            "data=mosaic is for predict.py: it has images and no objects; train on data=segmentation_maps or others."
        )

    @property
    def catalog(self) -> NoReturn:
        """Raises as :meth:`require_labels`: there are no objects."""
        self.require_labels()
