"""The cards of a header that say where the pixels are on the sky, for products on the same pixels."""

import re
import warnings

from astropy.io import fits

from astrocnn.io.headers import ASTROPY, Header

__all__ = ["finer_wcs", "wcs_cards"]

# Greisen & Calabretta (2002), Calabretta & Greisen (2002), Shupe et al. (2005, SIP), TNX and ZPX of IRAF, and the plate
# solutions of the Digitized Sky Survey; of axes 1 and 2 only
WCS = re.compile(
    r"WCSAXES|WCSNAME|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|EPOCH|MJD-OBS|DATE-OBS"
    r"|(CTYPE|CRPIX|CRVAL|CDELT|CUNIT|CROTA|CNAME|CRDER|CSYER)[12]"
    r"|(PC|CD)(00)?[12]_?(00)?[12]|P[VS][12]_\d+|WAT[012]_\d{3}|WCSDIM|LTM[12]_[12]|LTV[12]"
    r"|[AB]P?_(ORDER|DMAX|\d_\d)"
    r"|AMD[XY]\d+|AMDRE[XY]\d+|CNPIX[12]|PPO\d|PLT[A-Z]+|[XY]PIXELSZ|PLATEID"
)


def wcs_cards(header: fits.Header | Header) -> fits.Header:
    """The cards of the WCS of an image's rows and columns; empty where there is none.

    Distortions in tables of their own (CPDIS, D2IM) stay in the file of the image.
    """
    with ASTROPY, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the form of cards is mended on reading
        cards = header.astropy() if isinstance(header, Header) else header
        kept = fits.Header([card for card in cards.cards if WCS.fullmatch(card.keyword)])
        kept = fits.Header.fromstring(kept.tostring())
    if "WCSAXES" in kept:
        kept["WCSAXES"] = 2  # the other axes of a cube are not among them
    return kept


def finer_wcs(cards: fits.Header, factor: int) -> fits.Header:
    """The same WCS of an image with ``factor`` times as many rows and columns over the same sky.

    Reference pixel, scale and the polynomials of SIP change, the rest is of world coordinates. Empty where the WCS is a
    plate solution of the Digitized Sky Survey alone, whose numbers are those of a plate.
    """
    if "CTYPE1" not in cards:
        return fits.Header()
    finer = fits.Header()
    for card in cards.cards:
        name, value = card.keyword, card.value
        if re.fullmatch(r"LT[MV].*|AMD.*|CNPIX.|PPO.|PLT.*|.PIXELSZ", name):
            continue
        if re.fullmatch(r"CRPIX[12]", name):
            value = (value - 0.5) * factor + 0.5
        elif re.fullmatch(r"CDELT[12]|CD\d.*", name):
            value = value / factor
        elif found := re.fullmatch(r"[AB]P?_(\d)_(\d)", name):
            value = value * float(factor) ** (1 - int(found[1]) - int(found[2]))
        elif name.endswith("_DMAX"):
            value = value * factor
        finer[name] = (value, card.comment)
    if not any(name.startswith(("CD1_", "CD001", "CDELT")) for name in finer):
        finer["CDELT1"] = finer["CDELT2"] = 1 / factor  # 1 by default
    return finer
