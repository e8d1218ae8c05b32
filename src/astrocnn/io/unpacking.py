"""Files that are packed as a whole (gzip, bzip2, xz), unpacked as they are read or into a nameless file."""

import bz2
import gzip
import lzma
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TypeAlias

from astrocnn.errors import DataError
from astrocnn.paths import cache_dir

__all__ = ["again", "is_packed", "opened", "unpacked"]

Path: TypeAlias = str | os.PathLike[str]
PACKINGS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
PACKING_ERRORS = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
SPARE_BYTES = 64 * 2**20
COPIED_BYTES = 4 * 2**20


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], int | None]]:
    """The bytes of a file, unpacked as they are read, and how many they are (None where that is not known).

    Raises:
        DataError: the file cannot be read, or its packing is damaged.
    """
    try:
        with open(path, "rb") as file:
            opener = _opener(file)
            if opener is None:
                yield file, os.fstat(file.fileno()).st_size
            else:
                with opener(file) as stream:
                    yield stream, None
    except PACKING_ERRORS as error:
        raise DataError(f"{path} cannot be unpacked ({error}); copy or download it again.") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}; check path, permissions and disc."
        ) from error


def is_packed(path: Path) -> bool:
    """Whether the file as a whole is packed by gzip, bzip2 or xz, so that it cannot be read from its middle."""
    try:
        with open(path, "rb") as file:
            return _opener(file) is not None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}; check path and disc.") from error


def _opener(file: IO[bytes]) -> Callable[..., Any] | None:
    start = file.read(6)
    file.seek(0)
    return next((opener for magic, opener in PACKINGS.items() if start.startswith(magic)), None)


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """A packed file unpacked into a nameless file of the cache folder, which is gone when it is closed.

    Raises:
        DataError: the packing is damaged, or the disc is full.
    """
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as whole:
        with opened(path) as (stream, _):
            while part := stream.read(COPIED_BYTES):
                if shutil.disk_usage(folder).free < SPARE_BYTES:
                    raise DataError(
                        f"{path} does not fit unpacked into {folder}; free some space there, or set ASTROCNN_CACHE "
                        "to a folder on a larger disc."
                    )
                whole.write(part)
        whole.flush()
        with again(whole) as file:
            yield file


def again(file: IO[bytes]) -> IO[bytes]:
    """The same file from its beginning, read-only, for one who closes what he is given, as astropy does."""
    file.seek(0)  # of both, which share their position
    return open(os.dup(file.fileno()), "rb")
