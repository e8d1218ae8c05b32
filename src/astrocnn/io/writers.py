"""Products on disk: multi-band cutouts, label maps and planes of numbers as FITS."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.io.cards import Cards, card, filled, header

__all__ = ["write_cutout", "write_labels", "write_planes"]

Images = NDArray[np.float32]
BITPIX = {
    "f4": (-32, "32-bit floating point"),
    "i2": (16, "16-bit integers"),
    "i4": (32, "32-bit integers"),
}


def write_cutout(
    path: str | os.PathLike[str],
    image: Images,
    *,
    variance: Images | None = None,
    bands: Sequence[str],
    ra: float,
    dec: float,
    x_pix: float,
    y_pix: float,
    pixel_scale_arcsec: float,
    keywords: Mapping[str, tuple[float | str, str]] | None = None,
) -> None:
    """Write a cutout as one FITS file: a cube in nJy, and its variance in an extension ``VARIANCE``.

    The file depends on the arguments alone (no date), so that equal cutouts are equal bytes. The headers are
    written directly, ten times faster than through ``astropy.io.fits``, which reads them back in the tests.

    Args:
        path: of the file; one that exists is replaced.
        image: (C, H, W), nJy per pixel, NaN where there is no data.
        variance: (C, H, W), nJy².
        bands: names of the C planes, kept as ``BAND1``, ``BAND2``, ...
        ra: right ascension of the point (``x_pix``, ``y_pix``), degrees, ICRS.
        dec: its declination, degrees.
        x_pix: 0-based column of that point.
        y_pix: 0-based row of that point.
        pixel_scale_arcsec: north is up, east is left.
        keywords: more cards of the primary header: {name: (value, comment)}.
    """
    sky = _sky(ra, dec, x_pix, y_pix, pixel_scale_arcsec)
    named: Cards = {f"BAND{n}": (band, f"band of plane {n}") for n, band in enumerate(bands, start=1)}
    unit: Cards = {"BUNIT": ("nJy", "flux per pixel"), "MAGZERO": (31.4, "AB magnitude of 1 nJy")}
    extend = variance is not None
    parts = [
        _hdu(
            np.asarray(image, np.float32),
            unit | named | sky | dict(keywords or {}),
            extension=None,
            extend=extend,
        )
    ]
    if variance is not None:
        unit = {"BUNIT": ("nJy2", "variance per pixel")}
        parts.append(_hdu(np.asarray(variance, np.float32), unit | named | sky, extension="VARIANCE"))
    with open(path, "wb") as file:
        file.write(b"".join(parts))


def write_labels(
    path: str | os.PathLike[str],
    maps: Mapping[str, NDArray[np.signedinteger[Any]]],
    *,
    ra: float,
    dec: float,
    x_pix: float,
    y_pix: float,
    pixel_scale_arcsec: float,
) -> None:
    """Write maps of whole numbers as one FITS file, each an extension of its name, with one WCS.

    Args:
        path: of the file; one that exists is replaced.
        maps: {name: (H, W) int16 or int32}.
        ra: right ascension of the point (``x_pix``, ``y_pix``), degrees, ICRS.
        dec: its declination, degrees.
        x_pix: 0-based column of that point.
        y_pix: 0-based row of that point.
        pixel_scale_arcsec: north is up, east is left.
    """
    sky = _sky(ra, dec, x_pix, y_pix, pixel_scale_arcsec)
    primary = header([card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0), card("EXTEND", True)])
    parts = [_hdu(labels, sky, extension=name) for name, labels in maps.items()]
    with open(path, "wb") as file:
        file.write(b"".join([primary, *parts]))


def write_planes(
    path: str | os.PathLike[str],
    planes: Mapping[str, NDArray[np.floating]],
    units: Mapping[str, str],
    *,
    ra: float | None = None,
    dec: float = 0.0,
    x_pix: float = 0.0,
    y_pix: float = 0.0,
    pixel_scale_arcsec: float = 1.0,
) -> None:
    """Write maps or volumes of numbers as one FITS file, each an extension of its name with its own unit.

    Args:
        path: of the file; one that exists is replaced.
        planes: {name: (H, W) or (D, H, W)}, kept as float32, NaN where there is no data.
        units: {name: unit}; an empty one is left out.
        ra: right ascension of the point (``x_pix``, ``y_pix``), degrees, ICRS; None gives no WCS.
        dec: its declination, degrees.
        x_pix: 0-based column of that point.
        y_pix: 0-based row of that point.
        pixel_scale_arcsec: north is up, east is left.
    """
    sky = {} if ra is None else _sky(ra, dec, x_pix, y_pix, pixel_scale_arcsec)
    primary = header([card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0), card("EXTEND", True)])
    parts = [primary]
    for name, values in planes.items():
        unit: Cards = {"BUNIT": (units[name], "unit of the values")} if units[name] else {}
        parts.append(_hdu(np.asarray(values, np.float32), unit | sky, extension=name))
    with open(path, "wb") as file:
        file.write(b"".join(parts))


def _sky(ra: float, dec: float, x_pix: float, y_pix: float, pixel_scale_arcsec: float) -> Cards:
    """A tangential projection with north up and east left."""
    step = pixel_scale_arcsec / 3600
    return {
        "RADESYS": ("ICRS", "frame of the coordinates"),
        "CTYPE1": ("RA---TAN", "gnomonic projection"),
        "CTYPE2": ("DEC--TAN", "gnomonic projection"),
        "CUNIT1": ("deg", "unit of CRVAL1 and CDELT1"),
        "CUNIT2": ("deg", "unit of CRVAL2 and CDELT2"),
        "CRPIX1": (x_pix + 1, "reference pixel, the first is 1"),
        "CRPIX2": (y_pix + 1, "reference pixel, the first is 1"),
        "CRVAL1": (float(ra), "right ascension there"),
        "CRVAL2": (float(dec), "declination there"),
        "CDELT1": (-step, "east is left"),
        "CDELT2": (step, "north is up"),
    }


def _hdu(
    pixels: Images | NDArray[np.signedinteger[Any]],
    cards: Cards,
    *,
    extension: str | None,
    extend: bool = False,
) -> bytes:
    """Header and data of one image HDU."""
    dtype = pixels.dtype.newbyteorder(">")
    first = card("SIMPLE", True) if extension is None else card("XTENSION", "IMAGE", "image extension")
    lines = [first, card("BITPIX", *BITPIX[dtype.str[1:]]), card("NAXIS", pixels.ndim)]
    lines += [card(f"NAXIS{n}", length) for n, length in enumerate(reversed(pixels.shape), start=1)]
    if extension is not None:
        lines += [card("PCOUNT", 0), card("GCOUNT", 1), card("EXTNAME", extension)]
    elif extend:
        lines.append(card("EXTEND", True))
    lines += [card(name, value, comment) for name, (value, comment) in cards.items()]
    return header(lines) + filled(np.ascontiguousarray(pixels, dtype=dtype).tobytes())
