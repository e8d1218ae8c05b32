"""Tables in and out: the suffix says the format, and the columns are the same whichever it was."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from astropy.table import Table

from astrocnn.errors import DataError, listed, reason
from astrocnn.io.astropy_tables import (
    read_ecsv,
    read_fits,
    read_votable,
    write_ecsv,
    write_fits,
    write_votable,
)
from astrocnn.io.atomic import atomic_path
from astrocnn.io.columns import plain
from astrocnn.io.hdf5_table import read_hdf5
from astrocnn.io.headers import ASTROPY
from astrocnn.io.parquet_table import read_parquet, write_parquet
from astrocnn.io.text_table import read_csv, read_text, write_csv

__all__ = ["SUFFIXES", "column", "errors_named", "read_table", "split_part", "write_table"]

PART = "::"


@dataclass(frozen=True)
class Format:
    """How a kind of file is read and written; ``parts`` says that it may hold several tables."""

    read: Callable[..., Table]
    write: Callable[[Table, Path, dict[str, Any]], None] | None = None
    parts: bool = False


FITS = Format(read_fits, write_fits, parts=True)
PARQUET = Format(read_parquet, write_parquet)
VOTABLE = Format(read_votable, write_votable, parts=True)
HDF5 = Format(read_hdf5, parts=True)
ECSV = Format(read_ecsv, write_ecsv)
CSV = Format(read_csv, write_csv)
TEXT = Format(read_text)
FORMATS: dict[str, Format] = {
    ".fits": FITS,
    ".fits.gz": FITS,
    ".fit": FITS,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".ecsv": ECSV,
    ".csv": CSV,
    ".csv.gz": Format(read_csv),
    ".votable": VOTABLE,
    ".vot": VOTABLE,
    ".xml": VOTABLE,
    ".hdf5": HDF5,
    ".h5": HDF5,
    ".tsv": TEXT,
    ".txt": TEXT,
    ".dat": TEXT,
    ".cat": TEXT,
    ".tbl": TEXT,
    ".train": TEXT,
    ".test": TEXT,
    ".txt.gz": TEXT,
    ".dat.gz": TEXT,
}
SUFFIXES = tuple(FORMATS)


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a table; the suffix says the format.

    ``file.fits::NAME``, ``file.hdf5::group`` and ``file.xml::table`` choose one of several tables: an HDU by name
    or number, a group or data set, a table by name or number.

    Text becomes str, truth values bool, whole numbers int64 and other numbers float64, in native byte order.
    Missing floats are NaN, missing text is '', missing integers and truth values are masked. In text files a
    number with leading zeros (``000123``) is an identifier and stays text. ``meta`` holds the header's keywords.

    Raises:
        DataError: no such file, an unknown suffix, or content that is not of that format.
    """
    path, part = split_part(path)
    form = _by_suffix(path)
    if not path.is_file():
        raise DataError(f"the table {path} does not exist (looked from {Path.cwd()}); check the path.")
    if part is not None and not form.parts:
        raise DataError(f"{path} holds one table; leave out {PART}{part}.")
    with errors_named(path):
        table = form.read(path, part) if form.parts else form.read(path)
        for name in table.colnames:
            plain(table, name)
            if name.startswith("#"):  # a text header's sign, carried along when the table was converted
                table.rename_column(name, name.lstrip("# ") or name)
    return table


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Make every error of the libraries that read tables a :class:`DataError` that names the file."""
    try:
        with ASTROPY, warnings.catch_warnings():
            # units and cards that astropy does not know are kept as they are and matter to no column's values
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message=".*truncated.*")
            yield
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(
            f"the table {path} asks for more memory than there is; check its header, or keep fewer rows or columns."
        ) from error
    except Exception as error:  # each format's library has its own kinds
        raise DataError(
            f"the table {path} cannot be read as {path.suffix.lstrip('.')}: {reason(error)}; "
            "check that it is whole and that its suffix says its format."
        ) from error


def split_part(path: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The file, and what stands after ``::``: which of its tables is meant."""
    name, sign, part = os.fspath(path).partition(PART)
    return Path(name).expanduser(), part if sign else None


def write_table(
    table: Table, path: str | os.PathLike[str], header: Mapping[str, str | int | float | bool] | None = None
) -> Path:
    """Write ``table`` to ``path``, whole or not at all; the suffix says the format.

    ``header`` becomes FITS keywords, Parquet metadata, ECSV meta or VOTable parameters; CSV has no place for it.

    Raises:
        DataError: an unknown suffix, or the disc is full.
    """
    path = Path(path)
    form = _by_suffix(path)
    if form.write is None:
        known = [suffix for suffix, other in FORMATS.items() if other.write is not None]
        raise DataError(
            f"{path}: {path.suffix} is read but not written; use one of {listed(known, most=20)}."
        )
    try:
        with atomic_path(path) as part:
            form.write(table, part, dict(header or {}))
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}; free space there or write elsewhere."
        ) from error
    return path


def column(table: Table, name: str, option: str, *, source: object = "the table") -> Any:
    """The column ``name`` of ``table``.

    Raises:
        DataError: there is no such column; names the nearest ones and ``option``, which chooses it.
    """
    if name in table.colnames:
        return table[name]
    lower = {known.lower(): known for known in table.colnames}
    near = [lower[match] for match in get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    hint = f"; the nearest are {listed([repr(n) for n in near])}" if near else ""
    raise DataError(
        f"{source} has no column {name!r}{hint}; its columns are {listed(table.colnames, most=30)}; "
        f"choose one with {option}=<column>."
    )


def _by_suffix(path: Path) -> Format:
    name = path.name.lower()
    for suffix, form in FORMATS.items():
        if name.endswith(suffix):
            return form
    raise DataError(
        f"{path}: {path.suffix or 'no suffix'} is not a known format of tables; "
        f"use one of {listed(SUFFIXES, most=len(SUFFIXES))}."
    )
