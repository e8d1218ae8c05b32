"""Matches against scipy's assignment on whole tables, and against every possible pairing of a few."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.matching import match_instances, match_positions


def test_positions_are_matched_at_the_least_total_cost():
    """Every injection of a few objects, an object without partner at the cost of the radius."""
    rng = np.random.default_rng(0)
    for trial in range(30):
        n, m = (trial % 4) + 1, (trial % 3) + 2
        x, y, x_true, y_true = (rng.uniform(0, 6, k) for k in (n, n, m, m))
        distance = np.hypot(x[:, None] - x_true, y[:, None] - y_true)
        cost = np.minimum(np.pad(distance, ((0, 0), (0, n)), constant_values=3.0), 3.0)
        best = min(sum(cost[i, j] for i, j in enumerate(p)) for p in permutations(range(m + n), n))
        i, j = match_positions(x, y, x_true, y_true, 3.0)
        assert distance[i, j].sum() + 3.0 * (n - len(i)) == pytest.approx(best)
        assert len(set(i)) == len(i) == len(set(j))


def test_a_crowded_field_as_one_assignment():
    rng = np.random.default_rng(1)
    x, y, x_true, y_true = rng.uniform(0, 60, (4, 200))
    distance = np.minimum(np.hypot(x[:, None] - x_true, y[:, None] - y_true), 4.0)
    row, column = linear_sum_assignment(distance)
    near = distance[row, column] < 4
    i, j = match_positions(x, y, x_true, y_true, 4.0)
    np.testing.assert_array_equal(i, row[near])
    np.testing.assert_array_equal(j, column[near])


def test_a_good_pair_is_not_broken_to_reach_two():
    """The measured object on top of a true one stays its partner, though two far pairs would be possible."""
    i, j = match_positions([0.0, -2.5], [0.0, 0.0], [0.0, 2.5], [0.0, 0.0], 3.0)
    assert (i.tolist(), j.tolist()) == ([0], [0])


def test_equal_positions_match_and_none_matches_nothing():
    i, j = match_positions([1.0, 5.0], [1.0, 5.0], [5.0], [5.0], 1.0)
    assert (i.tolist(), j.tolist()) == ([1], [0])
    for measured, true in (([], [1.0]), ([1.0], []), ([], []), ([1.0], [9.0])):
        i, j = match_positions(measured, measured, true, true, 1.0)
        assert len(i) == len(j) == 0


def test_many_objects_take_little():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 20_000, (2, 20_000))
    shift = rng.normal(0, 0.3, (2, 20_000))
    i, j = match_positions(x + shift[0], y + shift[1], x, y, 3.0)
    assert (i == j).mean() > 0.999


def test_positions_that_cannot_be_matched_are_refused():
    with pytest.raises(ConfigError, match="radius_pix=0"):
        match_positions([1.0], [1.0], [1.0], [1.0], 0)
    with pytest.raises(DataError, match="true positions"):
        match_positions([1.0], [1.0], [np.nan], [1.0], 1)


def test_instances_are_matched_by_their_overlap():
    rng = np.random.default_rng(3)
    true = rng.integers(0, 6, (5, 5)).repeat(4, 0).repeat(4, 1)
    found = np.roll(true, 1, axis=1) * 7
    true[:2] = -1
    known = true >= 0
    iou = np.zeros((5, 5))
    for a, b in np.ndindex(5, 5):
        one, other = (found == 7 * (a + 1)) & known, true == b + 1
        iou[a, b] = (one & other).sum() / (one | other).sum()
    row, column = linear_sum_assignment(iou, maximize=True)
    i, j, overlap = match_instances(found, true)
    np.testing.assert_array_equal(i, 7 * (row + 1))
    np.testing.assert_array_equal(j, column + 1)
    np.testing.assert_allclose(overlap, iou[row, column])


def test_the_same_map_matches_itself_and_empty_maps_nothing():
    true = np.arange(12).reshape(3, 4) // 2
    i, j, overlap = match_instances(true + 0, true)
    assert (i == j).all()
    assert (overlap == 1).all()
    for a, b in ((true, 0 * true), (0 * true, true), (true, 0 * true - 1)):
        assert all(len(part) == 0 for part in match_instances(a, b))
    with pytest.raises(DataError, match=r"\(3, 4\) and \(3, 3\)"):
        match_instances(true, true[:, :3])
