"""The tangential projection in closed form, for headers that say nothing else: what most cutouts have."""

import math

from astrocnn.io.headers import Header

__all__ = ["tangential"]

# keywords that say more than this file understands: distortions, other units, couplings to other axes, old forms
MORE = {"A_ORDER", "AP_ORDER", "CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2", "AMDX1", "PC001001", "CD001001"}
MORE |= {"CROTA1", "CROTA2", "RADECSYS", "EPOCH"}
MORE |= {
    f"{name}{i}_{j}" for name in ("CD", "PC") for i in range(1, 5) for j in range(1, 5) if i > 2 or j > 2
}
COEFFICIENTS = (b"PV1_", b"PV2_")
CD, PC = ("CD1_1", "CD1_2", "CD2_1", "CD2_2"), ("PC1_1", "PC1_2", "PC2_1", "PC2_2")


def tangential(header: Header, x: float, y: float) -> tuple[float, float, tuple[float, float], str] | None:
    """The sky position of the 0-based pixel (``x``, ``y``), from a plain equatorial TAN header.

    Calabretta & Greisen (2002), section 5.1.3, with the native pole at CRVAL.

    Returns:
        Right ascension and declination in degrees, degrees per pixel along x and along y, and the frame, 'icrs'
        or 'fk5' (J2000); None where the header says more than that, or not enough.
    """
    get = header.get
    if get("CTYPE1") != "RA---TAN" or get("CTYPE2") != "DEC--TAN" or not header.isdisjoint(MORE):
        return None
    if any(key in header.raw for key in COEFFICIENTS) or get("LONPOLE", 180) != 180:
        return None
    if get("CUNIT1", "deg") != "deg" or get("CUNIT2", "deg") != "deg":
        return None
    frame = _frame(get("RADESYS", ""), get("EQUINOX"))
    with_cd, with_pc = not header.isdisjoint(CD), not header.isdisjoint(PC)
    if frame is None or (with_cd and with_pc):
        return None
    crpix1, crpix2, crval1, crval2 = get("CRPIX1", 0), get("CRPIX2", 0), get("CRVAL1", 0), get("CRVAL2", 0)
    cdelt1, cdelt2 = (1, 1) if with_cd else (get("CDELT1", 1), get("CDELT2", 1))
    matrix = map(get, CD, (0, 0, 0, 0)) if with_cd else map(get, PC, (1, 0, 0, 1))
    numbers = (crpix1, crpix2, crval1, crval2, cdelt1, cdelt2, *matrix)
    if any(type(number) not in (int, float) for number in numbers) or abs(crval2) >= 90:
        return None  # at the pole LONPOLE has another default
    m11, m12, m21, m22 = (
        factor * n for factor, n in zip((cdelt1, cdelt1, cdelt2, cdelt2), numbers[6:], strict=True)
    )
    if m11 * m22 == m12 * m21:
        return None
    dx, dy = x + 1 - crpix1, y + 1 - crpix2
    xi, eta = math.radians(m11 * dx + m12 * dy), math.radians(m21 * dx + m22 * dy)
    ra0, dec0 = math.radians(crval1), math.radians(crval2)
    towards = math.cos(dec0) - eta * math.sin(dec0)
    ra = ra0 + math.atan2(xi, towards)
    dec = math.atan2(math.sin(dec0) + eta * math.cos(dec0), math.hypot(xi, towards))
    return math.degrees(ra), math.degrees(dec), (math.hypot(m11, m21), math.hypot(m12, m22)), frame


def _frame(name: object, equinox: object) -> str | None:
    """'icrs' or 'fk5' (J2000) as astropy understands RADESYS and EQUINOX; None for any other frame."""
    if name == "ICRS" or (name == "" and equinox is None):
        return "icrs"
    return "fk5" if name in ("", "FK5") and equinox == 2000 else None
