"""Stacks in FITS: an image of 3 or 4 axes whose last counts the objects."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.errors import DataError, reason
from astrocnn.io.astropy_tables import read_fits
from astrocnn.io.columns import plain
from astrocnn.io.hdus import astropy_file
from astrocnn.io.headers import Header
from astrocnn.io.select import HDUS, Walk, with_hdus
from astrocnn.io.stack import BLOCK_BYTES, Row, Stack, check_shape
from astrocnn.io.stack_header import Keywords
from astrocnn.io.tables import errors_named

__all__ = ["FitsStack", "is_stack"]


def is_stack(path: str, hdu: HDUS) -> bool:
    """Whether the image of a file has four axes that are longer than 1, which no single image has."""

    def use(walk: Walk) -> bool:
        return len([n for n in walk.select(hdu, "data.hdu")[0].shape if n > 1]) == 4

    return with_hdus(path, use)


class FitsStack(Stack):
    """One image HDU, plain or tile-compressed; a table of N rows in the same file is its table.

    Raises:
        DataError: the file cannot be read, or holds no such image, or that is no stack of images.
    """

    channels = "first"

    def __init__(self, path: str, hdu: str | int | None = None) -> None:
        self.path = path
        if path.endswith(".gz"):
            raise DataError(
                f"{path} holds all objects and is gzipped, so that no row can be read without those before it; "
                "gunzip it, or compress it by tiles (fpack)."
            )
        self._checked = _state(path)  # by with_hdus, as far as the image
        with_hdus(path, lambda walk: self._describe(walk, hdu))
        check_shape(self.shape, np.dtype(np.float32), self.label)
        row = max(1, int(np.prod(self.shape[1:])) * self._itemsize)
        self.starts = range(0, self.shape[0], max(1, BLOCK_BYTES // row))

    def _describe(self, walk: Walk, hdu: str | int | None) -> None:
        """Take from the headers what is needed of them, while :func:`with_hdus` sees what cannot be parsed."""
        image = walk.select(hdu, "data.hdu")[0]
        self._number, self.name, self.shape = image.number, image.label, image.shape
        self._itemsize = abs(int(image.header.get("BITPIX", -64))) // 8
        n_bands = self.shape[1] if len(self.shape) == 4 else 1
        self.bands = _bands(n_bands, image.header, walk.primary.header)
        self.header, self.shared = Keywords.of(image.header), Keywords.of(walk.primary.header)

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        yield from self._blocks(start, stop, self._read)

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        state = _state(self.path)
        # whoever decodes believes the table of the parts, so that it is read through once, and again if it changes
        known = self._checked == state
        options = {"memmap": True, "do_not_scale_image_data": True, "uint": False}
        with astropy_file(self.path, check_parts=not known, **options) as hdus:
            self._checked = state
            try:
                values = np.array(hdus[self._number].section[start:stop])
            except Exception as error:  # astropy raises nearly every kind on damaged files
                raise DataError(
                    f"{self.label}, rows {start} to {stop - 1} cannot be read: {reason(error)}; copy or download the "
                    "file again, or leave them out (data.on_bad=skip)."
                ) from error
        if values.shape != (stop - start, *self.shape[1:]):
            raise DataError(
                f"{self.label} ends before row {stop}; it is truncated; copy or download it again."
            )
        return values

    def table(self) -> Table | None:
        numbers = with_hdus(self.path, self._tables)
        if len(numbers) != 1:
            return None
        with errors_named(Path(self.path)):
            table = read_fits(Path(self.path), str(numbers[0]))
            for name in table.colnames:
                plain(table, name)
        return table

    def _tables(self, walk: Walk) -> list[int]:
        """Numbers of the HDUs that are tables of as many rows."""
        return [
            hdu.number
            for hdu in walk.every()
            if hdu.header.get("XTENSION") in ("BINTABLE", "TABLE") and hdu.header.get("NAXIS2") == len(self)
        ]


def _state(path: str) -> tuple[int, ...]:
    """What changes with a file's content."""
    try:
        state = os.stat(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the path.") from error
    return state.st_ino, state.st_size, state.st_mtime_ns


def _bands(n: int, *headers: Header | fits.Header) -> tuple[str, ...]:
    for header in headers:
        names = tuple(str(header.get(f"BAND{i + 1}") or "").strip() for i in range(n))
        if all(names):
            return names
    return ()
