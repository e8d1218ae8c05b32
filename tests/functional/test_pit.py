"""Distances of PITs against scipy, and what perfect PDFs give against simulation."""

import numpy as np
import pytest
from scipy import stats

from astrocnn.errors import DataError
from astrocnn.functional.pit import (
    anderson_darling,
    check_pit,
    cramer_von_mises,
    kolmogorov_smirnov,
    of_perfect_pdfs,
)


@pytest.mark.parametrize("n", [1, 2, 7, 400])
def test_distances_are_those_of_scipy(n):
    u = np.sort(np.random.default_rng(n).beta(2, 1.5, n))
    assert kolmogorov_smirnov(u) == pytest.approx(stats.kstest(u, "uniform").statistic, abs=1e-14)
    if n > 1:
        assert cramer_von_mises(u) == pytest.approx(stats.cramervonmises(u, "uniform").statistic, rel=1e-12)
    # scipy's Anderson–Darling of a known distribution: as a goodness of fit with nothing to fit
    fit = stats.goodness_of_fit(
        stats.uniform, u, known_params={"loc": 0, "scale": 1}, statistic="ad", n_mc_samples=1
    )
    assert anderson_darling(u) == pytest.approx(fit.statistic, rel=1e-9)


def test_several_samples_at_once():
    u = np.sort(np.random.default_rng(0).random((5, 30)), axis=1)
    for distance in (kolmogorov_smirnov, cramer_von_mises, anderson_darling):
        np.testing.assert_allclose(distance(u), [distance(row) for row in u])


@pytest.mark.parametrize("n", [12, 300])
def test_perfect_pdfs_give_what_uniform_numbers_give(n):
    u = np.sort(np.random.default_rng(n).random((20_000, n)), axis=1)
    known = of_perfect_pdfs(n)
    distances = {"pit_ks": kolmogorov_smirnov, "pit_cvm": cramer_von_mises, "pit_ad": anderson_darling}
    for name, distance in distances.items():
        values = distance(u)
        assert known[name]["mean"] == pytest.approx(values.mean(), rel=0.02)
        assert known[name]["q95"] == pytest.approx(np.quantile(values, 0.95), rel=0.03)


def test_a_pit_at_the_ends_leaves_the_distance_finite():
    assert np.isfinite(anderson_darling(np.array([0.0, 0.5, 1.0])))


@pytest.mark.parametrize(
    ("pit", "message"),
    [
        ([], "at least one object"),
        ([0.5, np.nan], "1 of 2 PITs are not finite"),
        ([0.5, 1.2], "reach from 0.5 to 1.2"),
    ],
)
def test_what_is_no_pit_is_refused(pit, message):
    with pytest.raises(DataError, match=message):
        check_pit(np.array(pit))
