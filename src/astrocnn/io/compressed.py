"""Images compressed by tiles: whether the table that holds one can be true, before a decoder in C believes it."""

import os
import re
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError
from astrocnn.io.headers import Header, NotPlainError

__all__ = ["check_parts", "compressed_axes"]

Path = str | os.PathLike[str]
FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([A-Z]?)")
WIDTHS = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
PIXELS = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA")
BLOCK_BYTES = 2**20  # of the table that are read at a time
MAGIC = 0xDD99  # with which HCOMPRESS begins
# a compressed image may be larger than this only where its file is not too small for it: no method makes an image
# with any noise in it ten thousand times smaller
LARGE_BYTES = 2**30
MOST_COMPRESSED = 10_000


def compressed_axes(path: Path, header: Header, number: int) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Axes of a tile-compressed image in numpy's order, and the rows and columns that are compressed together.

    Raises:
        DataError: the image cannot be in that table.
        NotPlainError: a card that only astropy should judge.
    """
    axes, parts = _axes(header)
    if len(axes) < 2:
        raise NotPlainError("ZNAXIS")
    n_parts, n_bytes = 1, 8
    for length, part in zip(axes, parts, strict=True):
        n_parts *= -(-length // part)
        n_bytes *= length
    rows, width, heap = (header.get(key, 0) for key in ("NAXIS2", "NAXIS1", "PCOUNT"))
    what = f"{path}, HDU {number}: an image of {' × '.join(map(str, axes))} pixels"
    if n_parts != rows:
        raise DataError(
            f"{what} compressed in parts of {' × '.join(map(str, parts))} needs {n_parts:,} of them, but there are "
            f"{rows}; the file is damaged; copy or download it again."
        )
    if n_bytes > max(LARGE_BYTES, MOST_COMPRESSED * (rows * width + heap)):
        raise DataError(
            f"{what} cannot be in {rows * width + heap:,} bytes of compressed data; the file is damaged; copy or "
            "download it again."
        )
    return axes, (parts[-2], parts[-1])


def _axes(header: Header) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Axes of the image and of its parts, in numpy's order."""
    n_axes = header.get("ZNAXIS")
    if not isinstance(n_axes, int) or not 1 <= n_axes <= 999:
        raise NotPlainError("ZNAXIS")
    axes = [header.get(f"ZNAXIS{axis}") for axis in range(n_axes, 0, -1)]
    parts = [header.get(f"ZTILE{axis}", axes[-1] if axis == 1 else 1) for axis in range(n_axes, 0, -1)]
    if not all(isinstance(n, int) and n > 0 for n in [*axes, *parts]):
        raise NotPlainError("ZNAXISn or ZTILEn")
    return tuple(axes), tuple(parts)


