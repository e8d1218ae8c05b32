"""Ways in which a file is damaged, each by a random generator of its own so that a case can be repeated."""

import gzip
import re
from collections.abc import Callable

import numpy as np

from astrocnn.io.headers import BLOCK, CARD

__all__ = ["mutated"]

Rng = np.random.Generator
Mutation = Callable[[bytes, Rng], bytes]
STRUCTURE = re.compile(
    rb"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|TFORM\d+|TTYPE\d+|TDIM\d+|TNULL\d+|TSCAL\d+|TZERO\d+|THEAP"
    rb"|ZIMAGE|ZBITPIX|ZNAXIS\d*|ZTILE\d+|ZCMPTYPE|ZNAME\d+|ZVAL\d+|ZQUANTIZ|ZDITHER0|ZBLANK|BSCALE|BZERO|BLANK"
    rb"|EXTNAME|CTYPE\d|CRPIX\d|CRVAL\d|CDELT\d|CD\d_\d|BUNIT|GROUPS|A_ORDER|BAND\d)\s*="
)
NUMBERS = (
    "-1", "0", "1", "2", "3", "7", "255", "65536", "1000000000", "2147483647", "4294967296", "9223372036854775807",
    "18446744073709551616", "1" + "0" * 40, "-2147483648", "1.5", "1E400", "-1E-320", "NaN", "INF", "T", "''", "'x'",
    "'RICE_1'", "'1PE(-5)'", "'999999999E'", "'0A'", "'PLIO_1'", "1_0", "", "(1, 2)", "'no end", "'goes on&'",
)  # fmt: skip
WORDS = (
    "", "nan", "-99", "1e999", "9" * 25, "inf", '"', "'", "\0", "\xff", ",", ",,,", "\n", "\t", "<", "</TD>", "&amp;",
    "&x;", "true", "0x1F", "1e-320", "é", "#", "[", "!!python/object:os.system", "int128", "999999999", "-1", "*",
)  # fmt: skip
INTEGERS = (-1, 0, 1, 2, 0x7F, 0xFF, 2**31 - 1, 2**31, 2**32 - 1, 10**9, 2**62, 2**63 - 1)


def mutated(data: bytes, rng: Rng, *, form: str, packed: bool) -> tuple[bytes, str]:
    """``data`` with one or two things wrong, and what was done.

    Args:
        data: a whole file.
        rng: decides everything.
        form: 'fits', 'text' or 'binary'.
        packed: gzipped; half of the time what is within is damaged and packed again.
    """
    inner = packed and rng.random() < 0.6
    if inner:
        data = gzip.decompress(data)
    own = OF_FORM[form] if inner or not packed else {}
    done = []
    for _ in range(1 if rng.random() < 0.8 else 2):
        # half of the damage is of the form's own kind, which gets further into a reader than random bytes do
        choice = own if own and rng.random() < 0.5 else ANY
        name = list(choice)[int(rng.integers(len(choice)))]
        data = choice[name](data, rng)
        done.append(name)
    return (gzip.compress(data, 1, mtime=0) if inner else data), " and ".join(done) + (
        " within" if inner else ""
    )


