"""From stored values to one unit of flux: by BUNIT, by the zero-points that surveys write, or by the user's."""

import math
import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from astropy import units

from astrocnn.errors import DataError, choose, listed
from astrocnn.io.headers import ASTROPY

__all__ = ["UNITS", "HasKeywords", "ab_zero_point", "flux_factor", "needs_pixel_area", "same_unit"]

AB_NJY = 3631e9  # AB magnitude 0 as surveys define nanomaggies; 48.6 in cgs (Oke & Gunn 1983) is 6e-5 less
NANOMAGGY_NJY = 3631.0
C_ANGSTROM = 2.99792458e18  # speed of light in ångström a second
FLAM_NJY = 1e32  # erg s⁻¹ cm⁻² Hz⁻¹ in nJy
ARCSEC2_SR = (math.pi / 180 / 3600) ** -2  # square arcseconds in a steradian
# name: (nJy in one, or nJy per square arcsecond in one; whether it is a surface brightness)
UNITS: dict[str, tuple[float, bool]] = {
    "nJy": (1.0, False),
    "uJy": (1e3, False),
    "mJy": (1e6, False),
    "Jy": (1e9, False),
    "nMgy": (NANOMAGGY_NJY, False),
    "MJy/sr": (1e15 / ARCSEC2_SR, True),
    "nJy/arcsec2": (1.0, True),
}
# AB magnitude of one stored unit
ZERO_POINTS = ("PHOTZP", "MAGZERO", "MAGZP", "ABMAGZP", "ABZP", "ZPAB", "SEXMGZPT", "ZP", "ZPT")
# AB magnitude of one stored unit a second (NOIRLab and CASU pipelines; Pan-STARRS)
RATE_ZERO_POINTS = ("MAGZPT", "FPA.ZP")
SYSTEMS = ("PHOTSYS", "MAGSYS", "ZPSYS")
AREAS = {"PIXAR_A2": 1.0, "PIXAR_SR": ARCSEC2_SR}
COUNTS = re.compile(r"\W*(adu|dn|counts?|ct|e|e-|electrons?|photons?)\b.*", re.IGNORECASE)
PER_SECOND = re.compile(r"(/\s*s(ec(ond)?)?\b|\bs(ec)?\s*(\*\*|\^)?\s*\(?-1|per\s+s)", re.IGNORECASE)
NAMES = {
    "nanomaggy": "nMgy",
    "nanomaggies": "nMgy",
    "nmgy": "nMgy",
    "nanomaggie": "nMgy",
    "jy": "Jy",
    "njy": "nJy",
    "ujy": "uJy",
    "microjansky": "uJy",
    "jy/beam": "Jy/beam",
    "mjy/sr": "MJy/sr",
}


class HasKeywords(Protocol):
    """A header: ours, astropy's, or a dict."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``."""


def flux_factor(
    header: HasKeywords,
    unit: str,
    *,
    pixel_area_arcsec2: float | None = None,
    zero_point: float | None = None,
) -> float:
    """The factor that brings stored values (after BSCALE and BZERO) to ``unit``.

    What is stored is told, in this order, by ``zero_point``; a BUNIT that is a flux density or surface brightness;
    FLUXMAG0 (the value of magnitude 0); PHOTFLAM and PHOTPLAM (the sensitivity in erg s⁻¹ cm⁻² Å⁻¹ for one count a
    second, and the pivot wavelength in Å: f_ν = f_λ λ²/c); or a zero-point. Magnitudes are AB: 0 is 3631 Jy.

    Args:
        header: of the image.
        unit: one of :data:`UNITS`; fluxes are those of a pixel.
        pixel_area_arcsec2: needed between fluxes and surface brightnesses; None takes PIXAR_A2 or PIXAR_SR.
        zero_point: AB magnitude of one stored unit, whatever the header says.

    Raises:
        ConfigError: no such unit.
        DataError: the header does not say enough, or contradicts itself.
    """
    wanted, wanted_surface = choose("data.flux_unit", unit, UNITS)
    value, surface = _stored(header, unit) if zero_point is None else (_of_magnitude(zero_point), False)
    if surface != wanted_surface:
        area = pixel_area_arcsec2 if pixel_area_arcsec2 is not None else _area(header)
        if area is None or not (math.isfinite(area) and area > 0):
            raise DataError(
                f"data.flux_unit={unit} needs the area of a pixel, but there is neither a celestial WCS nor "
                "PIXAR_A2 or PIXAR_SR in the header; set data.pixel_scale_arcsec, or ask for another unit."
            )
        value = value * area if surface else value / area
    return value / wanted


