"""Figures of point redshifts: Δz = (z_phot − z_spec) / (1 + z_spec), its centre, its width and its outliers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import DataError

__all__ = ["LIMITS", "NMAD", "PointFigures", "resampled", "scaled_residuals"]

Floats = NDArray[np.float64]

NMAD = 1.4826  # of a Gaussian: σ over the median of the absolute deviations
LIMITS = {"outliers_005": 0.05, "outliers_015": 0.15}


def scaled_residuals(z_phot: ArrayLike, z_spec: ArrayLike) -> Floats:
    """Δz = (z_phot − z_spec) / (1 + z_spec), (N,).

    Raises:
        DataError: no object, a redshift that is not finite, or a true one of −1 or less.
    """
    found, true = np.asarray(z_phot, np.float64), np.asarray(z_spec, np.float64)
    if found.ndim != 1 or found.shape != true.shape:
        raise DataError(f"redshifts are (N,) and (N,); these are {found.shape} and {true.shape}.")
    if len(true) == 0:
        raise DataError("there is no object of known redshift to measure; check data.redshift and the split.")
    if n_bad := int((~np.isfinite(true)).sum()):
        raise DataError(f"{n_bad} of {len(true)} true redshifts are not finite; leave these objects out.")
    if n_bad := int((true <= -1).sum()):
        raise DataError(f"{n_bad} of {len(true)} true redshifts are −1 or less; leave these objects out.")
    if n_bad := int((~np.isfinite(found)).sum()):
        raise DataError(
            f"{n_bad} of {len(true)} predicted redshifts are not finite; look for objects without a valid value, or "
            "train again if the network itself gives NaN."
        )
    return (found - true) / (1 + true)


class PointFigures:
    """Figures of Δz, as a function of how often each object counts.

    - ``bias``: mean of Δz; ``bias_median``: its median
    - ``sigma_nmad``: 1.4826 · median |Δz − median Δz| (Pasquet+19's σ_MAD)
    - ``sigma_68``: half the range from the 16th to the 84th percentile
    - ``outliers_005``, ``outliers_015``: fraction with |Δz| above 0.05, 0.15
    - ``outliers_3sigma``: fraction with |Δz| above 3 ``sigma_nmad``

    Args:
        z_phot: (N,) point estimates.
        z_spec: (N,) true redshifts.

    Raises:
        DataError: as :func:`scaled_residuals`.
    """

    names = ("bias", "bias_median", "sigma_nmad", "sigma_68", *LIMITS, "outliers_3sigma")

    def __init__(self, z_phot: ArrayLike, z_spec: ArrayLike) -> None:
        residuals = scaled_residuals(z_phot, z_spec)
        self.order = np.argsort(residuals, kind="stable")
        self.residuals = residuals[self.order]

    def __call__(self, counts: Floats) -> Floats:
        """(b, 7) figures of counts (b, N), all rows of one sum."""
        drawn = resampled(self.residuals, counts[:, self.order])  # (b, n), increasing
        low, centre, high = (_of_ordered(drawn, p) for p in (0.16, 0.5, 0.84))
        width = NMAD * np.median(np.abs(drawn - centre[:, None]), axis=1)
        sizes = np.abs(drawn)
        beyond = [(sizes > limit).mean(1) for limit in LIMITS.values()]
        beyond.append((sizes > 3 * width[:, None]).mean(1))
        return np.stack((drawn.mean(1), centre, width, (high - low) / 2, *beyond), axis=1)


def _of_ordered(values: Floats, p: float) -> Floats:
    """(b,) quantiles of values (b, n) in increasing order, between neighbours as ``numpy.quantile`` takes them."""
    place = p * (values.shape[1] - 1)
    below = int(place)
    above = min(below + 1, values.shape[1] - 1)
    between = (place - below) * (values[:, above] - values[:, below])
    return np.asarray(values[:, below] + between)


def resampled(values: Floats, counts: Floats) -> Floats:
    """(b, n): the values (N,) repeated as often as the counts (b, N) say, each row summing to n; order is kept."""
    b = len(counts)
    return np.repeat(np.tile(values, b), counts.astype(np.int64).ravel()).reshape(b, -1)
