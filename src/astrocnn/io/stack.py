"""Files that hold all objects: N arrays of one shape, row by row, in bounded memory."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed
from astrocnn.io.stack_header import Keywords, meaning

__all__ = [
    "BLOCK_BYTES",
    "MOST_CHANNELS",
    "SUFFIXES",
    "Joined",
    "Row",
    "Stack",
    "by",
    "check_shape",
    "choose_array",
    "grid_shape",
    "on_grid",
    "open_stack",
    "row_table",
]

BLOCK_BYTES = 4 * 2**20  # what is read from the disc at a time
MOST_CHANNELS = 12
SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".parquet", ".pq")
Row = NDArray[Any] | DataError


class Stack(ABC):
    """Rows of one file: an ``.npy``, one array of an ``.npz``, a data set of HDF5, an HDU, a column of Parquet.

    Attributes:
        path: the file.
        name: which array of the file; '' where it holds one alone.
        shape: (N, ...) as it is stored.
        starts: the first row of each portion that is best read in one go, by one thread.
        forward: whether a row can be read only by reading all rows of its portion that come before it.
        header: keywords of the rows: BUNIT, zero-points, names of mask bits, BSCALE and BZERO.
        shared: keywords that hold where ``header`` has not got them.
        bands: names of the planes of a row; nothing where the file does not say.
        channels: 'first' or 'last' where the kind of file says where the bands stand.
        pictures: whether the rows are pictures.
    """

    path: str
    name: str
    shape: tuple[int, ...]
    starts: Sequence[int] = (0,)
    forward: bool = False
    header: Keywords = Keywords({})
    shared: Keywords = Keywords({})
    bands: tuple[str, ...] = ()
    channels: str | None = None
    pictures: bool = False
    _itemsize: int = 8

    @property
    def label(self) -> str:
        """How a message names the rows."""
        return f"{self.path}, {self.name}" if self.name else self.path

    @abstractmethod
    def rows(self, start: int, stop: int) -> Iterator[Row]:
        """Rows ``start`` to ``stop`` as stored, or why one cannot be used."""

    def table(self) -> Table | None:
        """What else the file holds of the objects: its columns of N values; None for nothing."""
        return None

    def __len__(self) -> int:
        return self.shape[0]

    def _blocks(
        self, start: int, stop: int, read: Callable[[int, int], NDArray[Any]]
    ) -> Iterator[NDArray[Any]]:
        """The rows that ``read(start, stop)`` gives, asked for in blocks."""
        step = max(1, BLOCK_BYTES // max(1, math.prod(self.shape[1:]) * self._itemsize))
        for first in range(start, stop, step):
            yield from read(first, min(first + step, stop))


class Joined(Stack):
    """Several stacks one after the other, such as the parts of a large Parquet table.

    Raises:
        DataError: their rows differ in shape, in bands, or in what decides their values (:func:`meaning`), since the
            keywords of one are taken for all.
    """

    def __init__(self, parts: Sequence[Stack]) -> None:
        first = parts[0]
        for part in parts[1:]:
            if part.shape[1:] != first.shape[1:]:
                raise DataError(
                    f"the rows of {part.label} are {by(part.shape[1:])} but those of {first.label} are "
                    f"{by(first.shape[1:])}; give files of one shape (data.images)."
                )
            _check_alike(first, part)
        self.parts, self._ends = list(parts), list(accumulate(len(part) for part in parts))
        self._firsts = [0, *self._ends[:-1]]
        self.path, self.name = f"{first.path} and {len(parts) - 1} more", first.name
        self.shape = (self._ends[-1], *first.shape[1:])
        self.starts = [k + s for k, part in zip(self._firsts, parts, strict=True) for s in part.starts]
        self.forward = any(part.forward for part in parts)
        self.header, self.shared = first.header, first.shared
        self.bands, self.channels, self.pictures = first.bands, first.channels, first.pictures

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        for part, first, end in zip(self.parts, self._firsts, self._ends, strict=True):
            if start < end and stop > first:
                yield from part.rows(max(start, first) - first, min(stop, end) - first)

    def table(self) -> Table | None:
        tables = [part.table() for part in self.parts]
        if any(table is None for table in tables):
            return None
        names = {tuple(table.colnames) for table in tables if table is not None}
        if len(names) > 1:
            raise DataError(
                f"the columns of {self.path} differ: {listed(sorted(set.symmetric_difference(*map(set, names))))}; "
                "give files of the same columns, or a catalogue of its own (data.catalog)."
            )
        return vstack(tables, metadata_conflicts="silent")


def _check_alike(first: Stack, part: Stack) -> None:
    """Raise a :class:`DataError` unless the keywords of ``first`` are right for ``part``."""
    one, other = _said(first), _said(part)
    for key in [*one, *other]:
        if one.get(key) != other.get(key):
            has, had = (f"{key}={said[key]}" if key in said else f"no {key}" for said in (other, one))
            raise DataError(
                f"{part.label} has {has} but {first.label} has {had}, and the rows of several files are read alike; "
                f"write the files again with one {key}, or give those that agree (data.images)."
            )


def _said(stack: Stack) -> dict[str, Any]:
    bands = {f"BAND{i}": band for i, band in enumerate(stack.bands, start=1)}
    order = {"channels": stack.channels} if stack.channels and len(stack.shape) == 4 else {}
    return bands | order | meaning(stack.header, stack.shared)


def by(shape: Sequence[int]) -> str:
    """A shape as messages write it."""
    return " × ".join(map(str, shape)) or "single numbers"


def grid_shape(shape: Sequence[int], channels: str | None, label: str) -> tuple[int, int, int]:
    """(C, H, W) of an image that is stored as (H, W), (C, H, W) or (H, W, C).

    Args:
        shape: as stored.
        channels: 'first' or 'last'; None takes the axis that is at most :data:`MOST_CHANNELS` long.
        label: names the image in messages.

    Raises:
        DataError: it cannot be told which axis is the bands.
    """
    if len(shape) == 2:
        return (1, shape[0], shape[1])
    could = [shape[0] <= MOST_CHANNELS, shape[2] <= MOST_CHANNELS]
    if channels is None and could[0] == could[1]:
        raise DataError(
            f"{label}: an image is {by(shape)}, and it cannot be told whether its bands stand first or last; say so "
            "with data.channels=first or data.channels=last."
        )
    last = could[1] if channels is None else channels == "last"
    return (shape[2], shape[0], shape[1]) if last else (shape[0], shape[1], shape[2])


def on_grid(values: NDArray[Any], grid: tuple[int, int, int]) -> NDArray[Any]:
    """An image as stored, as its ``grid`` (C, H, W) of :func:`grid_shape`."""
    if values.ndim == 2:
        return values[None]
    return values if values.shape == grid else values.transpose(2, 0, 1)


def check_shape(shape: tuple[int, ...], dtype: np.dtype[Any], label: str) -> None:
    """Raise a :class:`DataError` unless an array can be a stack of images."""
    if dtype.kind not in "fiub":
        raise DataError(f"{label}: its values are {dtype}, not numbers; give an array of images (data.hdu).")
    if not 3 <= len(shape) <= 4:
        raise DataError(
            f"{label} is {by(shape)}; a stack is objects × rows × columns, or objects × bands × rows × columns; "
            "choose another array with data.hdu=<name>."
        )
    if 0 in shape:
        raise DataError(f"{label} is {by(shape)}: it holds no pixels; give a file with objects.")


def choose_array(
    path: str | os.PathLike[str], name: str | int | None, shapes: Mapping[str, tuple[int, ...]], what: str
) -> str:
    """The name of the array that is meant: ``name``, or the only one that can be a stack of images.

    Raises:
        DataError: there is none, or several and no name.
    """
    content = [f"{key} ({by(shape)})" for key, shape in shapes.items()]
    if name is not None:
        if str(name) in shapes:
            return str(name)
        raise DataError(
            f"{path} has no {what} {name!r}; it holds {listed(content, most=12) or 'nothing'}; choose one with "
            "data.hdu=<name>."
        )
    able = [key for key, shape in shapes.items() if 3 <= len(shape) <= 4]
    if len(able) == 1:
        return able[0]
    why = (
        "no array that can be a stack of images"
        if not able
        else f"{len(able)} arrays that can be stacks of images"
    )
    raise DataError(
        f"{path} holds {why}; its content is {listed(content, most=12) or 'nothing'}; choose one with data.hdu=<name>."
    )


def open_stack(path: str, name: str | int | None = None, *, row_shape: Sequence[int] | None = None) -> Stack:
    """The stack in ``path``; the suffix says of what kind it is, and any other than those below is FITS.

    Args:
        path: ``.npy``, ``.npz``, ``.h5`` or ``.hdf5``, ``.parquet`` or ``.pq``, or FITS.
        name: the array, data set, column or HDU; None for the only one.
        row_shape: shape of a row, for Parquet columns that do not say it.

    Raises:
        DataError: the file cannot be read, or holds no such array, or that is no stack of images.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".npy":
        from astrocnn.io.stack_numpy import NpyStack

        if name is not None:
            raise DataError(f"{path} holds one array; leave out data.hdu={name}.")
        return NpyStack(path)
    if suffix == ".npz":
        from astrocnn.io.stack_numpy import NpzStack

        return NpzStack(path, name)
    if suffix in (".h5", ".hdf5"):
        from astrocnn.io.stack_hdf5 import Hdf5Stack

        return Hdf5Stack(path, name)
    if suffix in (".parquet", ".pq"):
        from astrocnn.io.stack_parquet import ParquetStack

        return ParquetStack(path, name, row_shape=row_shape)
    from astrocnn.io.stack_fits import FitsStack

    return FitsStack(path, name)


def row_table(columns: Mapping[str, NDArray[Any]], n: int) -> Table | None:
    """A table of those ``columns`` that have one plain value for each of ``n`` rows; None where there is none."""
    kept = {
        name: values
        for name, values in columns.items()
        if values.shape == (n,) and values.dtype.kind in "fiubSU"
    }
    return Table(kept) if kept else None
