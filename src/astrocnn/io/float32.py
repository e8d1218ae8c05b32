"""Numbers of any stored type to float32, with a bounded loss."""

import math
from typing import Any

import numpy as np
from astropy.io.fits.card import Undefined
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed

__all__ = ["LOSS", "physical", "scaling", "to_float32", "unsigned"]

LARGEST, SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
SCALING = {"BSCALE": 1.0, "BZERO": 0.0}
LOSS = 0.1  # greatest rounding error, in units of the pixels' own scatter


def to_float32(values: NDArray[np.float64], *, exact: bool = False) -> NDArray[np.float32]:
    """The nearest float32 of each value; one that is too small for it becomes 0, one that is too large infinite.

    The rounding error of a value is at most 2⁻²⁴ of it (6e-8). That is nothing beside the noise of any image,
    unless a constant level is some million times the scatter; then the image is refused.

    Args:
        values: of any shape.
        exact: they were float32 before they were scaled, so that their rounding is nothing new.

    Raises:
        DataError: the values do not fit into float32, or the rounding error of the median value would be more than
            :data:`LOSS` times the median absolute deviation. The message begins with what is wrong; the caller
            names the file.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        single = values.astype(np.float32)
    if np.array_equal(single, values):
        return single
    finite = np.isfinite(values)
    given = values if finite.all() else values[finite]
    if not given.size:
        return single
    largest = max(float(given.max()), -float(given.min()))
    if largest > LARGEST or 0 < largest < SMALLEST:
        raise DataError(
            f"its largest value, {largest:.3g}, is outside the range of float32 ({SMALLEST:.0e} to "
            f"{LARGEST:.0e}); write the images in another unit, or ask for one (data.flux_unit=nJy)."
        )
    if not exact:
        _check_level(given.reshape(-1))
    return single


def _check_level(values: NDArray[np.float64]) -> None:
    values = values[:: max(1, len(values) // 1024)]
    level = float(np.median(values))
    scatter = float(np.median(np.abs(values - level)))
    step = float(np.spacing(np.float32(abs(level)))) / 2
    if scatter > 0 and step > LOSS * scatter:
        raise DataError(
            f"its values are about {level:.9g} and scatter by {scatter:.3g}, which float32 would round by up to "
            f"{step:.3g}; subtract the constant level and write the images again."
        )


def scaling(header: Any) -> tuple[float, float, Any]:
    """BSCALE, BZERO and BLANK (None for none) of a header, anything with ``get``.

    Raises:
        DataError: they do not say what the stored numbers mean; the caller names the file.
    """
    given = {key: header.get(key) for key in ("BSCALE", "BZERO", "BLANK")}
    given = {key: None if isinstance(value, Undefined) else value for key, value in given.items()}
    strange = [
        f"{key}={value!r}"
        for key, value in given.items()
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)))
    ]
    scale, zero = (default if given[key] is None else given[key] for key, default in SCALING.items())
    if strange or not scale or not math.isfinite(scale) or not math.isfinite(zero):
        raise DataError(
            f"{listed(strange) or f'BSCALE={scale} and BZERO={zero}'}: these are numbers, and BSCALE is not 0, or "
            "nothing is known of the pixels; mend the header, or leave the object out (data.on_bad=skip)."
        )
    return float(scale), float(zero), given["BLANK"]


def physical(stored: NDArray[Any], scale: float, zero: float, blank: Any) -> NDArray[np.float64]:
    """``stored`` × BSCALE + BZERO in float64, NaN where an integer is BLANK."""
    exact = unsigned(stored, scale, zero)
    values = (stored if exact is None else exact).astype(np.float64)
    if exact is None and (scale, zero) != (1.0, 0.0):
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is not valid
            values = values * scale + zero
    if blank is not None and stored.dtype.kind in "iu":
        values[stored == blank] = np.nan
    return values


def unsigned(stored: NDArray[Any], scale: float, zero: float) -> NDArray[Any] | None:
    """The unsigned integers that FITS stores as signed ones and an offset, exactly; None for any other numbers."""
    size = stored.dtype.itemsize
    if stored.dtype.kind != "i" or scale != 1.0 or zero != 2.0 ** (8 * size - 1):
        return None
    bits = stored.astype(stored.dtype.newbyteorder("=")).view(f"u{size}")
    return np.asarray(bits ^ bits.dtype.type(1 << (8 * size - 1)))  # adding half the range flips the top bit
