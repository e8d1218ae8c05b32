"""The telescope: seeing, depth, photon noise, and the pixels that a survey loses.

An image is in nJy per pixel with the sky subtracted, as a coadd is delivered.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.simulate.require import galsim
from astrocnn.simulate.scene import PAD_PIX, UPSAMPLE, Grid
from astrocnn.simulate.templates import BANDS, to_flux

__all__ = [
    "DEPTHS",
    "Survey",
    "blur",
    "chip_gaps",
    "draw_seeing",
    "lose_pixels",
    "moffat_radius",
    "moffat_transfer",
    "observe",
    "point_sources",
]

Array = NDArray[np.float64]
Images = NDArray[np.float32]

# Ivezić et al. (2019, ApJ 873, 111), Table 1: coadded 5σ point-source depth and number of visits in 10 years.
DEPTH_YEAR10 = dict(zip(BANDS, (26.1, 27.4, 27.5, 26.8, 26.1, 24.9), strict=True))
VISITS_YEAR10 = dict(zip(BANDS, (56, 80, 184, 184, 160, 160), strict=True))
DEPTHS = {"year1": 0.1, "year10": 1.0}  # part of the ten years' visits
VISIT_SECONDS = 30.0
MIRROR_DIAMETER_CM = 650.0  # effective

BLUR_BATCH = 4

SEEING_R_ARCSEC = 0.8  # median FWHM
SEEING_SCATTER = 0.10  # of ln FWHM from image to image
SEEING_BAND_SCATTER = 0.05  # and from band to band
SEEING_RANGE_ARCSEC = (0.5, 1.4)
MOFFAT_BETA = 3.5  # between a real camera's wings (2.5) and those of pure turbulence (4.765)
SATURATION_MAG = 16.5  # a star whose core is as bright as that of this one is saturated


@dataclass(frozen=True)
class Survey:
    """Sky noise and gain of a coadd in each of the bands.

    Attributes:
        bands: out of ugrizy.
        pixel_scale_arcsec: of the image.
        seeing_arcsec: median FWHM in each band, (C,).
        sky_variance: of one pixel, (C,) nJy².
        electrons_per_njy: (C,).
        saturation: flux of a pixel that saturates, (C,) nJy.
    """

    bands: tuple[str, ...]
    pixel_scale_arcsec: float
    seeing_arcsec: Array
    sky_variance: Array
    electrons_per_njy: Array
    saturation: Array

    @classmethod
    def of(cls, depth: str, bands: tuple[str, ...], pixel_scale_arcsec: float) -> "Survey":
        """The survey whose optimal point-source photometry reaches the stated depth at median seeing."""
        part = DEPTHS[depth]
        seeing = median_seeing(bands)
        star_5sigma = to_flux(np.array([DEPTH_YEAR10[b] + 1.25 * math.log10(part) for b in bands]))
        electrons = np.array([_electrons_per_njy_visit(b) * VISITS_YEAR10[b] * part for b in bands])
        psf = [_psf_image(fwhm, pixel_scale_arcsec) for fwhm in seeing]
        # Photometry weighted by the PSF p: σ² = sky / Σp² + flux (Σp³ / (Σp²)²) / gain.
        p2 = np.array([(image**2).sum() for image in psf])
        own = star_5sigma / electrons * np.array([(image**3).sum() for image in psf]) / p2**2
        sky = ((star_5sigma / 5) ** 2 - own) * p2
        peak = np.array([image.max() for image in psf])
        return cls(
            bands=bands,
            pixel_scale_arcsec=pixel_scale_arcsec,
            seeing_arcsec=seeing,
            sky_variance=sky,
            electrons_per_njy=electrons,
            saturation=to_flux(np.full(len(bands), SATURATION_MAG)) * peak,
        )


def median_seeing(bands: tuple[str, ...]) -> Array:
    """Median FWHM, (C,) arcsec: 0.8″ in r, and λ^-0.3 elsewhere."""
    wave = np.array([_bandpass(band).effective_wavelength for band in bands])
    return np.asarray(SEEING_R_ARCSEC * (wave / _bandpass("r").effective_wavelength) ** -0.3)


def draw_seeing(rng: np.random.Generator, n: int, survey: Survey) -> Array:
    """FWHM of each image and band, (N, C) arcsec."""
    shared = SEEING_SCATTER * rng.standard_normal((n, 1))
    own = SEEING_BAND_SCATTER * rng.standard_normal((n, len(survey.bands)))
    return np.clip(survey.seeing_arcsec * np.exp(shared + own), *SEEING_RANGE_ARCSEC)


def blur(scene: Tensor, fwhm_arcsec: Array, grid: Grid) -> Tensor:
    """Moffat seeing and the pixels: (B, C, side, side) fine scene to (B, C, size, size) image, nJy per pixel.

    Light wraps around only within the margin's and the PSF's far wings.
    """
    f = torch.fft.fftfreq(grid.side, grid.step_arcsec)[:, None]
    frequency = (f**2 + torch.fft.rfftfreq(grid.side, grid.step_arcsec) ** 2).sqrt()  # (side, side // 2 + 1)
    a = torch.from_numpy(moffat_radius(fwhm_arcsec)).float()[:, :, None, None]
    images = [_blurred(scene[rows], 2 * math.pi * a[rows] * frequency, grid) for rows in _batches(len(scene))]
    return torch.cat(images)


def _blurred(scene: Tensor, k: Tensor, grid: Grid) -> Tensor:
    """The scenes times the Moffat transfer at the scaled frequencies ``k``, summed into pixels."""
    spectrum = torch.fft.rfft2(scene).mul_(moffat_transfer(k))
    margin = UPSAMPLE * PAD_PIX
    fine = torch.fft.irfft2(spectrum, s=scene.shape[-2:])[..., margin:-margin, margin:-margin]
    shape = (*scene.shape[:2], grid.size, UPSAMPLE, grid.size, UPSAMPLE)
    image: Tensor = fine.reshape(shape).sum(dim=(3, 5))  # (B, C, size, size)
    return image


def moffat_transfer(k: Tensor) -> Tensor:
    """Fourier transform (1 + k + k²/3) e^-k of the Moffat profile (1 + (r/a)²)^-3.5 of unit flux, k = 2π a |f|.

    It is the Bessel function K_{5/2} in closed form.
    """
    return (k**2 / 3).add_(k).add_(1).mul_(k.neg().exp_())


def _batches(n: int) -> Iterator[slice]:
    """A few images at a time, whose transforms stay in the processor's cache."""
    for start in range(0, n, BLUR_BATCH):
        yield slice(start, start + BLUR_BATCH)


