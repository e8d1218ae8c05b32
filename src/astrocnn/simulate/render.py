"""Isolated objects as a telescope sees them, without noise: each in a stamp of its own, in all bands at once.

A component is drawn once, as its Fourier transform: GalSim's for a round Sérsic profile of the index, stretched and
turned. The sum over components, weighted by their flux in each band, times the band's PSF and the pixel's transform,
is brought back by one transform a band. Frequencies up to twice the pixels' Nyquist frequency are kept and folded, so
that what comes out is the light that falls on each pixel.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor

from astrocnn.io.stamps import Stamp
from astrocnn.simulate.observe import MOFFAT_BETA, Survey, moffat_radius, moffat_transfer
from astrocnn.simulate.population import Columns
from astrocnn.simulate.require import galsim
from astrocnn.simulate.sources import Parts

__all__ = ["draw_stamps", "weights"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

EDGE_SIGMA = 0.05  # of the weighted sum over bands, in the sky's noise: there a stamp ends
SIDES = np.array([16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512])  # of stamps, pixels
RADII_PIX = np.concatenate([[0.0], np.geomspace(2.0, SIDES[-1], 60)])
LOG_K = np.linspace(math.log(1e-3), math.log(3e2), 1024)  # nodes of the profiles' transforms, ln(k R_e)
BATCH_FREQUENCIES = 2**20  # of all objects that are transformed together


def weights(survey: Survey) -> Array:
    """Weights of the bands, (C,) 1/nJy, that make their sum optimal for the sky's noise and give it σ = 1."""
    inverse = 1 / survey.sky_variance
    return np.asarray(inverse / math.sqrt(inverse.sum()))


