"""What is measured of the objects of an instance map: position, flux, class."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import DataError
from astrocnn.functional.centroids import windowed_centroids
from astrocnn.functional.sky_level import pixels_of

__all__ = ["measure_objects", "touching"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAD_TO_SIGMA = 1.4826


def measure_objects(
    instances: ArrayLike,
    image: ArrayLike,
    valid: ArrayLike,
    p: ArrayLike,
    *,
    sky: ArrayLike | None = None,
    variance: ArrayLike | None = None,
) -> dict[str, NDArray[Any]]:
    """Positions, fluxes and classes of the objects of an instance map, each from its own pixels.

    The position is a windowed centroid (as XWIN of SExtractor) of the sum of the bands weighted by their inverse
    noise variances: the fixed point of x = Σ w s x / Σ w s under a Gaussian window w as wide as the object. Where
    too little light is left for one, it is the mean position of the pixels. Its error is that which the noise of the
    pixels, taken as independent, makes (:func:`~astrocnn.functional.centroids.windowed_centroids`): by ``variance``,
    else by the scatter of the sky, without that of the object's own light. Fluxes are sums over the object's valid
    pixels: light beyond its pixels, and that of a neighbour on them, is not accounted for.

    Args:
        instances: (H, W) integers: 0 and below background, 1 and above objects.
        image: (C, H, W) flux, in any unit.
        valid: (C, H, W) bool; NaN is not valid either.
        p: (K, H, W) class probabilities, class 0 being the background.
        sky: (C,) level of the sky in ``image``; None takes 0.
        variance: (C, H, W) noise variance of the pixels in the flux unit's square.

    Returns:
        Arrays of N objects by rising number: ``number``; ``x``, ``y`` in 0-based pixels; ``x_err``, ``y_err``, their
        1σ errors in pixels, and ``xy_covariance`` in pixels² (NaN where neither variance nor sky says the noise);
        ``area_pix``; ``flux`` (N, C), NaN where no pixel of the band is valid; ``flux_err`` (N, C), where ``variance``
        came; ``label``, the class of greatest mean probability without the background; ``p_class`` (N, K), mean
        probabilities; ``blended``, whether the object touches another.

    Raises:
        DataError: shapes that do not go together.
    """
    labels, flux, chances = (np.asarray(a) for a in (instances, image, p))
    mask = np.asarray(valid, dtype=bool)
    shape = labels.shape
    if len(shape) != 2 or mask.shape != flux.shape or {flux.shape[1:], chances.shape[1:]} != {shape}:
        raise DataError(
            f"objects are measured on instances (H, W), image and valid (C, H, W) and p (K, H, W); these are "
            f"{shape}, {flux.shape}, {mask.shape} and {chances.shape}."
        )
    place = np.flatnonzero(labels > 0)
    number, key = np.unique(labels.ravel()[place], return_inverse=True)
    N = len(number)
    n_pix = np.bincount(key, minlength=N)
    spread = None if variance is None else np.asarray(variance)
    share, sky_noise2 = _band_weights(labels, flux, mask, spread)

    def inside(values: NDArray[Any]) -> NDArray[Any]:
        """(planes, P) of maps (planes, H, W) the pixels of objects."""
        return values.reshape(len(values), shape[0] * shape[1])[:, place]

    def sums(values: NDArray[Any]) -> Floats:
        """(N, planes) sums of values (planes, P) over each object's pixels."""
        columns = [np.bincount(key, plane, N) for plane in values]
        return np.stack(columns, axis=1) if columns else np.empty((N, 0))

    light = inside(flux)
    usable = inside(mask) & np.isfinite(light)
    level = 0 if sky is None else np.asarray(sky, dtype=light.dtype)[:, None]
    light = np.where(usable, light - level, 0)
    seen = sums(usable) > 0
    noise2 = usable * sky_noise2[:, None] if spread is None else np.where(usable, inside(spread), 0)
    combined = np.einsum("c,cp->p", share, light.astype(np.float64))
    counted = share > 0
    combined_noise2 = np.einsum("c,cp->p", share[counted] ** 2, noise2[counted].astype(np.float64))
    (y, x), covariance = windowed_centroids(
        combined, place // shape[1], place % shape[1], key, n_pix, variance=combined_noise2
    )
    p_class = sums(inside(chances)) / n_pix[:, None]
    measured: dict[str, NDArray[Any]] = {
        "number": number.astype(np.int64),
        "x": x,
        "y": y,
        "x_err": np.sqrt(covariance[:, 1, 1]),
        "y_err": np.sqrt(covariance[:, 0, 0]),
        "xy_covariance": covariance[:, 0, 1],
        "area_pix": n_pix.astype(np.int64),
        "flux": np.where(seen, sums(light), np.nan),
        "label": p_class[:, 1:].argmax(1) + 1,
        "p_class": p_class.astype(np.float32),
        "blended": np.isin(number, touching(labels)),
    }
    if spread is not None:
        measured["flux_err"] = np.where(seen, np.sqrt(sums(noise2)), np.nan)
    return measured


def _band_weights(
    labels: NDArray[Any], flux: NDArray[Any], mask: NDArray[Any], variance: NDArray[Any] | None
) -> tuple[Floats, Floats]:
    """(C,) inverse noise variances that sum to 1, from the scatter of the sky where the variance is not known.

    And (C,) these variances; NaN where no band has any.
    """
    scatter = np.zeros(len(flux))
    for band, (values, good) in enumerate(zip(flux, mask, strict=True)):
        if variance is not None and len(noise2 := pixels_of(variance[band], good)):
            scatter[band] = np.sqrt(np.median(noise2))
        elif len(sky := pixels_of(values, good & (labels <= 0))):
            scatter[band] = MAD_TO_SIGMA * np.median(np.abs(sky - np.median(sky)))
    known = scatter > 0
    if not known.any():  # noise-free images: all bands alike
        return np.full(len(flux), 1 / len(flux)), np.full(len(flux), np.nan)
    inverse = np.where(known, (scatter[known].min() / np.where(known, scatter, 1)) ** 2, 0)
    return np.asarray(inverse / inverse.sum()), scatter**2


def touching(labels: NDArray[Any]) -> NDArray[Any]:
    """Numbers of the objects that share an edge or a corner of a pixel with another."""
    found = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        H, W = labels.shape
        a = labels[: H - dy, max(-dx, 0) : W - max(dx, 0)]
        b = labels[dy:, max(dx, 0) : W + min(dx, 0)]
        border = (a != b) & (a > 0) & (b > 0)
        found += [a[border], b[border]]
    return np.unique(np.concatenate(found))
