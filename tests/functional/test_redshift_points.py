"""Point figures against numpy on plain samples, and against what is known of a Gaussian."""

import numpy as np
import pytest

from astrocnn.errors import DataError
from astrocnn.functional.bootstrap import stratified_counts
from astrocnn.functional.redshift_points import PointFigures


def by_numpy(z_phot, z_spec):
    dz = (z_phot - z_spec) / (1 + z_spec)
    nmad = 1.4826 * np.median(np.abs(dz - np.median(dz)))
    low, high = np.percentile(dz, [16, 84])
    rates = [np.mean(np.abs(dz) > limit) for limit in (0.05, 0.15, 3 * nmad)]
    return [dz.mean(), np.median(dz), nmad, (high - low) / 2, *rates]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 501])
def test_figures_are_those_of_numpy(n):
    rng = np.random.default_rng(n)
    z = rng.uniform(0, 2, n)
    found = z + 0.05 * (1 + z) * rng.standard_t(2, n)
    np.testing.assert_allclose(PointFigures(found, z)(np.ones((1, n)))[0], by_numpy(found, z), atol=1e-14)


def test_counts_mean_that_an_object_is_there_so_many_times():
    rng = np.random.default_rng(0)
    z = rng.uniform(0, 2, 40)
    found = z + rng.normal(0, 0.1, 40)
    counts = np.concatenate(list(stratified_counts(np.zeros(40), 5, seed=1)))
    figures = PointFigures(found, z)(counts)
    for row, count in zip(figures, counts.astype(int), strict=True):
        drawn = np.repeat(np.arange(40), count)
        np.testing.assert_allclose(row, by_numpy(found[drawn], z[drawn]), atol=1e-14)


def test_a_gaussian_has_its_own_width_and_known_outliers():
    rng = np.random.default_rng(0)
    z = rng.uniform(0, 1, 400_000)
    found = z + (0.01 + 0.04 * rng.normal(size=len(z))) * (1 + z)
    figures = PointFigures(found, z)
    value = dict(zip(figures.names, figures(np.ones((1, len(z))))[0], strict=True))
    assert value["bias"] == pytest.approx(0.01, abs=3e-4)
    assert value["bias_median"] == pytest.approx(0.01, abs=3e-4)
    assert value["sigma_nmad"] == pytest.approx(0.04, rel=0.01)
    assert value["sigma_68"] == pytest.approx(0.04 * 0.99446, rel=0.01)  # Φ⁻¹(0.84)
    assert value["outliers_005"] == pytest.approx(0.15866 + 0.06681, abs=0.003)  # |0.01 ± 1.25 or 1.5 σ|


@pytest.mark.parametrize(
    ("found", "true", "message"),
    [
        ([], [], "no object of known redshift"),
        ([0.1, np.nan], [0.1, 0.2], "1 of 2 predicted redshifts are not finite"),
        ([0.1, 0.2], [0.1, np.nan], "1 of 2 true redshifts are not finite"),
        ([0.1, 0.2], [0.1, -1.0], "are −1 or less"),
        ([0.1, 0.2], [0.1], "are \\(2,\\) and \\(1,\\)"),
    ],
)
def test_what_cannot_be_measured_is_refused(found, true, message):
    with pytest.raises(DataError, match=message):
        PointFigures(np.array(found), np.array(true))
