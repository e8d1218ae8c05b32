"""The galaxies of photometric-redshift surveys against a community mock catalogue and published relations."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from astrocnn.simulate.bulge_disc import draw_galaxies, light_of
from astrocnn.simulate.lensing import arcsec_per_kpc
from astrocnn.simulate.population import Columns, magnitudes
from astrocnn.simulate.templates import BANDS, Colours, to_mag


def _mags(galaxies: Columns) -> np.ndarray:
    light = light_of(galaxies, Colours(BANDS))
    flux = np.zeros((len(galaxies["z"]), len(BANDS)))
    np.add.at(flux, light.owner, light.flux)
    return to_mag(flux)


@pytest.fixture(scope="module")
def survey() -> tuple[Columns, np.ndarray]:
    """Galaxies of 17.5 < i < 25.3 and their magnitudes."""
    rng = np.random.default_rng(2)
    galaxies = draw_galaxies(rng, magnitudes(rng, 20000, 17.5, 25.3))
    return galaxies, _mags(galaxies)


def test_light_is_of_the_magnitude_that_was_asked_for(survey: tuple[Columns, np.ndarray]) -> None:
    galaxies, mags = survey
    assert mags[:, BANDS.index("i")] == pytest.approx(galaxies["mag"], abs=1e-9)


def test_colours_go_with_redshift_as_in_cosmodc2(
    survey: tuple[Columns, np.ndarray], realdata: Callable[[str], Path]
) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(realdata("photoz/test_dc2_training_9816.hdf5")) as file:
        table = file["photometry"]
        z = table["redshift"][:]
        dc2 = np.stack([table[f"mag_{band}_lsst"][:] for band in BANDS], axis=1)
    galaxies, mags = survey
    for low in np.arange(0.1, 1.9, 0.2):
        ours = (galaxies["z"] > low) & (galaxies["z"] < low + 0.2)
        theirs = (z > low) & (z < low + 0.2)
        for one, other in (("g", "r"), ("r", "i"), ("i", "z"), ("z", "y")):
            a, b = BANDS.index(one), BANDS.index(other)
            seen = theirs & (dc2[:, a] < 90) & (dc2[:, b] < 90)
            expected = np.median(dc2[seen, a] - dc2[seen, b])
            assert np.median(mags[ours, a] - mags[ours, b]) == pytest.approx(expected, abs=0.2), (low, one)
    assert np.percentile(galaxies["z"], [25, 50, 75]) == pytest.approx(
        np.percentile(z, [25, 50, 75]), abs=0.12
    )


def test_bulges_have_their_share_of_the_light_at_rest() -> None:
    rng = np.random.default_rng(3)
    galaxies = draw_galaxies(rng, np.full(4000, 19.0))
    galaxies["z"][:] = 0.0  # the observed r band is the rest frame's
    light = light_of(galaxies, Colours(BANDS))
    for band in ("r", "u"):
        flux = light.flux[:, BANDS.index(band)]
        total = np.bincount(light.owner, flux, minlength=4000)
        n_discs = int((galaxies["bulge"] < 1).sum())  # they come first
        disc = np.bincount(light.owner[:n_discs], flux[:n_discs], minlength=4000)
        share = 1 - disc / total
        both = (galaxies["bulge"] > 0) & (galaxies["bulge"] < 1)
        if band == "r":
            assert share[both] == pytest.approx(galaxies["bulge"][both], abs=1e-9)
        else:
            late = both & (galaxies["quiescent"] == 0)
            assert (share[late] < galaxies["bulge"][late]).mean() > 0.9  # nearly all bulges are redder


def test_sizes_are_those_of_shen_et_al() -> None:
    rng = np.random.default_rng(4)
    galaxies = draw_galaxies(rng, magnitudes(rng, 60000, 17.5, 21.0))
    kpc = galaxies["radius"] / arcsec_per_kpc(galaxies["z"])
    nearby = (galaxies["z"] < 0.25) & (galaxies["radius"] < 3.9)
    for early, evolution, mag, expected in (
        (1, 1.48, -21.5, 10 ** (-4.63 + 0.24 * 21.5)),  # equation 14
        (0, 0.75, -20.52, 10 ** (-1.31 + 0.084 * 20.52 + 0.32 * np.log10(2))),  # equation 15
    ):
        rows = nearby & (galaxies["quiescent"] == early) & (np.abs(galaxies["mag_abs"] - mag) < 0.25)
        assert rows.sum() > 100
        at_zero = kpc[rows] * (1 + galaxies["z"][rows]) ** evolution
        assert np.median(at_zero) == pytest.approx(expected, rel=0.06)


def test_luminous_nearby_galaxies_are_early_and_faint_ones_late(survey: tuple[Columns, np.ndarray]) -> None:
    galaxies, _ = survey
    near = galaxies["z"] < 0.6
    luminous, faint = galaxies["mag_abs"] < -22, galaxies["mag_abs"] > -19
    assert galaxies["quiescent"][near & luminous].mean() > 0.3
    assert galaxies["quiescent"][near & faint].mean() < 0.1
    assert galaxies["z"].min() >= 0.01
    assert galaxies["z"].max() <= 3.5


def test_discs_from_the_side_are_redder() -> None:
    rng = np.random.default_rng(5)
    galaxies = draw_galaxies(rng, np.full(20000, 22.0))
    discs = galaxies["quiescent"] == 0
    side, face = galaxies["q"] < 0.3, galaxies["q"] > 0.8
    reddening = galaxies["dust"][discs & side].mean() - galaxies["dust"][discs & face].mean()
    assert reddening == pytest.approx(0.15 * (np.log10(0.25) ** 2 - np.log10(0.9) ** 2), abs=0.015)
