"""Planes of a map as they grow: tiles packed without loss, kept on disc so that a killed program can go on."""

import fcntl
import json
import os
import shutil
import struct
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.atomic import write_text

__all__ = ["TILE", "MapTiles", "Plane", "edges", "unpacked"]

TILE = (128, 512)  # rows and columns that are packed together
GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
LAST_BLOCK = b"\x03\0"  # an empty one
SAMPLE = 4096
NOISE_BITS = (
    7.5  # entropy of a byte from which on packing is not worth its time; of 4096 random ones it is 7.95
)
INDEX = np.dtype([("tile", "<i8"), ("offset", "<i8"), ("size", "<i8"), ("check", "<u4")])
STATE, LOCK = "state.json", "lock"
PACKING = 2  # of folders that were begun by another version nothing is taken


@dataclass(frozen=True)
class Plane:
    """One map: its name, the type of its numbers ('f4', 'i4', 'i2'), its unit, and what it is in words."""

    name: str
    dtype: str = "f4"
    unit: str | None = None
    comment: str = ""


class MapTiles:
    """The folder in which maps grow; use it in a ``with`` statement.

    Blocks of whole tiles come in any order with :meth:`put`; :meth:`commit` says up to which row all have come. What
    was committed survives the death of the program and of the machine.

    Args:
        folder: made where missing.
        planes: what is written.
        shape: rows and columns.
        key: what decides the values, as JSON; a folder that was begun with another is emptied.
        n_threads: that pack tiles, and unpack them.

    Attributes:
        rows: how many rows are whole: 0 of a new folder.
        other_key: the key with which the folder had been begun, where that was another.

    Raises:
        ConfigError: another program writes there.
    """

    def __init__(
        self,
        folder: Path,
        planes: Sequence[Plane],
        shape: tuple[int, int],
        *,
        key: Mapping[str, Any],
        n_threads: int = 2,
    ) -> None:
        self.folder, self.planes, self.shape, self.n_threads = folder, tuple(planes), shape, n_threads
        self._key = json.loads(json.dumps(dict(key)))
        self._waiting: list[tuple[Plane, int, Future[tuple[bytes, int]]]] = []
        self.rows = 0
        self.other_key: dict[str, Any] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            _hold(stack.enter_context(open(folder / LOCK, "w")), folder)
            sizes = self._restored()
            names = [f"{plane.name}.{kind}" for plane in self.planes for kind in ("heap", "index")]
            self._files = {name: stack.enter_context(open(folder / name, "ab")) for name in names}
            for name, file in self._files.items():
                file.truncate(sizes.get(name, 0))
                file.seek(0, os.SEEK_END)
            self._pool = stack.enter_context(ThreadPoolExecutor(n_threads))
            self._stack = stack.pop_all()

    def _restored(self) -> dict[str, int]:
        """The sizes of the files as they were at the last commit, {} to begin anew."""
        try:
            state = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
            sizes: dict[str, int] = {str(name): int(size) for name, size in state.pop("sizes").items()}
            rows = int(state.pop("rows"))
            whole = all((self.folder / name).stat().st_size >= size for name, size in sizes.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        if state != self._told() or not whole:
            self.other_key = state.get("key")
            return {}
        self.rows = rows
        return sizes

    def __enter__(self) -> "MapTiles":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def put(self, top: int, left: int, blocks: Sequence[NDArray[Any]]) -> None:
        """Add a block (h, w) of each plane; it begins and ends at edges of tiles, or of the map.

        Packing goes on while the caller makes the next block; the arrays must not be changed meanwhile.
        """
        self._drain()
        per_row = -(-self.shape[1] // TILE[1])
        for plane, block in zip(self.planes, blocks, strict=True):
            for y in range(0, block.shape[0], TILE[0]):
                for x in range(0, block.shape[1], TILE[1]):
                    number = (top + y) // TILE[0] * per_row + (left + x) // TILE[1]
                    part = block[y : y + TILE[0], x : x + TILE[1]]
                    self._waiting.append((plane, number, self._pool.submit(_packed, part, plane.dtype)))

    def _drain(self) -> None:
        """Write the tiles that have been packed."""
        try:
            for plane, number, tile in self._waiting:
                content, check = tile.result()
                heap = self._files[f"{plane.name}.heap"]
                record = np.array([(number, heap.tell(), len(content), check)], INDEX)
                heap.write(content)
                self._files[f"{plane.name}.index"].write(record.tobytes())
        except OSError as error:
            raise self._unwritable(error) from error
        self._waiting = []

    def commit(self, rows: int) -> None:
        """All tiles of the first ``rows`` rows have come: bring them to the disc.

        Raises:
            DataError: the disc is full.
        """
        self._drain()
        try:
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
            sizes = {name: file.tell() for name, file in self._files.items()}
            state = self._told() | {"rows": rows, "sizes": sizes}
            write_text(self.folder / STATE, json.dumps(state, indent=1))
        except OSError as error:
            raise self._unwritable(error) from error
        self.rows = rows

    def _told(self) -> dict[str, Any]:
        """What decides the content of the folder."""
        planes = [asdict(plane) for plane in self.planes]
        return {"key": self._key, "planes": planes, "shape": list(self.shape), "packing": PACKING}

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"{self.folder} cannot be written: {error.strerror or error}; make room there and give the same command "
            "again, it goes on where it was."
        )

    def index(self, plane: Plane) -> NDArray[Any]:
        """Of each tile of a plane, in order: ``offset`` and ``size`` in its heap, and ``check``, their CRC-32."""
        table = np.fromfile(self.folder / f"{plane.name}.index", INDEX)
        return table[np.argsort(table["tile"])]

    def heap(self, plane: Plane) -> Path:
        """The file of the packed tiles of a plane."""
        return self.folder / f"{plane.name}.heap"

    def remove(self) -> None:
        """Remove the folder."""
        self._stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _hold(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"another program is writing {folder}; wait for it, or give another output=..."
        ) from None


def edges(length: int, step: int) -> list[tuple[int, int]]:
    """First and end pixel of each tile along an axis."""
    return [(first, min(first + step, length)) for first in range(0, length, step)]


def _packed(tile: NDArray[Any], dtype: str) -> tuple[bytes, int]:
    """A tile packed by GZIP_2 (FITS standard 4.0, section 10.4.2), and the CRC-32 of these bytes.

    The first bytes of all numbers come first, then all second ones, and so on, in one gzip stream (RFC 1951, 1952). In
    the first gzip looks for runs only, four times as fast as for anything else, and no worse of maps, which are mostly
    noise. The last bytes of a float mostly are nothing but noise, which no packing makes smaller: they stand as they
    are, and are read all the faster.
    """
    stored = np.ascontiguousarray(tile, f">{dtype}")
    shuffled = np.ascontiguousarray(stored.reshape(-1).view(np.uint8).reshape(stored.size, -1).T)
    parts = [GZIP_HEADER]
    for plane in shuffled:
        packer = zlib.compressobj(0 if _is_noise(plane) else 1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
        parts += [packer.compress(plane.data), packer.flush(zlib.Z_SYNC_FLUSH)]
    end = struct.pack("<II", zlib.crc32(shuffled.data), shuffled.size % 2**32)
    content = b"".join([*parts, LAST_BLOCK, end])
    return content, zlib.crc32(content)


def unpacked(content: bytes, dtype: str) -> NDArray[Any] | None:
    """The numbers of a packed tile, as FITS stores them; None where gzip's own CRC-32 says that they differ."""
    try:
        shuffled = np.frombuffer(zlib.decompress(content, 31), np.uint8)
    except zlib.error:
        return None
    stored = np.dtype(f">{dtype}")
    if len(shuffled) % stored.itemsize:
        return None
    return np.ascontiguousarray(shuffled.reshape(stored.itemsize, -1).T).view(stored)[:, 0]


def _is_noise(plane: NDArray[np.uint8]) -> bool:
    """Whether bytes are nearly random, by the entropy of some of them."""
    sample = plane[:: max(1, len(plane) // SAMPLE)]
    if len(sample) < SAMPLE:
        return False
    share = np.bincount(sample, minlength=256) / len(sample)
    return float(-(share * np.log2(share, where=share > 0, out=np.zeros(256))).sum()) > NOISE_BITS
