"""Rebinning against closed forms."""

import numpy as np
import pytest

from astrocnn.functional.rebin import log_grid, pixel_bounds, rebin


def onto_log(wave: np.ndarray, flux: np.ndarray, n: int = 4000, **options: object) -> tuple:
    grid = log_grid(wave[0] + 5, wave[-1] - 5, n)
    good = options.pop("valid", np.ones(len(wave), bool))
    new = pixel_bounds(grid)
    return grid, new[1] - new[0], *rebin(flux, good, pixel_bounds(wave), new, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [500, 4000, 20000])
def test_a_flat_spectrum_stays_flat(n: int) -> None:
    wave = np.arange(3600.0, 9800.0, 0.8)
    _, _, flux, valid, _ = onto_log(wave, np.full(len(wave), 3.7e-17), n)
    assert valid.all()
    np.testing.assert_allclose(flux, 3.7e-17, rtol=1e-12)


def test_an_emission_line_keeps_centre_and_flux() -> None:
    wave = np.arange(5000.0, 8000.0, 1.1)
    sigma, centre, total = 2.5, 6564.61, 42.0
    line = total * np.exp(-0.5 * ((wave - centre) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    grid, width, flux, _, _ = onto_log(wave, line)
    assert (flux * width).sum() == pytest.approx(total, rel=1e-3)
    assert (flux * width * grid).sum() / (flux * width).sum() == pytest.approx(centre, abs=0.01)


def test_the_integral_between_common_bounds_is_exact() -> None:
    rng = np.random.default_rng(0)
    flux = rng.normal(size=60)
    old = np.sort(rng.uniform(10, 20, 61))
    new = np.linspace(old[0], old[-1], 18)
    got, valid, _ = rebin(flux, np.ones(60, bool), (old[:-1], old[1:]), (new[:-1], new[1:]))
    assert valid.all()
    assert (got * np.diff(new)).sum() == pytest.approx((flux * np.diff(old)).sum(), rel=1e-12)


def test_variance_of_whole_pixels_is_that_of_their_mean() -> None:
    old, new = np.arange(13.0), np.arange(0.0, 13.0, 3.0)
    variance = np.arange(1.0, 13.0) * 1e-34
    _, _, got = rebin(
        np.ones(12), np.ones(12, bool), (old[:-1], old[1:]), (new[:-1], new[1:]), variance=variance
    )
    np.testing.assert_allclose(got, variance.reshape(4, 3).sum(1) / 9)


def test_masked_pixels_and_what_lies_outside_are_not_invented() -> None:
    wave = np.arange(100.0)
    valid = (wave < 40) | (wave > 59)
    flux = np.where(valid, 1.0, 1e9)
    new = np.arange(-9.5, 120.0, 1.0)
    got, good, _ = rebin(flux, valid, pixel_bounds(wave), (new[:-1], new[1:]))
    centre = (new[:-1] + new[1:]) / 2
    np.testing.assert_array_equal(good, (centre >= 0) & (centre <= 99) & ((centre < 40) | (centre > 59)))
    assert (got[good] == 1).all()
    assert (got[~good] == 0).all()


def test_a_gap_between_pixels_is_not_filled() -> None:
    wave = np.concatenate([np.arange(4000.0, 5000.0), np.arange(6000.0, 7000.0)])
    lower, upper = pixel_bounds(wave)
    np.testing.assert_allclose(upper - lower, 1.0)
    grid, _, _, good, _ = onto_log(wave, np.ones(2000))
    assert not good[(grid > 5002) & (grid < 5998)].any()
    assert good[(grid < 4998) | (grid > 6002)].all()
