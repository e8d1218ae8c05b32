"""Intervals against closed forms: the binomial's variance, Wilson's published figures, coverage."""

import numpy as np
import pytest
from scipy.stats import binomtest

from astrocnn.errors import ConfigError
from astrocnn.functional.bootstrap import bootstrap, percentile_interval, stratified_counts, wilson_interval


def mean_of(values):
    return lambda counts: counts @ values / counts.sum(1)


def test_counts_keep_every_stratum_and_are_a_function_of_the_seed():
    strata = np.array([0, 1, 0, 2, 1, 0, 0])
    counts = np.concatenate(list(stratified_counts(strata, 50, seed=3)))
    assert counts.shape == (50, 7)
    for stratum in range(3):
        assert (counts[:, strata == stratum].sum(1) == (strata == stratum).sum()).all()
    again = np.concatenate(list(stratified_counts(strata, 50, seed=3)))
    other = np.concatenate(list(stratified_counts(strata, 50, seed=4)))
    assert np.array_equal(counts, again)
    assert not np.array_equal(counts, other)


def test_counts_have_the_moments_of_drawing_with_replacement():
    """n draws among n: mean 1, variance 1 − 1/n, covariance −1/n."""
    n = 8
    counts = np.concatenate(list(stratified_counts(np.zeros(n), 200_000, seed=0)))
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.02)
    expected = np.where(np.eye(n, dtype=bool), 1 - 1 / n, -1 / n)
    np.testing.assert_allclose(np.cov(counts.T), expected, atol=0.02)


def test_many_objects_are_drawn_in_blocks():
    blocks = list(stratified_counts(np.zeros(300_000), 7, seed=0))
    assert [len(block) for block in blocks] == [3, 3, 1]
    assert all((block.sum(1) == 300_000).all() for block in blocks)


def test_width_for_an_accuracy_is_the_binomials():
    correct = np.r_[np.ones(850), np.zeros(150)]
    values = bootstrap(mean_of(correct), np.zeros(1000), n_resamples=20_000, seed=1)
    sigma = np.sqrt(0.85 * 0.15 / 1000)
    assert values.std() == pytest.approx(sigma, rel=0.02)
    low, high = percentile_interval(values)
    assert low == pytest.approx(0.85 - 1.96 * sigma, abs=0.0015)  # the values are steps of 0.001
    assert high == pytest.approx(0.85 + 1.96 * sigma, abs=0.0015)


def test_stratification_leaves_out_the_variance_between_strata():
    strata = np.repeat([0, 1], 50)
    values = bootstrap(mean_of(strata.astype(float)), strata, n_resamples=100)
    assert (values == 0.5).all()


def test_coverage_of_an_accuracy():
    """Of 400 samples of 200 objects with accuracy 0.8, 95 % of the intervals hold 0.8 (±3σ)."""
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(400):
        correct = (rng.random(200) < 0.8).astype(float)
        low, high = percentile_interval(
            bootstrap(mean_of(correct), np.zeros(200), n_resamples=400, seed=seed)
        )
        held += low <= 0.8 <= high
    assert held / 400 == pytest.approx(0.95, abs=0.033)


def test_wilson_is_scipys():
    successes, n = np.array([0, 1, 15, 50]), np.array([10, 10, 148, 50])
    low, high = wilson_interval(successes, n)
    for k in range(4):
        expected = binomtest(int(successes[k]), int(n[k])).proportion_ci(0.95, method="wilson")
        assert low[k] == pytest.approx(expected.low, abs=1e-6)
        assert high[k] == pytest.approx(expected.high, abs=1e-6)
    assert np.isnan(wilson_interval(0, 0)).all()


def test_no_resample():
    with pytest.raises(ConfigError, match="n_resamples=0"):
        bootstrap(mean_of(np.ones(3)), np.zeros(3), n_resamples=0)