def _span(data: bytes, rng: Rng) -> tuple[int, int]:
    """A random piece: often short, sometimes blocks as disks and FITS have them."""
    length = int(rng.choice([1, 4, 80, 512, 2880, max(1, len(data) // 4)]))
    start = int(rng.integers(max(1, len(data))))
    if length >= 80:
        start -= start % length
    return start, min(start + length, len(data))


def _flip(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    for at in rng.integers(max(1, len(data)), size=int(rng.choice([1, 3, 20]))):
        if at < len(changed):
            changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _flip_head(data: bytes, rng: Rng) -> bytes:
    """Near the beginning, where most formats keep what they are."""
    n = min(len(data), int(rng.choice([64, 512, 2 * BLOCK])))
    return _flip(data[:n], rng) + data[n:]


def _random_bytes(data: bytes, rng: Rng) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.bytes(end - start) + data[end:]


def _truncate(data: bytes, rng: Rng) -> bytes:
    length = int(rng.integers(max(1, len(data))))
    return data[: length - length % int(rng.choice([1, CARD, 512, BLOCK]))]


def _delete(data: bytes, rng: Rng) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _duplicate(data: bytes, rng: Rng) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] + data[end:]


def _move(data: bytes, rng: Rng) -> bytes:
    start, end = _span(data, rng)
    to = int(rng.integers(max(1, len(data))))
    rest = data[:start] + data[end:]
    return rest[:to] + data[start:end] + rest[to:]


def _append(data: bytes, rng: Rng) -> bytes:
    return data + rng.bytes(int(rng.choice([1, 100, BLOCK])))


def _cards(data: bytes, only: re.Pattern[bytes] | None = None) -> list[int]:
    """Where cards with a value begin."""
    head = re.compile(rb"[A-Z][A-Z0-9_-]{0,7} *= ")
    starts = [at for at in range(0, min(len(data), 40 * BLOCK), CARD) if head.match(data[at : at + 10])]
    return [at for at in starts if only is None or only.match(data[at : at + CARD])]


def _card_value(data: bytes, rng: Rng) -> bytes:
    """A header's number becomes a lie."""
    starts = _cards(data, STRUCTURE if rng.random() < 0.9 else None)
    if not starts:
        return data
    at = starts[int(rng.integers(len(starts)))]
    value = NUMBERS[int(rng.integers(len(NUMBERS)))]
    card = data[at : at + 10] + value.encode().rjust(20 if rng.random() < 0.8 else 1)
    return data[:at] + card.ljust(CARD)[:CARD] + data[at + CARD :]


def _card_scaled(data: bytes, rng: Rng) -> bytes:
    """A whole number of a header becomes a near one, which is harder to see through than a wild one."""
    numbers = re.compile(rb"[A-Z0-9_-]+ *= +-?\d+ *(/|$)")
    starts = [at for at in _cards(data, STRUCTURE) if numbers.match(data[at : at + CARD])]
    if not starts:
        return data
    at = starts[int(rng.integers(len(starts)))]
    old = int(data[at + 10 : at + CARD].partition(b"/")[0])
    new = [old + 1, old - 1, old * 2, old // 2, -old, old * 1000][int(rng.integers(6))]
    return data[:at] + data[at : at + 10] + str(new).encode().rjust(20).ljust(CARD - 10) + data[at + CARD :]


def _card_lost(data: bytes, rng: Rng) -> bytes:
    """A card is blanked, doubled with another's place, or END goes."""
    starts = _cards(data, STRUCTURE) + [m.start() for m in re.finditer(rb"END {77}", data)]
    if not starts:
        return data
    at = starts[int(rng.integers(len(starts)))]
    other = starts[int(rng.integers(len(starts)))]
    new = [b" " * CARD, data[other : other + CARD], b"END".ljust(CARD)][int(rng.integers(3))]
    return data[:at] + new + data[at + CARD :]


def _token(data: bytes, rng: Rng) -> bytes:
    tokens = [m.span() for m in re.finditer(rb"[\w.+-]+", data[: 2**17])]
    if not tokens:
        return data
    start, end = tokens[int(rng.integers(len(tokens)))]
    return data[:start] + WORDS[int(rng.integers(len(WORDS)))].encode("latin-1") + data[end:]


def _line(data: bytes, rng: Rng) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    at = int(rng.integers(len(lines)))
    lines[at : at + 1] = [[], [lines[at]] * 2, [lines[at].strip()], [b"\n", lines[at]]][int(rng.integers(4))]
    return b"".join(lines)


def _delimiter(data: bytes, rng: Rng) -> bytes:
    return data.replace(b",", [b";", b"\t", b" ", b"|"][int(rng.integers(4))], int(rng.choice([-1, 5])))


def _integer(data: bytes, rng: Rng) -> bytes:
    """A field of 1, 2, 4 or 8 bytes becomes an extreme number, in either byte order; most often near an end."""
    width = int(rng.choice([1, 2, 4, 8]))
    reach = int(rng.choice([128, 1024, len(data)]))
    at = int(rng.integers(max(1, min(reach, len(data)))))
    at = at if rng.random() < 0.6 else max(0, len(data) - at - width)
    value = INTEGERS[int(rng.integers(len(INTEGERS)))] % 2 ** (8 * width)
    return data[:at] + value.to_bytes(width, "little" if rng.random() < 0.6 else "big") + data[at + width :]


ANY: dict[str, Mutation] = {
    "bits flipped": _flip,
    "bits flipped in the head": _flip_head,
    "random bytes": _random_bytes,
    "truncated": _truncate,
    "a piece deleted": _delete,
    "a piece doubled": _duplicate,
    "a piece moved": _move,
    "bytes appended": _append,
}
OF_FORM: dict[str, dict[str, Mutation]] = {
    "fits": {
        "a wild value in a card": _card_value,
        "a near value in a card": _card_scaled,
        "a card lost": _card_lost,
    },
    "text": {"a word changed": _token, "a line changed": _line, "another delimiter": _delimiter},
    "binary": {"an extreme integer": _integer},
}
