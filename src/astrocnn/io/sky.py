"""Where a cutout lies on the sky, from the WCS in its header."""

import logging
import math
import warnings
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame

from astrocnn.io.headers import ASTROPY, Header

__all__ = ["centre_and_scale"]

log = logging.getLogger(__name__)

UNKNOWN = (math.nan, math.nan, None)


def centre_and_scale(
    header: fits.Header | Header, height: int, width: int
) -> tuple[float, float, float | None]:
    """Right ascension and declination (ICRS, degrees) of the image's centre, and arcsec per pixel.

    Any celestial frame that astropy knows is transformed to ICRS. A header without a celestial WCS, or with
    one that astropy cannot use, gives (NaN, NaN, None).
    """
    if not header.get("CTYPE1"):
        return UNKNOWN
    with ASTROPY, warnings.catch_warnings():
        # about dates, units and the form of cards, mended on reading; the positions are not touched
        warnings.simplefilter("ignore", FITSFixedWarning)
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        try:
            return _celestial(WCS(_astropy(header)).celestial, height, width)
        except (
            Exception
        ) as error:  # wcslib raises many kinds; an image without a usable WCS is still an image
            log.info("no position from the WCS: %s", error)
            return UNKNOWN


def _astropy(header: fits.Header | Header) -> fits.Header:
    return header.astropy() if isinstance(header, Header) else header


def _celestial(wcs: Any, height: int, width: int) -> tuple[float, float, float | None]:
    if wcs.naxis != 2:
        return UNKNOWN
    x, y = (width - 1) / 2, (height - 1) / 2
    frame = wcs_to_celestial_frame(wcs)
    j2000 = frame.name == "icrs" or (frame.name == "fk5" and frame.equinox.jyear == 2000.0)
    if j2000 and wcs.wcs.lng == 0:
        ra, dec = wcs.all_pix2world(x, y, 0)
    else:
        centre = wcs.pixel_to_world(x, y).icrs
        ra, dec = centre.ra.deg, centre.dec.deg
    scale = float(np.sqrt(np.prod(proj_plane_pixel_scales(wcs)))) * 3600.0
    if not (math.isfinite(scale) and scale > 0):
        return float(ra), float(dec), None
    return float(ra) % 360.0, float(dec), scale
