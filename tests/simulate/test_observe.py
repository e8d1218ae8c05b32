import numpy as np
import pytest
import torch

from astrocnn.errors import ConfigError
from astrocnn.simulate.observe import (
    DEPTH_YEAR10,
    VISITS_YEAR10,
    Survey,
    draw_seeing,
    lose_pixels,
    observe,
    point_sources,
)
from astrocnn.simulate.scene import Grid
from astrocnn.simulate.templates import BANDS, to_flux

GRID = Grid(size=25, pixel_scale_arcsec=0.2)


def test_depths_are_those_of_single_visits_added_up() -> None:
    # Ivezić et al. (2019), Table 1: single-visit design depths, deeper by 1.25 log10(visits).
    visit = dict(zip(BANDS, (23.9, 25.0, 24.7, 24.0, 23.3, 22.1), strict=True))
    for band in BANDS:
        assert DEPTH_YEAR10[band] == pytest.approx(
            visit[band] + 1.25 * np.log10(VISITS_YEAR10[band]), abs=0.06
        )


@pytest.mark.parametrize(("depth", "shallower"), [("year10", 0.0), ("year1", 1.25)])
def test_a_star_at_the_depth_is_measured_at_five_sigma(depth: str, shallower: float) -> None:
    bands = ("g", "r", "y")
    survey = Survey.of(depth, bands, 0.2)
    n = 6000
    flux = to_flux(np.array([DEPTH_YEAR10[band] - shallower for band in bands]))
    rng = np.random.default_rng(5)
    seeing = np.tile(survey.seeing_arcsec, (n, 1))
    middle = {"image": np.zeros(1), "x": np.zeros(1), "y": np.zeros(1)}
    psf = torch.zeros(1, len(bands), GRID.size, GRID.size)
    point_sources(psf, middle, np.ones((1, len(bands))), seeing[:1], GRID)
    clean = (psf * torch.from_numpy(flux).float()[:, None, None]).repeat(n, 1, 1, 1)
    image, _ = observe(rng, clean, survey)
    p = psf.double().numpy()
    measured = (image * p).sum(axis=(2, 3)) / (p**2).sum(axis=(2, 3))
    assert measured.mean(axis=0) == pytest.approx(flux, rel=0.03)
    # A scatter of one fifth of the flux, to 0.05 mag in depth (the scatter of 6000 draws is known to 0.01 mag).
    depth_error = -2.5 * np.log10(5 * measured.std(axis=0) / flux)
    assert np.abs(depth_error) == pytest.approx(0.0, abs=0.05)


def test_stated_variance_is_the_scatter_of_the_pixels() -> None:
    survey = Survey.of("year10", ("g", "r", "i"), 0.2)
    levels = torch.tensor([0.0, 3.0, 30.0, 1000.0])
    clean = levels.repeat(3, 1, 1).reshape(1, 3, 1, 4).repeat(1, 1, 8000, 1)
    image, variance = observe(np.random.default_rng(6), clean, survey)
    scatter = image.astype(float).var(axis=2)
    assert variance.mean(axis=2) == pytest.approx(scatter, rel=0.07)
    assert scatter[0, :, 3] == pytest.approx(survey.sky_variance + 1000 / survey.electrons_per_njy, rel=0.07)


def test_seeing_has_the_stated_median() -> None:
    survey = Survey.of("year10", ("g", "r", "i"), 0.2)
    seeing = draw_seeing(np.random.default_rng(7), 20_000, survey)
    assert np.median(seeing[:, 1]) == pytest.approx(0.8, abs=0.01)
    assert np.all(np.diff(np.median(seeing, axis=0)) < 0)
    shared = np.corrcoef(np.log(seeing[:, 0]), np.log(seeing[:, 2]))[0, 1]
    assert 0.7 < shared < 0.9


def test_bright_stars_lose_their_cores() -> None:
    survey = Survey.of("year10", ("r",), 0.2)
    for mag, lost in ((15.0, True), (18.0, False)):
        image = torch.zeros(1, 1, GRID.size, GRID.size)
        middle = {"image": np.zeros(1), "x": np.zeros(1), "y": np.zeros(1)}
        point_sources(image, middle, to_flux(np.array([[mag]])), survey.seeing_arcsec[None], GRID)
        mask = lose_pixels(np.random.default_rng(0), image, survey)
        assert bool(mask[0, 0, 12, 12]) is lost
        assert mask.mean() < 0.3


def test_one_image_in_sixteen_has_a_gap() -> None:
    survey = Survey.of("year10", ("g", "r", "i"), 0.2)
    mask = lose_pixels(np.random.default_rng(8), torch.zeros(4000, 3, 16, 16), survey)
    assert mask.any(axis=(1, 2, 3)).mean() == pytest.approx(1 / 16, abs=0.015)
    some = mask.any(axis=(2, 3))[mask.any(axis=(1, 2, 3))]
    assert (some.sum(axis=1) == 1).mean() == pytest.approx(0.5, abs=0.15)


def test_unknown_band() -> None:
    from astrocnn.simulate.lenses import simulate_lenses

    with pytest.raises(ConfigError, match="depth='year2' is not known"):
        simulate_lenses("nowhere", depth="year2")


def test_correlated_noise_keeps_its_variance_and_knows_its_neighbours() -> None:
    survey = Survey.of("year10", ("r",), 0.2)
    image, variance = observe(
        np.random.default_rng(9), torch.full((1, 1, 900, 900), 50.0), survey, correlated=True
    )
    noise = image[0, 0].astype(float) - 50
    total = noise.var()
    assert total == pytest.approx(variance.mean(), rel=0.02)
    for dy, dx, expected in ((0, 1, 1 / 4), (1, 0, 1 / 4), (1, 1, 1 / 16), (0, 2, 0.0), (2, 2, 0.0)):
        moved = np.roll(noise, (dy, dx), axis=(0, 1))
        assert (noise * moved).mean() / total == pytest.approx(expected, abs=0.01)
