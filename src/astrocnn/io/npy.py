"""NumPy files too large for memory, written in pieces."""

import math
import os
import threading
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RowWriter"]

SYNC_BYTES = 32 * 2**20
_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class RowWriter:
    """An ``.npy`` file whose rows are written in any order, by several threads.

    Written through the file and not through a memory map, so that a full disc is an error to be caught and
    not a signal that kills the process.

    Args:
        path: of the file; what stands there is overwritten.
        shape: of the whole array, rows first.
        dtype: of its values.

    Raises:
        OSError: the disc is full, or the path cannot be written.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        header = BytesIO()
        descr = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, descr)
        self._start = header.tell()
        self._lock, self._waiting = threading.Lock(), 0
        self._row_bytes = math.prod(shape[1:]) * self.dtype.itemsize
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            self._put(header.getvalue(), 0)
        except OSError:
            self.close()
            raise

    @property
    def zeros(self) -> NDArray[Any]:
        """A row of zeros."""
        return np.zeros(self.shape[1:], self.dtype)

    def write(self, row: int, rows: Sequence[NDArray[Any]]) -> None:
        """Write ``rows``, each of the shape of one, from ``row`` on, without a copy of those that lie in one piece."""
        pieces = [np.ascontiguousarray(each, self.dtype).reshape(-1).view(np.uint8).data for each in rows]
        offset = self._start + row * self._row_bytes
        size = self._row_bytes * len(pieces)
        done = os.pwritev(self._file, pieces, offset)
        if done < size:
            self._put(b"".join(pieces)[done:], offset + done)
        with self._lock:
            self._waiting += size
            due = self._waiting >= SYNC_BYTES
            if due:
                self._waiting = 0
        if due:  # the disc writes while other threads read, instead of all at the end
            _sync(self._file)

    def write_array(self, row: int, rows: NDArray[Any]) -> None:
        """Write an array of rows from ``row`` on."""
        piece = np.ascontiguousarray(rows, self.dtype).reshape(-1).view(np.uint8).data
        offset = self._start + row * self._row_bytes
        done = os.pwrite(self._file, piece, offset)
        if done < len(piece):
            self._put(bytes(piece[done:]), offset + done)

    def _put(self, data: bytes, offset: int) -> None:
        while data:
            done = os.pwrite(self._file, data, offset)
            data, offset = data[done:], offset + done

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
