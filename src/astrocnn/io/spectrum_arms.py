"""Stretches of a spectrum with their wavelengths, made of whatever a file calls them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.columns import numbers
from astrocnn.io.flags import flag_bits
from astrocnn.io.wavelengths import length_in_angstrom, vacuum_wavelength

__all__ = ["Arm", "Reading", "Spectra", "make_arm"]

Array = NDArray[np.float64]
MEDIA = ("vacuum", "air")


@dataclass(frozen=True)
class Reading:
    """How files are to be read where they do not say themselves; None leaves it to the file.

    Args:
        wave, flux, ivar, error, mask: columns (or HDUs) of wavelength, flux, inverse variance, 1σ error and mask.
        hdu: name or number of the HDU that holds the spectrum.
        wave_unit: unit of the wavelengths, such as Angstrom, nm, um; 'log10' for the logarithm of Å.
        medium: 'vacuum' or 'air', in which wavelengths were measured.
        mask_bits: bits of the mask (0 to 62) that make a pixel bad; None takes every bit, an empty list none.

    Raises:
        ConfigError: a unit, medium or bit is not known.
    """

    wave: str | None = None
    flux: str | None = None
    ivar: str | None = None
    error: str | None = None
    mask: str | None = None
    hdu: str | int | None = None
    wave_unit: str | None = None
    medium: str | None = None
    mask_bits: Sequence[int] | None = None

    def __post_init__(self) -> None:
        flag_bits("data.mask_bits", self.mask_bits)
        if self.medium is not None and self.medium not in MEDIA:
            raise ConfigError(f"data.medium={self.medium!r} is not known; choose from vacuum, air.")
        if self.wave_unit not in (None, "log10"):
            length_in_angstrom(str(self.wave_unit), "data.wave_unit")


@dataclass(frozen=True)
class Arm:
    """One stretch: ``wave`` (n,) in Å in vacuum, increasing; ``flux`` and ``valid`` (n,); ``variance`` (n,) or None."""

    wave: Array
    flux: Array
    variance: Array | None
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Spectra:
    """What one file holds: ``n`` spectra of a ``layout``; ``arms(row)`` reads one.

    ``many`` says that the layout holds many objects a file; then ``ids`` may name them. ``position`` (n, 2) are
    their right ascension and declination in degrees (ICRS), NaN where unknown.
    """

    layout: str
    n: int
    arms: Callable[[int], list[Arm]]
    many: bool = False
    ids: Sequence[str] | None = None
    position: Array | None = None
    unit: str | None = None

    def sky(self, row: int) -> tuple[float, float]:
        """Position of one, degrees."""
        return (math.nan, math.nan) if self.position is None else tuple(self.position[row].tolist())


def make_arm(
    path: Path,
    reading: Reading,
    *,
    wave: Any,
    flux: Any,
    ivar: Any = None,
    error: Any = None,
    mask: Any = None,
    air: bool = False,
) -> Arm:
    """An :class:`Arm` of raw columns (n,): wavelengths in Å, either way round, and what says which pixels are good.

    Pixels whose wavelength is not a positive number are padding and are left out.

    Raises:
        DataError: the columns differ in length, or the wavelengths are in no order.
    """
    wave, flux = (numbers(v, f"{path}: its {n}").reshape(-1) for n, v in (("wave", wave), ("flux", flux)))
    others = {"ivar": ivar, "error": error, "mask": mask}
    for name, values in {"flux": flux, **others}.items():
        if values is not None and np.shape(values) != wave.shape:
            raise DataError(
                f"{path}: {name} has {_size(np.shape(values))} values but the wavelengths {_size(wave.shape)}; all "
                f"columns of a spectrum need one length; name another with data.{name}=<column>."
            )
    real = np.isfinite(wave) & (wave > 0)
    valid = np.isfinite(flux) & real
    variance = None
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        if ivar is not None:
            weight = numbers(ivar, f"{path}: its ivar")
            valid &= np.isfinite(weight) & (weight > 0)
            variance = 1 / np.where(valid, weight, 1)
        elif error is not None:
            sigma = numbers(error, f"{path}: its error")
            valid &= np.isfinite(sigma) & (sigma > 0)
            variance = np.where(valid, sigma, 0) ** 2
    if variance is not None:
        valid &= np.isfinite(variance)
    if mask is not None and (reading.mask_bits is None or len(reading.mask_bits)):
        valid &= ~_flagged(path, np.asarray(mask), reading.mask_bits)
    order = _order(path, wave[real])
    keep = np.flatnonzero(real)[order]
    medium = reading.medium or ("air" if air else "vacuum")
    increasing = wave[keep] if medium == "vacuum" else vacuum_wavelength(wave[keep])
    return Arm(increasing, flux[keep], None if variance is None else variance[keep], valid[keep])


def _flagged(path: Path, mask: NDArray[Any], bits: Sequence[int] | None) -> NDArray[np.bool_]:
    if mask.dtype.kind not in "iub":
        mask = np.nan_to_num(numbers(mask, f"{path}: its mask"))
        if (mask != np.rint(mask)).any() or (np.abs(mask) >= 2.0**63).any():
            raise DataError(
                f"{path}: its mask holds values that are no flags; name another with data.mask=<column>."
            )
    planes = mask.astype(np.int64)
    flagged: NDArray[np.bool_] = (planes & flag_bits("data.mask_bits", bits)) != 0
    return flagged


def _order(path: Path, wave: Array) -> slice:
    if len(wave) < 2:
        raise DataError(f"{path}: {len(wave)} pixels with a wavelength; a spectrum has two at least.")
    step = np.diff(wave)
    if (step > 0).all():
        return slice(None)
    if (step < 0).all():
        return slice(None, None, -1)
    at = int(np.flatnonzero(step * np.sign(np.median(step)) <= 0)[0])
    raise DataError(
        f"{path}: its wavelengths are in no order: {wave[at]:.6g} is followed by {wave[at + 1]:.6g} at pixel {at + 1}; "
        "sort them, or keep orders that overlap in files of their own."
    )


def _size(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "1"
