"""Walk the HDUs of a FITS file: directly where the layout is plain, through astropy for every other."""

import math
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from astrocnn.errors import DataError

__all__ = ["ASTROPY", "Hdu", "Header", "NotPlainError", "astropy_hdus", "extent", "header_at", "plain_hdus"]

BLOCK = 2880
CARD = 80
END = b"END     "
LONGEST_HEADER = 16 * 2**20
DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
CARDS = re.compile(r"(.{8})(?:=(.{71})|(.{72}))", re.DOTALL)
TEXT = re.compile(r"'([^']*(?:''[^']*)*)'")

# warnings.catch_warnings changes the state of the whole process, so only one thread may be inside it
ASTROPY = threading.RLock()


class NotPlainError(Exception):
    """The file is FITS, or may be, but not of the layout that is read directly."""


class Header:
    """The cards of one HDU; a value is parsed when it is asked for."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        found: list[tuple[str, str, str]] = CARDS.findall(raw.decode("latin-1"))
        self._cards = {key.rstrip(): rest for key, rest, _ in reversed(found) if rest}  # the first one counts
        if b"HIERARCH " in raw:
            for key, rest in self._split():
                self._cards.setdefault(key, rest)

    def _split(self) -> Iterator[tuple[str, str]]:
        """Keyword (of HIERARCH cards the long one) and the rest of each card that has a value."""
        text = self.raw.decode("latin-1")
        for start in range(0, len(text), CARD):
            if text[start + 8 : start + 9] == "=":
                yield text[start : start + 8].rstrip(), text[start + 9 : start + CARD]
            elif text.startswith("HIERARCH ", start):
                key, _, rest = text[start + 9 : start + CARD].partition("=")
                yield key.strip(), rest

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key`` as str, bool, int or float; ``default`` where it is absent or undefined."""
        text = self._cards.get(key)
        if text is None:
            return default
        text = text.strip()
        if text.startswith("'"):
            match = TEXT.match(text)
            if match is None or text.endswith("&'"):
                raise NotPlainError(f"the value of {key}")
            return match[1].replace("''", "'").rstrip()
        text = text.partition("/")[0].rstrip()
        if not text:
            return default
        if text in ("T", "F"):
            return text == "T"
        try:
            if "_" not in text:  # which Python allows between digits, and FITS does not
                return int(text)
        except ValueError:
            try:
                number = float(text.replace("D", "E").replace("d", "e"))
                if math.isfinite(number):
                    return number
            except ValueError:
                pass
        raise NotPlainError(f"the value of {key}")

    def items(self) -> Iterator[tuple[str, str, str]]:
        """Keyword, value as text and comment of each card that has a value."""
        for key, rest in self._split():
            rest = rest.strip()
            if match := TEXT.match(rest):
                yield key, match[1].replace("''", "'").rstrip(), rest[match.end() :].partition("/")[2].strip()
            else:
                value, _, comment = rest.partition("/")
                yield key, value.strip(), comment.strip()

    def isdisjoint(self, keys: Iterable[str]) -> bool:
        """Whether none of ``keys`` is there."""
        return self._cards.keys().isdisjoint(keys)

    def only(self, keys: Iterable[str]) -> bytes:
        """The cards of ``keys`` (of up to eight letters), as far as they are there."""
        cards = ((key, self._cards.get(key)) for key in keys)
        return "".join([f"{key:8}={rest}" for key, rest in cards if rest]).encode("latin-1")

    def astropy(self) -> fits.Header:
        """The same cards as an astropy header."""
        return fits.Header.fromstring(self.raw)


@dataclass(frozen=True, slots=True)
class Hdu:
    """One HDU: its number, header, the shape of its image (() where it holds none) and how to load it.

    ``load()`` gives the stored numbers, before BSCALE and BZERO.
    """

    number: int
    name: str
    header: "Header | fits.Header"
    shape: tuple[int, ...]
    load: Callable[[], NDArray[Any]]

    @property
    def label(self) -> str:
        """How a message names this HDU."""
        return f"HDU {self.number}" + (f" ({self.name})" if self.name else "")


