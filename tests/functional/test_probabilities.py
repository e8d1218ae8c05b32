"""Scores of probabilities against scikit-learn and torchmetrics."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.probabilities import (
    brier,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)


def draw(seed, n=200, n_classes=2):
    rng = np.random.default_rng(seed)
    if n_classes == 2:
        p = rng.random(n)
        return p, (rng.random(n) < p**2).astype(int), rng.random(n)
    p = rng.dirichlet(np.ones(n_classes), n)
    return p, rng.integers(n_classes, size=n), rng.random(n)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([2, 4]))
def test_scores_are_those_of_scikit_learn(seed, n_classes):
    p, y, weight = draw(seed, n_classes=n_classes)
    labels = list(range(n_classes))
    for w in (None, weight):
        expected = brier_score_loss(y, p, sample_weight=w, labels=labels, scale_by_half=n_classes == 2)
        assert brier(p, y, weight=w) == pytest.approx(expected)
        expected = log_loss(y, p, sample_weight=w, labels=labels)
        assert negative_log_likelihood(p, y, weight=w) == pytest.approx(expected)


@pytest.mark.parametrize("n_bins", [1, 10, 15])
def test_calibration_error_is_that_of_torchmetrics(n_bins):
    p, y, _ = draw(0)
    expected = binary_calibration_error(torch.tensor(p), torch.tensor(y), n_bins=n_bins, norm="l1")
    assert expected_calibration_error(p, y, n_bins=n_bins) == pytest.approx(expected.item(), abs=1e-6)
    p, y, _ = draw(1, n_classes=5)
    expected = multiclass_calibration_error(
        torch.tensor(p), torch.tensor(y), num_classes=5, n_bins=n_bins, norm="l1"
    )
    assert expected_calibration_error(p, y, n_bins=n_bins) == pytest.approx(expected.item(), abs=1e-6)


def test_reliability_by_hand():
    p, y = [0.1, 0.3, 0.5, 0.5, 1.0], [0, 1, 0, 1, 1]
    diagram = reliability(p, y, n_bins=2)
    assert diagram.edges.tolist() == [0, 0.5, 1]
    assert diagram.n.tolist() == [2, 3]  # 0.5 opens the second bin, 1 belongs to it
    np.testing.assert_allclose(diagram.mean_p, [0.2, 2 / 3])
    np.testing.assert_allclose(diagram.fraction, [0.5, 2 / 3])
    assert diagram.error == pytest.approx(2 / 5 * 0.3)


def test_an_empty_bin_is_not_a_number_and_costs_nothing():
    diagram = reliability([0.1, 0.9], [0, 1], n_bins=3)
    assert np.isnan(diagram.mean_p).tolist() == [False, True, False]
    assert diagram.error == pytest.approx(0.1)


def test_weights_are_repetitions():
    p, y, _ = draw(2, n=30)
    count = np.random.default_rng(3).integers(1, 4, len(p))
    repeated = np.repeat(p, count), np.repeat(y, count)
    assert expected_calibration_error(p, y, weight=count) == pytest.approx(
        expected_calibration_error(*repeated)
    )


def test_calibration_error_of_true_probabilities_falls_as_documented():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(100):
        p = rng.random(3000)
        errors.append(expected_calibration_error(p, rng.random(3000) < p, n_bins=15))
    assert np.mean(errors) == pytest.approx(np.sqrt(15 / 3000) / 3, rel=0.1)


def test_a_sure_and_wrong_probability_costs_a_finite_number():
    assert negative_log_likelihood([0.0, 1.0], [1, 0]) == pytest.approx(23 * np.log(2))
    assert negative_log_likelihood([0.0, 1.0], [0, 1]) == 0


@pytest.mark.parametrize("score", [brier, negative_log_likelihood, expected_calibration_error, reliability])
@pytest.mark.parametrize(
    ("p", "y", "message"),
    [
        ([], [], "no labelled object"),
        ([0.5, np.nan], [0, 1], "1 of 2 objects have NaN for a probability; look for their images"),
        ([[0.5, np.nan], [0.5, 0.5]], [0, 1], "1 of 2 objects have NaN"),
        ([-3.0, 2.0], [0, 1], "reach from -3 to 2; pass them through a sigmoid"),
        ([[0.5, 0.2]], [1], "does not sum to 1"),
        ([0.5], [2], "labels of 2 classes are 0 to 1"),
        ([0.5], [-1], "leave out objects without label"),
        ([0.5, 0.5], [1], r"\(N,\) or \(N, K\), labels \(N,\); these are \(2,\) and \(1,\)"),
        ([[1.0]], [0], r"these are \(1, 1\)"),
    ],
)
def test_what_is_no_probability(score, p, y, message):
    with pytest.raises(DataError, match=message):
        score(p, y)


def test_no_bin():
    with pytest.raises(ConfigError, match="n_bins=0"):
        reliability([0.5], [1], n_bins=0)
