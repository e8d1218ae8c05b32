"""Stacks in Parquet: a column of images, as lists, nested lists, tensors, arrays in bytes, or pictures."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table
from numpy.lib import format as npy
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed, reason
from astrocnn.io import pictures
from astrocnn.io.columns import plain
from astrocnn.io.parquet_table import read_parquet
from astrocnn.io.stack import Row, Stack, by, check_shape
from astrocnn.io.stack_header import Keywords
from astrocnn.io.tables import errors_named

__all__ = ["ParquetStack"]

BATCH = 32  # rows that are decoded together
BUFFER = 2**20  # bytes of a column that are read from the disc at a time
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
WIDTHS: dict[int, str] = {1: "u1", 4: "<f4", 8: "<f8"}


class ParquetStack(Stack):
    """A column of images; the columns with one plain value a row are its table.

    A row is a nested list, a tensor of arrow, a flat list, the bytes of an ``.npy`` or of a picture (as those of
    Hugging Face's ``Image``), or plain bytes. Flat lists and plain bytes need a shape: a column ``<column>_shape``
    or ``shape`` of lists, or ``row_shape``; the type of plain bytes is that of their number: 1, 4 or 8 a value are
    uint8, float32 and float64.

    Raises:
        DataError: the file cannot be read, or holds no such column, or its shape is not known.
    """

    def __init__(
        self, path: str, name: str | int | None = None, *, row_shape: Sequence[int] | None = None
    ) -> None:
        self.path = path
        try:
            file = pq.ParquetFile(path)
        except DataError:
            raise
        except Exception as error:  # damaged bytes make arrow raise nearly every kind
            raise DataError(_unreadable(path, error)) from error
        with file:
            schema, meta = file.schema_arrow, file.metadata
        self.name = _choose(path, schema, name)
        unit = (schema.field(self.name).metadata or {}).get(b"unit")
        self.header = Keywords({"BUNIT": unit.decode("utf-8", "replace")} if unit else {})
        self._given = None if row_shape is None else tuple(row_shape)
        self._shapes = next((c for c in (f"{self.name}_shape", "shape") if c in schema.names), None)
        sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
        self.starts = np.cumsum([0, *sizes])[: len(sizes)].tolist()
        self._n = int(sum(sizes))
        self._plain = [
            field.name
            for field in schema
            if not (
                pa.types.is_nested(field.type)
                or pa.types.is_binary(field.type)
                or isinstance(field.type, pa.ExtensionType)
            )
        ]
        self.forward = True
        first = next((row for row in self.rows(0, self._n) if not isinstance(row, DataError)), None)
        if first is None:
            why = next(iter(self.rows(0, 1)), "it has no rows")
            raise DataError(f"{self.label}: no row holds an image: {why}")
        self.shape = (self._n, *first.shape)
        check_shape(self.shape, first.dtype, self.label)

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        """As :meth:`Stack.rows`; a row group is read from its beginning."""
        columns = [self.name] if self._shapes is None else [self.name, self._shapes]
        try:
            with pq.ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False) as file:
                first = 0
                for group in range(file.num_row_groups):
                    size = file.metadata.row_group(group).num_rows
                    if first < stop and start < first + size:
                        row = first
                        for batch in file.iter_batches(
                            BATCH, row_groups=[group], columns=columns, use_threads=False
                        ):
                            if row + len(batch) > first + size:
                                raise self._other_length(group, size)
                            for i, values in enumerate(self._values(batch), start=row):
                                if i >= stop:
                                    return
                                if i >= start:
                                    yield values
                            row += len(batch)
                        if row < first + size:
                            raise self._other_length(group, size)
                    first += size
        except DataError:
            raise
        except Exception as error:  # damaged bytes make arrow raise nearly every kind
            raise DataError(_unreadable(self.path, error)) from error

    def _other_length(self, group: int, size: int) -> DataError:
        return DataError(
            f"{self.label}: the row group {group} does not hold the {size:,} rows that the file promises; the file is "
            "damaged; copy or download it again."
        )

    def _values(self, batch: Any) -> Iterator[Row]:
        column = batch.column(self.name)
        shapes = batch.column(self._shapes) if self._shapes is not None else None
        kind = column.type
        if isinstance(kind, pa.FixedShapeTensorType):
            yield from column.to_numpy_ndarray()
            return
        if pa.types.is_struct(kind):
            column = pa.compute.struct_field(column, "bytes")
        for i in range(len(column)):
            try:
                yield self._value(column[i], None if shapes is None else shapes[i].as_py())
            except DataError as error:
                yield error

    def _value(self, cell: Any, shape: Sequence[int] | None) -> NDArray[Any]:
        if not cell.is_valid:
            raise DataError(f"{self.label}: there is no image in this row.")
        if isinstance(cell, (pa.BinaryScalar, pa.LargeBinaryScalar)):
            return self._from_bytes(cell.as_py(), shape)
        values = _nested(cell)
        if values is None:
            raise DataError(
                f"{self.label}: the lists of a row are not of one length, so that they are no image."
            )
        return self._shaped(values, shape) if values.ndim == 1 else values

    def _from_bytes(self, data: bytes, shape: Sequence[int] | None) -> NDArray[Any]:
        if data.startswith(PICTURES):
            sample = pictures.decode(data, self.label)
            # set by the first row, when the file is opened
            self.bands, self.channels, self.pictures = self.bands or sample.info.bands, "first", True
            values = sample.flux.copy()
            values[~sample.valid] = np.nan
            return values
        if data.startswith(b"\x93NUMPY"):
            try:
                return np.asarray(npy.read_array(BytesIO(data), allow_pickle=False))
            except Exception as error:  # a damaged header makes numpy raise nearly every kind
                raise DataError(
                    f"{self.label}: the bytes of a row are a damaged .npy: {reason(error)}; copy or download the file "
                    "again, or set data.on_bad=skip."
                ) from error
        shape = shape or self._given
        n = int(np.prod(shape)) if shape is not None else 0
        dtype = WIDTHS.get(len(data) // n) if n and len(data) % n == 0 else None
        if shape is None or dtype is None:
            raise DataError(self._no_shape(f"{len(data):,} bytes"))
        return np.frombuffer(data, dtype).reshape(tuple(shape))

    def _shaped(self, values: NDArray[Any], shape: Sequence[int] | None) -> NDArray[Any]:
        shape = shape or self._given
        if shape is None or int(np.prod(shape)) != values.size:
            raise DataError(self._no_shape(f"{values.size:,} numbers"))
        return values.reshape(tuple(shape))

    def _no_shape(self, what: str) -> str:
        given = f" which {by(self._given)} is not the shape of" if self._given else ""
        return (
            f"{self.label}: a row holds {what},{given} and the file does not say of what shape they are; set "
            f"data.n_bands and data.image_size, or write a column {self.name}_shape."
        )

    def table(self) -> Table | None:
        names = [name for name in self._plain if name != self.name]
        if not names:
            return None
        with errors_named(Path(self.path)):
            table = read_parquet(self.path, columns=names)
            for name in names:
                plain(table, name)
        if len(table) != len(self):
            raise DataError(
                f"{self.path}: its columns hold {len(table):,} rows but {self.name} holds {len(self):,}; the file is "
                "damaged; copy or download it again."
            )
        return table


def _choose(path: str, schema: Any, name: str | int | None) -> str:
    able = [field.name for field in schema if _may_hold_images(field)]
    content = listed([f"{field.name} ({field.type})" for field in schema], most=12)
    if name is not None:
        if str(name) not in schema.names:
            raise DataError(
                f"{path} has no column {name!r}; it has {content}; choose one with data.hdu=<column>."
            )
        if str(name) not in able:
            kind = schema.field(str(name)).type
            raise DataError(
                f"{path}: the column {name!r} holds {kind}, no images; choose among "
                f"{listed(able, most=12) or 'none'} with data.hdu=<column>."
            )
        return str(name)
    if len(able) == 1:
        return str(able[0])
    why = f"{len(able)} columns that can hold images" if able else "no column that can hold images"
    raise DataError(f"{path} has {why}; its columns are {content}; choose one with data.hdu=<column>.")


def _may_hold_images(field: Any) -> bool:
    kind = field.type
    if pa.types.is_struct(kind):
        return any(child.name == "bytes" for child in kind)
    if isinstance(kind, pa.FixedShapeTensorType):
        return True
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if any(test(kind) for test in lists):
        while any(test(kind) for test in lists):
            kind = kind.value_type
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        return numeric and not (field.name == "shape" or field.name.endswith("_shape"))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _nested(cell: Any) -> NDArray[Any] | None:
    """A list of lists of numbers as an array; None where their lengths differ. Missing numbers are NaN."""
    shape: list[int] = []
    values = cell.values
    while not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        lengths = (
            values.value_lengths().unique().to_pylist()
            if not pa.types.is_fixed_size_list(values.type)
            else [values.type.list_size]
        )
        shape.append(len(values))
        if len(lengths) != 1 or not lengths[0]:
            return None
        values = values.flatten()
    numbers = values.to_numpy(zero_copy_only=False)
    axes, before = [], 1
    for n in shape:
        axes.append(n // before)
        before = n
    axes.append(len(numbers) // before)
    return np.asarray(numbers).reshape(axes)


def _unreadable(path: str, error: Exception) -> str:
    return f"{path} cannot be read as Parquet: {reason(error)}; check that it is whole, copy or download it again."
