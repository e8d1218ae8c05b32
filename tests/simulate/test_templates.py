import galsim
import numpy as np
import pytest

from astrocnn.errors import ConfigError
from astrocnn.simulate.templates import BANDS, TYPES, Colours, calzetti, igm_transmission, to_mag


def _galsim_mag(kind: str, redshift: float, band: str) -> float:
    """AB magnitude by GalSim of a template whose photons are stretched to the redshift (photons/nm as at rest)."""
    rest = galsim.SED(f"CWW_{kind}_ext.sed", "Ang", "flambda")
    wave = np.linspace(300.0, 1105.0, 20000)
    seen = galsim.SED(galsim.LookupTable(wave, rest(wave / (1 + redshift)), "linear"), "nm", "fphotons")
    bandpass = galsim.Bandpass(f"LSST_{band}.dat", "nm").withZeropoint("AB")
    return float(seen.calculateMagnitude(bandpass))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("redshift", [0.0, 0.33, 0.9])
def test_colours_are_those_of_galsim(kind: str, redshift: float) -> None:
    bands = ("g", "r", "i", "z", "y")  # the intergalactic medium leaves these alone at z < 1
    flux = Colours(bands).galaxy(np.array([float(TYPES.index(kind))]), np.array([redshift]), np.array([20.0]))
    mags = to_mag(flux[0])
    assert mags[2] == pytest.approx(20.0, abs=1e-9)
    expected = np.array([_galsim_mag(kind, redshift, band) for band in bands])
    assert mags - mags[2] == pytest.approx(expected - expected[2], abs=0.015)


def test_k_correction_against_galsim() -> None:
    redshift = 0.5
    got = Colours(("i",)).mag_i(np.zeros(1), np.array([redshift]), np.zeros(1))[0]
    # The same photons per nm at the stretched wavelength: magnitudes compare directly.
    assert got == pytest.approx(_galsim_mag("E", redshift, "i") - _galsim_mag("E", 0.0, "r"), abs=0.015)


def test_types_between_templates_lie_between_their_colours() -> None:
    flux = Colours(("g", "i")).galaxy(np.array([0.0, 0.5, 1.0]), np.full(3, 0.4), np.full(3, 20.0))
    assert flux[0, 0] < flux[1, 0] < flux[2, 0]


@pytest.mark.parametrize(
    ("wave_nm", "redshift", "expected"),
    [
        (450.0, 3.0, 0.7165),  # between Lyman α and β: 0.0036 (450 / 121.567)^3.46 = 0.3334, by hand
        (380.0, 3.5, 0.0812),  # below the Lyman limit: four lines, 0.5903, and the continuum, 1.9200, by hand
        (500.0, 3.0, 1.0),  # redward of Lyman α nothing is absorbed
    ],
)
def test_madau_transmission(wave_nm: float, redshift: float, expected: float) -> None:
    assert igm_transmission(np.array([wave_nm]), redshift)[0] == pytest.approx(expected, abs=2e-4)


def test_madau_mean_decrement_at_redshift_three_and_a_half() -> None:
    # D_A over 105 to 117 nm at rest; Madau (1995), figure 1 and the quasars of Schneider et al. (1991): 0.3 to 0.5.
    wave = np.linspace(105.0, 117.0, 200) * 4.5
    assert 1 - igm_transmission(wave, 3.5).mean() == pytest.approx(0.38, abs=0.03)


def test_calzetti_attenuation() -> None:
    # R_V at V; A(1600) = 9.97 E(B-V) and A(B) - A(V) = E(B-V), as Calzetti et al. (2000) give them, rounded.
    k = calzetti(np.array([550.0, 160.0, 440.0, 2200.0, 3000.0]))
    assert k[0] == pytest.approx(4.05, abs=0.01)
    assert k[1] == pytest.approx(9.97, abs=0.03)
    assert k[2] - k[0] == pytest.approx(1.04, abs=0.05)
    assert k[3] == k[4] == pytest.approx(0.37, abs=0.02)
    edge = calzetti(np.array([629.99, 630.01]))  # the two pieces meet within their rounding
    assert edge[0] == pytest.approx(edge[1], abs=0.03)


@pytest.mark.parametrize("dust", [-0.15, 0.25])
def test_colours_through_dust_are_those_of_galsim(dust: float) -> None:
    redshift, bands = 0.6, ("g", "r", "i", "z", "y")
    rest = galsim.SED("CWW_Im_ext.sed", "Ang", "flambda")
    wave = np.linspace(300.0, 1105.0, 20000)
    photons = rest(wave / (1 + redshift)) * 10 ** (-0.4 * dust * calzetti(wave / (1 + redshift)))
    seen = galsim.SED(galsim.LookupTable(wave, photons, "linear"), "nm", "fphotons")
    expected = [
        seen.calculateMagnitude(galsim.Bandpass(f"LSST_{b}.dat", "nm").withZeropoint("AB")) for b in bands
    ]
    flux = Colours(bands).galaxy(np.array([3.0]), np.array([redshift]), np.array([20.0]), np.array([dust]))
    mags = to_mag(flux[0])
    assert mags - mags[2] == pytest.approx(np.array(expected) - expected[2], abs=0.015)


def test_hot_stars_are_blue_and_flux_is_as_asked() -> None:
    flux = Colours(BANDS).star(np.array([3500.0, 8000.0]), np.array([18.0, 18.0]))
    assert to_mag(flux[:, 3]) == pytest.approx(18.0)
    colour = to_mag(flux[:, 1]) - to_mag(flux[:, 2])
    assert colour[0] > 1.0 > 0.3 > colour[1]


@pytest.mark.parametrize("bands", [(), ("g", "g"), ("g", "K")])
def test_bands_that_cannot_be_simulated(bands: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="choose different ones out of"):
        Colours(bands)
