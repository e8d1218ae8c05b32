"""Numbers that stand for "no number": what catalogues write where nothing was measured."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, DataError, choose, listed

__all__ = ["QUANTITIES", "check_magnitudes", "known", "sentinels"]

Array = NDArray[np.float64]
NINES = (99.0, 99.9, 99.99, 99.999, 999.0, 999.9, 999.99, 9999.0)
NEGATIVE_NINES = tuple(-value for value in NINES)
QUANTITIES = {"magnitude": (*NINES, *NEGATIVE_NINES), "flux": NEGATIVE_NINES}
"""Magnitudes and their errors: ±99, ±999, ±9999 and their fractions; a flux of +99 is a flux, −99 is none."""
FAINTEST = 90.0  # no magnitude lies beyond this on either side
ROUNDING = 1e-6  # relative: a sentinel written in float32


def sentinels(quantity: str, missing: Sequence[float] | None) -> Array:
    """The values that mean "no measurement" for this quantity: the user's, or those that catalogues use.

    Raises:
        ConfigError: the quantity is not known, or a value is no number.
    """
    usual = choose("data.quantity", quantity, QUANTITIES)
    try:
        return np.array(usual if missing is None else list(missing), dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"data.missing={missing} are not numbers; give a list such as [99, -99].") from None


def known(values: Array, missing: Array) -> NDArray[np.bool_]:
    """Where ``values`` (any shape) are numbers: finite and none of ``missing`` (M,)."""
    found = np.isfinite(values)
    for value in missing[np.isfinite(missing)]:
        found &= np.abs(values - value) > ROUNDING * abs(value)
    return found


def check_magnitudes(name: str, values: Array, good: NDArray[np.bool_], source: object) -> None:
    """Refuse a column of magnitudes with values that cannot be magnitudes.

    Raises:
        DataError: names the values, which are numbers that stand for none.
    """
    strange = np.unique(values[good & (np.abs(np.where(good, values, 0)) > FAINTEST)])
    if len(strange):
        raise DataError(
            f"the column {name!r} of {source} holds {listed([f'{v:g}' for v in strange])}, which are no "
            "magnitudes; name what stands for no measurement with data.missing=[...], or say data.quantity=flux."
        )
