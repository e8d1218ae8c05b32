"""Numbers of any stored type to float32, with a bounded loss."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io.fits.card import Undefined
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed

__all__ = ["KEYWORDS", "LOSS", "Scaling", "to_float32", "unsigned"]

LARGEST, SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
SCALING = {"BSCALE": 1.0, "BZERO": 0.0}
KEYWORDS = (*SCALING, "BLANK", "BSOFTEN", "BOFFSET")  # what a scaling is told by
POGSON = 2.5 / math.log(10)
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


@dataclass(frozen=True)
class Scaling:
    """What the stored numbers of an image mean: stored × ``scale`` + ``zero``, and no value where one is ``blank``.

    ``asinh`` holds BSOFTEN and BOFFSET of images that are stored on an asinh scale, as the stacks of Pan-STARRS
    (Waters et al. 2020, ApJS 251, 4): v then stands for BOFFSET + 2 BSOFTEN sinh(v ln 10 / 2.5), a linear flux.
    """

    scale: float = 1.0
    zero: float = 0.0
    blank: Any = None
    asinh: tuple[float, float] | None = None

    @classmethod
    def of(cls, header: Any) -> "Scaling":
        """That of a header, anything with ``get``: BSCALE, BZERO, BLANK, BSOFTEN, BOFFSET.

        Raises:
            DataError: they do not say what the stored numbers mean; the caller names the file.
        """
        given = {key: header.get(key) for key in KEYWORDS}
        given = {key: None if isinstance(value, Undefined) else value for key, value in given.items()}
        strange = [
            f"{key}={value!r}"
            for key, value in given.items()
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)))
        ]
        scale, zero = (default if given[key] is None else given[key] for key, default in SCALING.items())
        if strange or not scale or not math.isfinite(scale) or not math.isfinite(zero):
            raise DataError(
                f"{listed(strange) or f'BSCALE={scale} and BZERO={zero}'}: these are numbers, and BSCALE is not 0, "
                "or nothing is known of the pixels; mend the header, or leave the object out (data.on_bad=skip)."
            )
        softening, offset = given["BSOFTEN"], given["BOFFSET"]
        if softening is None or offset is None:
            return cls(float(scale), float(zero), given["BLANK"])
        if not (0 < softening < math.inf and math.isfinite(offset)):
            raise DataError(
                f"BSOFTEN={softening} and BOFFSET={offset} say that the pixels are stored on an asinh scale, but the "
                "softening is a positive number; mend the header, or leave the object out (data.on_bad=skip)."
            )
        return cls(float(scale), float(zero), given["BLANK"], (float(softening), float(offset)))

    @property
    def linear(self) -> bool:
        """Whether values are the stored numbers themselves, where not BLANK."""
        return (self.scale, self.zero, self.asinh) == (1.0, 0.0, None)

    def physical(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """The values in float64, NaN where an integer is BLANK."""
        exact = unsigned(stored, self.scale, self.zero)
        values = (stored if exact is None else exact).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is not valid
            if exact is None and (self.scale, self.zero) != (1.0, 0.0):
                values = values * self.scale + self.zero
            if self.asinh is not None:
                softening, offset = self.asinh
                values = offset + 2 * softening * np.sinh(values / POGSON)
        if self.blank is not None and stored.dtype.kind in "iu":
            values[stored == self.blank] = np.nan
        return values


def unsigned(stored: NDArray[Any], scale: float, zero: float) -> NDArray[Any] | None:
    """The unsigned integers that FITS stores as signed ones and an offset, exactly; None for any other numbers."""
    size = stored.dtype.itemsize
    if stored.dtype.kind != "i" or scale != 1.0 or zero != 2.0 ** (8 * size - 1):
        return None
    bits = stored.astype(stored.dtype.newbyteorder("=")).view(f"u{size}")
    return np.asarray(bits ^ bits.dtype.type(1 << (8 * size - 1)))  # adding half the range flips the top bit
