"""Stacks in NumPy's files: ``.npy``, and one array of an ``.npz``."""

import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from astropy.table import Table
from numpy.lib import format as npy
from numpy.typing import NDArray

from astrocnn.errors import DataError, reason
from astrocnn.io.stack import BLOCK_BYTES, Row, Stack, check_shape, choose_array, row_table
from astrocnn.io.tables import errors_named

__all__ = ["NpyStack", "NpzStack"]

LOCAL_HEADER = 30
SMALL = 64  # bytes a value of a column of a table may have
Layout = tuple[tuple[int, ...], bool, np.dtype[Any]]


class NpyStack(Stack):
    """An ``.npy`` file, mapped into memory.

    Raises:
        DataError: the file cannot be read, or is no stack of images.
    """

    def __init__(self, path: str) -> None:
        self.path, self.name = path, ""
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as error:  # a damaged header makes numpy raise nearly every kind
            raise DataError(_unreadable(path, error)) from error
        if not isinstance(array, np.ndarray):
            raise DataError(f"{path} is an .npz archive under another name; rename it to .npz.")
        check_shape(array.shape, array.dtype, path)
        self._array, self.shape, self._itemsize = array, array.shape, array.itemsize
        self.starts = _portions(self.shape, array.itemsize)

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        return iter(self._blocks(start, stop, lambda a, b: np.asarray(self._array[a:b])))


class NpzStack(Stack):
    """One array of an ``.npz``: mapped into memory where it is not compressed, read from its beginning where it is.

    The other arrays with one value an object are its table.

    Raises:
        DataError: the file cannot be read, or holds no such array, or that is no stack of images.
    """

    def __init__(self, path: str, name: str | int | None = None) -> None:
        self.path = path
        with _archive(path) as archive:
            self._layouts = {
                member.removesuffix(".npy"): _layout(archive, member)
                for member in archive.namelist()
                if member.endswith(".npy")
            }
            self.name = choose_array(
                path, name, {key: each[0] for key, each in self._layouts.items()}, "array"
            )
            self.shape, fortran, dtype = self._layouts[self.name]
            check_shape(self.shape, dtype, self.label)
            self._dtype, self._itemsize = dtype, dtype.itemsize
            info = archive.getinfo(f"{self.name}.npy")
            self._array = (
                None if info.compress_type else _mapped(path, archive, info, self.shape, fortran, dtype)
            )
        if self._array is None and fortran:
            raise DataError(
                f"{self.label} is compressed and in Fortran order, which can only be read whole; save it again with "
                "np.savez(file, name=np.ascontiguousarray(array))."
            )
        self.forward = self._array is None
        self.starts = (0,) if self.forward else _portions(self.shape, dtype.itemsize)

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        array = self._array
        if array is not None:
            yield from self._blocks(start, stop, lambda a, b: np.asarray(array[a:b]))
            return
        size = math.prod(self.shape[1:]) * self._itemsize
        try:
            with _archive(self.path) as archive, archive.open(f"{self.name}.npy") as file:
                _read_layout(file)
                file.seek(start * size, os.SEEK_CUR)
                for _ in range(start, stop):
                    data = file.read(size)
                    if len(data) < size:
                        raise EOFError("it ends before its last row")
                    yield np.frombuffer(data, self._dtype).reshape(self.shape[1:])
        except Exception as error:  # a damaged archive makes zipfile and numpy raise nearly every kind
            raise DataError(_unreadable(self.path, error)) from error

    def table(self) -> Table | None:
        columns = {}
        with errors_named(Path(self.path)), _archive(self.path) as archive:
            for name, (shape, _, dtype) in self._layouts.items():
                if shape == (len(self),) and dtype.kind in "fiubSU" and dtype.itemsize <= SMALL * 4:
                    with archive.open(f"{name}.npy") as file:
                        columns[name] = npy.read_array(file, allow_pickle=False)
        return row_table(columns, len(self))


def _archive(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # likewise
        raise DataError(_unreadable(path, error)) from error


def _layout(archive: zipfile.ZipFile, member: str) -> Layout:
    try:
        with archive.open(member) as file:
            return _read_layout(file)
    except Exception as error:  # likewise
        raise DataError(_unreadable(str(archive.filename), error)) from error


def _read_layout(file: IO[bytes]) -> Layout:
    """Shape, whether in Fortran order, and type; the file stands at the first value afterwards."""
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file)
    if version == (2, 0):
        return npy.read_array_header_2_0(file)
    raise ValueError(f"version {version} of the format, which only arrays with named fields need")


def _mapped(
    path: str,
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    shape: tuple[int, ...],
    fortran: bool,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """A member that is not compressed, mapped where it lies in the archive."""
    with archive.open(info) as member:
        _read_layout(member)
        within = member.tell()
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        head = file.read(LOCAL_HEADER)
    names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    offset = info.header_offset + LOCAL_HEADER + names + within
    if within + math.prod(shape) * dtype.itemsize > info.file_size:
        raise DataError(_unreadable(path, EOFError(f"{info.filename} ends before its last row")))
    try:
        return np.asarray(np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C"))
    except Exception as error:  # likewise
        raise DataError(_unreadable(path, error)) from error


def _portions(shape: tuple[int, ...], itemsize: int) -> range:
    return range(0, shape[0], max(1, BLOCK_BYTES // max(1, math.prod(shape[1:]) * itemsize)))


def _unreadable(path: str, error: Exception) -> str:
    return (
        f"{path} cannot be read: {reason(error)}; check that it is whole and of the kind that its name says."
    )