def ab_zero_point(unit: str | None) -> float | None:
    """AB magnitude of one such unit; None where it is not known, or no flux."""
    if unit is None:
        return None
    try:
        return 2.5 * math.log10(AB_NJY / flux_factor({"BUNIT": unit}, "nJy"))
    except DataError:
        return None


def needs_pixel_area(header: HasKeywords, unit: str, *, zero_point: float | None = None) -> bool:
    """Whether :func:`flux_factor` needs the area of a pixel. Raises as it does."""
    surface = zero_point is None and _stored(header, unit)[1]
    return surface != choose("data.flux_unit", unit, UNITS)[1]


def same_unit(one: str, other: str) -> bool:
    """Whether two texts of BUNIT mean one unit: by their letters, or as fluxes (nanomaggy is nMgy)."""
    values = (_physical(one.strip()), _physical(other.strip()))
    if values[0] is None or values[1] is None or values[0][1] != values[1][1]:
        return one.strip() == other.strip()
    return math.isclose(values[0][0], values[1][0], rel_tol=1e-9)


def _stored(header: HasKeywords, unit: str) -> tuple[float, bool]:
    """What a stored 1 is in nJy, and False; or in nJy per square arcsecond, and True."""
    text = str(header.get("BUNIT") or "").strip()
    if (known := _physical(text)) is not None:
        value, kind = known
        if kind == "wavelength":
            return value * _pivot(header, text) ** 2, False
        return (value / _beam(header, text), True) if kind == "beam" else (value, kind == "surface")
    for read in (_by_fluxmag0, _by_photflam, _by_zero_point):
        found = read(header, text)
        if found is not None:
            return found, False
    raise DataError(
        f"data.flux_unit={unit} is asked for, but the header does not say what a stored value is: BUNIT is "
        f"{text!r}, and there is none of FLUXMAG0, PHOTFLAM with PHOTPLAM, "
        f"{listed((*ZERO_POINTS, *RATE_ZERO_POINTS), most=20)}; give the AB magnitude of one stored unit with "
        "data.zero_point=<number> or data.zero_point={band: number}."
    )


def _of_magnitude(magnitude: float) -> float:
    """NJy of one stored unit that is of this AB magnitude."""
    return AB_NJY * 10 ** (-0.4 * magnitude)


def _number(header: HasKeywords, key: str) -> float | None:
    value = header.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _by_fluxmag0(header: HasKeywords, text: str) -> float | None:
    del text
    flux = _number(header, "FLUXMAG0")
    return AB_NJY / flux if flux is not None and flux > 0 else None


def _by_photflam(header: HasKeywords, text: str) -> float | None:
    flam, pivot = _number(header, "PHOTFLAM"), _number(header, "PHOTPLAM")
    if flam is None or pivot is None or flam <= 0 or pivot <= 0:
        return None
    per_second = flam * pivot**2 / C_ANGSTROM * FLAM_NJY
    if not COUNTS.fullmatch(text):
        raise DataError(
            f"PHOTFLAM is for one count a second, but BUNIT={text!r} does not say whether the values are counts or "
            "counts a second; give the AB magnitude of one stored unit with data.zero_point=<number>."
        )
    return per_second / _seconds(header, text, "PHOTFLAM")


