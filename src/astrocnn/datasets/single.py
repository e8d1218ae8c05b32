"""Values that are kept as float32: those that do not fit are refused, never rounded to 0 or to infinity."""

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError

__all__ = ["single"]

LARGEST, SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
ANOTHER_UNIT = "write the fluxes in another unit, such as 1e-17 of this one"


def single(
    values: NDArray[np.float64], valid: NDArray[np.bool_], what: str, *, remedy: str = ANOTHER_UNIT
) -> NDArray[np.float32]:
    """The valid values in float32, others 0.

    Args:
        values: any shape.
        valid: bool, of that shape.
        what: names file and quantity in the message, as 'spec-1.fits: its variance'.
        remedy: what to do, with which the message ends.

    Raises:
        DataError: the largest one is outside the range of float32.
    """
    kept = np.where(valid, values, 0.0)
    largest = float(np.abs(kept).max()) if kept.size else 0.0
    if largest > LARGEST or 0 < largest < SMALLEST:
        raise DataError(
            f"{what} reaches {largest:.3g}, outside the range of float32 ({SMALLEST:.0e} to {LARGEST:.0e}); {remedy}."
        )
    with np.errstate(under="ignore"):
        return kept.astype(np.float32)
