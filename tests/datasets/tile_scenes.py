"""Tiles whose stars and WCS are known, for the tests of cutouts from tiles."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from astrocnn.datasets.tile_placement import Targets

FULL_WIDTH = 2 * np.sqrt(2 * np.log(2))


def wcs_cards(
    ra: float = 150.0,
    dec: float = 2.0,
    *,
    scale_arcsec: float = 0.2,
    turn_deg: float = 0.0,
    mirrored: bool = False,
    shape: tuple[int, int] = (300, 320),
    ctype: str = "TAN",
) -> fits.Header:
    """A header with north at ``turn_deg`` from up; east is to the left unless ``mirrored``."""
    step, angle = scale_arcsec / 3600, np.radians(turn_deg)
    header = fits.Header()
    header.update(CTYPE1=f"RA---{ctype}", CTYPE2=f"DEC--{ctype}", CRVAL1=ra, CRVAL2=dec, RADESYS="ICRS")
    header.update(CRPIX1=shape[1] / 2 + 3.3, CRPIX2=shape[0] / 2 - 7.9)
    sign = 1 if mirrored else -1
    header.update(CD1_1=sign * step * np.cos(angle), CD1_2=step * np.sin(angle))
    header.update(CD2_1=-sign * step * np.sin(angle), CD2_2=step * np.cos(angle))
    return header


def write_stars(
    path: Path,
    header: fits.Header,
    ra: np.ndarray,
    dec: np.ndarray,
    *,
    shape: tuple[int, int] = (300, 320),
    fwhm_arcsec: float = 1.0,
    flux: float = 1000.0,
    sky: float = 0.0,
    **compression: object,
) -> np.ndarray:
    """Write an image of Gaussian stars of ``flux``, placed by astropy's WCS; gives its pixels."""
    wcs = WCS(header)
    x, y = wcs.all_world2pix(ra, dec, 0)
    jacobian = wcs.pixel_scale_matrix * 3600
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    sigma = fwhm_arcsec / FULL_WIDTH
    image = np.full(shape, sky)
    for a, b in zip(x, y, strict=True):
        east, north = np.tensordot(jacobian, np.stack([columns - a, rows - b]), 1)
        profile = np.exp(-(east**2 + north**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
        image += flux * abs(np.linalg.det(jacobian)) * profile
    path.parent.mkdir(parents=True, exist_ok=True)
    if compression:
        hdu = fits.CompImageHDU(image.astype(np.float32), header, **compression)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    else:
        fits.PrimaryHDU(image.astype(np.float32), header).writeto(path)
    return image


def positions(header: fits.Header, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sky positions of pixels, by astropy."""
    ra, dec = WCS(header).all_pix2world(x, y, 0)
    return np.asarray(ra), np.asarray(dec)


def targets(ra: np.ndarray, dec: np.ndarray, **more: object) -> Targets:
    """Objects named o0, o1, ..."""
    return Targets([f"o{i}" for i in range(len(ra))], np.asarray(ra), np.asarray(dec), **more)  # type: ignore[arg-type]


def centroid(image: np.ndarray) -> tuple[float, float]:
    """x and y of the centre of light, from the image's own centre."""
    n = len(image)
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    return float((image * x).sum() / image.sum()), float((image * y).sum() / image.sum())
