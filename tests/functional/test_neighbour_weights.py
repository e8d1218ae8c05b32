"""Weights by neighbours against samples whose ratio of densities is known."""

import numpy as np
import pytest

from astrocnn.functional.neighbour_weights import effective_number, neighbour_weights


def test_equal_samples_give_equal_weights() -> None:
    sample = np.random.default_rng(0).normal(size=(300, 3))
    assert neighbour_weights(sample, sample) == pytest.approx(1.0)


def test_clumps_count_as_often_as_they_are_wanted() -> None:
    sample = np.concatenate([np.zeros((100, 2)), np.ones((50, 2))])
    wanted = np.concatenate([np.zeros((100, 2)), np.ones((400, 2))])
    weight = neighbour_weights(sample, wanted)
    assert weight[100:] / weight[:1] == pytest.approx(8.0)  # 400 / 50 against 100 / 100
    assert weight.mean() == pytest.approx(1.0)


def test_ratio_of_two_gaussians() -> None:
    # N(0.5, 1) over N(0, 1) is exp(x / 2 - 1 / 8).
    rng = np.random.default_rng(1)
    sample, wanted = rng.normal(0, 1, (20000, 1)), rng.normal(0.5, 1, (40000, 1))
    weight = neighbour_weights(sample, wanted, neighbours=200)
    x = sample[:, 0]
    middle = np.abs(x) < 2
    assert np.log(weight[middle]) == pytest.approx(
        x[middle] / 2 - 1 / 8, abs=0.45
    )  # of 200 neighbours each: 10 %
    assert np.average(x, weights=weight) == pytest.approx(0.5, abs=0.03)
    assert np.average(x**2, weights=weight) == pytest.approx(1.25, abs=0.06)
    # n (Σw)² / Σw² of exp(x/2): exp(-1/4)
    assert effective_number(weight) / 20000 == pytest.approx(np.exp(-0.25), abs=0.03)


def test_few_objects_and_nothing_near() -> None:
    assert neighbour_weights(np.zeros((2, 1)), np.full((3, 1), 9.0)).tolist() == [1.0, 1.0]
    assert neighbour_weights(np.array([[0.0], [1.0]]), np.array([[0.1]])).tolist() == [1.0, 1.0]
