"""The coefficients of IRAF's TNX and ZPX projections, written so that wcslib reads all of them."""

import re

from astropy.io import fits

__all__ = ["with_readable_coefficients"]

CARD = re.compile(r"WAT([12])_\d{3}= '((?:[^']|'')*)'")
TABLE = re.compile(r'(lngcor|latcor)\s*=\s*"([^"]*)"')
LINE = 80
WIDTH = 68
LEADING = 8  # kind, two orders, cross terms and four limits stand before the coefficients
ZERO = "1e-300"
NOTHING = f"3. 1. 1. 0. 0. 1. 0. 1. {ZERO}"


def with_readable_coefficients(cards: fits.Header) -> fits.Header:
    """The same header with the strings WAT1 and WAT2 such that wcslib 8 takes from them what they say.

    As they are, it refuses strings of which a card ends in a blank, and those without coefficients (of a ZPX that is
    only radial); and of coefficients that come after one that is 0 it reads none, so that positions are wrong.

    A string is the values of its cards in a row, each of 68 characters but the last
    (https://fits.gsfc.nasa.gov/registry/tnx.html); of one of 67 a program has removed the blank at its end.
    """
    texts = _texts(cards)
    if not all(text.startswith(("wtype=tnx", "wtype=zpx")) for text in texts.values()) or len(texts) < 2:
        return cards
    mended = cards.copy()
    for axis, text in texts.items():
        del mended[f"WAT{axis}_*"]
        text = _mended(text, "lngcor" if axis == "1" else "latcor")
        for number, start in enumerate(range(0, len(text), WIDTH), start=1):
            value = text[start : start + WIDTH]
            mended.append(fits.Card.fromstring(f"WAT{axis}_{number:03d}= '{value}'"), end=True)
    return mended


def _texts(cards: fits.Header) -> dict[str, str]:
    """The two strings, by axis."""
    if "WAT1_001" not in cards or "WAT2_001" not in cards:
        return {}
    header = cards.tostring(endcard=False, padding=False)
    parts: dict[str, list[str]] = {}
    for start in range(0, len(header), LINE):
        if match := CARD.match(header[start : start + LINE]):
            parts.setdefault(match[1], []).append(match[2])
    return {
        axis: "".join(part.ljust(WIDTH) if len(part) == WIDTH - 1 else part for part in each).strip()
        for axis, each in parts.items()
    }


def _mended(text: str, name: str) -> str:
    found = TABLE.search(text)
    numbers = (found[2] if found else NOTHING).split()
    numbers = [ZERO if i >= LEADING and _is_zero(number) else number for i, number in enumerate(numbers)]
    head = (text[: found.start()] if found else text).rstrip()
    table = f'{name} = "{" ".join(numbers)} "'
    for blanks in range(1, WIDTH + 1):  # more of them move every end of a card
        text = head + " " * blanks + table
        if " " not in text[WIDTH - 1 : -1 : WIDTH]:
            return text
    return text


def _is_zero(number: str) -> bool:
    try:
        return float(number) == 0
    except ValueError:
        return False
