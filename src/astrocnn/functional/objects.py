"""What is measured of the objects of an instance map: position, flux, class."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import DataError

__all__ = ["measure_objects"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ITERATIONS = 6  # of the windowed centroid; a Gaussian's error falls by far more than a half with each
LEAST_WINDOW_PIX = 1.0
MAD_TO_SIGMA = 1.4826


def measure_objects(
    instances: ArrayLike,
    image: ArrayLike,
    valid: ArrayLike,
    p: ArrayLike,
    *,
    variance: ArrayLike | None = None,
) -> dict[str, NDArray[Any]]:
    """Positions, fluxes and classes of the objects of an instance map, each from its own pixels.

    The position is a windowed centroid (as XWIN of SExtractor) of the sum of the bands weighted by their inverse
    noise variances: the fixed point of x = Σ w s x / Σ w s under a Gaussian window w as wide as the object. Where
    too little light is left for one, it is the mean position of the pixels. Fluxes are sums over the object's
    valid pixels: light beyond its pixels, and that of a neighbour on them, is not accounted for.

    Args:
        instances: (H, W) integers: 0 and below background, 1 and above objects.
        image: (C, H, W) flux over the sky, in any unit.
        valid: (C, H, W) bool; NaN is not valid either.
        p: (K, H, W) class probabilities, class 0 being the background.
        variance: (C, H, W) noise variance of the pixels in the flux unit's square.

    Returns:
        Arrays of N objects by rising number: ``number``; ``x``, ``y`` in 0-based pixels; ``area_pix``; ``flux``
        (N, C), NaN where no pixel of the band is valid; ``flux_err`` (N, C), where ``variance`` came; ``label``,
        the class of greatest mean probability without the background; ``p_class`` (N, K), mean probabilities;
        ``blended``, whether the object touches another.

    Raises:
        DataError: shapes that do not go together.
    """
    labels, flux, mask, chances = (np.asarray(a) for a in (instances, image, valid, p))
    shape = labels.shape
    if len(shape) != 2 or mask.shape != flux.shape or {flux.shape[1:], chances.shape[1:]} != {shape}:
        raise DataError(
            f"objects are measured on instances (H, W), image and valid (C, H, W) and p (K, H, W); these are "
            f"{shape}, {flux.shape}, {mask.shape} and {chances.shape}."
        )
    place = np.flatnonzero(labels > 0)
    number, key = np.unique(labels.ravel()[place], return_inverse=True)
    N, C, K = len(number), len(flux), len(chances)
    usable = mask.astype(bool) & np.isfinite(flux)
    light = np.where(usable, flux, 0).reshape(C, -1)
    n_pix = np.bincount(key, minlength=N)

    def sums(values: NDArray[Any]) -> Floats:
        """(N, planes) sums over each object's pixels of maps (planes, H * W)."""
        columns = [np.bincount(key, plane[place], N) for plane in values]
        return np.stack(columns, axis=1) if columns else np.empty((N, 0))

    seen = sums(usable.reshape(C, -1)) > 0
    noise2 = None if variance is None else np.where(usable, np.asarray(variance), 0).reshape(C, -1)
    share = _band_weights(light, usable.reshape(C, -1), labels.ravel() <= 0, noise2)
    combined = np.einsum("c,cp->p", share, light[:, place].astype(np.float64))
    y, x = _centroids(combined, place // shape[1], place % shape[1], key, n_pix)
    p_class = sums(chances.reshape(K, -1)) / n_pix[:, None]
    measured: dict[str, NDArray[Any]] = {
        "number": number.astype(np.int64),
        "x": x,
        "y": y,
        "area_pix": n_pix.astype(np.int64),
        "flux": np.where(seen, sums(light), np.nan),
        "label": p_class[:, 1:].argmax(1) + 1,
        "p_class": p_class.astype(np.float32),
        "blended": np.isin(number, _touching(labels)),
    }
    if noise2 is not None:
        measured["flux_err"] = np.where(seen, np.sqrt(sums(noise2)), np.nan)
    return measured


def _band_weights(
    light: NDArray[Any], usable: NDArray[np.bool_], sky: NDArray[np.bool_], noise2: NDArray[Any] | None
) -> Floats:
    """(C,) inverse noise variances that sum to 1; from the scatter of the sky where the variance is not known."""
    scatter = np.zeros(len(light))
    for band, (values, good) in enumerate(zip(light, usable, strict=True)):
        if noise2 is not None and good.any():
            scatter[band] = np.sqrt(np.median(noise2[band][good]))
        elif (good & sky).any():
            values = values[good & sky]
            scatter[band] = MAD_TO_SIGMA * np.median(np.abs(values - np.median(values)))
    known = scatter > 0
    if not known.any():  # noise-free images: all bands alike
        return np.full(len(light), 1 / len(light))
    inverse = np.where(known, (scatter[known].min() / np.where(known, scatter, 1)) ** 2, 0)
    return np.asarray(inverse / inverse.sum())


def _centroids(light: Floats, row: Ints, column: Ints, key: Ints, n_pix: Ints) -> tuple[Floats, Floats]:
    """Windowed centroids (N,) and (N,) of pixels (P,) with their light and the object each is of."""
    N = len(n_pix)
    axes = np.stack([row, column]).astype(np.float64)  # (2, P)

    def mean(values: Floats, weight: Floats) -> Floats:
        """(N,) weighted means; NaN where the weights do not sum to anything positive."""
        total = np.bincount(key, weight, N)
        return np.bincount(key, weight * values, N) / np.where(total > 0, total, np.nan)

    middle = np.stack([np.bincount(key, axis, N) / n_pix for axis in axes])  # (2, N)
    positive = np.maximum(light, 0)
    centre = np.stack([mean(axis, positive) for axis in axes])
    centre = np.where(np.isfinite(centre), centre, middle)
    radius2 = ((axes - centre[:, key]) ** 2).sum(0)
    width2 = np.nan_to_num(mean(radius2, positive) / 2, nan=LEAST_WINDOW_PIX**2)
    width2 = np.clip(width2, LEAST_WINDOW_PIX**2, None)
    edges = [
        (np.full(N, np.inf), np.full(N, -np.inf)) for _ in axes
    ]  # no centre leaves the box of its pixels
    for axis, (low, high) in zip(axes, edges, strict=True):
        np.minimum.at(low, key, axis)
        np.maximum.at(high, key, axis)
    for _ in range(ITERATIONS):
        away = axes - centre[:, key]
        window = light * np.exp(-0.5 * (away**2).sum(0) / width2[key])
        # Under a window as wide as the object the mean lies half as far out as the object: twice the step.
        step = np.stack([2 * mean(axis, window) for axis in away])
        moved = centre + np.where(np.isfinite(step), step, 0)
        centre = np.stack([np.clip(c, low, high) for c, (low, high) in zip(moved, edges, strict=True)])
    return centre[0], centre[1]


def _touching(labels: NDArray[Any]) -> NDArray[Any]:
    """Numbers of the objects that share an edge or a corner of a pixel with another."""
    found = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        H, W = labels.shape
        a = labels[: H - dy, max(-dx, 0) : W - max(dx, 0)]
        b = labels[dy:, max(dx, 0) : W + min(dx, 0)]
        border = (a != b) & (a > 0) & (b > 0)
        found += [a[border], b[border]]
    return np.unique(np.concatenate(found))
