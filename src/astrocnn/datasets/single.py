"""Values that are kept as float32: those that do not fit are refused, never rounded to 0 or to infinity."""

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError

__all__ = ["single"]

FLOAT32 = np.finfo(np.float32)


def single(values: NDArray[np.float64], valid: NDArray[np.bool_], what: str) -> NDArray[np.float32]:
    """The valid values in float32, others 0.

    Args:
        values: any shape.
        valid: bool, of that shape.
        what: names file and quantity in the message, as 'spec-1.fits: its variance'.

    Raises:
        DataError: the largest one is outside the range of float32.
    """
    kept = np.where(valid, values, 0.0)
    largest = float(np.abs(kept).max()) if kept.size else 0.0
    if largest > FLOAT32.max or 0 < largest < FLOAT32.tiny:
        raise DataError(
            f"{what} reaches {largest:.3g}, outside the range of float32 ({FLOAT32.tiny:.0e} to {FLOAT32.max:.0e}); "
            "write the fluxes in another unit, such as 1e-17 of this one."
        )
    with np.errstate(under="ignore"):
        return kept.astype(np.float32)
