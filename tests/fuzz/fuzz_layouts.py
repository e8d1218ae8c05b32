"""Hypothesis strategies of FITS files: any order of any HDUs, with cards that are legal and seldom seen.

The bytes are written here and not by astropy, which would tidy them.
"""

import gzip
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from hypothesis import strategies as st

from astrocnn.io.headers import BLOCK, CARD, DTYPES

__all__ = ["Layout", "layouts"]

SHORT = ["SCI", "sci", "Var 1", "MASK", "i", "2", "PRIMARY", "it's", "a/b", ""]
NUMBERS = ["1", "-7", "+3", "1.5", "-2.5E-3", "1.25D+2", "1.D0", ".5", "1E5", "007", "100000000000000000000"]
TEXTS = [
    "''",
    "'plain'",
    "'it''s'",
    "'slash / in it'",
    "'trailing   '",
    "' leading'",
    "'END'",
    "'a=b'",
    "'T'",
]
FREE = [
    "COMMENT = 3 is text, not a value of any keyword",
    "COMMENT   NAXIS1  =                   99",
    "HISTORY made with x = y / z = 'quoted",
    "        BITPIX  =                   99",
    "        = 5",
    "HIERARCH ESO DET CHIP1 NAME = 'EEV' / 'quoted'",
    "HIERARCH ESO DET OUT1 GAIN = 2.1",
    "HIERARCH  long keyword with = 3",
    "LONGTEXT= 'begins here and goes on&'  / what\nCONTINUE  'and on, until it is &'\nCONTINUE  'done.' / end",
    "UNDEF   =                      / no value",
    "DATE-OBS= '2019-08-10T23:53:04.881708'",
    "TELESCOP= 'NAXIS = 7 '",
    "N_AXIS2 =                    9",
    "COMPLEX = (1.5, -2)",
    "NOTE    = 'the END                                                     of it'",
    "CTYPE1  = 'RA---TAN'\nCTYPE2  = 'DEC--TAN'\nCRVAL1  = 10.0\nCRVAL2  = -5D0\nCDELT1  = -1E-4\nCDELT2  = 1E-4",
]  # fmt: skip
UNITS = ["'nJy'", "'MJy/sr '", "'counts' / of the detector", "''", "'erg / (s cm2) &'\nCONTINUE  'per pixel'"]


