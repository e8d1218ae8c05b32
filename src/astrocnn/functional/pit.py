"""Distances of probability integral transforms (PITs) from the uniform distribution that true PDFs give."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from astrocnn.errors import DataError

__all__ = [
    "DISTANCES",
    "anderson_darling",
    "check_pit",
    "cramer_von_mises",
    "kolmogorov_smirnov",
    "of_perfect_pdfs",
]

Floats = NDArray[np.float64]

LEAST = (
    2.0**-23
)  # a PIT closer to 0 or 1 is rounding, and its logarithm would rule the Anderson–Darling distance


def check_pit(pit: ArrayLike) -> Floats:
    """PITs (N,) as float64.

    Raises:
        DataError: none, not (N,), NaN, or outside [0, 1].
    """
    values = np.asarray(pit, np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise DataError(f"PITs are (N,) with at least one object; these are {values.shape}.")
    if n_bad := int((~np.isfinite(values)).sum()):
        raise DataError(f"{n_bad} of {len(values)} PITs are not finite; look for PDFs that are.")
    if values.min() < -1e-9 or values.max() > 1 + 1e-9:
        raise DataError(f"PITs lie in [0, 1] and these reach from {values.min():.4g} to {values.max():.4g}.")
    return values.clip(0, 1)


def kolmogorov_smirnov(ordered: Floats) -> Floats:
    """D = sup |F_n(u) − u| of PITs (..., n) in increasing order."""
    n = ordered.shape[-1]
    step = np.arange(1, n + 1) / n
    return np.asarray(np.maximum((step - ordered).max(-1), (ordered - step + 1 / n).max(-1)))


def cramer_von_mises(ordered: Floats) -> Floats:
    """W² = 1 / (12n) + Σᵢ ((2i − 1) / (2n) − u₍ᵢ₎)² of PITs (..., n) in increasing order."""
    n = ordered.shape[-1]
    middle = (2 * np.arange(1, n + 1) - 1) / (2 * n)
    return np.asarray(1 / (12 * n) + ((middle - ordered) ** 2).sum(-1))


def anderson_darling(ordered: Floats) -> Floats:
    """A² = −n − Σᵢ (2i − 1) / n · [ln u₍ᵢ₎ + ln(1 − u₍ₙ₊₁₋ᵢ₎)] of PITs (..., n) in increasing order.

    PITs within 2⁻²³ of 0 or 1 are moved there.
    """
    n = ordered.shape[-1]
    u = ordered.clip(LEAST, 1 - LEAST)
    weight = (2 * np.arange(1, n + 1) - 1) / n
    return np.asarray(-n - (weight * (np.log(u) + np.log1p(-u[..., ::-1]))).sum(-1))


DISTANCES = {"pit_ks": kolmogorov_smirnov, "pit_cvm": cramer_von_mises, "pit_ad": anderson_darling}
"""By the names of figures; each takes PITs in increasing order."""


def of_perfect_pdfs(n: int) -> dict[str, dict[str, float]]:
    """What PDFs that are true give of n objects by chance: {distance: {mean, q95}}.

    The mean of D is √(π/2) ln 2 / √n − 1 / (6n), good to 1 % from n = 10 on; its 95th percentile is exact. The means
    of W² and A² are 1/6 and 1 whatever n; their 95th percentiles are those of many objects (Stephens 1974, J. Am.
    Stat. Assoc. 69, 730), near which they are from n = 5 on.
    """
    mean = np.sqrt(np.pi / (2 * n)) * np.log(2) - 1 / (6 * n)
    return {
        "pit_ks": {"mean": float(mean), "q95": float(stats.kstwo.ppf(0.95, n))},
        "pit_cvm": {"mean": 1 / 6, "q95": 0.461},
        "pit_ad": {"mean": 1.0, "q95": 2.492},
    }
