"""Maps of stars: mass and light add up, relations hold, and the set on disk is what it says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from astrocnn.errors import ConfigError
from astrocnn.simulate.observe import Survey
from astrocnn.simulate.resolved_galaxies import simulate_resolved_galaxies
from astrocnn.simulate.scene import Grid
from astrocnn.simulate.stellar_maps import PLANES, draw_galaxies, light, stellar_maps
from astrocnn.simulate.templates import Colours, to_mag

pytest.importorskip("galsim")
GRID = Grid(48, 0.2)


@pytest.fixture(scope="module")
def some():
    rng = np.random.default_rng(0)
    galaxies = draw_galaxies(rng, 6, GRID)
    return galaxies, stellar_maps(rng, galaxies, GRID)


def test_mass_and_star_formation_are_those_of_the_catalogue(some) -> None:
    galaxies, maps = some
    mass = (maps.bulge + maps.disc).sum((1, 2)).double().numpy()
    rate = maps.sfr.sum((1, 2)).double().numpy()
    np.testing.assert_allclose(
        np.log10(mass), galaxies["log_mass"], atol=0.06
    )  # some lies outside the cutout
    np.testing.assert_allclose(np.log10(rate), galaxies["log_sfr"], atol=0.06)
    share = maps.bulge.sum((1, 2)).double().numpy() / mass
    np.testing.assert_allclose(share, galaxies["bulge"], atol=0.05)


def test_ages_and_metals_are_means_over_mass(some) -> None:
    galaxies, maps = some
    mass, _, age, metals = maps.moments(galaxies).double().unbind(1)
    for n, y, x in ((0, 30, 50), (2, 64, 64), (4, 10, 100)):
        bulge, disc, rate, log_age, metallicity = (
            float(getattr(maps, name)[n, y, x]) for name in ("bulge", "disc", "sfr", "log_age", "metallicity")
        )
        weights = [bulge, disc, 1e8 * rate]
        years = [10 ** galaxies["bulge_log_age"][n], 10**log_age, 10**7.7]
        solar = [10 ** galaxies["bulge_metallicity"][n], 10**metallicity, 10**metallicity]
        assert float(mass[n, y, x]) == pytest.approx(sum(weights), rel=1e-4)
        mean_age = 1e10 * float(age[n, y, x] / mass[n, y, x])
        assert mean_age == pytest.approx(np.average(years, weights=weights), rel=1e-3)
        mean_metals = float(metals[n, y, x] / mass[n, y, x])
        assert mean_metals == pytest.approx(np.average(solar, weights=weights), rel=1e-3)
    centre = slice(62, 66)
    inner, outer = (maps.log_age[:, centre, columns].mean((1, 2)) for columns in (centre, slice(0, 4)))
    assert (inner >= outer).all()  # discs are older inside


def test_old_and_rich_stars_are_red_and_dust_reddens(some) -> None:
    galaxies, maps = some
    colours = Colours(("g", "i"))
    nothing = torch.zeros_like(maps.sfr)

    def colour(**changed) -> np.ndarray:
        one = type(maps)(**{**vars(maps), "bulge": nothing, "sfr": nothing, "dust": nothing, **changed})
        flux = light(one, galaxies, colours).sum((2, 3)).double().numpy()
        return to_mag(flux[:, 0]) - to_mag(flux[:, 1])

    old, young = (colour(log_age=torch.full_like(maps.sfr, age)) for age in (10.0, 9.2))
    rich, poor = (colour(metallicity=torch.full_like(maps.sfr, metals)) for metals in (0.2, -0.8))
    dusty, clear = colour(dust=torch.ones_like(maps.sfr)), colour()
    assert (old > young + 0.3).all()
    assert (rich >= poor).all()
    assert (dusty > clear + 0.2).all()


def test_twice_the_mass_is_twice_the_light_and_mass_to_light_is_that_of_galaxies(some) -> None:
    galaxies, maps = some
    colours = Colours(("r",))
    z0 = galaxies | {"z": np.full(6, 0.05)}
    flux = light(maps, z0, colours).sum((1, 2, 3)).double().numpy()
    twice = type(maps)(
        **{**vars(maps), **{name: 2 * getattr(maps, name) for name in ("bulge", "disc", "sfr")}}
    )
    np.testing.assert_allclose(light(twice, z0, colours).sum((1, 2, 3)).double().numpy(), 2 * flux, rtol=1e-4)
    from astropy.cosmology import FlatLambdaCDM

    absolute = to_mag(flux) - FlatLambdaCDM(70, 0.3).distmod(0.05).value
    luminosity = 10 ** (-0.4 * (absolute - 4.65))
    ratio = 10 ** galaxies["log_mass"] / luminosity
    assert ((ratio > 0.2) & (ratio < 5)).all()


@pytest.mark.parametrize("pair", ["maps", "noise", "resolution"])
def test_the_pairs_on_disk(pair: str, tmp_path: Path) -> None:
    folder = simulate_resolved_galaxies(
        tmp_path / pair, n_images=4, pair=pair, bands=("g", "i"), size=32, n_workers=1
    )
    table = Table.read(folder / "catalog.fits")
    assert len(table) == 4
    with (
        fits.open(folder / "images" / "000001.fits") as image,
        fits.open(folder / "targets" / "000001.fits") as target,
    ):
        flux, noise = image[0].data, np.sqrt(image["VARIANCE"].data)
        row = table[1]
        sky = Survey.of("year10", ("g", "i"), 0.4 if pair == "resolution" else 0.2).sky_variance
        np.testing.assert_allclose(
            np.nanmin(noise**2, axis=(1, 2)), sky, rtol=0.1
        )  # where there is hardly any light
        for hdu in (image[0], target[1 if pair == "maps" else 0]):
            sky = WCS(hdu.header).celestial
            ny, nx = hdu.data.shape[-2:]
            centre = sky.pixel_to_world_values((nx - 1) / 2, (ny - 1) / 2)
            np.testing.assert_allclose(centre, [row["ra"], row["dec"]], atol=1e-9)
        if pair == "maps":
            assert [hdu.name for hdu in target[1:]] == list(PLANES)
            known = np.isfinite(target[1].data)
            bright = flux[1] > 3 * noise[1]
            assert known[bright & np.isfinite(flux[1])].mean() > 0.97  # where there is light there are values
            assert np.log10(np.sum(10 ** target[1].data[known])) == pytest.approx(row["log_mass"], abs=0.15)
        elif pair == "noise":
            pull = (flux - target[0].data) / noise
            assert pull.std() == pytest.approx(1, abs=0.1)
            assert abs(pull.mean()) < 0.15
        else:
            assert flux.shape == (2, 16, 16)
            assert target[0].data.shape == (2, 32, 32)
            total = target[0].data.sum((1, 2))
            np.testing.assert_allclose(flux.sum((1, 2)), total, rtol=0.1, atol=5 * np.sqrt((noise**2).sum()))
            assert target[0].data[1].max() > flux[1].max() / 4  # sharper


def test_what_cannot_be_simulated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pair='noises' is not known; .* Did you mean 'noise'"):
        simulate_resolved_galaxies(tmp_path, pair="noises")
    with pytest.raises(ConfigError, match="size=50 cannot be simulated; it must be a multiple of 4"):
        simulate_resolved_galaxies(tmp_path, size=50)