def plain_hdus(path: str | os.PathLike[str], file: BufferedReader) -> Iterator[Hdu]:
    """The HDUs of an open, uncompressed FITS file of plain images and tables, one at a time.

    Raises:
        DataError: the file is empty, ends inside a header or inside its data, or its header lies.
        NotPlainError: compressed, random groups, or a card that only astropy should judge.
    """
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); copy or download it again.")
    offset = number = 0
    while offset < size:
        header, data = header_at(path, file, offset, number)
        if header is None:
            return  # what follows the last HDU is no HDU; the standard lets readers ignore it
        if header.get("ZIMAGE"):
            raise NotPlainError("compressed")
        shape, n_bytes = extent(path, header, number)
        if data + n_bytes > size:
            raise DataError(
                f"{path}, HDU {number}: the header promises {n_bytes:,} bytes of data (axes "
                f"{' × '.join(map(str, shape)) or 'of a table'}) but the file holds {size - data:,}; "
                "it is truncated or its NAXIS is wrong; copy or download it again."
            )
        dtype = DTYPES[header.get("BITPIX")] if shape else "u1"
        name = str(header.get("EXTNAME", "")).strip()
        yield Hdu(number, name, header, shape, partial(_load, path, file, shape, dtype, data))
        offset = data + -(-n_bytes // BLOCK) * BLOCK
        number += 1


def _load(
    path: str | os.PathLike[str], file: BufferedReader, shape: tuple[int, ...], dtype: str, offset: int
) -> NDArray[Any]:
    file.seek(offset)
    array = np.empty(shape, dtype)
    if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
        raise DataError(f"{path} became shorter while it was read; read it again when it is complete.")
    return array


def header_at(
    path: str | os.PathLike[str], file: IO[bytes], offset: int, number: int
) -> tuple[Header | None, int]:
    """The header of HDU ``number`` at ``offset``, and where its data start; None where no header starts there.

    Raises:
        DataError: the header does not end.
        NotPlainError: the file does not begin as FITS does.
    """
    file.seek(offset)
    raw = bytearray(file.read(BLOCK))
    start = raw[:10]
    if number == 0 and start != b"SIMPLE  = ":
        raise NotPlainError("no SIMPLE card")
    if number > 0 and start != b"XTENSION= ":
        return None, offset
    while True:
        end = raw.find(END, max(0, len(raw) - BLOCK))
        while end >= 0 and end % CARD:
            end = raw.find(END, end + 1)
        if end >= 0:
            return Header(bytes(raw[:end])), offset + len(raw)
        more = file.read(BLOCK)
        if len(more) < BLOCK or len(raw) > LONGEST_HEADER:
            raise DataError(
                f"{path}, HDU {number}: the header has no END card; "
                "the file is truncated or not FITS; copy or download it again."
            )
        raw += more


def extent(path: str | os.PathLike[str], header: Header, number: int) -> tuple[tuple[int, ...], int]:
    """Shape of the image (numpy order, () for none or a table) and the bytes of data before padding.

    Raises:
        DataError: an axis has no length.
        NotPlainError: random groups, or a card that only astropy should judge.
    """
    kind = header.get("XTENSION", "IMAGE")
    if (number == 0 and header.get("SIMPLE") is not True) or header.get("GROUPS"):
        raise NotPlainError("random groups")
    bitpix, n_axes = header.get("BITPIX"), header.get("NAXIS")
    if bitpix not in DTYPES or not isinstance(n_axes, int) or not 0 <= n_axes <= 999:
        raise NotPlainError("BITPIX or NAXIS")
    axes = [header.get(f"NAXIS{axis}") for axis in range(n_axes, 0, -1)]
    extra, groups = header.get("PCOUNT", 0), header.get("GCOUNT", 1)
    if not all(isinstance(axis, int) and axis >= 0 for axis in [*axes, extra, groups]):
        raise DataError(
            f"{path}, HDU {number}: NAXIS1..{n_axes} are {axes[::-1]}; lengths of axes must be whole and not "
            "negative; the file is damaged; copy or download it again."
        )
    n_values = 1 if axes else 0
    for axis in axes:
        n_values *= axis
    n_bytes = abs(bitpix) // 8 * groups * (extra + n_values)
    if kind != "IMAGE" or n_values == 0:
        return (), n_bytes
    return tuple(axes), n_bytes


@contextmanager
def astropy_hdus(path: str | os.PathLike[str]) -> Iterator[Iterator[Hdu]]:
    """The HDUs of any FITS file as astropy reads them (gzip, tile compression, unusual cards).

    A warning that the file is truncated becomes a :class:`DataError`; warnings about the form of cards are
    dropped, since what they are about has been read; any other is issued again, naming the file.
    """
    with ASTROPY:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                with fits.open(path, memmap=False, do_not_scale_image_data=True, uint=False) as hdus:
                    yield _converted(path, hdus)
            except (DataError, GeneratorExit):
                raise
            except MemoryError as error:
                raise DataError(f"{path} asks for more memory than there is; its NAXIS is wrong.") from error
            except Exception as error:  # astropy raises nearly every kind on damaged files
                raise DataError(_unreadable(path, error)) from error
        for warning in caught:
            text = str(warning.message)
            if "truncated" in text:
                raise DataError(f"{path} is truncated ({text}); copy or download it again.")
            if not issubclass(warning.category, (fits.verify.VerifyWarning, ResourceWarning)):
                warnings.warn(f"{Path(path)}: {text}", warning.category, stacklevel=3)


def _unreadable(path: str | os.PathLike[str], error: Exception) -> str:
    reason = str(error).partition("\n")[0] or type(error).__name__
    try:
        size = f"{os.path.getsize(path):,} bytes"
    except OSError:
        size = "not readable"
    return (
        f"{path} ({size}) cannot be read as FITS: {reason} Check that it is a FITS file and whole; "
        "copy or download it again, or leave it out (data.on_bad=skip)."
    )


def _converted(path: str | os.PathLike[str], hdus: fits.HDUList) -> Iterator[Hdu]:
    number = 0
    while True:
        try:
            hdu = hdus[number]
        except IndexError:
            return
        header = hdu.header
        shape: tuple[int, ...] = ()
        if isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)):
            shape = tuple(hdu.shape)
        if 0 in shape:
            shape = ()
        yield Hdu(number, str(header.get("EXTNAME", "")).strip(), header, shape, partial(_data, path, hdu))
        number += 1


def _data(path: str | os.PathLike[str], hdu: Any) -> NDArray[Any]:
    data = hdu.data
    if data is None:
        raise DataError(f"{path}: the HDU's data are missing; copy or download the file again.")
    return np.asarray(data)
