"""The cards of a header that say where the pixels are on the sky, for products on the same pixels."""

import re
import warnings

from astropy.io import fits

from astrocnn.io.headers import ASTROPY, Header

__all__ = ["wcs_cards"]

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