def check_parts(path: Path, header: Header, number: int, file: IO[bytes], data: int) -> None:
    """Make sure that every part of a compressed image lies within the data and says its own size.

    Decoders take what lies elsewhere for zeros, and some write beyond their memory where a part lies about its size.

    Args:
        path: named in messages.
        header: of the table.
        number: of the HDU.
        file: the bytes of the file, unpacked.
        data: where in them the table begins.

    Raises:
        DataError: one does not.
        NotPlainError: a card that only astropy should judge.
    """
    for key, allowed in (("BYTEPIX", (1, 2, 4, 8)), ("BLOCKSIZE", (8, 16, 32, 64, 128))):
        value = _parameter(header, key)
        if value is not None and value not in allowed:
            raise DataError(
                f"{path}, HDU {number}: {key}={value!r} is no setting of the compression RICE_1; the file is damaged; "
                "copy or download it again."
            )
    rows, width, extra = (header.get(key, 0) for key in ("NAXIS2", "NAXIS1", "PCOUNT"))
    heap = header.get("THEAP", rows * width)
    damaged = DataError(
        f"{path}, HDU {number}: the table of the compressed image says of its parts what cannot be; the file is "
        "damaged; copy or download it again."
    )
    if not isinstance(heap, int):
        raise damaged
    axes, parts = _axes(header)
    judge = OWN_SIZE.get(str(header.get("ZCMPTYPE")).strip())
    step = max(1, BLOCK_BYTES // max(1, width))
    for first in range(0, rows, step):
        n = min(step, rows - first)
        file.seek(data + first * width)
        table = np.frombuffer(file.read(n * width), np.uint8)
        if table.size != n * width:
            raise damaged
        here = np.zeros(n, np.bool_)
        for name, kind, length, offset in _columns(header, table.reshape(n, width), damaged):
            n_bytes = length * WIDTHS.get(kind, 0)
            some = length > 0
            if (
                (length < 0).any()
                or (offset[some] < 0).any()
                or (length > 2**40).any()
                or (offset > 2**50).any()
            ):
                raise damaged
            if some.any() and (
                kind not in WIDTHS or (heap + offset + n_bytes)[some].max() > rows * width + extra
            ):
                raise damaged
            if name not in PIXELS:
                continue
            here |= some
            if judge is None or name != PIXELS[0]:
                continue
            sizes = _sizes(axes, parts, np.arange(first, first + n))
            for row in np.flatnonzero(some).tolist():
                file.seek(data + heap + int(offset[row]))
                if not judge(file.read(min(int(n_bytes[row]), 16)), int(n_bytes[row]), int(sizes[row])):
                    raise damaged
        if not here.all():
            raise damaged


def _parameter(header: Header, name: str) -> Any:
    """The value of a parameter of the compression; None where it is not given."""
    n = 1
    while (key := header.get(f"ZNAME{n}")) is not None:
        if str(key).strip().upper() == name:
            return header.get(f"ZVAL{n}")
        n += 1
    return None


def _columns(
    header: Header, table: NDArray[np.uint8], damaged: DataError
) -> Iterator[tuple[str, str, NDArray[np.int64], NDArray[np.int64]]]:
    """Name, type of the elements, their number and where they begin (rows,) of each column of variable length."""
    start = 0
    for i in range(1, header.get("TFIELDS", 0) + 1):
        form = FORM.match(str(header.get(f"TFORM{i}")).strip())
        if form is None:
            raise damaged
        repeat, kind = int(form[1] or 1), form[2]
        end = start + (-(-repeat // 8) if kind == "X" else repeat * WIDTHS[kind])
        if end > table.shape[1]:
            raise damaged
        if kind in "PQ" and repeat:
            pair = np.ascontiguousarray(table[:, start:end]).view(">i4" if kind == "P" else ">i8")
            yield (
                str(header.get(f"TTYPE{i}")).strip(),
                form[3],
                pair[:, 0].astype(int),
                pair[:, 1].astype(int),
            )
        start = end


def _sizes(axes: tuple[int, ...], parts: tuple[int, ...], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) how many pixels the parts of these ``numbers`` hold; those at the far edges hold fewer."""
    counts = [-(-length // part) for length, part in zip(axes, parts, strict=True)]
    sizes = np.ones(len(numbers), np.int64)
    for length, part, at in zip(axes, parts, np.unravel_index(numbers, counts), strict=True):
        sizes *= np.minimum(part, length - at * part)
    return sizes


def _hcompress(start: bytes, n_bytes: int, n_pixels: int) -> bool:
    """Whether a part that HCOMPRESS made is of its size (White et al. 1992: magic number, rows, columns, scale)."""
    magic, rows, columns = (int.from_bytes(start[a:b], "big") for a, b in ((0, 2), (2, 6), (6, 10)))
    return n_bytes > 14 and magic == MAGIC and rows * columns == n_pixels


def _plio(start: bytes, n_bytes: int, n_pixels: int) -> bool:
    """Whether a part that PLIO made is as long as its line list says (IRAF: either kind of its header)."""
    del n_pixels
    words = np.frombuffer(start[: len(start) // 2 * 2], ">i2").astype(int)
    if len(words) < 3 or (words[2] <= 0 and len(words) < 5):
        return False
    length = words[2] if words[2] > 0 else (words[4] << 15) + words[3]
    return bool(0 < length <= n_bytes // 2)


OWN_SIZE = {"HCOMPRESS_1": _hcompress, "PLIO_1": _plio}
