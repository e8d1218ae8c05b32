"""Windows of a tile's image: mapped where the pixels are plain, each compressed stripe decoded once where not."""

import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import IO, Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from astrocnn.errors import DataError, reason
from astrocnn.io.compressed import check_parts
from astrocnn.io.float32 import KEYWORDS, Scaling
from astrocnn.io.headers import ASTROPY, NotPlainError, header_at
from astrocnn.io.tiles import Cards, ImageHdu, Path, TileHeader, value_of
from astrocnn.io.unpacking import again, opened, unpacked

__all__ = ["OpenImage", "Unpacked"]

Boxes = NDArray[np.int64]
SLAB_BYTES = 8 * 2**20
MOST_BYTES = 2 * 2**30
MOST_UNPACKED = 4


class Unpacked:
    """The last few packed files that were unpacked, kept until :meth:`close`."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[ExitStack, IO[bytes]]] = OrderedDict()

    def __call__(self, path: str) -> IO[bytes]:
        """The unpacked bytes of ``path``. Raises as :func:`astrocnn.io.unpacking.unpacked`."""
        if path not in self._files:
            while len(self._files) >= MOST_UNPACKED:
                self._files.popitem(last=False)[1][0].close()
            with ExitStack() as stack:
                file = stack.enter_context(unpacked(path))
                self._files[path] = stack.pop_all(), file
        self._files.move_to_end(path)
        return self._files[path][1]

    def close(self) -> None:
        """Forget all of them."""
        while self._files:
            self._files.popitem()[1][0].close()


class OpenImage:
    """One image HDU of a file, open for reading windows; use it in a ``with`` statement, in one thread.

    Args:
        path: of the file.
        hdu: the image there.
        whole: the file's bytes where it is packed, of :class:`Unpacked`.

    Attributes:
        header: the image's cards.
        scaling: the cards that say what the stored numbers are (BSCALE, BZERO, BLANK, the names of bits).

    Raises:
        DataError: the file cannot be read any more as it was when it was listed.
    """

    header: TileHeader
    scaling: Cards

    def __init__(self, path: Path, hdu: ImageHdu, whole: IO[bytes] | None = None) -> None:
        self.path, self.hdu = path, hdu
        with ExitStack() as stack:
            file = whole or stack.enter_context(opened(path))[0]
            if hdu.start >= 0:
                cards, data = header_at(path, file, hdu.start, hdu.number)
                primary, _ = header_at(path, file, 0, 0)
                if cards is None or primary is None:
                    raise self._changed()
                self.header, self.scaling = TileHeader(cards, primary), cards
                if hdu.data < 0:
                    with suppress(NotPlainError):  # which astropy is to judge
                        check_parts(path, cards, hdu.number, file, data)
            if hdu.data >= 0:
                try:
                    plain = np.memmap(file, hdu.dtype, "r", hdu.data, hdu.axes)
                except (ValueError, OSError) as error:
                    raise self._changed() from error
                self._pixels = np.asarray(plain).reshape(-1, *hdu.shape)[hdu.plane]
            else:
                self._section = self._by_astropy(stack, path if whole is None else again(whole))
            self._scale = self._scaling()
            self._stack = stack.pop_all()

    def _scaling(self) -> Scaling:
        try:
            return Scaling.of({key: value_of(self.scaling, key) for key in KEYWORDS})
        except DataError as error:
            raise DataError(f"{self.path}, {self.hdu.label}: {error}") from None

    def physical(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """The values of what :meth:`windows` gives; NaN where BLANK."""
        return self._scale.physical(stored)

    def holds_float32(self, stored: NDArray[Any]) -> bool:
        """Whether what :meth:`windows` gives are the values themselves, in float32."""
        return self._scale.linear and stored.dtype.kind == "f" and stored.dtype.itemsize == 4

    def __enter__(self) -> "OpenImage":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _changed(self) -> DataError:
        return DataError(f"{self.path}, {self.hdu.label}: the file has changed while in use; start again.")

    def _by_astropy(self, stack: ExitStack, file: Any) -> Any:
        """What astropy decodes parts of, as stored."""
        with ASTROPY, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # the form of cards; a truncated file was refused when it was listed
            try:
                hdus = stack.enter_context(
                    fits.open(file, memmap=True, do_not_scale_image_data=True, uint=False)
                )
                image = hdus[self.hdu.number]
                if tuple(image.shape) != self.hdu.axes:
                    raise self._changed()
                if self.hdu.start < 0:
                    self.header = TileHeader(image.header, hdus[0].header)
                self.scaling = image.header
                return image.section
            except DataError:
                raise
            except Exception as error:  # astropy raises nearly every kind on damaged files
                raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DataError:
        return DataError(
            f"{self.path}, {self.hdu.label}: these pixels cannot be decoded ({reason(error)}); copy or download the "
            "file again, or leave them out (data.on_bad=skip)."
        )

    def windows(self, boxes: Boxes) -> list[NDArray[Any] | DataError]:
        """The stored numbers in each of ``boxes`` (N, 4): first and end row, first and end column, in the image.

        Whatever the order of the boxes, each stripe is decoded once; in memory are the windows and one portion of
        stripes. A stripe that cannot be decoded makes those windows an error that touch it.
        """
        if self.hdu.data >= 0:
            return [np.array(self._pixels[y0:y1, x0:x1]) for y0, y1, x0, x1 in boxes.tolist()]
        found: list[NDArray[Any] | DataError | None] = [None] * len(boxes)
        for y0, y1, x0, x1, members in _portions(boxes, self.hdu.stripe, self.hdu.shape):
            block: NDArray[Any] | DataError = self._decoded(y0, y1, x0, x1)
            for i in members:
                window = found[i]
                if isinstance(window, DataError):
                    continue
                if isinstance(block, DataError):
                    found[i] = block
                    continue
                top, bottom, left, right = boxes[i].tolist()
                if window is None:
                    window = found[i] = np.empty((bottom - top, right - left), block.dtype)
                first, end = max(top, y0), min(bottom, y1)
                window[first - top : end - top] = block[first - y0 : end - y0, left - x0 : right - x0]
        return [np.zeros((0, 0), np.float32) if window is None else window for window in found]

    def _decoded(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any] | DataError:
        if (y1 - y0) * (x1 - x0) * 8 > MOST_BYTES:
            return DataError(
                f"{self.path}, {self.hdu.label}: {y1 - y0} × {x1 - x0} pixels are compressed as one; compress the "
                "image again in smaller parts (fpack does so by default)."
            )
        leading = np.unravel_index(self.hdu.plane, self.hdu.axes[:-2]) if self.hdu.axes[2:] else ()
        try:
            return np.asarray(self._section[(*map(int, leading), slice(y0, y1), slice(x0, x1))])
        except Exception as error:  # damaged bytes make decoders raise nearly every kind
            return self._damaged(error)


def _portions(
    boxes: Boxes, stripe: tuple[int, int], shape: tuple[int, int]
) -> Iterator[tuple[int, int, int, int, NDArray[np.int64]]]:
    """Parts of an image that together hold all ``boxes``, each whole stripes, and the boxes that touch each."""
    height, width = shape
    rows = max(stripe[0], SLAB_BYTES // (8 * width) // stripe[0] * stripe[0])
    for start, end in _merged(boxes[:, 0], boxes[:, 1], stripe[0], height):
        for y0 in range(start, end, rows):
            y1 = min(y0 + rows, end)
            touch = np.flatnonzero((boxes[:, 0] < y1) & (boxes[:, 1] > y0))
            for x0, x1 in _merged(boxes[touch, 2], boxes[touch, 3], stripe[1], width):
                yield y0, y1, x0, x1, touch[(boxes[touch, 2] < x1) & (boxes[touch, 3] > x0)]


def _merged(
    first: NDArray[np.int64], end: NDArray[np.int64], unit: int, length: int
) -> list[tuple[int, int]]:
    """The union of intervals (N,), each grown to whole units, as disjoint intervals in order."""
    some = end > first
    order = np.argsort(first[some], kind="stable")
    starts = first[some][order] // unit * unit
    ends = np.minimum(-(-end[some][order] // unit) * unit, length)
    merged: list[tuple[int, int]] = []
    for start, stop in zip(starts.tolist(), ends.tolist(), strict=True):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged
