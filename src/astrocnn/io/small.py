"""Files that are small enough are read in one go: threads that read many of them then wait for one another less."""

import os
from io import BytesIO
from typing import IO

__all__ = ["SMALL_BYTES", "open_at_once"]

SMALL_BYTES = 2**20


def open_at_once(path: str | os.PathLike[str]) -> tuple[IO[bytes], int]:
    """An open file and its size in bytes; a small one is in memory already.

    Each call of the system lets another thread of the interpreter go on, and to come back costs more than the call:
    ``open`` makes ten for a file that is read in two pieces, this makes four.

    Raises:
        OSError: the file cannot be read.
    """
    number = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(number).st_size
        if size > SMALL_BYTES:
            file = os.fdopen(number, "rb")
            number = -1
            return file, size
        content = os.read(number, size)
    finally:
        if number >= 0:
            os.close(number)
    return BytesIO(content), len(content)
