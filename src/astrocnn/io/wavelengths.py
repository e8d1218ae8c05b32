"""Wavelengths in any unit and medium as Å in vacuum."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.columns import numbers

__all__ = ["length_in_angstrom", "to_angstrom", "vacuum_wavelength"]

Array = NDArray[np.float64]
LEAST_ANGSTROM = (
    900.0  # a number without unit above this is Å: the Lyman limit is at 912 Å, and 900 nm is rare
)


def to_angstrom(path: Path, name: str, values: Any, unit: str | None, asked: str | None) -> Array:
    """Wavelengths in Å: by the unit ``asked`` for, the unit of the column, its name (loglam), or their size.

    Raises:
        DataError: the unit is none of length, or none is given and the numbers are not plainly Å.
    """
    wave = numbers(values, f"{path}: the column {name}")
    said = asked or (unit or "").strip()
    if said.lower().startswith(("log", "dex")) or (asked is None and name.lower().startswith("log")):
        return np.asarray(10.0**wave, dtype=np.float64)
    if said:
        return wave * length_in_angstrom(said, f"{path}, {name}")
    middle = float(np.nanmedian(wave)) if wave.size else math.nan
    if not middle >= LEAST_ANGSTROM:
        raise DataError(
            f"{path}: the wavelengths in {name!r} have no unit, and {middle:.6g} is not plainly Å; say it with "
            "data.wave_unit=nm (or um, Angstrom, log10)."
        )
    return wave


def length_in_angstrom(name: str, where: str) -> float:
    """Å in one unit of this name."""
    text = name.strip()
    for spelling in (text, text.rstrip("s"), text.lower(), text.lower().rstrip("s")):
        try:
            return float(units.Unit(spelling).to(units.AA))
        except (ValueError, TypeError, units.UnitConversionError):
            continue
    raise ConfigError(
        f"{where}: {name!r} is not a unit of wavelength; use Angstrom, nm, um or log10 (data.wave_unit=...)."
    )


def vacuum_wavelength(air: Array) -> Array:
    """Vacuum wavelengths of wavelengths in standard air, both in Å; below 2000 Å they are vacuum already.

    λ_vac = n λ_air with n = 1 + 6.4328·10⁻⁵ + 2.94981·10⁻² / (146 − s²) + 2.5540·10⁻⁴ / (41 − s²), s = 1/λ_vac in
    µm⁻¹ (the IAU standard: Edlén 1953, as given by Morton 1991, ApJS 77, 119). Taking s at λ_air changes λ_vac by
    less than 10⁻⁸ of it.
    """
    with np.errstate(divide="ignore"):
        square = (1e4 / air) ** 2
    index = 1 + 6.4328e-5 + 2.94981e-2 / (146 - square) + 2.5540e-4 / (41 - square)
    return np.where(air < 2000, air, index * air)
