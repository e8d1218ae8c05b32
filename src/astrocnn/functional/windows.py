"""Windows that cover an image too large for one pass, and the seams between what comes out of them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError

__all__ = ["Seam", "Window", "begin_at", "cover", "least_window", "needed_from", "seam", "stitch"]

Array = NDArray[np.float32]
RAMP_PIX = 32  # width of a blend


@dataclass(frozen=True)
class Seam:
    """What of a window counts: nothing within ``margin_pix`` of its edges, then a blend over ``ramp_pix``."""

    margin_pix: int
    ramp_pix: int


@dataclass(frozen=True)
class Window:
    """A stretch of rows (or columns) of an image.

    Attributes:
        start, end: the pixels that go into the network; end is the first that does not.
        first, last: those of which it has a say; last is the first of which it has none.
        weight: (last − first,) float32, how much; over all windows the weights of a pixel sum to 1.
    """

    start: int
    end: int
    first: int
    last: int
    weight: Array

    def finer(self, factor: int) -> "Window":
        """The same stretch of an image with ``factor`` times as many rows (or columns)."""
        start, end, first, last = (factor * pixel for pixel in (self.start, self.end, self.first, self.last))
        return Window(start, end, first, last, self.weight.repeat(factor))


def seam(
    size: int, *, multiple: int, half_field: int | None, reach: int = 0, length: int | None = None
) -> Seam:
    """The seam of windows of ``size`` pixels for a network.

    Pixels next to a window's edge come out otherwise than in one pass over the whole image, since the network does not
    see what lies beyond. Of a network with pooling all pixels of a cell of ``multiple`` pixels see about the same, so
    that whole cells are dropped: as many as hold what the network and the normalisation before it look around.

    Args:
        size: rows or columns of a window.
        multiple: window starts are multiples of it.
        half_field: how many pixels beyond a cell can change what comes out in it; None for no bound, where a
            sixteenth of the window is dropped and a quarter blended.
        reach: pixels that the normalisation looks around.
        length: rows or columns of the image; None for one that is larger than any window.

    Raises:
        ConfigError: nothing is left of such windows; names the least size that works.
    """
    if half_field is None:
        margin, ramp = _cells(size // 16, multiple), _cells(size // 4, multiple)
    else:
        margin = _cells(half_field + reach, multiple)
        ramp = min(_cells(RAMP_PIX, multiple), max((size - 2 * margin) // 4 // multiple, 1) * multiple)
    if size < 2 * margin + ramp + multiple:
        enough = least_window(multiple=multiple, half_field=half_field, reach=reach)
        better = f", better ten times {margin}" if length is None or 10 * margin <= length else ""
        remedy = f"give at least {enough} (data.window=...){better}"
        if length is not None and enough > length:
            remedy = (
                f"leave data.window out to see the whole mosaic at once, of which no side is above {length}"
            )
        raise ConfigError(
            f"windows of {size} pixels are too small: the network looks {margin} pixels beyond what it predicts; "
            f"{remedy}."
        )
    return Seam(margin, ramp)


def least_window(*, multiple: int, half_field: int | None, reach: int = 0) -> int:
    """The fewest rows or columns of windows of which :func:`seam` leaves something; arguments as there."""
    margin = multiple if half_field is None else _cells(half_field + reach, multiple)
    return 2 * margin + 2 * multiple


def _cells(pixels: int, multiple: int) -> int:
    """The least multiple that is not below ``pixels``."""
    return -(-pixels // multiple) * multiple


def cover(length: int, size: int, *, multiple: int, of: Seam, border: int = 0) -> list[Window]:
    """Windows that together cover ``length`` pixels, as few as there can be, evenly spread.

    Starts are multiples of ``multiple`` (from −``border`` on). At the ends of the image nothing is dropped. An image
    that is not larger than a window is one window.

    Args:
        length: rows (or columns) of the image.
        size: rows (or columns) of a window, a multiple of ``multiple`` (and twice the border more).
        multiple: of a network that halves its images d times, 2 to the power of d.
        of: how two windows meet.
        border: how many pixels less come out of the network than went in, on each side; windows then reach over the
            ends of the image by as many, and the last one by more.
    """
    if length <= size - 2 * border:
        end = length if border == 0 else size - border
        return [Window(-border, end, 0, length, np.ones(length, np.float32))]
    step = (size - 2 * of.margin_pix - of.ramp_pix) // multiple * multiple
    far = _cells(length + 2 * border - size, multiple)  # how far the last window starts from the first
    n = -(-far // step) + 1
    starts = [round(k * far / (n - 1) / multiple) * multiple - border for k in range(n)]
    spans = []
    for k, start in enumerate(starts):
        end = start + size if border else min(start + size, length)
        first = 0 if k == 0 else start + of.margin_pix
        last = length if k == n - 1 else end - of.margin_pix
        rise = np.ones(last - first)
        blend = np.sin(0.5 * np.pi * (np.arange(of.ramp_pix) + 0.5) / of.ramp_pix) ** 2
        if k > 0 and of.ramp_pix:
            rise[: of.ramp_pix] = blend[: len(rise)]
        if k < n - 1 and of.ramp_pix:
            rise[-of.ramp_pix :] *= blend[::-1][-len(rise) :]
        spans.append((start, end, first, last, rise))
    total = np.zeros(length)
    for _, _, first, last, rise in spans:
        total[first:last] += rise
    return [
        Window(start, end, first, last, (rise / total[first:last]).astype(np.float32))
        for start, end, first, last, rise in spans
    ]


def begin_at(windows: Sequence[Window], unit: int, n_rows: int) -> int:
    """The window to begin with where the first ``n_rows`` rows are final; at least one is not."""
    return bisect_right(_final(windows, unit, windows[-1].last)[:-1], n_rows) - 1


def needed_from(windows: Sequence[Window], unit: int, begin: int) -> int:
    """The first of the windows that have a say in what becomes final with window ``begin``."""
    top = _final(windows, unit, windows[-1].last)[begin]
    return next(number for number, window in enumerate(windows) if window.last > top)


def _final(windows: Sequence[Window], unit: int, length: int) -> list[int]:
    """Up to where an image is final before each window and after the last, in whole units of pixels."""
    return [0, *(window.first // unit * unit for window in windows[1:]), length]


def stitch(
    rows: Sequence[Window],
    columns: Sequence[Window],
    maps: Iterable[Array],
    *,
    unit: tuple[int, int] = (1, 1),
    begin: int = 0,
) -> Iterator[tuple[int, int, Array]]:
    """Blend the maps of windows into one image, given away block by block as soon as it is final.

    In memory are one window and, of the rows above it, those that it is blended with.

    Args:
        rows: from :func:`cover`.
        columns: likewise.
        maps: (P, last − first, last − first) of each window, row by row, only the part that has a say; those of the
            rows of windows before :func:`needed_from` left out.
        unit: blocks begin at multiples of these numbers of rows and columns, so that each is whole tiles of a file.
        begin: the row of windows whose blocks come first; those of the rows before have been given away.

    Yields:
        First row, first column, and the block (P, h, w) itself.
    """
    height, width = rows[-1].last, columns[-1].last
    tops, lefts = _final(rows, unit[0], height), _final(columns, unit[1], width)
    each = iter(maps)
    above: Array | None = None  # (P, h, W) rows from `top` on, of the windows above
    for i in range(needed_from(rows, unit[0], begin), len(rows)):
        row, top, bottom = rows[i], tops[i], tops[i + 1]
        below: Array | None = None
        pending: Array | None = None  # (P, h, w) columns from `left` on, of the windows to the left
        for j, column in enumerate(columns):
            left, right = lefts[j], lefts[j + 1]
            shown = next(each)
            block = np.zeros((len(shown), row.last - top, column.last - left), np.float32)
            own = block[:, row.first - top :, column.first - left :]
            np.multiply(shown, row.weight[:, None] * column.weight, out=own)
            if pending is not None:
                block[..., : pending.shape[-1]] += pending
            done, pending = block[..., : right - left], block[..., right - left :]
            if above is not None:
                done[:, : above.shape[1]] += above[..., left:right]
            if below is None:
                below = np.zeros((len(shown), row.last - bottom, width), np.float32)
            below[..., left:right] = done[:, bottom - top :]
            if i >= begin and bottom > top and right > left:
                yield top, left, done[:, : bottom - top]
        above = below