def moffat_radius(fwhm: Array) -> Array:
    """Scale a of the Moffat profile with the given FWHM, in its unit."""
    return np.asarray(fwhm / (2 * math.sqrt(2 ** (1 / MOFFAT_BETA) - 1)))


def point_sources(
    image: Tensor, stars: dict[str, Array], flux: Array, fwhm_arcsec: Array, grid: Grid
) -> None:
    """Add stars to blurred images, in place: the Moffat profile integrated over each pixel (2 × 2 Gauss points).

    Args:
        image: (B, C, size, size) nJy.
        stars: ``image`` (which of the B), ``x``, ``y`` (arcsec from the centre), (N,) each.
        flux: (N, C) nJy.
        fwhm_arcsec: (B, C).
        grid: of the images.
    """
    scale = grid.pixel_scale_arcsec
    pixel = (torch.arange(grid.size, dtype=torch.float32) - (grid.size - 1) / 2) * scale
    gauss = scale / (2 * math.sqrt(3))
    line = torch.stack([pixel - gauss, pixel + gauss], dim=1).flatten()  # (2*size,)
    targets = stars["image"].astype(np.int64)
    a = moffat_radius(fwhm_arcsec)
    for n, target in enumerate(targets.tolist()):
        dy2 = (line - float(stars["y"][n]))[:, None] ** 2
        r2 = dy2 + (line - float(stars["x"][n])) ** 2  # (2*size, 2*size)
        for band in range(image.shape[1]):
            a2 = float(a[target, band]) ** 2
            peak = float(flux[n, band]) * (MOFFAT_BETA - 1) / (math.pi * a2) * scale**2
            light = peak * (1 + r2 / a2) ** -MOFFAT_BETA
            image[target, band] += light.reshape(grid.size, 2, grid.size, 2).mean(dim=(1, 3))


