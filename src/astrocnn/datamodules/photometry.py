"""A table of photometry: magnitudes or fluxes as features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from astrocnn.datamodules.catalog import Catalog, read_catalog
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.datamodules.training_rows import TrainingRows
from astrocnn.datasets.photometry import PhotometryTable
from astrocnn.datasets.source import Source
from astrocnn.errors import DataError
from astrocnn.io.tables import split_part

__all__ = ["PhotometryDataModule", "RedshiftTable"]


class PhotometryDataModule(ObjectDataModule):
    """Rows of a catalogue as samples (F,): magnitudes or fluxes, their errors as variance, non-detections not valid.

    Without a column of ids the number of the row is one.

    Args:
        features, errors, quantity, missing, max_error, limits, extinction, extinction_coefficients: see
            :class:`~astrocnn.datasets.photometry.PhotometryTable`.
        redshift: column whose values become ``redshift`` (B,) float32 of the batch, NaN where unknown.
        train_where: column of true/false: only such objects train and validate, and all test.
        reweight: magnitudes in which the objects that train are weighted to be distributed as all of the table; their
            weights become ``weight`` (B,) float32 of the batch.
            See :class:`~astrocnn.datamodules.training_rows.TrainingRows`.

    The others are those of :class:`~astrocnn.datamodules.objects.ObjectDataModule`; ``bands`` are the features.
    """

    carried: ClassVar[tuple[str, ...]] = (
        *ObjectDataModule.carried,
        "features",
        "errors",
        "missing",
        "max_error",
        "limits",
        "extinction",
        "extinction_coefficients",
    )

    def __init__(
        self,
        *,
        features: Sequence[str] | str | None = None,
        errors: Sequence[str] | str | None = None,
        quantity: str = "magnitude",
        missing: Sequence[float] | None = None,
        max_error: float | None = None,
        limits: Sequence[str] | str | None = None,
        extinction: str | None = None,
        extinction_coefficients: str | Mapping[str, float] | Sequence[float] | None = None,
        redshift: str | None = None,
        train_where: str | None = None,
        reweight: Sequence[str] | str | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.photometry: dict[str, Any] = {
            "features": features,
            "errors": errors,
            "quantity": quantity,
            "missing": missing,
            "max_error": max_error,
            "limits": limits,
            "extinction": extinction,
            "extinction_coefficients": extinction_coefficients,
        }
        self.targets = {} if redshift is None else {"redshift": redshift}
        self.training_rows = TrainingRows(train_where, reweight)

    def read_catalog(self) -> Catalog | None:
        """The table."""
        if self.table is None:
            raise DataError(
                "no table given; name it with data.catalog=galaxies.fits (or .parquet, .hdf5, ...)."
            )
        return read_catalog(self.table, self.columns, by_row=True)

    def source(self, catalog: Catalog | None) -> Source:
        """The rows of the table."""
        assert catalog is not None
        path, part = split_part(Path(catalog.path))
        return PhotometryTable(catalog.table, catalog.ids, str(path), part=part, **self.photometry)


class RedshiftTable(PhotometryDataModule):
    """A table of photometry from which redshifts shall be learned.

    Args:
        label, redshift: as of :class:`PhotometryDataModule`, with other defaults.
    """

    def __init__(
        self,
        *,
        label: str | None = None,
        redshift: str | None = "redshift",
        **photometry: Any,
    ) -> None:
        super().__init__(label=label, redshift=redshift, **photometry)
