"""Headers of FITS files: their cards, where they end, and how much data they promise."""

import math
import os
import re
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import IO, Any

from astropy.io import fits

from astrocnn.errors import DataError, listed

__all__ = ["ASTROPY", "Header", "NotPlainError", "extent", "header_at"]

BLOCK = 2880
CARD = 80
END = b"END     "
XTENSION = b"XTENSION= "
LONGEST_HEADER = 16 * 2**20
MOST_AXES = 999  # and columns of a table, in the standard
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
        try:
            value = _value(text)
        except ValueError:
            raise NotPlainError(f"the value of {key}") from None
        return default if value is None else value

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


@lru_cache(4096)  # the files of a set agree in most cards
def _value(text: str) -> str | bool | int | float | None:
    """What stands behind a keyword; None where nothing does.

    Raises:
        ValueError: no value of one card as the standard has them.
    """
    text = text.strip()
    if text.startswith("'"):
        match = TEXT.match(text)
        if match is None or text.endswith("&'"):
            raise ValueError(text)
        return match[1].replace("''", "'").rstrip()
    text = text.partition("/")[0].rstrip()
    if not text:
        return None
    if text in ("T", "F"):
        return text == "T"
    if "_" in text:  # which Python allows between digits, and FITS does not
        raise ValueError(text)
    try:
        return int(text)
    except ValueError:
        number = float(text.replace("D", "E").replace("d", "e"))
    if not math.isfinite(number):
        raise ValueError(text)
    return number


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
    if number > 0 and start != XTENSION:
        return None, offset
    while True:
        if (end := _end(raw)) is not None:
            return Header(bytes(raw[:end])), offset + len(raw)
        more = file.read(BLOCK)
        # where the next HDU begins its END card has been lost, and the cards of two HDUs would be taken for one's
        if len(more) < BLOCK or len(raw) > LONGEST_HEADER or more.startswith(XTENSION):
            raise DataError(
                f"{path}, HDU {number}: the header has no END card; "
                "the file is truncated or not FITS; copy or download it again."
            )
        raw += more


def _end(raw: bytearray) -> int | None:
    """Where the END card is in the last block of a header that is read so far."""
    before = max(0, len(raw) - BLOCK)
    at = raw.find(END, before)
    while at % CARD and at >= 0:  # within a value or comment
        at = raw.find(END, at + 1)
    return at if at >= 0 else None


def extent(path: str | os.PathLike[str], header: Header, number: int) -> tuple[tuple[int, ...], int]:
    """Shape of the image (numpy order, () for none or a table) and the bytes of data before padding.

    Raises:
        DataError: an axis has no length, or there are too many.
        NotPlainError: random groups, or a card that only astropy should judge.
    """
    kind = header.get("XTENSION", "IMAGE")
    if (number == 0 and header.get("SIMPLE") is not True) or header.get("GROUPS"):
        raise NotPlainError("random groups")
    bitpix, n_axes = header.get("BITPIX"), header.get("NAXIS")
    fields = header.get("TFIELDS", 0)
    if bitpix not in DTYPES or not all(_is_length(n) and n <= MOST_AXES for n in (n_axes, fields)):
        raise DataError(
            f"{path}, HDU {number}: BITPIX={bitpix!r}, NAXIS={n_axes!r}, TFIELDS={fields!r}; BITPIX is one of "
            f"{', '.join(map(str, DTYPES))}, the others are 0 to {MOST_AXES}; the file is damaged; copy or download "
            "it again."
        )
    axes = [header.get(f"NAXIS{axis}") for axis in range(n_axes, 0, -1)]
    extra, groups = header.get("PCOUNT", 0), header.get("GCOUNT", 1)
    if not all(_is_length(n) for n in [*axes, extra, groups]):
        raise DataError(
            f"{path}, HDU {number}: NAXIS1..{n_axes} are {listed(axes[::-1])}; lengths of axes must be whole and not "
            "negative; the file is damaged; copy or download it again."
        )
    n_values = 1 if axes else 0
    for axis in axes:
        n_values *= axis
    n_bytes = abs(bitpix) // 8 * groups * (extra + n_values)
    if kind != "IMAGE" or n_values == 0:
        return (), n_bytes
    return tuple(axes), n_bytes


def _is_length(value: Any) -> bool:
    """Whether it is a whole number and not negative; T and F, integers to Python, are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