def draw_stamps(
    x: Array, y: Array, parts: Parts, seeing_arcsec: Array, survey: Survey, size: int
) -> list[Stamp]:
    """Draw every object alone.

    Stamps are squares about the object, as large as its light is above 0.05σ of the sky in the weighted sum over
    bands (estimated from its profile), cut at the scene's edges. What little light a square does not hold comes back
    at its other side, so that its total is the object's.

    Args:
        x: of the N objects, 0-based pixels in the scene, (N,).
        y: as ``x``.
        parts: of the objects.
        seeing_arcsec: FWHM in each band, (C,).
        survey: sky and pixel scale.
        size: pixels along the scene's sides.

    Returns:
        One stamp an object, nJy per pixel.
    """
    side = _sides(len(x), parts, seeing_arcsec, survey)
    stamps: dict[int, Stamp] = {}
    for n in np.unique(side):
        transfer = _transfer(int(n), seeing_arcsec, survey.pixel_scale_arcsec)
        rows, step = np.flatnonzero(side == n), max(1, BATCH_FREQUENCIES // transfer.numel())
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            corner_x = np.round(x[some]).astype(np.int64) - n // 2
            corner_y = np.round(y[some]).astype(np.int64) - n // 2
            images = _draw(some, x[some] - corner_x, y[some] - corner_y, parts, transfer, survey)
            for k, image in enumerate(images):
                stamps[int(some[k])] = _cut(image, int(corner_x[k]), int(corner_y[k]), size)
    return [stamps[k] for k in range(len(x))]


def _cut(image: NDArray[np.float32], xmin: int, ymin: int, size: int) -> Stamp:
    """The part of a square that lies on the scene."""
    n = image.shape[-1]
    left, low = max(0, -xmin), max(0, -ymin)
    right, high = min(n, size - xmin), min(n, size - ymin)
    return Stamp(xmin + left, ymin + low, image[:, low:high, left:right])


def _sides(n: int, parts: Parts, seeing_arcsec: Array, survey: Survey) -> Rows:
    """Side of each object's stamp, (N,).

    Far from the middle a convolved profile is about the sum of the PSF's wing and the profile's own, on its
    major axis.
    """
    scale, p = survey.pixel_scale_arcsec, parts.columns
    a = moffat_radius(seeing_arcsec).max() / scale
    offset = np.hypot(p["x"], p["y"])[:, None] / scale
    r = np.maximum(RADII_PIX - offset, 0.0)  # (M, R)
    wing = (MOFFAT_BETA - 1) / (math.pi * a**2) * (1 + (r / a) ** 2) ** -MOFFAT_BETA
    extended = p["radius"] > 0
    wing[extended] += _sersic(
        r[extended], p["radius"][extended, None] / scale, p["q"][extended, None], p["index"][extended, None]
    )
    light = np.zeros((n, len(RADII_PIX)))
    np.add.at(light, parts.owner, (parts.flux @ weights(survey))[:, None] * wing)
    seen = light > EDGE_SIGMA
    last = len(RADII_PIX) - 1 - np.argmax(seen[:, ::-1], axis=1)
    reach = np.where(seen.any(axis=1), RADII_PIX[np.minimum(last + 1, len(RADII_PIX) - 1)], 0.0)
    return SIDES[np.minimum(np.searchsorted(SIDES, 2 * reach), len(SIDES) - 1)]


def _sersic(r: Array, radius: Array, q: Array, n: Array) -> Array:
    """Sérsic light of unit flux on its major axis, per pixel (Graham & Driver 2005)."""
    b = 2 * n - 1 / 3 + 4 / (405 * n)
    log_total = np.log(2 * np.pi * q * radius**2 * n) + gammaln(2 * n) - 2 * n * np.log(b)
    return np.asarray(np.exp(-b * (r / radius) ** (1 / n) - log_total))


def _frequencies(n: int) -> tuple[Tensor, Tensor]:
    """Cycles per pixel along y (2, n) and x (2, n/2+1) of the transform of n pixels: each, and its nearest alias."""
    fy, fx = np.fft.fftfreq(n), np.fft.rfftfreq(n)
    fy = np.stack([fy, fy - np.where(fy < 0, -1.0, 1.0)])
    return torch.from_numpy(fy), torch.from_numpy(np.stack([fx, fx - 1]))


def _transfer(n: int, seeing_arcsec: Array, pixel_scale_arcsec: float) -> Tensor:
    """Transform of PSF and pixel, (C, 2n, n + 2) in the order of :func:`_frequencies`."""
    fy, fx = (f.flatten() for f in _frequencies(n))
    a = torch.from_numpy(moffat_radius(seeing_arcsec) / pixel_scale_arcsec)[:, None, None]
    psf = moffat_transfer(2 * math.pi * a * torch.hypot(fy[:, None], fx))
    return (psf * torch.sinc(fy)[:, None] * torch.sinc(fx)).float()


def _draw(
    objects: Rows, x: Array, y: Array, parts: Parts, transfer: Tensor, survey: Survey
) -> NDArray[np.float32]:
    """Images (B, C, n, n) of the objects, whose places ``x``, ``y`` are pixels of their stamps."""
    n, scale = transfer.shape[1] // 2, survey.pixel_scale_arcsec
    fy, fx = (f.flatten() for f in _frequencies(n))
    mine = np.flatnonzero(np.isin(parts.owner, objects))
    owner = np.searchsorted(objects, parts.owner[mine])
    p = {name: values[mine] for name, values in parts.columns.items()}
    light = _profiles(p, fy.float(), fx.float(), scale)  # (M, 2n, n+2)
    light = (
        light
        * _shift(fy, y[owner] + p["y"] / scale)[:, :, None]
        * _shift(fx, x[owner] + p["x"] / scale)[:, None]
    )
    flux = np.zeros((len(objects), transfer.shape[0], len(mine)), dtype=np.float32)
    flux[owner, :, np.arange(len(mine))] = parts.flux[mine]
    mixed = torch.from_numpy(flux).flatten(0, 1) @ torch.view_as_real(light).flatten(1)  # (B*C, 2n*(n+2)*2)
    mixed = mixed.view(len(objects), *transfer.shape, 2)
    spectrum = torch.view_as_complex(mixed) * transfer  # (B, C, 2n, n+2)
    alias = spectrum.view(*spectrum.shape[:2], 2, n, 2, n // 2 + 1)
    folded = alias[:, :, 0, :, 0] + alias[:, :, 0, :, 1] + alias[:, :, 1, :, 0] + alias[:, :, 1, :, 1]
    images: NDArray[np.float32] = torch.fft.irfft2(folded, s=(n, n)).numpy()
    return images


def _shift(f: Tensor, position: Array) -> Tensor:
    """Transforms exp(-2πi f x) of points, (M, F) complex64."""
    angle = -2 * math.pi * torch.from_numpy(position)[:, None] * f
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def _profiles(p: Columns, fy: Tensor, fx: Tensor, pixel_scale_arcsec: float) -> Tensor:
    """Transforms of the centred components, (M, FY, FX): real, since each is its own mirror image."""
    column = {name: torch.from_numpy(values).float()[:, None, None] for name, values in p.items()}
    along, across = 2 * math.pi * column["radius"] / pixel_scale_arcsec, column["q"]
    cos, sin = column["phi"].cos(), column["phi"].sin()
    fy = fy[:, None]
    k2 = (along * (fx * cos + fy * sin)).square_()
    k2 += (along * across * (fy * cos - fx * sin)).square_()  # (M, FY, FX)
    step = LOG_K[1] - LOG_K[0]
    place = k2.log_().mul_(0.5 / step).sub_(LOG_K[0] / step).clamp_(0, len(LOG_K) - 1.001)
    node = place.long()
    place -= node
    values, which = np.unique(p["index"], return_inverse=True)
    table = torch.stack([_sersic_transform(float(value)) for value in values]).flatten()
    node += torch.from_numpy(which)[:, None, None] * len(LOG_K)
    return torch.lerp(table[node], table[node + 1], place)


@lru_cache(maxsize=64)
def _sersic_transform(index: float) -> Tensor:
    """GalSim's transform of a round Sérsic profile of unit flux and half-light radius, at the nodes ``LOG_K``."""
    # the least accurate integrals that are good to 1e-4, five times faster than GalSim's usual ones
    accuracy = galsim().GSParams(integration_relerr=1e-4)
    profile = galsim().Sersic(n=index, half_light_radius=1.0, gsparams=accuracy)
    values = [profile.kValue(k, 0.0).real for k in np.exp(LOG_K)]
    return torch.tensor([1.0, *values[1:]], dtype=torch.float32)