def observe(
    rng: np.random.Generator, image: Tensor, survey: Survey, *, correlated: bool = False
) -> tuple[Images, Images]:
    """Photon noise of the objects and noise of the sky.

    Args:
        rng: numpy generator.
        image: without noise, (B, C, H, W) nJy.
        survey: gain and sky.
        correlated: a pixel's noise has the correlation 1/4 with that of the next one in its row or column (1/16
            across the corner), as in a mean of many images that were resampled linearly onto the grid, each
            from another sub-pixel offset s: E[s (1 - s)] / E[s² + (1 - s)²] = 1/4. The variance stays.

    Returns:
        The noisy image in nJy and the variance in nJy² that a survey would state for it, (B, C, H, W) float32:
        the sky's, and the objects' as estimated from the noisy pixel itself.
    """
    gain = survey.electrons_per_njy[:, None, None]
    sky = survey.sky_variance[:, None, None]
    electrons = np.maximum(image.numpy(), 0.0) * gain
    noisy = rng.poisson(electrons) / gain
    noisy += np.sqrt(sky) * rng.standard_normal(electrons.shape, dtype=np.float32)
    if correlated:
        clean = electrons / gain
        noisy = clean + _smoothed(noisy - clean)
    return noisy.astype(np.float32), (sky + np.maximum(noisy, 0.0) / gain).astype(np.float32)


def _smoothed(noise: Array) -> Array:
    """Noise correlated along rows and columns; cos² + sin² = 1 keeps the variance, cos · sin = 1/4 correlates."""
    near, far = math.cos(math.pi / 12), math.sin(math.pi / 12)
    for axis in (-2, -1):
        noise = near * noise + far * np.roll(noise, 1, axis=axis)
    return noise


def lose_pixels(rng: np.random.Generator, clean: Tensor, survey: Survey) -> NDArray[np.bool_]:
    """True where a survey has no data: saturated cores with their bleed trails, and gaps between chips."""
    pixels = clean.numpy()
    lost = pixels > survey.saturation[:, None, None]  # (B, C, H, W)
    trail = lost.sum(axis=-2, keepdims=True) > 2  # charge runs along columns
    reach = pixels > 0.1 * survey.saturation[:, None, None]
    lost |= trail & reach
    return np.asarray(lost | chip_gaps(rng, lost.shape))


def chip_gaps(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """True in the gaps between chips of images (N, C, H, W).

    One image in sixteen has a gap, in all bands or, as often, in one: a straight strip, 4 to 14 pixels wide.
    """
    n, bands, height, width = shape
    lost = np.zeros(shape, dtype=bool)
    y, x = np.mgrid[:height, :width]
    for k in np.flatnonzero(rng.random(n) < 1 / 16):
        angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
        along = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)
        middle, half = rng.uniform(-0.5, 0.5) * width, rng.uniform(2.0, 7.0)
        band = slice(None) if rng.random() < 0.5 else slice(b := int(rng.integers(bands)), b + 1)
        lost[k, band] |= np.abs(along - middle) < half
    return lost


@lru_cache(maxsize=8)
def _bandpass(band: str) -> "galsim.Bandpass":  # type: ignore[name-defined]  # loaded when used
    return galsim().Bandpass(f"LSST_{band}.dat", "nm").withZeropoint("AB")


@lru_cache(maxsize=8)
def _electrons_per_njy_visit(band: str) -> float:
    """Photo-electrons of one visit from 1 nJy (AB 31.4), through atmosphere, telescope and detector."""
    flat = galsim().SED(lambda wave_nm: 1.0, "nm", "fnu").withMagnitude(31.4, _bandpass(band))
    area_cm2 = math.pi / 4 * MIRROR_DIAMETER_CM**2
    return float(flat.calculateFlux(_bandpass(band))) * area_cm2 * VISIT_SECONDS


def _psf_image(fwhm_arcsec: float, pixel_scale_arcsec: float) -> Array:
    """A star of unit flux in the middle of a pixel, far into its wings."""
    grid = Grid(size=101, pixel_scale_arcsec=pixel_scale_arcsec)
    image = torch.zeros(1, 1, grid.size, grid.size)
    middle = {name: np.zeros(1) for name in ("image", "x", "y")}
    point_sources(image, middle, np.ones((1, 1)), np.array([[fwhm_arcsec]]), grid)
    return image[0, 0].double().numpy()
