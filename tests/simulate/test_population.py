import numpy as np
import pytest
from scipy import integrate, stats

from astrocnn.simulate import population
from astrocnn.simulate.lensing import einstein_radius_arcsec
from astrocnn.simulate.templates import Colours


def test_einstein_radius_against_astropy_and_by_hand() -> None:
    from astropy.cosmology import FlatLambdaCDM

    universe = FlatLambdaCDM(H0=70.0, Om0=0.3)
    ratio = 1 - (
        universe.comoving_distance(0.5) / universe.comoving_distance(2.0)
    )  # D_ls / D_s of a flat universe
    got = einstein_radius_arcsec(np.array([250.0]), np.array([0.5]), np.array([2.0]))[0]
    # 4π (200 km/s / c)² is 1.1535 arcsec.
    assert got == pytest.approx(1.1535 * (250 / 200) ** 2 * ratio.value, rel=1e-3)
    assert got == pytest.approx(1.145, abs=0.005)


def test_no_ring_from_a_source_in_front() -> None:
    assert einstein_radius_arcsec(np.array([250.0]), np.array([0.5]), np.array([0.3]))[0] == 0


def test_velocity_dispersions_follow_choi_et_al() -> None:
    def density(sigma: float) -> float:
        return (sigma / 161.0) ** 2.32 * np.exp(-((sigma / 161.0) ** 2.67)) / sigma

    whole = integrate.quad(density, 150, 350)[0]
    drawn = population.velocity_dispersions(np.random.default_rng(0), 20_000)
    for sigma in (180.0, 220.0, 280.0):
        expected = integrate.quad(density, 150, sigma)[0] / whole
        assert (drawn < sigma).mean() == pytest.approx(
            expected, abs=4 * np.sqrt(expected * (1 - expected) / 20_000)
        )


def test_source_counts_double_each_magnitude() -> None:
    mag = population.magnitudes(np.random.default_rng(1), 200_000, 21.0, 26.0)
    counts, _ = np.histogram(mag, bins=np.arange(21.0, 26.5))
    assert counts[1:] / counts[:-1] == pytest.approx(10**0.3, rel=0.05)


def test_lens_redshifts_fill_comoving_volume() -> None:
    from astropy.cosmology import FlatLambdaCDM

    z = population.lens_redshifts(np.random.default_rng(2), 20_000)
    volume = FlatLambdaCDM(H0=70.0, Om0=0.3).comoving_volume
    low, middle, high = (volume(x).value for x in (0.2, 0.6, 0.9))
    assert (z < 0.6).mean() == pytest.approx((middle - low) / (high - low), abs=0.015)


def test_candidates_keep_the_cuts() -> None:
    lenses = population.lens_candidates(np.random.default_rng(3), 400, Colours(("g", "r", "i")))
    assert len(lenses["theta_E"]) >= 400
    assert np.all((lenses["theta_E"] > 0.5) & (lenses["theta_E"] < 3.0))
    assert np.all((lenses["sigma_v"] >= 150) & (lenses["sigma_v"] <= 350))
    assert np.all((lenses["z_l"] >= 0.2) & (lenses["z_l"] <= 0.9))
    assert np.all((lenses["z_s"] > lenses["z_l"]) & (lenses["z_s"] < 3.5))
    assert np.hypot(lenses["gamma_1"], lenses["gamma_2"]).max() <= 0.1
    again = einstein_radius_arcsec(lenses["sigma_v"], lenses["z_l"], lenses["z_s"])
    assert lenses["theta_E"] == pytest.approx(again)


def test_light_follows_mass_with_scatter() -> None:
    lenses = population.lens_candidates(np.random.default_rng(4), 600, Colours(("i",)))
    off = np.degrees(lenses["phi_mass"] - lenses["phi"])
    assert np.std(off) == pytest.approx(8.0, rel=0.15)
    assert stats.pearsonr(lenses["q"], lenses["q_mass"]).statistic > 0.8
