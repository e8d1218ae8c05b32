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
    p: ArrayLike | None = None,
    *,
    sky: ArrayLike | None = None,
    noise: ArrayLike | None = None,
    variance: ArrayLike | None = None,
) -> dict[str, NDArray[Any]]:
    """Positions, fluxes and classes of the objects of an instance map, each from its own pixels.

    The position is a windowed centroid (as XWIN of SExtractor) of the sum of the bands weighted by their inverse
    noise variances: the fixed point of x = Σ w s x / Σ w s under a Gaussian window w as wide as the object. Where
    too little light is left for one, it is the mean position of the pixels. Its error is that which the noise of the
    pixels, taken as independent, makes (:func:`~astrocnn.functional.centroids.windowed_centroids`): by ``variance``,
    else by the scatter of the sky, without that of the object's own light; so is the signal-to-noise ratio of that
    sum under the window. Fluxes are sums over the object's valid pixels: light beyond its pixels, and that of a
    neighbour on them, is not accounted for.

    Args:
        instances: (H, W) integers: 0 and below background, 1 and above objects.
        image: (C, H, W) flux, in any unit.
        valid: (C, H, W) bool; NaN is not valid either.
        p: (K, H, W) class probabilities, class 0 being the background; None where the classes are known otherwise.
        sky: level of the sky in ``image``, (C,), or (M, C) of the objects 1 to M by their numbers; None takes 0.
        noise: 1σ scatter of the sky's pixels, likewise; NaN or 0 where a band has none. None measures it on the
            pixels that are no object's, so that it and the weights of the bands depend on which pixels these are.
        variance: (C, H, W) noise variance of the pixels in the flux unit's square.

    Returns:
        Arrays of N objects by rising number: ``number``; ``x``, ``y`` in 0-based pixels; ``x_err``, ``y_err``, their
        1σ errors in pixels, and ``xy_covariance`` in pixels² (NaN where neither variance nor sky says the noise);
        ``snr``, the signal-to-noise ratio (NaN likewise); ``area_pix``; ``flux`` (N, C), NaN where no pixel of the band
        is valid; ``flux_err`` (N, C), where ``variance`` came; ``blended``, whether the object touches another; and,
        where ``p`` came, ``label``, the class of greatest mean probability without the background, and ``p_class``
        (N, K), mean probabilities.

    Raises:
        DataError: shapes that do not go together.
    """
    labels, flux = np.asarray(instances), np.asarray(image)
    mask = np.asarray(valid, dtype=bool)
    chances = np.empty((0, *labels.shape)) if p is None else np.asarray(p)
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

    def inside(values: NDArray[Any]) -> NDArray[Any]:
        """(planes, P) of maps (planes, H, W) the pixels of objects."""
        return np.take(values.reshape(len(values), shape[0] * shape[1]), place, axis=1)

    def sums(values: NDArray[Any]) -> Floats:
        """(N, planes) sums of values (planes, P) over each object's pixels."""
        columns = [np.bincount(key, plane, N) for plane in values]
        return np.stack(columns, axis=1) if columns else np.empty((N, 0))

    def by_pixel(values: NDArray[Any]) -> NDArray[Any]:
        """(planes, P) of values of all objects (planes,), or of each (M, planes); (planes, 1) of the former."""
        return (
            values[:, None] if values.ndim == 1 else np.stack([plane[number - 1][key] for plane in values.T])
        )

    light = inside(flux)
    usable = inside(mask) & np.isfinite(light)
    level = 0 if sky is None else by_pixel(np.asarray(sky, dtype=light.dtype))
    light = np.where(usable, light - level, 0)
    seen = sums(usable) > 0
    scatter = _scatter(labels, flux, mask, spread) if noise is None else np.asarray(noise, dtype=np.float64)
    weight, sky_noise2 = (by_pixel(of) for of in _band_weights(scatter))
    noise2 = usable * sky_noise2 if spread is None else np.where(usable, inside(spread), 0)
    combined, combined_noise2 = np.zeros((2, len(place)))
    for of_band, *planes in zip(weight, light, noise2, strict=True):
        combined += of_band * planes[0]
        combined_noise2 += np.where(of_band > 0, of_band**2 * planes[1], 0)
    (y, x), covariance, snr = windowed_centroids(
        combined, place // shape[1], place % shape[1], key, n_pix, variance=combined_noise2
    )
    measured: dict[str, NDArray[Any]] = {
        "number": number.astype(np.int64),
        "x": x,
        "y": y,
        "x_err": np.sqrt(covariance[:, 1, 1]),
        "y_err": np.sqrt(covariance[:, 0, 0]),
        "xy_covariance": covariance[:, 0, 1],
        "snr": snr,
        "area_pix": n_pix.astype(np.int64),
        "flux": np.where(seen, sums(light), np.nan),
        "blended": np.isin(number, touching(labels)),
    }
    if spread is not None:
        measured["flux_err"] = np.where(seen, np.sqrt(sums(noise2)), np.nan)
    if p is not None:
        p_class = sums(inside(chances)) / n_pix[:, None]
        measured |= {"label": p_class[:, 1:].argmax(1) + 1, "p_class": p_class.astype(np.float32)}
    return measured


def _scatter(
    labels: NDArray[Any], flux: NDArray[Any], mask: NDArray[Any], variance: NDArray[Any] | None
) -> Floats:
    """(C,) noise of the bands' pixels: of the variances, else the scatter of the sky; 0 of what has neither."""
    scatter = np.zeros(len(flux))
    for band, (values, good) in enumerate(zip(flux, mask, strict=True)):
        if variance is not None and len(noise2 := pixels_of(variance[band], good)):
            scatter[band] = np.sqrt(np.median(noise2))
        elif len(sky := pixels_of(values, good & (labels <= 0))):
            scatter[band] = MAD_TO_SIGMA * np.median(np.abs(sky - np.median(sky)))
    return scatter


def _band_weights(scatter: Floats) -> tuple[Floats, Floats]:
    """Inverse variances (..., C) that sum to 1 over the bands of a scatter (..., C), and the variances.

    Where no band has any, as in noise-free images, all weigh alike and the variances are NaN.
    """
    known = scatter > 0
    some = known.any(-1, keepdims=True)
    least = np.where(known, scatter, np.inf).min(-1, keepdims=True)
    inverse = np.where(known, (np.where(some, least, 1) / np.where(known, scatter, 1)) ** 2, ~some)
    variances = np.where(some, np.where(known, scatter, 0) ** 2, np.nan)
    return inverse / inverse.sum(-1, keepdims=True), variances


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
