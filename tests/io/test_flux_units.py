"""Factors against astropy.units and the constants that surveys document."""

import math

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.units import photometric

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.flux_units import flux_factor, needs_pixel_area, same_unit


@pytest.mark.parametrize(
    "bunit",
    [
        "Jy",
        "mJy",
        "uJy",
        "nJy",
        "1e-23 erg / (s cm2 Hz)",
        "erg/s/cm2/Hz",
        "W m-2 Hz-1",
        "10**-29 erg/(cm2 s Hz)",
    ],
)
@pytest.mark.parametrize("unit", ["nJy", "uJy", "mJy", "Jy"])
def test_flux_densities_equal_astropys(bunit: str, unit: str) -> None:
    assert flux_factor({"BUNIT": bunit}, unit) == pytest.approx(
        u.Unit(bunit.replace("erg/s/cm2/Hz", "erg / (s cm2 Hz)")).to(unit), rel=1e-12
    )


@pytest.mark.parametrize("bunit", ["nanomaggy", "nMgy", "nanomaggies", "nmgy", " nanomaggie "])
def test_nanomaggies(bunit: str) -> None:
    expected = (1 * photometric.nmgy).to_value(u.nJy, u.zero_point_flux(3631.0 * u.Jy))
    assert flux_factor({"BUNIT": bunit}, "nJy") == pytest.approx(expected)
    assert flux_factor({"BUNIT": bunit}, "nMgy") == 1
    # magnitude 22.5 is one nanomaggy
    assert flux_factor({}, "nMgy", zero_point=22.5) == pytest.approx(1.0)


@pytest.mark.parametrize("magnitude", [0.0, 22.5, 23.9, 31.4])
@pytest.mark.parametrize("key", ["PHOTZP", "MAGZERO", "MAGZP", "ZP", "SEXMGZPT"])
def test_zero_points_equal_astropys_ab(key: str, magnitude: float) -> None:
    expected = (magnitude * u.ABmag).to_value(u.nJy)  # of 3630.78 Jy, where we and the surveys take 3631
    assert flux_factor({key: magnitude}, "nJy") == pytest.approx(expected, rel=1e-4)
    assert flux_factor({"BUNIT": "adu"}, "nJy", zero_point=magnitude) == flux_factor({key: magnitude}, "nJy")
    assert flux_factor({key: magnitude}, "Jy") == pytest.approx(3631 * 10 ** (-0.4 * magnitude), rel=1e-12)


def test_documented_zero_points() -> None:
    assert flux_factor({}, "nJy", zero_point=31.4) == pytest.approx(1, rel=1e-4)  # Rubin's nJy
    assert flux_factor({}, "uJy", zero_point=23.9) == pytest.approx(1, rel=1e-4)  # Euclid's and COSMOS' µJy
    hsc = {"FLUXMAG0": 63095734448.0194}
    assert flux_factor(hsc, "nJy") == pytest.approx(flux_factor({}, "nJy", zero_point=27.0), rel=1e-9)


def test_photflam_gives_the_zero_point_that_stsci_documents() -> None:
    # ACS F814W as of 2012, where STScI gives ABMAG 25.94 = −2.5 log PHOTFLAM − 5 log PHOTPLAM − 2.408
    acs = {"BUNIT": "ELECTRONS/S", "PHOTFLAM": 7.033186e-20, "PHOTPLAM": 8047.469}
    magnitude = -2.5 * math.log10(acs["PHOTFLAM"]) - 5 * math.log10(acs["PHOTPLAM"]) - 2.408
    assert magnitude == pytest.approx(25.94, abs=0.02)
    assert flux_factor(acs, "nJy") == pytest.approx((magnitude * u.ABmag).to_value(u.nJy), rel=1e-3)
    flam = acs["PHOTFLAM"] * u.erg / u.s / u.cm**2 / u.AA
    expected = flam.to_value(u.nJy, u.spectral_density(acs["PHOTPLAM"] * u.AA))
    assert flux_factor(acs, "nJy") == pytest.approx(expected, rel=1e-9)
    wavelength = {"BUNIT": "erg/s/cm2/Angstrom", "PHOTPLAM": 8047.469}
    assert flux_factor(wavelength, "nJy") * acs["PHOTFLAM"] == pytest.approx(expected, rel=1e-9)
    counts = acs | {"BUNIT": "ELECTRONS", "EXPTIME": 2000.0}
    assert flux_factor(counts, "nJy") == pytest.approx(expected / 2000, rel=1e-9)


