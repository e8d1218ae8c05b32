"""Spectra onto another grid of wavelengths: flux is conserved, what has no data stays without."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_grid", "pixel_bounds", "rebin"]

Array = NDArray[np.float64]
GAP = 3.0  # a step this many times its neighbours' is a gap and not a wide pixel


def log_grid(wave_min: float, wave_max: float, n_pixels: int) -> Array:
    """Centres (n_pixels,) of pixels that are even in log λ, the first and the last one at the given wavelengths."""
    return np.geomspace(wave_min, wave_max, n_pixels)


def pixel_bounds(wave: Array) -> tuple[Array, Array]:
    """Lower and upper bounds (n,) of the pixels whose centres are ``wave`` (n ≥ 2, increasing).

    Neighbours share a bound half-way between them, except across a gap, where each keeps the width of its other
    side, so that a stretch without pixels is not filled from its ends.
    """
    step = np.diff(wave)  # (n - 1,)
    around = np.minimum(np.append(step[1:], np.inf), np.append(np.inf, step[:-1]))
    if len(step) > 1:
        step = np.where(step > GAP * around, around, step)
    lower, upper = wave.copy(), wave.copy()
    lower[1:] -= step / 2
    upper[:-1] += step / 2
    lower[0] -= step[0] / 2
    upper[-1] += step[-1] / 2
    return lower, upper


def rebin(
    flux: Array,
    valid: NDArray[np.bool_],
    bounds: tuple[Array, Array],
    new_bounds: tuple[Array, Array],
    *,
    variance: Array | None = None,
    least_cover: float = 0.5,
) -> tuple[Array, NDArray[np.bool_], Array | None]:
    """Mean flux density in each new pixel, weighted by how far each old pixel reaches into it.

    f_j = Σ_i l_ij f_i / Σ_i l_ij and σ_j² = Σ_i l_ij² σ_i² / (Σ_i l_ij)², where l_ij is the length that old pixel
    i and new pixel j share, over valid i alone (as SpectRes, Carnall 2017, arXiv:1705.05165). The integral over
    wavelength is that of the old pixels. Where new pixels are narrower than old ones their noise is correlated,
    which σ_j does not say.

    Args:
        flux: (n,) flux density, per unit of wavelength.
        valid: (n,) which of it is to be used.
        bounds: lower and upper bounds (n,) of the old pixels, increasing.
        new_bounds: those (m,) of the new ones, in the same unit.
        variance: (n,) of the flux.
        least_cover: share of a new pixel that valid old ones must cover for it to be valid.

    Returns:
        Flux (m,), 0 where not valid; which pixels are valid (m,); their variance (m,) or None.
    """
    (lower, upper), (new_lower, new_upper) = bounds, new_bounds
    marks = np.unique(np.concatenate([lower, upper, new_lower, new_upper]))
    length, middle = np.diff(marks), (marks[1:] + marks[:-1]) / 2
    i = np.searchsorted(lower, middle, side="right") - 1
    j = np.searchsorted(new_lower, middle, side="right") - 1
    inside = (i >= 0) & (j >= 0)
    inside[inside] &= (middle[inside] < upper[i[inside]]) & (middle[inside] < new_upper[j[inside]])
    inside[inside] &= valid[i[inside]]
    i, j, length = i[inside], j[inside], length[inside]
    m = len(new_lower)
    cover = np.bincount(j, length, m)
    good = (cover >= least_cover * (new_upper - new_lower)) & (cover > 0)
    norm = np.where(good, cover, np.inf)
    new_flux = np.bincount(j, length * flux[i], m) / norm
    new_variance = None if variance is None else np.bincount(j, length**2 * variance[i], m) / norm**2
    return new_flux, good, new_variance
