"""Stacks in HDF5: a data set, and the columns beside it."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.errors import DataError, reason
from astrocnn.io.stack import BLOCK_BYTES, Row, Stack, check_shape, choose_array, row_table
from astrocnn.io.stack_header import Keywords
from astrocnn.io.tables import errors_named

__all__ = ["Hdf5Stack"]

CHUNK_CACHE = 64 * 2**20  # chunks that stay decoded
UNITS = ("BUNIT", "unit", "units")


class Hdf5Stack(Stack):
    """A data set of an HDF5 file, named with its groups; the data sets of its group with N values are its table.

    The attributes of the data set are its header; a unit may stand there as ``BUNIT``, ``unit`` or ``units``.

    Raises:
        DataError: the file cannot be read, or holds no such data set, or that is no stack of images.
    """

    def __init__(self, path: str, name: str | int | None = None) -> None:
        self.path = path
        try:
            self._file = h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE)
            shapes: dict[str, tuple[int, ...]] = {}
            self._file.visititems(lambda key, node: _note(shapes, key, node))
        except Exception as error:  # damaged bytes make h5py raise nearly every kind
            raise DataError(self._unreadable(error)) from error
        wanted = name.strip("/") if isinstance(name, str) else name
        self.name = choose_array(path, wanted, shapes, "data set")
        self._set = self._file[self.name]
        if h5py.check_string_dtype(self._set.dtype) is not None or self._set.shape is None:
            raise DataError(
                f"{self.label}: holds no numbers; choose a data set of images with data.hdu=<name>."
            )
        self.shape, self._itemsize = tuple(self._set.shape), self._set.dtype.itemsize
        check_shape(self.shape, self._set.dtype, self.label)
        chunk = self._set.chunks[0] if self._set.chunks else 1
        rows = max(1, BLOCK_BYTES // max(1, math.prod(self.shape[1:]) * self._itemsize))
        self.starts = range(0, self.shape[0], -(-rows // chunk) * chunk)
        try:
            self.header, self.bands = _header(self._set), _bands(self._set)
            self._chunk, self._written = chunk, _written_chunks(self._set)
        except Exception as error:  # likewise
            raise DataError(self._unreadable(error)) from error

    def _unreadable(self, error: Exception) -> str:
        return (
            f"{self.path} cannot be read as HDF5: {reason(error)}; check that it is whole, copy or download it "
            "again."
        )

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        for i, row in enumerate(self._blocks(start, stop, self._read), start):
            if self._written is None or self._written[i // self._chunk]:
                yield row
                continue
            yield DataError(
                f"{self.label}: the pixels of this row were never written (its chunks are missing, and would be "
                "read as zeros); write the file again, or set data.on_bad=skip."
            )

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        try:
            return np.asarray(self._set[start:stop])
        except Exception as error:  # damaged bytes make h5py raise nearly every kind
            raise DataError(self._unreadable(error)) from error

    def table(self) -> Table | None:
        columns = {}
        with errors_named(Path(self.path)):
            for name, node in self._set.parent.items():
                if isinstance(node, h5py.Dataset) and node.shape == (len(self),):
                    text = h5py.check_string_dtype(node.dtype) is not None
                    columns[name] = (
                        np.asarray(node.asstr(errors="replace")[()], dtype=str) if text else node[()]
                    )
        return row_table(columns, len(self))


def _written_chunks(dataset: Any) -> NDArray[np.bool_] | None:
    """Which chunks along the first axis are on the disc whole; None for all, or where nobody can know.

    HDF5 gives the fill value for the others, by default 0. One that is NaN marks pixels that are not valid.
    """
    if dataset.is_virtual or dataset.external or 0 in dataset.shape:
        return None
    whole = dataset.id.get_space_status() == h5py.h5d.SPACE_STATUS_ALLOCATED
    if whole or (dataset.dtype.kind == "f" and np.isnan(dataset.fillvalue)):
        return None
    if dataset.chunks is None:
        return np.zeros(dataset.shape[0], np.bool_)
    along, *others = (-(-n // size) for n, size in zip(dataset.shape, dataset.chunks, strict=True))
    firsts: list[int] = []
    dataset.id.chunk_iter(lambda chunk: firsts.append(chunk.chunk_offset[0]))
    counts = np.bincount(np.array(firsts, np.int64) // dataset.chunks[0], minlength=along)
    return np.asarray(counts == math.prod(others))


def _header(dataset: Any) -> Keywords:
    header: dict[str, str | bool | int | float] = {}
    for key, value in dataset.attrs.items():
        plain = value.item() if isinstance(value, (np.generic, np.ndarray)) and value.size == 1 else value
        plain = plain.decode("utf-8", "replace") if isinstance(plain, bytes) else plain
        if key in UNITS:
            header["BUNIT"] = str(plain)
        elif isinstance(plain, (str, bool, int, float)):
            header[key] = plain
    return Keywords(header)


def _bands(dataset: Any) -> tuple[str, ...]:
    given = np.atleast_1d(dataset.attrs.get("bands", ()))
    return tuple(band.decode("utf-8", "replace") if isinstance(band, bytes) else str(band) for band in given)


def _note(shapes: dict[str, tuple[int, ...]], key: str, node: Any) -> None:
    if isinstance(node, h5py.Dataset) and node.shape is not None:
        shapes[key] = tuple(node.shape)
