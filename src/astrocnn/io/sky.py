"""Where a cutout lies on the sky, from the WCS in its header."""

import logging
import math
import warnings
from functools import cache
from typing import Any

import numpy as np
from astropy.coordinates import FK5, ICRS, CartesianRepresentation
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS, Wcsprm
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from astrocnn.io.headers import ASTROPY, Header
from astrocnn.io.iraf_wcs import with_readable_coefficients
from astrocnn.io.tangent import tangential

__all__ = ["centre_and_scale"]

log = logging.getLogger(__name__)

Sky = tuple[float, float, float | None]
UNKNOWN: Sky = (math.nan, math.nan, None)
# projections without coefficients, whose WCS is what wcslib alone makes of the header
PLAIN = {"TAN", "SIN", "ARC", "STG", "ZEA", "CAR", "AIT", "MOL"}
DISTORTED = (b"-SIP", b"A_ORDER", b"CPDIS", b"D2IM", b"PV1_", b"PV2_")
UNUSUAL = (
    b"AMDX",
    b"PC00",
    b"CD00",
    b"CD1_3",
    b"CD2_3",
    b"PC1_3",
    b"PC2_3",
    b"CD1_4",
    b"CD2_4",
    b"PC1_4",
    b"PC2_4",
)
# all that makes the celestial WCS of the first two axes, in a header without the above
AXES = ("CTYPE", "CRPIX", "CRVAL", "CDELT", "CUNIT", "CROTA")
CARDS = (
    *(f"{name}{axis}" for name in AXES for axis in (1, 2)),
    *(f"{name}{i}_{j}" for name in ("CD", "PC") for i in (1, 2) for j in (1, 2)),
    *("LONPOLE", "LATPOLE", "RADESYS", "RADECSYS", "EQUINOX", "EPOCH"),
)


def centre_and_scale(header: fits.Header | Header, height: int, width: int) -> Sky:
    """Right ascension and declination (ICRS, degrees) of the image's centre, and arcsec per pixel.

    Any celestial frame that astropy knows is transformed to ICRS. A header without a celestial WCS, or with
    one that astropy cannot use, gives (NaN, NaN, None).
    """
    if not (
        header.get("CTYPE1") or header.get("AMDX1")
    ):  # AMDX1: a plate solution of the Digitized Sky Survey
        return UNKNOWN
    x, y = (width - 1) / 2, (height - 1) / 2
    if isinstance(header, Header) and (plain := tangential(header, x, y)) is not None:
        ra, dec, scales, frame = plain
        return _sky(*((ra, dec) if frame == "icrs" else _fk5_to_icrs(ra, dec)), scales)
    with ASTROPY, warnings.catch_warnings():
        # about dates, units and the form of cards, mended on reading; the positions are not touched
        warnings.simplefilter("ignore", AstropyWarning)
        if isinstance(header, Header):
            if (quick := _by_wcslib(header, x, y)) is not None:
                return quick
            header = header.astropy()
        try:
            return _by_astropy(WCS(with_readable_coefficients(header)).celestial, x, y)
        except (
            Exception
        ) as error:  # wcslib raises many kinds; an image without a usable WCS is still an image
            log.info("no position from the WCS: %s", error)
            return UNKNOWN


def _by_wcslib(header: Header, x: float, y: float) -> Sky | None:
    """Ten times faster than astropy's WCS: equatorial J2000, a projection without distortion.

    wcslib is given the cards that it needs, since it takes microseconds for each. None for every other case.
    """
    if str(header.get("CTYPE1"))[5:8] not in PLAIN or any(key in header.raw for key in DISTORTED + UNUSUAL):
        return None
    try:
        wcs = Wcsprm(header=header.only(CARDS), key=" ", relax=True)
        wcs.set()
        if wcs.lng != 0 or wcs.lat != 1 or wcs.lngtyp != "RA" or (frame := _frame(wcs)) is None:
            return None
        world = wcs.p2s([[x + 1, y + 1]], 1)["world"][0]
        matrix = wcs.get_cdelt()[:, None] * wcs.get_pc()
    except Exception as error:  # astropy's WCS mends some of what wcslib refuses
        log.debug("not read by wcslib alone: %s", error)
        return None
    ra, dec = (world[0], world[1]) if frame == "icrs" else _fk5_to_icrs(world[0], world[1])
    return _sky(ra, dec, np.sqrt((matrix**2).sum(axis=0)))


def _frame(wcs: Wcsprm) -> str | None:
    """'icrs' or 'fk5' (J2000) as astropy understands RADESYS and EQUINOX; None for any other frame."""
    name = wcs.radesys.strip().upper()
    if name == "ICRS" or (not name and math.isnan(wcs.equinox)):
        return "icrs"
    return "fk5" if name in ("", "FK5") and wcs.equinox == 2000.0 else None


def _fk5_to_icrs(ra: float, dec: float) -> tuple[float, float]:
    """Degrees in FK5 J2000 to degrees in ICRS: one fixed rotation of some 20 mas."""
    a, d = math.radians(ra), math.radians(dec)
    x, y, z = _rotation() @ (math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d))
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))


@cache
def _rotation() -> NDArray[np.float64]:
    axes = FK5(CartesianRepresentation(np.eye(3))).transform_to(ICRS())
    matrix: NDArray[np.float64] = axes.cartesian.xyz.value
    return matrix  # (3, 3), columns are where the axes go


def _by_astropy(wcs: Any, x: float, y: float) -> Sky:
    if wcs.naxis != 2:
        return UNKNOWN
    centre = wcs.pixel_to_world(x, y).icrs
    return _sky(centre.ra.deg, centre.dec.deg, proj_plane_pixel_scales(wcs))


def _sky(ra: Any, dec: Any, scales: Any) -> Sky:
    """Plain numbers; ``scales`` (2,) are degrees per pixel."""
    scale = math.sqrt(scales[0] * scales[1]) * 3600.0
    return float(ra) % 360.0, float(dec), scale if math.isfinite(scale) and scale > 0 else None
