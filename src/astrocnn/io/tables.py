"""Tables in and out: FITS, Parquet, ECSV and CSV by suffix, with the same columns whichever it was."""

import csv
import json
import os
import re
import warnings
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed
from astrocnn.io.atomic import atomic_path
from astrocnn.io.headers import ASTROPY

__all__ = ["SUFFIXES", "column", "read_table", "write_table"]

INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "N/A", "NA", "--")
BOOLEANS = {"true": True, "false": False}


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a table; the suffix says the format.

    Text becomes str, truth values bool, whole numbers int64 and other numbers float64, in native byte order.
    Missing floats are NaN, missing text is '', missing integers and truth values are masked. In CSV a number
    with leading zeros (``000123``) is an identifier and stays text. ``meta`` holds the header's keywords.

    Raises:
        DataError: no such file, an unknown suffix, or content that is not of that format.
    """
    path = Path(path)
    reader = _by_suffix(path, {suffix: pair[0] for suffix, pair in FORMATS.items()})
    if not path.is_file():
        raise DataError(f"the table {path} does not exist (looked from {Path.cwd()}); check the path.")
    try:
        with ASTROPY, warnings.catch_warnings():
            # units and cards that astropy does not know are kept as they are and matter to no column's values
            warnings.simplefilter("ignore")
            table = reader(path)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # each format's library has its own kinds
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(
            f"the table {path} cannot be read as {path.suffix.lstrip('.')}: {reason} "
            "Check that it is whole and that its suffix says its format."
        ) from error
    for name in table.colnames:
        _plain(table, name)
    return table


def write_table(
    table: Table, path: str | os.PathLike[str], header: Mapping[str, str | int | float | bool] | None = None
) -> Path:
    """Write ``table`` to ``path``, whole or not at all; the suffix says the format.

    ``header`` becomes FITS keywords, Parquet metadata or ECSV meta; CSV has no place for it.

    Raises:
        DataError: an unknown suffix, or the disc is full.
    """
    path = Path(path)
    writer = _by_suffix(path, {suffix: pair[1] for suffix, pair in FORMATS.items()})
    try:
        with atomic_path(path) as part:
            writer(table, part, dict(header or {}))
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


def _by_suffix(path: Path, options: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    name = path.name.lower()
    for suffix, option in options.items():
        if name.endswith(suffix):
            return option
    raise DataError(
        f"{path}: {path.suffix or 'no suffix'} is not a known format of tables; "
        f"use one of {listed(SUFFIXES, most=20)}."
    )


def _plain(table: Table, name: str) -> None:
    """Bring one column to str, bool, int64 or float64 (vectors likewise), native-endian, without bytes."""
    values = table[name]
    unit, masked = values.unit if hasattr(values, "unit") else None, np.ma.getmaskarray(values)
    data = np.asarray(np.ma.getdata(values))
    if data.dtype.kind == "S":
        data = np.char.decode(data, "utf-8", "replace")
    if data.dtype.kind == "M":
        data = np.datetime_as_string(data)
    if data.dtype.kind == "O":
        data = _from_objects(data, masked)
    kinds: dict[str, Any] = {"f": np.float64, "i": np.int64, "U": str, "b": bool}
    if data.dtype.kind == "u" and data.dtype.itemsize < 8:
        data = data.astype(np.int64)
    elif data.dtype.kind in kinds:
        data = data.astype(kinds[data.dtype.kind])
    if data.dtype.kind == "f" and masked.any():
        data = np.where(masked, np.nan, data)
    if data.dtype.kind == "U":
        data = np.where(masked, "", data)
        data = np.char.rstrip(data) if data.size else data.astype("U1")
    if masked.any() and data.dtype.kind in "iub":
        table[name] = MaskedColumn(data, mask=masked, unit=unit)
    else:
        table.replace_column(name, Table.Column(data, name=name, unit=unit))


def _from_objects(data: NDArray[Any], masked: NDArray[np.bool_]) -> NDArray[Any]:
    kept = [value for value, skip in zip(data.ravel(), masked.ravel(), strict=True) if not skip]
    if all(isinstance(value, (str, bytes)) for value in kept):
        texts = [
            "" if skip else value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            for value, skip in zip(data.ravel(), masked.ravel(), strict=True)
        ]
        return np.array(texts, dtype=str).reshape(data.shape)
    return data


def _read_fits(path: Path) -> Table:
    with fits.open(path) as hdus:
        number = next(
            (i for i, h in enumerate(hdus) if isinstance(h, (fits.BinTableHDU, fits.TableHDU))), None
        )
        if number is None:
            raise DataError(
                f"{path} holds no table, only images; give the catalogue's file (data.catalog=...)."
            )
        return Table.read(hdus[number], format="fits", character_as_bytes=False, unit_parse_strict="silent")


def _write_fits(table: Table, path: Path, header: dict[str, Any]) -> None:
    copy = Table(table, copy=False)
    copy.meta = {}
    hdu = fits.table_to_hdu(copy)
    hdu.name = "CATALOG"
    for key, value in header.items():
        if value is not None:
            hdu.header[key if len(key) <= 8 else f"HIERARCH {key}"] = value
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pq.read_table(path)
    table = Table()
    for field, chunked in zip(arrow.schema, arrow.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            chunked = chunked.cast(field.type.value_type)
        if pa.types.is_decimal(field.type):
            chunked = chunked.cast(pa.float64())
        missing = np.asarray(chunked.is_null())
        if pa.types.is_integer(chunked.type) or pa.types.is_boolean(chunked.type):
            data = chunked.fill_null(False if pa.types.is_boolean(chunked.type) else 0).to_numpy()
        elif pa.types.is_string(chunked.type) or pa.types.is_large_string(chunked.type):
            data = np.array(chunked.fill_null("").to_pylist(), dtype=str)
        elif pa.types.is_list(chunked.type) or pa.types.is_fixed_size_list(chunked.type):
            data = _vectors(chunked.to_pylist())
        else:
            data = chunked.to_numpy()
        unit = (field.metadata or {}).get(b"unit", b"").decode() or None
        masked = missing if data.ndim == 1 else np.zeros(data.shape, bool)
        table[field.name] = MaskedColumn(data, mask=masked, unit=unit)
    for key, value in (arrow.schema.metadata or {}).items():
        if not key.startswith((b"pandas", b"ARROW:")):
            table.meta[key.decode()] = _value(value.decode("utf-8", "replace"))
    return table


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _vectors(rows: list[Any]) -> NDArray[Any]:
    lengths = {len(row) for row in rows if row is not None}
    if len(lengths) == 1 and all(row is not None for row in rows):
        return np.array(rows)
    ragged = np.empty(len(rows), dtype=object)
    ragged[:] = rows
    return ragged


def _write_parquet(table: Table, path: Path, header: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields, arrays = [], []
    for name in table.colnames:
        values = table[name]
        mask = np.ma.getmaskarray(values)
        data = np.asarray(np.ma.getdata(values))
        data = data.astype(data.dtype.newbyteorder("="))
        array = (
            pa.array(data, mask=mask if mask.any() else None) if data.ndim == 1 else pa.array(data.tolist())
        )
        metadata = {"unit": values.unit.to_string()} if values.unit is not None else None
        fields.append(pa.field(name, array.type, metadata=metadata))
        arrays.append(array)
    metadata = {key: json.dumps(value) for key, value in header.items()}
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=metadata)), path)


def _read_ecsv(path: Path) -> Table:
    return Table.read(path, format="ascii.ecsv")


def _write_ecsv(table: Table, path: Path, header: dict[str, Any]) -> None:
    copy = Table(table, copy=False)
    copy.meta = header
    copy.write(path, format="ascii.ecsv")


def _write_csv(table: Table, path: Path, header: dict[str, Any]) -> None:
    del header
    table.write(path, format="ascii.csv")


def _read_csv(path: Path) -> Table:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise DataError(f"the table {path} is empty; give a table with a line of column names.")
    start = 0
    while start + 1 < len(lines) and lines[start].startswith("#") and lines[start + 1].startswith("#"):
        start += 1
    if lines[start].startswith("#") and start + 1 < len(lines):
        # the last line with '#' is the header where it has as many fields as the row below, else a comment
        delimiter = _delimiter(lines[start + 1])
        fields = len(next(csv.reader([lines[start + 1]], delimiter=delimiter)))
        if len(next(csv.reader([lines[start]], delimiter=delimiter))) == fields:
            lines[start] = lines[start].lstrip("# ")
        else:
            start += 1
    delimiter = _delimiter(lines[start])
    names, *rows = csv.reader(lines[start:], delimiter=delimiter, skipinitialspace=True)
    names = [name.strip() or f"column_{i}" for i, name in enumerate(names)]
    for number, row in enumerate(rows, start=start + 2):
        if len(row) != len(names):
            raise DataError(
                f"the table {path}, line {number}: {len(row)} values for {len(names)} columns; mend that line "
                "(a value that holds a comma needs quotes)."
            )
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"the table {path} has columns of the same name: {listed(twice)}; rename them.")
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return Table({name: _typed(list(values)) for name, values in zip(names, columns, strict=True)})


def _delimiter(line: str) -> str:
    return next((sign for sign in (",", "\t", ";") if sign in line), ",")


def _typed(texts: list[str]) -> Any:
    """A column of a CSV as bool, int64, float64 or str, the first that holds every value."""
    texts = [text.strip() for text in texts]
    missing = np.array([text in MISSING for text in texts], dtype=bool)
    given = [text for text in texts if text not in MISSING]
    if not given:
        return np.array(texts, dtype=str) if not any(texts) else np.full(len(texts), np.nan)
    if all(text.lower() in BOOLEANS for text in given):
        return MaskedColumn([BOOLEANS.get(text.lower(), False) for text in texts], mask=missing)
    if all(INTEGER.fullmatch(text) for text in given):
        numbers = [0 if skip else int(text) for text, skip in zip(texts, missing, strict=True)]
        if max(map(abs, numbers)) < 2**63:
            return MaskedColumn(np.array(numbers, dtype=np.int64), mask=missing)
        return np.array(texts, dtype=str)
    if not any(re.fullmatch(r"0[0-9]+", text) for text in given):
        try:
            return np.array(["nan" if m else t for t, m in zip(texts, missing, strict=True)]).astype(
                np.float64
            )
        except ValueError:
            pass
    return np.array(["" if text in MISSING[:1] else text for text in texts], dtype=str)


FORMATS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    ".fits": (_read_fits, _write_fits),
    ".fits.gz": (_read_fits, _write_fits),
    ".fit": (_read_fits, _write_fits),
    ".parquet": (_read_parquet, _write_parquet),
    ".pq": (_read_parquet, _write_parquet),
    ".ecsv": (_read_ecsv, _write_ecsv),
    ".csv": (_read_csv, _write_csv),
}
SUFFIXES = tuple(FORMATS)
