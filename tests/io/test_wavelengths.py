"""Wavelengths against published ones, in any unit."""

from pathlib import Path

import numpy as np
import pytest

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.wavelengths import to_angstrom, vacuum_wavelength


@pytest.mark.parametrize(
    ("air", "vacuum"),  # https://classic.sdss.org/dr6/products/spectra/vacwavelength.html and NIST
    [
        (4861.363, 4862.721),
        (4958.911, 4960.295),
        (5006.843, 5008.239),
        (6562.801, 6564.614),
        (6716.440, 6718.294),
    ],
)
def test_vacuum_wavelengths_of_known_lines(air: float, vacuum: float) -> None:
    assert vacuum_wavelength(np.array([air]))[0] == pytest.approx(vacuum, abs=0.01)
    assert vacuum_wavelength(np.array([1215.67]))[0] == 1215.67


@pytest.mark.parametrize(
    ("name", "values", "unit", "asked"),
    [
        ("wave", 6564.61, "Angstroms", None),
        ("wave", 656.461, "nm", None),
        ("wave", 0.656461, "um", None),
        ("wave", 6.56461e-7, "m", None),
        ("wave", 6564.61, "", None),
        ("loglam", 3.817209, None, None),
        ("x", 3.817209, "log10(Angstroms)", None),
        ("x", 3.817209, "", "log10"),
        ("loglam", 656.461, "", "nm"),
    ],
)
def test_units(name: str, values: float, unit: str | None, asked: str | None) -> None:
    assert to_angstrom(Path("f"), name, [values] * 2, unit, asked)[0] == pytest.approx(6564.61, rel=1e-6)


def test_what_is_no_wavelength() -> None:
    with pytest.raises(
        DataError, match=r"f: the wavelengths in 'wave' have no unit, and 500 is not plainly Å"
    ):
        to_angstrom(Path("f"), "wave", [500.0], None, None)
    with pytest.raises(ConfigError, match=r"f, wave: 'Hz' is not a unit of wavelength; use Angstrom"):
        to_angstrom(Path("f"), "wave", [5e14], "Hz", None)
