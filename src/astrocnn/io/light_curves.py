"""One file of time series, whatever its layout: times, values, errors and bands of every observation."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.io.flags import flag_bits
from astrocnn.io.hdus import places
from astrocnn.io.headers import NotPlainError
from astrocnn.io.tables import column, read_table, split_part
from astrocnn.io.text_table import MISSING
from astrocnn.io.unpacking import opened

__all__ = ["LightCurveColumns", "Observations", "count_rows", "read_observations"]

Array = NDArray[np.float64]
ByBand = str | Sequence[str] | Mapping[str, str]
NAMES = {
    "time": "time mjd bjd hjd jd btjd bkjd obsmjd mjd_obs midpointmjdtai expmidptmjd t",
    "flux": "pdcsap_flux kspsap_flux sap_flux det_flux flux fluxcal psfflux mag magnitude magpsf",
    "error": "flux_err flux_error fluxerr fluxcalerr psffluxerr error err e_flux mag_err magerr mag_error e_mag",
    "band": "band filter passband filt flt fid filtercode",
    "quality": "quality sap_quality",
}
FITS_HDU = "LIGHTCURVE"
FITS_SUFFIXES = (".fits", ".fits.gz", ".fit")


@dataclass(frozen=True)
class LightCurveColumns:
    """Which columns are what; None takes those of a usual name, such as TIME, PDCSAP_FLUX, mjd, band.

    Args:
        time, flux, error: a column; or a mapping from band to column, for tables with columns for each band.
        band: column that names the band of each row; None where every row is of one band.
        quality: column of flags.
        object: column that tells the objects of a long table apart; None where a file holds one object.
        quality_bits: bits of the flags (0 to 62) that make an observation bad; None takes every bit, [] none.

    Raises:
        ConfigError: mappings whose bands differ, or bits that are none.
    """

    time: ByBand | None = None
    flux: ByBand | None = None
    error: ByBand | None = None
    band: str | None = None
    quality: str | None = None
    object: str | None = None
    quality_bits: Sequence[int] | None = None

    def __post_init__(self) -> None:
        flag_bits("data.quality_bits", self.quality_bits)
        bands = {
            key: list(v) for key in ("time", "flux", "error") if isinstance(v := getattr(self, key), Mapping)
        }
        if bands and "flux" not in bands:
            raise ConfigError(
                "data.time and data.error name columns by band, but data.flux does not; give it alike."
            )
        if any(names != bands["flux"] for names in bands.values()):
            raise ConfigError(
                f"data.time, data.flux and data.error name different bands ({bands}); name the same."
            )
        if "flux" in bands and self.band is not None:
            raise ConfigError(
                "data.flux names columns by band and data.band a column of bands; give one of them."
            )


@dataclass(frozen=True)
class Observations:
    """Rows (n,) of one file: ``time`` in days, ``value``, ``error`` or None, ``good`` by the flags, ``band`` numbers
    into ``bands`` (−1 and not good where it is not told), and ``object`` numbers into ``ids`` ('' for the only one).
    """

    time: Array
    value: Array
    error: Array | None
    good: NDArray[np.bool_]
    band: NDArray[np.int16]
    bands: tuple[str, ...]
    object: NDArray[np.int64]
    ids: tuple[str, ...]
    position: tuple[float, float]
    unit: str | None


def read_observations(path: str | os.PathLike[str], columns: LightCurveColumns) -> Observations:
    """Every observation of ``path``, in the order of its rows.

    Known layouts are those of Kepler, K2 and TESS (table LIGHTCURVE: TIME, PDCSAP_FLUX or else SAP_FLUX, their
    errors, QUALITY or SAP_QUALITY; https://archive.stsci.edu/missions/tess/doc/EXP-TESS-ARC-ICD-TM-0014.pdf), and
    tables with columns of time and flux (or magnitude), a row an observation, bands in a column or in columns.

    Raises:
        DataError: the file cannot be read, a column is not there or holds no numbers, or rows are of no object.
    """
    table = _table(path)
    flux = columns.flux
    if isinstance(flux, Mapping):
        parts = [_band_columns(path, table, columns, band) for band in flux]
        time, value, error = (_joined([part[k] for part in parts]) for k in range(3))
        band, bands = np.repeat(np.arange(len(parts)), len(table)), tuple(str(name) for name in flux)
        row = np.tile(np.arange(len(table)), len(parts))
        unit = None
    else:
        name = _named(path, table, "flux", columns.flux)
        time = _numbers(path, table, _named(path, table, "time", columns.time), "data.time")
        value = _numbers(path, table, name, "data.flux")
        errors = _error_of(path, table, name, columns.error)
        error = None if errors is None else _numbers(path, table, errors, "data.error")
        band, bands = _bands(path, table, columns)
        row, unit = np.arange(len(table)), table[name].unit
    good = _good(path, table, columns)[row] & (band >= 0)
    which, ids = _objects(path, table, columns)
    meta = {str(key).upper(): v for key, v in table.meta.items()}
    ra, dec = (
        float(v) if isinstance(v := meta.get(k), (int, float)) else np.nan for k in ("RA_OBJ", "DEC_OBJ")
    )
    assert time is not None
    assert value is not None
    return Observations(
        time, value, error, good, band.astype(np.int16), bands, which[row], ids,
        (ra, dec), str(unit) if unit is not None else None,
    )  # fmt: skip


def count_rows(path: str | os.PathLike[str]) -> int:
    """How many rows a file has, by its header where it is FITS.

    Raises:
        DataError: the file cannot be read.
    """
    file, part = split_part(path)
    if part is None and file.name.lower().endswith(FITS_SUFFIXES):
        try:
            with opened(file) as (stream, size):
                headers = [header for _, header, *_ in places(file, stream, size)]
                tables = [header for header in headers if header.get("XTENSION") in ("BINTABLE", "TABLE")]
                named = [header for header in tables if header.get("EXTNAME") == FITS_HDU] or tables
                if named:
                    return int(named[0].get("NAXIS2"))
        except (DataError, NotPlainError):  # whatever is wrong with it, reading the table says in a sentence
            pass
    return len(_table(path))


def _table(path: str | os.PathLike[str]) -> Table:
    file, part = split_part(path)
    if part is None and file.name.lower().endswith(FITS_SUFFIXES):
        try:
            return read_table(f"{file}::{FITS_HDU}")
        except DataError as error:
            if f"holds no table {FITS_HDU!r}" not in str(error):
                raise
    return read_table(path)


def _named(path: Any, table: Table, key: str, asked: Any) -> str:
    """The column for ``key``: the one asked for, or the first of a usual name."""
    if asked is not None:
        column(table, str(asked), f"data.{key}", source=path)
        return str(asked)
    name = _usual(table, key)
    if name is None:
        raise DataError(
            f"{path} has no column of a usual name for {key} ({listed(NAMES[key].split(), most=4)}, ...); its columns "
            f"are {listed(table.colnames, most=30)}; name it with data.{key}=<column>."
        )
    return name


def _usual(table: Table, key: str) -> str | None:
    lower = {name.lower(): name for name in reversed(table.colnames)}
    return next((lower[name] for name in NAMES[key].split() if name in lower), None)


def _error_of(path: Any, table: Table, flux: str, asked: Any) -> str | None:
    """The error's column: named, or that of this very flux (PDCSAP_FLUX_ERR), or of a usual name; None for none."""
    if asked is not None:
        return _named(path, table, "error", asked)
    lower = {name.lower(): name for name in reversed(table.colnames)}
    own = (f"{flux.lower()}{end}" for end in ("_err", "_error", "err"))
    return next((lower[name] for name in own if name in lower), _usual(table, "error"))


def _numbers(path: Any, table: Table, name: str, option: str) -> Array:
    values = column(table, name, option, source=path)
    data = np.asarray(np.ma.getdata(values))
    if data.ndim != 1 or data.dtype.kind not in "fiu":
        what = "text" if data.dtype.kind == "U" else "vectors"
        raise DataError(
            f"the column {name!r} of {path} holds {what}; a light curve has one number a row; choose another "
            f"({option}=<column>)."
        )
    return np.where(np.ma.getmaskarray(values), np.nan, data.astype(np.float64))


def _band_columns(
    path: Any, table: Table, columns: LightCurveColumns, band: str
) -> tuple[Array, Array, Array | None]:
    def of(key: str) -> str | None:
        given = getattr(columns, key)
        return given.get(band) if isinstance(given, Mapping) else given

    time = _numbers(path, table, _named(path, table, "time", of("time")), "data.time")
    value = _numbers(path, table, str(of("flux")), "data.flux")
    error = of("error")
    return time, value, None if error is None else _numbers(path, table, error, "data.error")


def _joined(parts: list[Array | None]) -> Array | None:
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if len(given) == len(parts) else None


def _bands(path: Any, table: Table, columns: LightCurveColumns) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number of each row's band, −1 where none is told, and the names, sorted; one called flux without a column."""
    name = columns.band or _usual(table, "band")
    if name is None:
        return np.zeros(len(table), np.int64), ("flux",)
    numbers, names = _numbered(column(table, name, "data.band", source=path))
    if len(table) and not names:
        raise DataError(
            f"{path} names no band in any row of its column {name!r}; choose another (data.band=<column>), or take "
            "that column out where all is of one band."
        )
    return numbers, names


def _numbered(values: Any) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number (n,) of each value, −1 where it is missing, among the different ones, sorted, as text."""
    data, missing = np.asarray(np.ma.getdata(values)), np.ma.getmaskarray(values)
    if data.dtype.kind == "f":
        missing = missing | np.isnan(data)
    elif data.dtype.kind == "U":
        missing = missing | np.isin(data, MISSING)
    names, of_given = np.unique(data[~missing], return_inverse=True)
    numbers = np.full(len(data), -1, np.int64)
    numbers[~missing] = of_given.reshape(-1)
    return numbers, tuple(str(value) for value in names.tolist())


def _good(path: Any, table: Table, columns: LightCurveColumns) -> NDArray[np.bool_]:
    name = columns.quality or _usual(table, "quality")
    if name is None or (columns.quality_bits is not None and not len(columns.quality_bits)):
        return np.ones(len(table), bool)
    values = column(table, name, "data.quality", source=path)
    flags = np.asarray(np.ma.getdata(values))
    if flags.dtype.kind not in "iub":
        raise DataError(
            f"the column {name!r} of {path} holds no flags (whole numbers); choose another (data.quality=<column>), or "
            "ignore it with data.quality_bits=[]."
        )
    bits = flag_bits("data.quality_bits", columns.quality_bits)
    good: NDArray[np.bool_] = ((flags.astype(np.int64) & bits) == 0) & ~np.ma.getmaskarray(values)
    return good


def _objects(
    path: Any, table: Table, columns: LightCurveColumns
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if columns.object is None:
        return np.zeros(len(table), np.int64), ("",)
    numbers, names = _numbered(column(table, columns.object, "data.object", source=path))
    if n_missing := int((numbers < 0).sum()):
        raise DataError(
            f"{path}: {n_missing} of its {len(numbers)} rows have no object in the column {columns.object!r}; whose "
            "they are is not known: write it there, take these rows out, or choose another column (data.object=...)."
        )
    return numbers, names
