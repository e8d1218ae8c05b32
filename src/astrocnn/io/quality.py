"""Mask planes: which pixels are usable, by bits that are numbered, or named as the header names them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed
from astrocnn.io.float32 import Scaling, unsigned
from astrocnn.io.headers import Header

__all__ = ["Bits", "bit_names", "good_pixels"]

Bits = None | int | str | Sequence[int | str]
NUMBERED = re.compile(r"BIT(\d+)")
# planes that surveys set on every pixel of a source: whoever calls them bad has lost what there is to see
SOURCES = ("DETECTED", "OBJECT", "OBJECT (DETECTED BY SEXTRACTOR)", "CONTAINS SEXTRACTOR DETECTION")


def good_pixels(plane: NDArray[Any], header: fits.Header | Header, bits: Bits = None) -> NDArray[np.bool_]:
    """True where a pixel is usable.

    Args:
        plane: the stored numbers of a mask, of any shape and width: BZERO, BSCALE and BLANK of ``header`` are
            applied here (not BZERO to unsigned 16, 32 or 64-bit numbers, for which it has been applied).
        header: of the mask's HDU.
        bits: None takes every value but 0 as bad; else the numbers (0 is the lowest) or names of the bits that
            are bad. See :func:`bit_names` for where names come from; case and a leading ``MP_`` do not matter.

    Raises:
        DataError: a bit that the header does not name or the plane does not have, values that are not whole,
            or ``bits=None`` for a mask whose header names a bit that marks the sources themselves.
    """
    values, undefined = _integers(plane, header)
    if bits is None:
        source = next((name for name in bit_names(header) if name in SOURCES), None)
        if source is not None:
            raise DataError(
                f"the mask has a bit {source}, which marks the sources themselves; say which bits are bad, of "
                f"{listed(sorted(bit_names(header)), most=40)} (data.mask.bits=[...])."
            )
        return np.asarray((values == 0) & ~undefined)
    width = 8 * values.dtype.itemsize
    chosen = 0
    for bit in [bits] if isinstance(bits, (int, str)) else bits:
        chosen |= 1 << _number(bit, header, width)
    return np.asarray(((values & values.dtype.type(chosen)) == 0) & ~undefined)


def bit_names(header: fits.Header | Header) -> dict[str, int]:
    """The number of each bit that ``header`` names, by its name in capitals.

    Read are ``MP_SAT = 1`` (LSST, HSC, SPHEREx: the number of the bit), ``MSKN0001 = 'SAT'`` with ``MSKM0001 = 2``
    (the Rubin convention DMTN-252: the value of the bit) and ``BIT08 = 8 / SATURATED`` (ZTF, PTF: the name is the
    comment).
    """
    found: dict[str, int] = {}
    names: dict[str, str] = {}
    values: dict[str, int] = {}
    for key, value, comment in _cards(header):
        if key.startswith("MP_") and value.isdecimal():
            found[key[3:]] = int(value)
        elif key.startswith("MSKN"):
            names[key[4:]] = value.strip().upper()
        elif key.startswith("MSKM") and value.isdecimal():
            values[key[4:]] = int(value)
        elif (
            (match := NUMBERED.fullmatch(key))
            and value.isdecimal()
            and int(value) == int(match[1])
            and comment
        ):
            found[comment.upper()] = int(value)
    for suffix, name in names.items():
        mask = values.get(suffix, 0)
        if name and mask.bit_count() == 1:
            found[name] = mask.bit_length() - 1
    return found


def _cards(header: fits.Header | Header) -> Iterator[tuple[str, str, str]]:
    if isinstance(header, Header):
        cards = header.items()
    else:
        cards = ((card.keyword, str(card.value), card.comment) for card in header.cards)
    for key, value, comment in cards:
        yield key.upper(), value, comment.strip()


def _number(bit: int | str, header: fits.Header | Header, width: int) -> int:
    text = str(bit).strip()
    if text.isdecimal():
        number = int(text)
    else:
        names = bit_names(header)
        found = names.get(text.upper(), names.get(text.upper().removeprefix("MP_")))
        if found is None:
            known = f"it names {listed(sorted(names), most=40)}" if names else "it names none"
            raise DataError(
                f"the mask's header names no bit {text!r}; {known}; choose among them, or give the number of the "
                "bit (data.mask.bits=[...])."
            )
        number = found
    if number >= width:
        raise DataError(
            f"bit {number} is asked for, but the mask has {width} bits (0 to {width - 1}); "
            "give the numbers of bits, not their values (data.mask.bits=[...])."
        )
    return number


def _integers(plane: NDArray[Any], header: fits.Header | Header) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The plane as unsigned integers of its width, and where it is undefined (BLANK or NaN)."""
    scaling = Scaling.of(header)
    scale, zero, blank = scaling.scale, scaling.zero, scaling.blank
    kind, size = plane.dtype.kind, plane.dtype.itemsize
    if kind == "b":
        return plane.astype(np.uint8), np.zeros(plane.shape, np.bool_)
    if kind in "iu":
        undefined = np.zeros(plane.shape, np.bool_) if blank is None else np.asarray(plane == blank)
        if kind == "u" and size > 1:
            return plane.astype(f"u{size}"), undefined
        if (scale, zero) == (1.0, 0.0):
            return plane.astype(plane.dtype.newbyteorder("=")).view(f"u{size}"), undefined
        if (exact := unsigned(plane, scale, zero)) is not None:
            return exact, undefined
    with np.errstate(over="ignore", invalid="ignore"):
        values = plane.astype(np.float64) * scale + zero
    undefined = ~np.isfinite(values) if kind == "f" else undefined
    values[undefined] = 0
    strange = (values != np.rint(values)) | (np.abs(values) >= 2.0**63)
    if strange.any():
        raise DataError(
            f"the mask holds values that are not whole numbers, such as {values[strange][0]:g}; "
            "it is no mask of bits; choose another with data.mask.hdu or data.mask.files, or give a weight map "
            "with data.variance.kind=weight."
        )
    return values.astype(np.int64).view(np.uint64), undefined