def test_zero_points_by_the_second() -> None:
    # a real DECam header: 29.915 = 24.842 + 2.5 log10(107)
    decam = {"MAGZERO": 29.915, "MAGZPT": 24.842, "EXPTIME": 107.0}
    assert flux_factor(decam, "nJy") == pytest.approx((29.915 * u.ABmag).to_value(u.nJy), rel=1e-4)
    without = {key: value for key, value in decam.items() if key != "MAGZERO"}
    assert flux_factor(without, "nJy") == pytest.approx(flux_factor(decam, "nJy"), rel=1e-3)
    rate = {"MAGZPT": 24.842, "BUNIT": "adu/s"}
    assert flux_factor(rate, "nJy") == pytest.approx((24.842 * u.ABmag).to_value(u.nJy), rel=1e-4)


def test_surface_brightness_and_beams() -> None:
    area = 0.04
    pixel = (area * u.arcsec**2).to(u.sr)
    assert flux_factor({"BUNIT": "MJy/sr"}, "MJy/sr") == 1
    to_njy = (1 * u.MJy / u.sr * pixel).to_value(u.nJy)
    assert flux_factor({"BUNIT": "MJy/sr"}, "nJy", pixel_area_arcsec2=area) == pytest.approx(to_njy)
    assert flux_factor({"BUNIT": "nJy"}, "MJy/sr", pixel_area_arcsec2=area) == pytest.approx(1 / to_njy)
    assert flux_factor({"BUNIT": "MJy/sr", "PIXAR_SR": pixel.value}, "nJy") == pytest.approx(to_njy)
    assert flux_factor({"BUNIT": "MJy/sr", "PIXAR_A2": area}, "nJy") == pytest.approx(to_njy)
    beam = {"BUNIT": "JY/BEAM", "BMAJ": 0.02, "BMIN": 0.01}
    solid = 2 * np.pi * 0.02 * 0.01 / (8 * np.log(2)) * u.deg**2  # of a Gaussian
    expected = (1 * u.Jy / u.beam).to_value(u.MJy / u.sr, u.beam_angular_area(solid))
    assert flux_factor(beam, "MJy/sr") == pytest.approx(expected)
    assert flux_factor(beam, "nJy", pixel_area_arcsec2=2.0) == pytest.approx(
        (1 * u.Jy * (2 * u.arcsec**2 / solid).to_value(u.one)).to_value(u.nJy)
    )
    assert flux_factor({"BUNIT": "nJy/pix"}, "nJy") == 1
    assert needs_pixel_area(beam, "nJy")
    assert not needs_pixel_area(beam, "MJy/sr")
    assert needs_pixel_area({}, "MJy/sr", zero_point=25.0)


def test_a_real_astropy_header() -> None:
    header = fits.Header({"BUNIT": "counts", "MAGZERO": 30.0, "MAGZPT": True})
    assert flux_factor(header, "uJy") == pytest.approx((30 * u.ABmag).to_value(u.uJy), rel=1e-4)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({}, r"BUNIT is '', and there is none of FLUXMAG0, .*data\.zero_point=<number>"),
        ({"BUNIT": "ADU"}, r"BUNIT is 'ADU', and there is none"),
        ({"BUNIT": "mag"}, r"BUNIT is 'mag', and there is none"),
        ({"BUNIT": "MJY"}, r"BUNIT is 'MJY', and there is none"),
        ({"MAGZPT": 25.0, "BUNIT": "adu"}, "not by the second and there is no EXPTIME"),
        ({"PHOTFLAM": 1e-19, "PHOTPLAM": 8000.0}, "BUNIT='' does not say whether"),
        ({"MAGZERO": 30.0, "MAGZP": 27.0}, r"differ \(MAGZERO=30, MAGZP=27\)"),
        ({"MAGZERO": 30.0, "MAGSYS": "Vega"}, r"Vega magnitudes \(MAGSYS=Vega\)"),
        ({"BUNIT": "Jy/beam"}, "BMAJ and BMIN"),
        ({"BUNIT": "erg/s/cm2/A"}, "pivot wavelength PHOTPLAM"),
        ({"BUNIT": "MJy/sr"}, r"needs the area of a pixel.*data\.pixel_scale_arcsec"),
        ({"MAGZERO": math.nan}, "there is none of FLUXMAG0"),
    ],
)
def test_headers_that_do_not_say_enough(header: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        flux_factor(header, "nJy")


def test_an_unknown_unit() -> None:
    with pytest.raises(ConfigError, match=r"data\.flux_unit='njy' is not known; choose from nJy.*mean 'nJy'"):
        flux_factor({"BUNIT": "nJy"}, "njy")


def test_one_unit_written_in_two_ways() -> None:
    assert same_unit("nanomaggy", "nMgy")
    assert same_unit("MJy/sr ", "MJy sr-1")
    assert same_unit("ADU", "ADU")
    assert not same_unit("nJy", "uJy")
    assert not same_unit("nJy", "nJy/arcsec2")
    assert not same_unit("ADU", "counts")
