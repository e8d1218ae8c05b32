"""Finished maps as one FITS file: compressed images without loss, with a WCS, read back before they count."""

import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from astropy.io import fits

from astrocnn.errors import DataError
from astrocnn.io.atomic import atomic_path
from astrocnn.io.map_file import MapFile
from astrocnn.io.map_tiles import TILE, MapTiles, Plane, edges, unpacked
from astrocnn.progress import track

__all__ = ["Cards", "write_maps"]

Cards = Mapping[str, tuple[str | int | float | bool, str]]
BLOCK = 2880
BITPIX = {"f4": -32, "i4": 32, "i2": 16}
COMMENTED = 60  # characters of value and comment that fit into a card
COPIED_BYTES = 4 * 2**20


def write_maps(
    path: Path, tiles: MapTiles, *, header: Cards, sky: fits.Header, planes: Mapping[str, Cards] | None = None
) -> None:
    """Write all planes of ``tiles`` to one file, an HDU each, whole or not at all.

    The images are compressed by tiles with GZIP_2 and not quantised. Every tile of the file is read back and compared,
    by its CRC-32, with what was packed; some rows of each plane are unpacked too, by us and by astropy.

    Args:
        path: of the file; one that exists is replaced.
        tiles: with every row committed.
        header: cards of the first HDU, which holds no image, and of every other.
        sky: cards of the WCS, of every image.
        planes: more cards of single planes, by their name.

    Raises:
        DataError: the disc is full, or what is read back differs.
    """
    try:
        with atomic_path(path) as part:
            with open(part, "wb") as file:
                first = fits.PrimaryHDU().header
                _add(first, header)
                file.write(first.tostring().encode("ascii"))
                starts = {}
                for plane in tiles.planes:
                    index = tiles.index(plane)
                    heap_bytes = tiles.heap(plane).stat().st_size
                    cards = _image_header(
                        plane, tiles.shape, len(index), heap_bytes, int(index["size"].max())
                    )
                    cards.extend(sky)
                    _add(cards, {**header, **(planes or {}).get(plane.name, {})})
                    file.write(cards.tostring().encode("ascii"))
                    starts[plane.name] = file.tell()
                    file.write(np.stack([index["size"], index["offset"]], axis=1).astype(">i8").tobytes())
                    with open(tiles.heap(plane), "rb") as heap:
                        shutil.copyfileobj(heap, file, COPIED_BYTES)
                    file.write(b"\0" * (-file.tell() % BLOCK))
            _read_back(part, tiles, starts, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}; make room there and give the same command again, "
            "it goes on where it was."
        ) from error


def _add(header: fits.Header, cards: Cards) -> None:
    for key, (value, comment) in cards.items():
        header[key] = (value, comment if len(str(value)) + len(comment) < COMMENTED else "")


def _image_header(
    plane: Plane, shape: tuple[int, int], n_tiles: int, heap_bytes: int, longest: int
) -> fits.Header:
    """The cards of a table that is a compressed image (FITS standard 4.0, section 10.1)."""
    cards: list[tuple[str, str | int | bool, str]] = [
        ("XTENSION", "BINTABLE", "a compressed image"),
        ("BITPIX", 8, ""),
        ("NAXIS", 2, ""),
        ("NAXIS1", 16, "bytes a row"),
        ("NAXIS2", n_tiles, "one row a tile"),
        ("PCOUNT", heap_bytes, "bytes of the packed tiles"),
        ("GCOUNT", 1, ""),
        ("TFIELDS", 1, ""),
        ("TTYPE1", "COMPRESSED_DATA", ""),
        ("TFORM1", f"1QB({longest})", ""),
        ("EXTNAME", plane.name, plane.comment),
        ("ZIMAGE", True, ""),
        ("ZTENSION", "IMAGE", ""),
        ("ZBITPIX", BITPIX[plane.dtype], ""),
        ("ZNAXIS", 2, ""),
        ("ZNAXIS1", shape[1], ""),
        ("ZNAXIS2", shape[0], ""),
        ("ZPCOUNT", 0, ""),
        ("ZGCOUNT", 1, ""),
        ("ZTILE1", min(TILE[1], shape[1]), ""),
        ("ZTILE2", min(TILE[0], shape[0]), ""),
        ("ZCMPTYPE", "GZIP_2", "lossless"),
        *([("ZQUANTIZ", "NONE", "lossless")] if plane.dtype == "f4" else []),
        *([("BUNIT", plane.unit, "")] if plane.unit else []),
    ]
    return fits.Header(cards)


def _read_back(part: Path, tiles: MapTiles, starts: Mapping[str, int], path: Path) -> None:
    """Compare the file with what was packed: every tile, and some rows of tiles as we and astropy unpack them.

    Args:
        part: the file.
        tiles: what was to be written.
        starts: the byte where the table of each plane begins.
        path: what the file will be called.
    """
    height, width = tiles.shape
    columns, rows = edges(width, TILE[1]), edges(height, TILE[0])
    bands = [(plane, number) for plane in tiles.planes for number in range(len(rows))]
    looked_at = {0, len(rows) // 2, len(rows) - 1}
    with open(part, "rb") as file, MapFile(part, [plane.name for plane in tiles.planes]) as maps:
        tables = {
            plane.name: _table(file, starts[plane.name], len(rows) * len(columns)) for plane in tiles.planes
        }
        checks = {plane.name: tiles.index(plane)["check"] for plane in tiles.planes}
        for plane, number in track(bands, f"reading {path.name} back"):
            top, bottom = rows[number]
            some = slice(number * len(columns), (number + 1) * len(columns))
            sizes, offsets = tables[plane.name]
            packed = [
                os.pread(file.fileno(), size, offset)
                for size, offset in zip(sizes[some], offsets[some], strict=True)
            ]
            good = [zlib.crc32(tile) for tile in packed] == checks[plane.name][some].tolist()
            if good and number in looked_at:
                good = _read_alike(maps, plane, packed, (top, bottom), columns)
            if not good:
                raise DataError(
                    f"{path}, {plane.name}: rows {top} to {bottom} read back differ from what was written; check disc "
                    "and memory, and give the same command again."
                )


def _read_alike(
    maps: MapFile, plane: Plane, packed: list[bytes], rows: tuple[int, int], columns: list[tuple[int, int]]
) -> bool:
    """Whether astropy reads from the file what we unpack of a row of tiles."""
    try:
        (values,) = maps.read([plane.name], *rows, 0, columns[-1][1])
    except DataError:
        return False
    for (left, right), tile in zip(columns, packed, strict=True):
        ours = unpacked(tile, plane.dtype)
        theirs = np.ascontiguousarray(values[:, left:right], f">{plane.dtype}")
        if ours is None or ours.tobytes() != theirs.tobytes():
            return False
    return True


def _table(file: IO[bytes], start: int, n_tiles: int) -> tuple[list[int], list[int]]:
    """Size and place in the file of each tile, as the table that begins at ``start`` has them."""
    file.seek(start)
    table = np.frombuffer(file.read(16 * n_tiles), ">i8").reshape(-1, 2)
    return table[:, 0].tolist(), (table[:, 1] + start + 16 * n_tiles).tolist()
