"""Colour pictures of many-band images: asinh stretch of Lupton et al. (2004, PASP 116, 133), scaled by noise.

Each band is brought to units of its own noise before the colours are made, so that the pictures do not depend
on the unit of the flux, and a band that is deeper than another does not dominate the colour.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.visualization import LuptonAsinhStretch, make_lupton_rgb
from numpy.typing import NDArray

from astrocnn.errors import DataError

__all__ = ["NO_DATA", "Scaling", "fit_scaling", "lupton_rgb", "wavelength_order"]

NO_DATA = (122, 78, 138)
"""RGB of pixels without data: a violet that neither a sky nor a galaxy has."""

MAD_TO_SIGMA = 1.4826
BLACK_IN_SIGMA = -1.0  # what is drawn black; a little below the sky, so that its noise stays visible
WHITE_IN_SIGMA = (30.0, 1500.0)  # between these the white level follows the images
SKY_SLACK_IN_SIGMA = 2.0
BRIGHT_IN_SIGMA = 5.0  # pixels that count for the colour balance
WHITE_OVER_BRIGHT = 2.0  # the white level over the 99th percentile of a bright image's pixels
WARM_WHITE = (1.15, 1.0, 0.85)  # red, green, blue of all light together
LETTERS = {  # effective wavelength of a filter's letter or short name, nm
    **{"fuv": 153, "nuv": 230, "uvw2": 193, "uvm2": 225, "uvw1": 260},
    **{"u": 360, "b": 440, "g": 480, "v": 550, "r": 620, "vis": 720, "i": 755, "z": 880, "y": 990},
    **{"j": 1230, "h": 1640, "ks": 2150, "k": 2190, "w1": 3350, "w2": 4600, "w3": 11600, "w4": 22100},
}
WEBB = {
    200,
    210,
    250,
    277,
    300,
    335,
    356,
    360,
    410,
    430,
    444,
    460,
    480,
    560,
    770,
}  # where nm would be Hubble's

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """How the flux of a set of images becomes brightness; ``sky`` and ``noise`` (C,) in the images' unit.

    ``gain`` (3,) balances red, green and blue; ``white`` is the flux drawn white, in units of the noise above
    the sky.
    """

    sky: Array
    noise: Array
    gain: Array
    white: float


def fit_scaling(
    images: NDArray[np.floating],
    valid: NDArray[np.bool_] | None = None,
    *,
    bands: Sequence[str] | None = None,
) -> Scaling:
    """Sky and noise of every band from the images' borders, and a white level from their bright pixels.

    The sky is the median of a frame of an eighth of the image's side, the noise comes from the differences of
    neighbouring pixels there; the median over the images is kept. The light of all objects together is balanced
    to a warm white, as far as a factor of two in a channel's noise allows. Everything scales with the flux's unit.

    Args:
        images: (N, C, H, W) flux; NaN is no data.
        valid: (N, C, H, W), False is no data.
        bands: names of the C bands, as in :func:`lupton_rgb`.

    Raises:
        DataError: not four dimensions, or no valid pixel at all.
    """
    flux = _as_flux(images, valid)
    if not np.isfinite(flux).any():
        raise DataError("no pixel of these images holds data; there is nothing to scale a picture by.")
    skies, noises = _sky_and_noise(flux)  # (N, C) each
    sky = _median(skies, axis=0)  # (C,)
    sky = np.where(np.isfinite(sky), sky, _median(flux, axis=(0, 2, 3)))
    sky = np.where(np.isfinite(sky), sky, 0.0)
    noise = _median(noises, axis=0)  # (C,)
    # smooth or empty skies have no noise: then a hundredth of the bright pixels' height takes its place
    height = np.array([_quantile(np.abs(flux[:, c] - sky[c]), 0.99) for c in range(flux.shape[1])])
    noise = np.where(np.isfinite(noise) & (noise > 1e-6 * height), noise, height / 100)
    noise = np.where(noise > 0, noise, 1.0)
    in_sigma = np.nan_to_num((flux - sky[:, None, None]) / noise[:, None, None])
    channels = np.stack(_channels(in_sigma[:, _order(bands, flux.shape[1])]))  # (3, N, H, W)
    gain = _balance(channels)
    brightest = np.quantile((channels * gain[:, None, None, None]).mean(axis=0), 0.99, axis=(1, 2))  # (N,)
    white = float(np.clip(WHITE_OVER_BRIGHT * np.quantile(brightest, 0.7), *WHITE_IN_SIGMA))
    return Scaling(sky=sky, noise=noise, gain=gain, white=white)


def lupton_rgb(
    images: NDArray[np.floating],
    valid: NDArray[np.bool_] | None = None,
    *,
    bands: Sequence[str] | None = None,
    scaling: Scaling | None = None,
) -> NDArray[np.uint8]:
    """Colour pictures of a set of images, all on one scale, so that brightness and colour can be compared.

    Each image is drawn over its own sky level, and one that is noisier than the set is drawn fainter.
    One band gives grey; of two the redder is red, the bluer blue and their mean green; of three and more the
    reddest third becomes red and the bluest third blue. A pixel that lacks any band has the colour
    :data:`NO_DATA`.

    Args:
        images: (N, C, H, W) flux in any unit; NaN is no data.
        valid: (N, C, H, W), False is no data.
        bands: names of the C bands, from which their order in wavelength is taken where it is known; the bands
            are taken to go from blue to red otherwise.
        scaling: of :func:`fit_scaling`, to draw several sets alike; fitted to these images when None.

    Returns:
        (N, H, W, 3) uint8.

    Raises:
        DataError: not four dimensions, or as many names as there are not bands.
    """
    flux = _as_flux(images, valid)
    N, C, H, W = flux.shape
    missing: NDArray[np.bool_] = np.asarray(~np.isfinite(flux).all(axis=1))  # (N, H, W)
    if missing.all():
        return np.broadcast_to(np.array(NO_DATA, np.uint8), (N, H, W, 3)).copy()
    order = _order(bands, C)
    scaling = scaling or fit_scaling(flux, bands=bands)
    skies, noises = _sky_and_noise(flux)  # (N, C) each
    # an image's own sky, unless it is so high that it must be the halo of an object that fills the image
    slack = SKY_SLACK_IN_SIGMA * scaling.noise
    sky = np.clip(np.where(np.isfinite(skies), skies, scaling.sky), scaling.sky - slack, scaling.sky + slack)
    noisier = np.fmax.reduce(noises / scaling.noise, axis=1, initial=1.0)  # (N,), one factor for all bands
    in_sigma = (flux - sky[:, :, None, None]) / (scaling.noise * noisier[:, None])[:, :, None, None]
    blue_to_red = np.where(missing[:, None], 0.0, in_sigma)[:, order]
    # astropy works on one picture: the images are stacked to one of N*H rows
    red, green, blue = (
        gain * channel.reshape(N * H, W)
        for gain, channel in zip(scaling.gain, _channels(blue_to_red), strict=True)
    )
    stretch = _stretch(scaling.white)
    rgb = make_lupton_rgb(red, green, blue, interval=None, stretch_object=stretch, minimum=BLACK_IN_SIGMA)
    pictures: NDArray[np.uint8] = np.array(rgb, dtype=np.uint8).reshape(N, H, W, 3)
    pictures[missing] = NO_DATA
    return pictures


def wavelength_order(bands: Sequence[str]) -> list[int]:
    """Positions of ``bands`` from the bluest to the reddest; as they stand when any name is unknown."""
    wavelengths = [_wavelength_nm(band) for band in bands]
    if any(wavelength is None for wavelength in wavelengths):
        return list(range(len(bands)))
    return sorted(range(len(bands)), key=lambda position: wavelengths[position] or 0)


def _sky_and_noise(flux: Array) -> tuple[Array, Array]:
    """Median (N, C) and standard deviation (N, C) of the images' borders; NaN where they hold no data."""
    N, C, H, W = flux.shape
    y, x = max(1, H // 8), max(1, W // 8)
    strips = (flux[..., :y, :], flux[..., -y:, :], flux[..., y:-y, :x], flux[..., y:-y, -x:])
    framed = np.concatenate([strip.reshape(N, C, -1) for strip in strips], axis=2)
    steps = np.concatenate([np.abs(np.diff(strip, axis=-1)).reshape(N, C, -1) for strip in strips], axis=2)
    return _median(framed, axis=2), MAD_TO_SIGMA / np.sqrt(2) * _median(steps, axis=2)


def _wavelength_nm(band: str) -> float | None:
    """Of 'g', 'LSST_g', 'sdss-r', 'VIS', 'F814W' (Hubble: nm), 'F150W' (Webb, and Hubble's infrared: 10 nm)."""
    for word in reversed(re.split(r"[^a-z0-9]+", band.strip().lower())):
        if word in LETTERS:
            return LETTERS[word]
        if match := re.fullmatch(r"f(\d{3,4})(lp|w|m|n)", word):
            number = int(match[1])
            return float(number * 10 if number < 200 or number >= 1000 or number in WEBB else number)
    return None


def _channels(blue_to_red: Array) -> tuple[Array, Array, Array]:
    """Red, green and blue (N, H, W) of (N, C, H, W) ordered from blue to red."""
    C = blue_to_red.shape[1]
    if C == 1:
        return blue_to_red[:, 0], blue_to_red[:, 0], blue_to_red[:, 0]
    if C == 2:
        return blue_to_red[:, 1], blue_to_red.mean(axis=1), blue_to_red[:, 0]
    blue, green, red = (part.mean(axis=1) for part in np.array_split(blue_to_red, 3, axis=1))
    return red, green, blue


def _balance(channels: Array) -> Array:
    """Gains (3,) of mean 1 that give the bright pixels of (3, N, H, W), in units of the noise, a warm white."""
    if np.array_equal(channels[0], channels[2]):
        return np.ones(3)
    bright = channels.mean(axis=0) > BRIGHT_IN_SIGMA
    light = channels[:, bright].sum(axis=1) if bright.any() else np.zeros(3)
    if not (light > 0).all():
        return np.ones(3)
    gain = np.array(WARM_WHITE) * light.mean() / light
    gain = np.clip(gain / np.exp(np.log(gain).mean()), 0.5, 2.0)
    return np.asarray(gain / gain.mean())


def _order(bands: Sequence[str] | None, n_bands: int) -> list[int]:
    if bands is None:
        return list(range(n_bands))
    if len(bands) != n_bands:
        raise DataError(f"{len(bands)} band names came for images of {n_bands} bands; name each band once.")
    return wavelength_order(bands)


def _stretch(white: float) -> LuptonAsinhStretch:
    """Linear up to the noise, logarithmic above, 1 at ``white`` (in units of the noise).

    astropy's stretch is y = 0.1 asinh(Q x / s) / asinh(0.1 Q); Q / s = 1 / soft and y(white) = 1 give Q.
    """
    soft = 2.5
    Q = 10 * np.sinh(np.arcsinh((white - BLACK_IN_SIGMA) / soft) / 10)
    return LuptonAsinhStretch(stretch=Q * soft, Q=Q)


def _as_flux(images: NDArray[np.floating], valid: NDArray[np.bool_] | None) -> Array:
    flux = np.asarray(images, dtype=np.float64)
    if flux.ndim != 4:
        raise DataError(f"pictures are made of arrays (N, C, H, W); an array of shape {flux.shape} came.")
    flux = np.where(np.isfinite(flux), flux, np.nan)
    return flux if valid is None else np.where(np.asarray(valid, dtype=bool), flux, np.nan)


def _median(values: Array, *, axis: int | tuple[int, ...]) -> Array:
    """NaN where a slice has no data, without numpy's warning of it."""
    empty = np.isnan(values).all(axis=axis)
    filled = np.where(np.isnan(values).all(axis=axis, keepdims=True), 0.0, values)
    return np.where(empty, np.nan, np.nanmedian(filled, axis=axis))


def _quantile(values: Array, q: float) -> float:
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, q)) if finite.size else 0.0
