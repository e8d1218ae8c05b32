"""What the header of a stack says of its rows, whatever kind of file it stands in."""

from collections.abc import Iterator, Mapping
from typing import Any

from astropy.io import fits
from astropy.io.fits.card import Undefined

from astrocnn.io.float32 import KEYWORDS, SCALING
from astrocnn.io.flux_units import AREAS, RATE_ZERO_POINTS, SYSTEMS, ZERO_POINTS
from astrocnn.io.headers import Header
from astrocnn.io.quality import bit_names

__all__ = ["Keywords", "meaning"]

RATES = ("PHOTFLAM", *RATE_ZERO_POINTS)  # which the exposure time makes fluxes
FLUX = ("BUNIT", "FLUXMAG0", "PHOTPLAM", "BMAJ", "BMIN", *ZERO_POINTS, *RATES, *SYSTEMS, *AREAS)
BIT_CARDS = ("MP_", "MSKN", "MSKM", "BIT")  # what names of bits are told by, and BITPIX


class Keywords(Header):
    """Keywords whose values are known: attributes of HDF5, metadata of Parquet, and cards that have been parsed.

    Args:
        values: by keyword; any that a file can hold, NaN and text beyond ASCII too.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(b"")
        self._values = dict(values)
        self._cards = {key: str(value) for key, value in self._values.items()}

    @classmethod
    def of(cls, header: Header | fits.Header) -> "Keywords":
        """Those of a FITS header that decide what rows mean, so that no card of it is parsed later.

        Raises:
            NotPlainError, VerifyError: one of them cannot be parsed; :func:`astrocnn.io.select.with_hdus` takes both.
        """
        if isinstance(header, Header):
            bits = bit_names(header)
        else:  # astropy parses a card when it is asked for, and another's damage is nothing to the rows
            bits = bit_names(
                fits.Header([card for card in header.cards if card.keyword.startswith(BIT_CARDS)])
            )
        asked = {key: header.get(key) for key in (*KEYWORDS, *FLUX, "EXPTIME")}
        given = {key: value for key, value in asked.items() if not isinstance(value, Undefined | None)}
        return cls(given | {f"MP_{name}": number for name, number in bits.items()})

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``."""
        return self._values.get(key, default)

    def items(self) -> Iterator[tuple[str, str, str]]:
        """As of :class:`Header`; there are no comments."""
        yield from ((key, text, "") for key, text in self._cards.items())


def meaning(header: Keywords, shared: Keywords) -> dict[str, Any]:
    """What decides the values of rows, by keyword: scaling, unit, zero-points, and bits of a mask as ``MP_<name>``.

    Args:
        header: of the rows.
        shared: where ``header`` has no unit and no zero-point.
    """
    found = {key: header.get(key, SCALING.get(key)) for key in KEYWORDS}
    for key in FLUX:
        value = header.get(key)
        found[key] = shared.get(key) if value is None else value
    if any(found[key] is not None for key in RATES):
        found["EXPTIME"] = header.get("EXPTIME", shared.get("EXPTIME"))
    found |= {f"MP_{name}": number for name, number in bit_names(header).items()}
    # text is padded, and NaN would differ from itself
    return {key: _comparable(value) for key, value in found.items() if value is not None}


def _comparable(value: Any) -> Any:
    return str(value).strip() if isinstance(value, str) or value != value else value
