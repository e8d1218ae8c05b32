"""Rates at an operating point, counted object by object."""

import numpy as np
import pytest

from astrocnn.errors import DataError
from astrocnn.functional.completeness import completeness_map, numbers, operating_point, rates_by_kind


def test_the_threshold_is_the_lowest_that_keeps_the_rate():
    rng = np.random.default_rng(0)
    p = rng.random(3000).round(2)  # ties
    y = (rng.random(3000) < p).astype(int)
    for fpr in (0.001, 0.01, 0.2):
        threshold, aimed_at = operating_point(p, y, fpr=fpr)
        negatives = p[y == 0]
        assert aimed_at == fpr
        assert (negatives >= threshold).mean() <= fpr
        lower = np.unique(p[p < threshold]).max()
        assert (negatives >= lower).mean() > fpr


def test_few_negatives_allow_one_false_positive():
    threshold, fpr = operating_point(np.array([0.9, 0.8, 0.7, 0.6, 0.1]), [1, 0, 1, 0, 0], fpr=0.01)
    assert fpr == 1 / 3
    assert threshold == 0.7


def test_no_threshold_is_pure_enough():
    p = np.array([0.8, 0.8, 0.8, 0.1])
    threshold, _ = operating_point(p, [0, 0, 1, 1], fpr=0.01)
    assert threshold > 0.8
    assert not (p >= threshold).any()


def test_kinds():
    kinds = np.array(["ring", "spiral", "ring", "ring"])
    found = rates_by_kind(kinds, np.array([True, False, False, False]))
    assert found["ring"]["n"] == 3
    assert found["ring"]["fpr"]["value"] == pytest.approx(1 / 3)
    assert found["spiral"]["fpr"]["value"] == 0
    assert found["spiral"]["fpr"]["high"] > 0.5  # one object says little


def test_map_counts_each_positive_once_in_its_cell():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0.5, 3, 500), rng.lognormal(3, 1, 500)
    x[7], y[8] = np.nan, np.inf
    found = rng.random(500) < 0.3
    result = completeness_map(x, y, found, names=["theta_E", "snr_arc"])
    n, value = np.array(result["n"]), np.array(result["value"], dtype=float)
    assert n.sum() == 498
    assert n.sum(0).min() > 50  # equal parts: 6 rows and columns of 83
    assert n.sum(1).min() > 50
    xe, ye = result["x"]["edges"], result["y"]["edges"]
    for i in range(n.shape[0]):
        for j in range(n.shape[1]):
            last_x, last_y = i == n.shape[0] - 1, j == n.shape[1] - 1
            inside = (x >= xe[i]) & ((x <= xe[i + 1]) if last_x else (x < xe[i + 1]))
            inside &= (y >= ye[j]) & ((y <= ye[j + 1]) if last_y else (y < ye[j + 1]))
            assert inside.sum() == n[i, j]
            assert value[i, j] == pytest.approx(found[inside].mean())


@pytest.mark.parametrize("x", [[], [2.0], [1.0, 1.0, 1.0], [np.nan, np.nan]])
def test_map_of_hardly_anything(x):
    x = np.array(x)
    result = completeness_map(x, x, np.ones(len(x), bool), names=["a", "b"])
    assert np.sum(result["n"]) == np.isfinite(x).sum()
    assert len(result["value"]) == len(result["x"]["edges"]) - 1


def test_truth_columns():
    np.testing.assert_array_equal(numbers("z", np.ma.array([1, 2], mask=[False, True])), [1, np.nan])
    with pytest.raises(DataError, match="column kind does not hold numbers"):
        numbers("kind", np.array(["lens"]))