@dataclass(frozen=True)
class Layout:
    """A file: its bytes and its suffix; ``kinds`` of its HDUs tell a failing case apart at a glance."""

    data: bytes
    suffix: str
    kinds: tuple[str, ...]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How hypothesis shows it: without the bytes."""
        printer.text(f"Layout({self.kinds})")


def _header(cards: list[str]) -> bytes:
    raw = "".join(line.ljust(CARD) for card in [*cards, "END"] for line in card.split("\n"))
    assert len(raw) % CARD == 0
    return raw.encode("latin-1").ljust(-(-len(raw) // BLOCK) * BLOCK)


def _padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")


@st.composite
def _values(draw: st.DrawFn, bitpix: int, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of a type; of floats some are none, of integers some lie at the ends."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    dtype = np.dtype(DTYPES[bitpix])
    if dtype.kind == "f":
        values = rng.normal(3, 2, shape) * draw(st.sampled_from([1.0, 1e-11, 1e20]))
        special = draw(st.sampled_from([(), (np.nan,), (np.inf, -np.inf), (0.0, -0.0), (np.nan, 1e-44)]))
    else:
        info = np.iinfo(dtype)
        values = rng.integers(max(info.min, -300), min(info.max, 300), shape)
        special = draw(st.sampled_from([(), (info.min, info.max), (0,)]))
    values = np.asarray(values).astype(dtype)
    if values.size:
        for value in special:
            values.reshape(-1)[int(rng.integers(values.size))] = value
    if special and draw(st.integers(0, 9)) == 0:
        values = np.full(shape, special[0], dtype)
    return values


@st.composite
def _image(draw: st.DrawFn, *, primary: bool) -> tuple[bytes, str]:
    bitpix = draw(st.sampled_from(list(DTYPES)))
    axes = draw(st.lists(st.sampled_from([1, 1, 2, 3, 5, 7, 0]), max_size=5))  # of FITS, the fastest first
    data = draw(_values(bitpix, tuple(axes[::-1])))
    first = "SIMPLE  =                    T" if primary else "XTENSION= 'IMAGE   '"
    cards = [first, f"BITPIX  = {bitpix:20}", f"NAXIS   = {len(axes):20} / axes"]
    cards += [f"NAXIS{i + 1}  = {n:20}" for i, n in enumerate(axes)]
    if not primary:
        cards += ["PCOUNT  =                    0", "GCOUNT  =                    1"]
    others = draw(st.lists(st.sampled_from(FREE), max_size=4, unique=True))
    if draw(st.booleans()):
        others.append(f"BSCALE  = {draw(st.sampled_from(['1', '1.0', '0.5', '-2', '1.25D-1', '1E-3']))}")
    if draw(st.booleans()):
        others.append(
            f"BZERO   = {draw(st.sampled_from(['0', '0.0', '32768', '2147483648', '-1.5', '1D2']))}"
        )
    if bitpix > 0 and draw(st.booleans()):
        others.append(f"BLANK   = {int(data.reshape(-1)[0]) if data.size else 0:20}")
    if draw(st.booleans()):
        others.append(f"BUNIT   = {draw(st.sampled_from(UNITS))}")
    if draw(st.booleans()):
        others.append("EXTNAME = '{}'".format(draw(st.sampled_from(SHORT)).replace("'", "''")))
    if draw(st.booleans()):
        others.append(f"ANY     = {draw(st.sampled_from(NUMBERS + TEXTS))} / comment with = and '")
    cards += draw(st.permutations(others))
    return _header(cards) + _padded(data.tobytes() if axes else b""), f"{DTYPES[bitpix]} {axes}"


@st.composite
def _compressed(draw: st.DrawFn) -> tuple[bytes, str]:
    kind = draw(st.sampled_from(["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"]))
    bitpix = draw(st.sampled_from([16, 32] if kind in ("HCOMPRESS_1", "PLIO_1") else [8, 16, 32, -32, -64]))
    height, width = draw(st.integers(4, 9)), draw(st.integers(4, 9))
    data = draw(_values(bitpix, (height, width)))
    if kind == "PLIO_1":
        data = np.abs(data % 128)  # large numbers in small parts crash the compressor of cfitsio
    options = {"compression_type": kind, "quantize_level": 0 if bitpix < 0 else 16}
    whole = kind == "HCOMPRESS_1"  # which takes no part of less than 4 rows
    options["tile_shape"] = (
        (height, width) if whole else (draw(st.integers(1, height)), draw(st.integers(1, width)))
    )
    if bitpix < 0 and not kind.startswith("GZIP"):
        options |= {"compression_type": "GZIP_2"}
    hdu = fits.CompImageHDU(
        data.astype(data.dtype.newbyteorder("=")), name=draw(st.sampled_from(SHORT)), **options
    )
    return _extension(hdu), f"compressed {kind} {height} × {width}"


def _extension(hdu: fits.hdu.base.ExtensionHDU) -> bytes:
    """The bytes of one extension as astropy writes it."""
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer := io.BytesIO())
    return buffer.getvalue()[BLOCK:]


def _table() -> tuple[bytes, str]:
    columns = [
        fits.Column("id", "K", array=np.arange(5)),
        fits.Column("name", "4A", array=np.array(["a", "bc", "", "d e", "f"])),
        fits.Column("flux", "2E", array=np.arange(10).reshape(5, 2)),
    ]
    return _extension(fits.BinTableHDU.from_columns(columns, name="CATALOG")), "table"


def _ascii_table() -> tuple[bytes, str]:
    columns = [fits.Column("x", "E15.7", array=np.arange(4)), fits.Column("n", "I6", array=np.arange(4))]
    return _extension(fits.TableHDU.from_columns(columns)), "text table"


def _foreign() -> tuple[bytes, str]:
    cards = [
        "XTENSION= 'FOREIGN '",
        "BITPIX  = 8",
        "NAXIS   = 1",
        "NAXIS1  = 77",
        "PCOUNT  = 0",
        "GCOUNT  = 1",
    ]
    return _header(cards) + _padded(bytes(range(77))), "foreign"


FIXED = [_table(), _ascii_table(), _foreign()]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """A primary HDU and up to four others; as it is, gzipped, with bytes behind its end, or without its last padding."""  # noqa: E501
    parts = [draw(_image(primary=True))]
    extension = st.one_of(_image(primary=False), _image(primary=False), _compressed(), st.sampled_from(FIXED))
    parts += draw(st.lists(extension, max_size=4))
    data = b"".join(part for part, _ in parts)
    ending = draw(st.sampled_from(["", "", "", "junk", "gz"]))
    if ending == "junk":
        data += bytes(range(200)) * 3
    if ending == "gz":
        data = gzip.compress(data, 1, mtime=0)
    return Layout(data, ".fits.gz" if ending == "gz" else ".fits", (*(kind for _, kind in parts), ending))
