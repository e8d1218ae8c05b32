"""Variance, weight and noise maps: each to the variance of a pixel's flux, and where it is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError, choose

__all__ = ["KINDS", "to_variance"]

LARGEST, SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
Array = NDArray[np.float64]


def _inverse(plane: Array) -> Array:
    inverse: Array = np.divide(
        1.0, plane, out=np.full(plane.shape, np.nan), where=np.isfinite(plane) & (plane > 0)
    )
    return inverse


KINDS: dict[str, Callable[[Array], Array]] = {
    "variance": lambda plane: plane,
    "inverse": _inverse,
    "weight": _inverse,
    "rms": lambda plane: np.where(plane >= 0, plane, np.nan) ** 2,
}


def to_variance(
    plane: NDArray[Any], kind: str, *, factor: float | Array = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Variance float32 and whether it is known, both of the plane's shape; unknown ones hold 0.

    Args:
        plane: physical values: what ``kind`` says, in units that belong to the stored flux.
        kind: 'variance'; 'inverse' or 'weight' for the inverse variance (0 is no data); 'rms' for the standard
            deviation. A value that is negative or not finite is not known; a variance or rms of 0 is, for it is
            that of a simulation without noise.
        factor: by which the flux is multiplied (a number, or an array of planes); the variance is by its square.

    Raises:
        ConfigError: no such kind.
        DataError: the variance does not fit into float32.
    """
    convert = choose("data.variance.kind", kind, KINDS)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        values = convert(np.asarray(plane, dtype=np.float64)) * factor**2
        fits = np.isfinite(values) & (values >= 0)
        known = fits & (values <= LARGEST)
        largest = float(values[fits].max(initial=0.0))
        if 0 < largest < SMALLEST or (fits.any() and not known.any()):
            raise DataError(
                f"the variance, up to {largest:.3g}, is outside the range of float32 ({SMALLEST:.0e} to "
                f"{LARGEST:.0e}); bring the fluxes to a larger or smaller unit (data.flux_unit=nJy)."
            )
        return np.where(known, values, 0.0).astype(np.float32), known
