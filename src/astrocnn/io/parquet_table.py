"""Parquet tables in and out."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray

__all__ = ["read_parquet", "write_parquet"]


def read_parquet(path: str | os.PathLike[str], *, columns: Sequence[str] | None = None) -> Table:
    """The columns of the file (None for all); metadata of the schema becomes ``meta``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pq.read_table(path, columns=columns)
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


def write_parquet(table: Table, path: Path, header: dict[str, Any]) -> None:
    """Every column with its unit; ``header`` becomes metadata of the schema."""
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