def _by_zero_point(header: HasKeywords, text: str) -> float | None:
    found = {key: value for key in ZERO_POINTS if (value := _number(header, key)) is not None}
    if not found:
        rates = {key: value for key in RATE_ZERO_POINTS if (value := _number(header, key)) is not None}
        for key, value in rates.items():
            found[key] = value + 2.5 * math.log10(_seconds(header, text, key))
    if not found:
        return None
    for key in SYSTEMS:
        if "VEGA" in str(header.get(key) or "").upper():
            raise DataError(
                f"the zero-point {listed([f'{k}={v:g}' for k, v in found.items()])} is of Vega magnitudes "
                f"({key}={header.get(key)}); give that of AB magnitudes with data.zero_point=<number>."
            )
    if max(found.values()) - min(found.values()) > 1e-3:
        raise DataError(
            f"the zero-points in the header differ ({listed([f'{k}={v:g}' for k, v in found.items()])}); say which "
            "is the AB magnitude of one stored unit with data.zero_point=<number>."
        )
    return _of_magnitude(next(iter(found.values())))


def _seconds(header: HasKeywords, text: str, key: str) -> float:
    """The exposure time by which stored values are divided to be values a second: 1 where they are already."""
    if PER_SECOND.search(text):
        return 1.0
    seconds = _number(header, "EXPTIME")
    if seconds is None or seconds <= 0:
        raise DataError(
            f"{key} is for one count a second, but BUNIT={text!r} is not by the second and there is no EXPTIME; "
            "give the AB magnitude of one stored unit with data.zero_point=<number>."
        )
    return seconds


def _pivot(header: HasKeywords, text: str) -> float:
    """The pivot wavelength in ångström."""
    pivot = _number(header, "PHOTPLAM")
    if pivot is None or pivot <= 0:
        raise DataError(
            f"BUNIT={text!r} is by wavelength, but the pivot wavelength PHOTPLAM (Å) is not in the header; write it "
            "there, or give the AB magnitude of one stored unit with data.zero_point=<number>."
        )
    return pivot


def _beam(header: HasKeywords, text: str) -> float:
    """The area of a Gaussian beam in square arcseconds: π/(4 ln 2) times its two widths at half maximum."""
    widths = [_number(header, key) for key in ("BMAJ", "BMIN")]
    if any(width is None or width <= 0 for width in widths):
        raise DataError(
            f"BUNIT={text!r} is by the beam, but BMAJ and BMIN (degrees) are not in the header; write them there, "
            "or leave the unit as it is (data.flux_unit=null)."
        )
    return math.pi / (4 * math.log(2)) * math.prod(3600 * width for width in widths if width is not None)


def _area(header: HasKeywords) -> float | None:
    for key, arcsec2 in AREAS.items():
        if (value := _number(header, key)) is not None and value > 0:
            return value * arcsec2
    return None


@lru_cache
def _physical(text: str) -> tuple[float, str] | None:
    """What 1 of a unit is: nJy ('flux'), nJy per square arcsecond ('surface'), nJy by the beam ('beam'), or what the
    square of a wavelength in ångström makes nJy ('wavelength').
    """
    name = NAMES.get(re.sub(r"\s+", "", text).lower(), text) if not text.startswith("mJy") else text
    if name in UNITS:
        value, surface = UNITS[name]
        return value, "surface" if surface else "flux"
    if "erg" in name:
        name = re.sub(r"\bA\b", "Angstrom", name.replace("ergs", "erg"))  # astropy's A is the ampere
    try:
        with ASTROPY, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # about slashes and deprecated spellings, which are read all the same
            unit = units.Unit(name, parse_strict="silent")
    except (ValueError, TypeError):
        return None
    if isinstance(unit, units.UnrecognizedUnit):
        return None
    kinds: dict[str, Callable[[Any], Any]] = {
        "flux": lambda u: u,
        "flux of a pixel": lambda u: u * units.pix,
        "surface": lambda u: u * units.arcsec**2,
        "beam": lambda u: u * units.beam,
    }
    for kind, of in kinds.items():
        try:
            return float(of(unit).to(units.nJy)), kind.partition(" ")[0]
        except (units.UnitsError, AttributeError, TypeError, ArithmeticError):
            continue
    try:
        return float(unit.to(units.Unit("erg s-1 cm-2 AA-1"))) * FLAM_NJY / C_ANGSTROM, "wavelength"
    except (units.UnitsError, AttributeError, TypeError, ArithmeticError):
        return None
