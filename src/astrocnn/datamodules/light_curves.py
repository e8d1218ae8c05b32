"""Light curves and a catalogue, as a user has them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from astrocnn.datamodules.catalog import Catalog
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datasets.light_curves import LightCurveFiles
from astrocnn.datasets.source import Source
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.light_curves import LightCurveColumns
from astrocnn.io.tables import column

__all__ = ["LightCurveDataModule"]


class LightCurveDataModule(ObjectDataModule):
    """Light curves (1 + n_bands, L), time and values, with or without a catalogue.

    Args:
        files: glob pattern of the files: Kepler, K2, TESS, tables.
        object: column of the files that tells the objects of a long table apart; None where a file is an object.
        time, flux, error, band, quality, quality_bits: see :class:`~astrocnn.io.light_curves.LightCurveColumns`.
        quantity, missing, length, n_bins, variance: see :class:`~astrocnn.datasets.light_curves.LightCurveFiles`.
        period: column of the catalogue, or one number, in days: light curves are folded.
        epoch: time of phase 0, likewise; None takes each object's first observation.
        redshift: column whose values become ``redshift`` (B,) float32 of the batch, NaN where unknown.

    The others are those of :class:`~astrocnn.datamodules.objects.ObjectDataModule`; ``bands`` are the channels, time
    (or phase) among them.
    """

    carried: ClassVar[tuple[str, ...]] = (*ObjectDataModule.carried, "length", "n_bins")

    def __init__(
        self,
        *,
        files: str | None = None,
        object: str | None = None,
        time: str | Mapping[str, str] | None = None,
        flux: str | Mapping[str, str] | None = None,
        error: str | Mapping[str, str] | None = None,
        band: str | None = None,
        quality: str | None = None,
        quality_bits: Sequence[int] | None = None,
        quantity: str = "flux",
        missing: Sequence[float] | None = None,
        length: int | None = None,
        n_bins: int | None = None,
        variance: bool = False,
        period: str | float | None = None,
        epoch: str | float | None = None,
        redshift: str | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.files = files
        self.layout = LightCurveColumns(
            object=object,
            time=time,
            flux=flux,
            error=error,
            band=band,
            quality=quality,
            quality_bits=quality_bits,
        )
        self.series: dict[str, Any] = {
            "quantity": quantity,
            "missing": missing,
            "length": length,
            "n_bins": n_bins,
            "variance": variance,
        }
        if epoch is not None and period is None:
            raise ConfigError(f"data.epoch={epoch} without data.period has no effect; give both.")
        self.period, self.epoch = period, epoch
        self.targets = {} if redshift is None else {"redshift": redshift}

    def source(self, catalog: Catalog | None) -> Source:
        """The files, folded where a period is given."""
        if self.files is None:
            raise DataError("no light curves given; name them with data.files='folder/*.fits'.")
        said = self.wanted["bands"]
        bands = None if said is None else [name for name in said if name not in ("time", "phase")]
        files = LightCurveFiles(self.files, columns=self.layout, bands=bands, **self.series)
        self.series["length"] = files.length
        if self.period is not None:
            epoch = None if self.epoch is None else self._by_object(files, catalog, self.epoch, "epoch")
            files.fold(self._by_object(files, catalog, self.period, "period"), epoch)
        return files

    def _by_object(
        self, files: LightCurveFiles, catalog: Catalog | None, given: str | float, option: str
    ) -> NDArray[np.float64]:
        """The number of each object (N,): the same for all, or from the catalogue, NaN where it has none."""
        values = np.full(len(files), np.nan)
        if not isinstance(given, str):
            values[:] = given
            return values
        if catalog is None:
            raise DataError(
                f"data.{option}={given} names a column, but no catalogue is given; name it with data.catalog=<table>, "
                f"or give one number for all."
            )
        of_rows = column(catalog.table, given, f"data.{option}", source=catalog.path)
        numbers = np.asarray(np.ma.getdata(of_rows))
        if numbers.ndim != 1 or numbers.dtype.kind not in "fiu":
            raise DataError(
                f"the column {given!r} of {catalog.path} holds no numbers, one a row; choose another "
                f"(data.{option}=<column>)."
            )
        match = files.match(catalog.ids, base=Path(catalog.path).parent)
        met = match.file >= 0
        values[match.file[met]] = np.where(np.ma.getmaskarray(of_rows), np.nan, numbers)[met]
        return values

    def filled(self) -> dict[str, Any]:
        """As of any objects, with the length."""
        return super().filled() | {"length": self.series["length"]}
