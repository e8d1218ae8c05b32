"""Windowed centroids of objects, each from its own pixels, their errors, and the S/N under the window."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["windowed_centroids"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ITERATIONS = 6  # of the windowed centroid; a Gaussian's error falls by far more than a half with each
LEAST_WINDOW_PIX = 1.0


def windowed_centroids(
    light: Floats, row: Ints, column: Ints, key: Ints, n_pix: Ints, *, variance: Floats
) -> tuple[Floats, Floats, Floats]:
    """Centres of objects, what noise makes of them, and how far the objects are above it.

    The centre c is the fixed point of c = Σ w s x / Σ w s under a Gaussian window w around it, as wide as the object
    (XWIN_IMAGE of SExtractor). Noise of variance σ² moves it by F⁻¹ Σ w n (x − c), where F = Σ w s − Σ w s
    (x − c)(x − c)ᵀ / width²; so its covariance is F⁻¹ [Σ w² σ² (x − c)(x − c)ᵀ] F⁻¹. Of a round Gaussian that is seen
    as a whole F is half of Σ w s, and this SExtractor's ERRX2WIN_IMAGE = 4 Σ w² σ² (x − c)² / (Σ w s)².

    An object's centre is taken to lie among its pixels: no error is greater than that of a position anywhere in their
    box, side / √12, and that is said where their light says nothing more (one row of pixels, or no light left).

    The signal-to-noise ratio is that of the light under the window, Σ w s / √(Σ w² σ²) (SNR_WIN of SExtractor): of a
    Gaussian that is seen as a whole that of a matched filter.

    Args:
        light: (P,) flux of the pixels over the sky.
        row: (P,) of the pixels.
        column: (P,).
        key: (P,) the object from 0 to N − 1 that each is of.
        n_pix: (N,) pixels of the objects.
        variance: (P,) noise variance of ``light``; NaN where it is not known.

    Returns:
        Centres (2, N) as y and x in pixels; their covariance (N, 2, 2) in pixels² and the S/N (N,), both NaN of
        objects with an unknown variance.
    """
    N = len(n_pix)
    axes = np.stack([row, column]).astype(np.float64)  # (2, P)

    def total(weight: Floats) -> Floats:
        """(N,) sums over each object's pixels."""
        return np.asarray(np.bincount(key, weight, N), dtype=np.float64)

    def means(values: Floats, weight: Floats) -> Floats:
        """(n, N) weighted means of values (n, P); NaN where the weights do not sum to anything positive."""
        whole = total(weight)
        sums = np.stack([total(weight * of) for of in values])
        return np.asarray(sums / np.where(whole > 0, whole, np.nan))

    middle = np.stack([total(axis) / n_pix for axis in axes])  # (2, N)
    positive = np.maximum(light, 0)
    centre = means(axes, positive)
    centre = np.where(np.isfinite(centre), centre, middle)
    radius2 = ((axes - centre[:, key]) ** 2).sum(0)
    width2 = np.nan_to_num(means(radius2[None], positive)[0] / 2, nan=LEAST_WINDOW_PIX**2)
    width2 = np.clip(width2, LEAST_WINDOW_PIX**2, None)
    low, high = np.full((2, N), np.inf), np.full((2, N), -np.inf)
    for axis, first, last in zip(axes, low, high, strict=True):
        np.minimum.at(first, key, axis)
        np.maximum.at(last, key, axis)
    for _ in range(ITERATIONS):
        away, window = _seen_from(centre, axes, key, width2)
        # Under a window as wide as the object the mean lies half as far out as the object: twice the step.
        step = 2 * means(away, light * window)
        centre = np.clip(centre + np.where(np.isfinite(step), step, 0), low, high)
    away, window = _seen_from(centre, axes, key, width2)

    def moments(weight: Floats) -> Floats:
        """(N, 2, 2) sums of weight (x − c)(x − c)ᵀ."""
        return np.moveaxis(np.array([[total(weight * a * b) for b in away] for a in away]), -1, 0)

    whole, noise2 = total(light * window), total(window**2 * variance)
    pull = whole[:, None, None] * np.eye(2) - moments(light * window) / width2[:, None, None]
    snr = whole / np.sqrt(np.where(noise2 > 0, noise2, np.nan))
    return centre, _covariance(pull, moments(window**2 * variance), (high - low + 1).T), snr


def _seen_from(centre: Floats, axes: Floats, key: Ints, width2: Floats) -> tuple[Floats, Floats]:
    """Offsets (2, P) of pixels from their object's centre, and the window's weight (P,) there."""
    away = axes - np.take(centre, key, axis=1)
    return away, np.exp(-0.5 * (away**2).sum(0) / width2[key])


def _covariance(pull: Floats, noise: Floats, sides: Floats) -> Floats:
    """F⁻¹ V F⁻¹ (N, 2, 2) of F (N, 2, 2) and V (N, 2, 2), within the boxes of the objects, of ``sides`` (N, 2)."""
    widest = sides**2 / 12
    holds = np.linalg.eigvalsh(pull)[:, 0] > 0  # else noise leaves no centre to which light pulls
    inverse = np.linalg.inv(np.where(holds[:, None, None], pull, np.eye(2)))
    covariance = inverse @ noise @ inverse
    anywhere = widest[:, :, None] * np.eye(2)
    covariance = np.where((holds | np.isnan(noise).any((1, 2)))[:, None, None], covariance, anywhere)
    covariance = np.where((sides == 1)[:, :, None] & np.eye(2, dtype=bool), anywhere, covariance)
    own = np.einsum("nkk->nk", covariance)
    shrunk = np.sqrt(np.minimum(widest / np.where(own > 0, own, 1), 1))
    return np.asarray(covariance * shrunk[:, :, None] * shrunk[:, None, :])
