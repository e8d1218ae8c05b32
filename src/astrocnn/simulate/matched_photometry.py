"""Photometry as surveys publish it: colours through one aperture and one PSF, a size and an ellipticity.

The bands of an object are brought to one Gaussian PSF, a little wider than the widest of theirs. On their sum, weighted
by the inverse variance of the sky, GalSim finds the elliptical Gaussian that matches the object (adaptive moments:
Bernstein & Jarvis 2002, AJ 123, 583; Hirata & Seljak 2003, MNRAS 343, 459). The flux in each band is twice the light
under that Gaussian, which is the whole of an object that is one. It is a sum of the band's own pixels with weights, so
that its noise is known exactly (as of Kuijken 2008, A&A 482, 1053).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from astrocnn.simulate.observe import Survey, moffat_radius, moffat_transfer
from astrocnn.simulate.require import galsim

__all__ = ["Measured", "measure", "to_mag_or_limit"]

Array = NDArray[np.float64]
Images = NDArray[np.float32]

WIDER = 1.05  # the common FWHM over that of the worst band
FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
MOST_DRIFT_PIX = 5.0  # of the centre that is found from the place that is given
NOT_DETECTED = 99.0
ZERO_POINT = 31.4  # AB magnitude of 1 nJy


@dataclass(frozen=True)
class Measured:
    """What is measured of N objects.

    Attributes:
        flux: nJy, (N, C).
        error: its 1σ, nJy, (N, C).
        sigma_pix: (det M)^(1/4) of the matched Gaussian M, with the common PSF, (N,).
        psf_sigma_pix: of the common PSF, (N,).
        ellipticity: |e| = (1 - q²) / (1 + q²) of the matched Gaussian, (N,).
        weight: of each pixel in the flux, (N, C, H, W).
        matched: whether the moments converged near the given place; otherwise the Gaussian is the PSF, there.
    """

    flux: Array
    error: Array
    sigma_pix: Array
    psf_sigma_pix: Array
    ellipticity: Array
    weight: Array
    matched: NDArray[np.bool_]


def measure(image: Images, variance: Images, place: Array, seeing_arcsec: Array, survey: Survey) -> Measured:
    """Measure the object at ``place`` of each image.

    Args:
        image: (N, C, H, W) nJy, without missing pixels.
        variance: (N, C, H, W) nJy².
        place: 0-based pixels (x, y), (N, 2).
        seeing_arcsec: FWHM of the Moffat PSF, (N, C).
        survey: pixel scale and sky.
    """
    fwhm_pix = seeing_arcsec / survey.pixel_scale_arcsec
    psf_sigma = WIDER * fwhm_pix.max(axis=1) / FWHM_PER_SIGMA
    kernel = _matching(fwhm_pix, psf_sigma, image.shape[-2:])  # (N, C, H, W//2+1)
    smooth = np.fft.irfft2(np.fft.rfft2(image) * kernel, s=image.shape[-2:])
    deep = (smooth / survey.sky_variance[:, None, None]).sum(axis=1)  # (N, H, W)
    shapes = [_moments(one, xy, sigma) for one, xy, sigma in zip(deep, place, psf_sigma, strict=True)]
    columns = np.array([shape for shape, _ in shapes])
    matched = np.array([good for _, good in shapes])
    under = _gaussian(columns, image.shape[-2:])  # (N, H, W)
    weight = 2 * np.fft.irfft2(np.fft.rfft2(under)[:, None] * kernel, s=image.shape[-2:])
    return Measured(
        flux=(weight * image).sum(axis=(2, 3)),
        error=np.sqrt((weight**2 * variance).sum(axis=(2, 3))),
        sigma_pix=columns[:, 2],
        psf_sigma_pix=psf_sigma,
        ellipticity=np.hypot(columns[:, 3], columns[:, 4]),
        weight=weight,
        matched=matched,
    )


def to_mag_or_limit(flux: Array, error: Array) -> tuple[Array, Array]:
    """AB magnitudes and their errors 2.5 / ln 10 · σ / flux; where the flux is below 1σ, 99 and the 1σ limit."""
    seen = flux > error
    flux = np.where(seen, flux, 1.0)
    mag = ZERO_POINT - 2.5 * np.log10(flux)
    limit = ZERO_POINT - 2.5 * np.log10(error)
    return np.where(seen, mag, NOT_DETECTED), np.where(seen, 2.5 / math.log(10) * error / flux, limit)


def _matching(fwhm_pix: Array, sigma_pix: Array, shape: tuple[int, ...]) -> Array:
    """Transform of the kernel from the Moffat PSF of each band to a Gaussian, (N, C, H, W//2+1)."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    k = torch.from_numpy(2 * math.pi * moffat_radius(fwhm_pix)[..., None, None] * frequency)
    wanted = np.exp(-2 * (math.pi * sigma_pix[:, None, None] * frequency) ** 2)
    return np.asarray(wanted[:, None] / moffat_transfer(k).numpy())


def _moments(image: Array, place: Array, psf_sigma: float) -> tuple[tuple[float, ...], bool]:
    """(x, y, sigma, e1, e2) of the matched Gaussian, and whether it was found."""
    found = galsim().hsm.FindAdaptiveMom(
        galsim().ImageD(np.ascontiguousarray(image), xmin=0, ymin=0),
        guess_sig=1.2 * psf_sigma,
        guess_centroid=galsim().PositionD(*place),
        strict=False,
    )
    if not found.error_message:
        x, y = found.moments_centroid.x, found.moments_centroid.y
        shape = found.observed_shape
        near = math.hypot(x - place[0], y - place[1]) < MOST_DRIFT_PIX
        if near and found.moments_sigma > 0.5 * psf_sigma:
            return (x, y, found.moments_sigma, shape.e1, shape.e2), True
    return (float(place[0]), float(place[1]), psf_sigma, 0.0, 0.0), False


def _gaussian(columns: Array, shape: tuple[int, ...]) -> Array:
    """exp(-r M⁻¹ r / 2) of rows (x, y, sigma, e1, e2), (N, H, W); M = t (1 + e1, e2; e2, 1 - e1), det M = sigma⁴."""
    x0, y0, sigma, e1, e2 = (column[:, None, None] for column in columns.T)
    y, x = np.mgrid[: shape[0], : shape[1]]
    dx, dy = x - x0, y - y0
    inverse = 1 / (sigma**2 * np.sqrt(1 - e1**2 - e2**2))  # of t (1 - e²), t = sigma² / √(1 - e²)
    r2 = inverse * ((1 - e1) * dx**2 + (1 + e1) * dy**2 - 2 * e2 * dx * dy)
    return np.asarray(np.exp(-r2 / 2))
