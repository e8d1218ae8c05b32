import numpy as np
import pytest
import torch

from astrocnn.report.data_facts import QUANTILES, measure

BANDS = ("g", "r")


def batch(flux, valid=None, variance=None):
    valid = np.ones(flux.shape, bool) if valid is None else valid
    made = {"image": np.where(valid, flux, 0).astype(np.float32), "valid": valid}
    if variance is not None:
        made["variance"] = np.broadcast_to(np.float32(variance), flux.shape).copy()
    return {key: torch.from_numpy(value) for key, value in made.items()}


def noise(shape=(300, 2, 24, 24), seed=1):
    return np.random.default_rng(seed).normal(0, 1, shape)


def test_figures_of_a_band_are_those_of_its_valid_pixels():
    flux, valid = noise(), np.random.default_rng(2).random((300, 2, 24, 24)) > 0.1
    flux[:, 1] = 5 + 3 * flux[:, 1]
    facts = measure(batch(flux, valid), bands=BANDS)
    for c, band in enumerate(facts.bands):
        values = flux[:, c][valid[:, c]].astype(np.float32)
        assert band.quantiles == pytest.approx(np.quantile(values, QUANTILES), rel=1e-6)
        assert band.n_valid == valid[:, c].sum()
        assert band.invalid_fraction == pytest.approx(1 - valid[:, c].mean())
        assert band.width == pytest.approx(values.std(), rel=0.02)  # of a normal distribution
    np.testing.assert_allclose(facts.invalid, 1 - valid.mean(axis=0), atol=1e-6)
    assert not facts.constant.any()


@pytest.mark.parametrize("unit", [1.0, 2.0**-40, 2.0**50])
def test_histograms_hold_every_value_whatever_its_unit(unit):
    flux = noise() + 1e4 * (noise(seed=3) > 3)
    valid = flux > -2
    facts = measure(batch(unit * flux, valid), bands=BANDS, normalise=lambda image, valid: image / unit)
    reference = measure(batch(flux, valid), bands=BANDS)
    for c, band in enumerate(facts.bands):
        assert band.flux.counts.sum() == band.normalised.counts.sum() == valid[:, c].sum()
        np.testing.assert_array_equal(band.flux.counts, reference.bands[c].flux.counts)
        np.testing.assert_allclose(band.flux.edges / unit, reference.bands[c].flux.edges, rtol=1e-5)
        values = unit * flux[:, c][valid[:, c]]
        assert band.flux.edges[0] == pytest.approx(values.min(), rel=1e-4)
        assert band.flux.edges[-1] == pytest.approx(values.max(), rel=1e-4)
        assert (np.diff(band.flux.edges) > 0).all()


def test_histogram_counts_are_numpys():
    values = noise((50, 1, 20, 20)).astype(np.float32)
    (band,) = measure(batch(values), bands=["r"]).bands
    expected = np.histogram(values.astype(np.float64), bins=band.flux.edges)[0]
    assert np.abs(expected - band.flux.counts).max() <= 2  # values on an edge, by rounding


def test_classes_share_the_bins_of_a_feature():
    values = noise((1000, 2))
    labels = np.random.default_rng(4).integers(-1, 3, 1000)
    facts = measure(batch(values, values > -1), bands=BANDS, labels=labels, n_classes=3)
    for c, band in enumerate(facts.bands):
        for k, histogram in enumerate(band.by_class):
            assert histogram.counts.sum() == ((labels == k) & (values[:, c] > -1)).sum()
            np.testing.assert_array_equal(histogram.edges, band.flux.edges)


@pytest.mark.parametrize("scale", [1.0, 1e-11])
@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_noise_is_compared_with_the_variance_whatever_the_object(factor, scale):
    y, x = np.mgrid[:48, :48] - 24
    galaxy = 500 * np.exp(-np.hypot(x, y) / 3)
    flux = scale * (noise((60, 2, 48, 48)) + galaxy)
    variance = scale**2 * (factor**-2)  # stated too small by factor squared
    facts = measure(batch(flux, variance=variance), bands=BANDS)
    for band in facts.bands:
        assert band.noise_ratio.shape == (60,)
        assert band.median_noise_ratio == pytest.approx(factor, rel=0.03)
        assert band.neighbours == pytest.approx(factor, rel=0.03)


def test_correlated_noise_is_told_by_neighbours():
    flux = noise((40, 1, 64, 64))
    smooth = sum(np.roll(flux, shift, axis=3) for shift in range(3)) / np.sqrt(3)
    (band,) = measure(batch(smooth, variance=1.0), bands=["r"]).bands
    assert band.median_noise_ratio == pytest.approx(1, rel=0.03)
    # the variance of f(-1) - 2 f(0) + f(1), with correlations 2/3 and 1/3, over that without
    assert band.neighbours == pytest.approx(np.sqrt((6 - 8 * 2 / 3 + 2 * 1 / 3) / 6), rel=0.03)


def test_series_are_compared_with_their_variance_everywhere():
    flux = 10 + noise((100, 1, 300))
    (band,) = measure(batch(flux, variance=1.0), bands=["flux"]).bands
    assert band.median_noise_ratio == pytest.approx(1, rel=0.05)


def test_constant_images_and_empty_bands_are_found():
    flux, valid = noise((6, 2, 8, 8)), np.ones((6, 2, 8, 8), bool)
    flux[1, 0] = 3.5
    flux[2, 1] = 7
    valid[2, 1, 0] = False
    valid[3:, 0] = False
    valid[4, 1] = False
    facts = measure(batch(flux, valid, variance=0.0), bands=BANDS)
    assert np.flatnonzero(facts.constant).tolist() == [1, 2]
    assert facts.bands[0].median_noise_ratio is None
    nothing = measure(batch(flux, np.zeros(flux.shape, bool)), bands=BANDS, normalise=lambda f, _: f)
    assert nothing.bands[0].quantiles == ()
    assert nothing.bands[0].flux is None
    assert nothing.bands[0].normalised is None


def test_one_value_only_has_a_bin_about_it():
    (band,) = measure(batch(np.full((3, 1, 4, 4), 1e-11)), bands=["r"]).bands
    assert band.flux.counts.tolist() == [48]
    assert band.flux.edges[0] < 1e-11 < band.flux.edges[1] < 1e-10
