"""Cards as astropy reads them, without astropy."""

import time
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from astropy.io import fits

from astrocnn.errors import DataError
from astrocnn.io.headers import BLOCK, Header, NotPlainError, header_at

CARDS = (
    "SIMPLE  =                    T / a comment with / in it",
    "TEXT    = 'it''s / quoted  '   / comment",
    "EMPTY   = ''",
    "INT     =                  -12 / whole",
    "REAL    =             -1.5E-11",
    "DOUBLE  =              1.25D+3 / Fortran's exponent",
    "FREE    = 7/no room before the comment",
    "UNDEF   =                      / no value",
    "COMMENT = 3 is text, not a value of any keyword asked for",
    "TWICE   =                    1",
    "TWICE   =                    2",
    "HIERARCH ESO INS FILT1 NAME = 'r_SDSS' / long keyword",
)


def header(*cards: str) -> Header:
    return Header("".join(card.ljust(80) for card in cards).encode("latin-1"))


def test_values_are_those_of_astropy() -> None:
    ours = header(*CARDS)
    theirs = fits.Header.fromstring(ours.raw)
    for key in ("SIMPLE", "TEXT", "EMPTY", "INT", "REAL", "DOUBLE", "FREE", "TWICE", "ESO INS FILT1 NAME"):
        value = ours.get(key)
        assert value == theirs[key], key
        assert type(value) is type(theirs[key]), key
    assert ours.get("UNDEF", 5) == 5
    assert ours.get("ABSENT") is None


def test_values_of_every_real_header_are_those_of_astropy(realdata: Callable[[str], Path]) -> None:
    n = 0
    for path in sorted(realdata("README.md").parent.rglob("*.fits")):
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore")  # astropy's, about the form of cards
            ours, _ = header_at(path, file, 0, 0)
            assert ours is not None
            theirs = fits.Header.fromstring(ours.raw)
            for key in {card.keyword for card in theirs.cards if card.keyword and card.image[8:10] == "= "}:
                value = None if isinstance(theirs[key], fits.card.Undefined) else theirs[key]
                try:
                    assert ours.get(key) == value, (path, key)
                    n += 1
                except NotPlainError:  # left to astropy: a value over several cards
                    assert len(value) > 60, (path, key)
    assert n > 1000


@pytest.mark.parametrize("value", ["4x0", "4_0", "1_0.5", "nan", "inf", "1E400", "'no end", "'goes on&'"])
def test_what_only_astropy_should_judge(value: str) -> None:
    with pytest.raises(NotPlainError):
        header(f"KEY     = {value}").get("KEY")


def test_the_end_is_a_card_and_no_text_within_one() -> None:
    cards = ["SIMPLE  =                    T", "NOTE    = 'the END     of it'", "NAXIS   = 0", "END"]
    raw = "".join(card.ljust(80) for card in cards).encode().ljust(BLOCK)
    found, data = header_at("x", BytesIO(raw), 0, 0)
    assert found is not None
    assert found.get("NAXIS") == 0
    assert data == BLOCK


def test_a_header_without_an_end_is_refused_in_time() -> None:
    start = time.perf_counter()
    with pytest.raises(DataError, match="no END card"):
        header_at("x", BytesIO(b"SIMPLE  = ".ljust(40 * 2**20)), 0, 0)
    assert time.perf_counter() - start < 5
