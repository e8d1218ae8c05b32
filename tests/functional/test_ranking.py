"""Ranking figures against scikit-learn, and by hand where ties decide."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from astrocnn.errors import DataError
from astrocnn.functional.ranking import (
    auroc,
    average_precision,
    rank,
    roc_curve,
    tpr0,
    tpr10,
    tpr_at_fpr,
    tpr_before,
    tpr_within,
)


@st.composite
def ranked(draw):
    """Scores with many ties, labels of both classes, weights."""
    n = draw(st.integers(2, 60))
    scores = draw(st.lists(st.integers(0, draw(st.integers(1, 30))), min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    weight = draw(st.lists(st.floats(0.125, 8, width=16), min_size=n, max_size=n))
    assume(0 < sum(labels) < n)
    return np.array(scores) / 7, np.array(labels), np.array(weight)


@settings(max_examples=200, deadline=None)
@given(ranked())
def test_areas_are_those_of_scikit_learn(data):
    scores, labels, weight = data
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert auroc(scores, labels, weight=weight) == pytest.approx(
        roc_auc_score(labels, scores, sample_weight=weight)
    )
    assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores))
    assert average_precision(scores, labels, weight=weight) == pytest.approx(
        average_precision_score(labels, scores, sample_weight=weight)
    )


@settings(max_examples=100, deadline=None)
@given(ranked())
def test_curve_is_that_of_scikit_learn(data):
    scores, labels, weight = data
    for weights in (None, weight):
        expected = sklearn_roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
        for ours, theirs in zip(roc_curve(scores, labels, weight=weights), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(ranked(), st.integers(1, 12), st.sampled_from([0.0, 0.05, 0.1, 0.3, 1.0]))
def test_rates_are_the_best_over_all_thresholds(data, n, fpr):
    """Thresholds one by one: above which of them are there few enough negatives?"""
    scores, labels, _ = data
    positives, negatives = scores[labels == 1], scores[labels == 0]
    points = [(0, 0.0)] + [((negatives >= t).sum(), (positives >= t).mean()) for t in np.unique(scores)]
    assert tpr_before(scores, labels, false_positives=n) == max(tpr for fp, tpr in points if fp < n)
    expected = max(tpr for fp, tpr in points if fp / len(negatives) <= fpr + 1e-9)
    assert tpr_at_fpr(scores, labels, fpr=fpr) == expected


@settings(max_examples=50, deadline=None)
@given(ranked(), st.integers(0, 2**31))
def test_nothing_depends_on_the_order_of_the_objects(data, seed):
    scores, labels, _ = data
    shuffled = np.random.default_rng(seed).permutation(len(scores))
    for figure in (auroc, average_precision, tpr0, tpr10):
        assert figure(scores, labels) == pytest.approx(figure(scores[shuffled], labels[shuffled]), rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(ranked(), st.integers(0, 2**31))
def test_counts_are_repetitions(data, seed):
    """A batch of count vectors gives what the repeated objects give, row by row."""
    scores, labels, _ = data
    counts = np.random.default_rng(seed).integers(0, 4, (5, len(scores)))
    counts[:, [labels.argmax(), labels.argmin()]] = 1  # a member of each class
    curve = rank(scores).curve(labels == 1, counts.astype(float))
    within = tpr_within(curve, [0, 2])
    for row, count in enumerate(counts):
        x, y = np.repeat(scores, count), np.repeat(labels, count)
        assert within[row, 0] == pytest.approx(tpr_before(x, y, false_positives=1))
        assert within[row, 1] == pytest.approx(tpr_before(x, y, false_positives=3))


def test_ties_by_hand():
    #          two positives | block of + + − | − | block of + −
    scores = [0.9, 0.8, 0.7, 0.7, 0.7, 0.5, 0.2, 0.2]
    labels = [1, 1, 1, 0, 1, 0, 1, 0]
    assert tpr0(scores, labels) == 2 / 5  # the block at 0.7 holds a negative: not even its positives count
    assert tpr_before(scores, labels, false_positives=2) == 4 / 5
    assert tpr_before(scores, labels, false_positives=3) == 4 / 5  # the last block brings + and − at once
    assert tpr10(scores, labels) == 1  # there are no ten negatives
    assert tpr_at_fpr(scores, labels, fpr=1 / 3) == 4 / 5
    assert tpr_at_fpr(scores, labels, fpr=0.33) == 2 / 5
    # 15 pairs: 2·3 won by the first two, each + at 0.7 wins 2 and ties 1, the last ties 1
    assert auroc(scores, labels) == pytest.approx((6 + 2 * 2.5 + 0.5) / 15)
    # precision 1, 1 | 4/5 (for two) | 5/8
    assert average_precision(scores, labels) == pytest.approx((1 + 1 + 2 * 0.8 + 5 / 8) / 5)


def test_first_object_is_tied_with_a_negative():
    assert tpr0([0.5, 0.5, 0.4], [1, 0, 1]) == 0


def test_one_negative():
    scores, labels = [0.1, 0.4, 0.3, 0.2], [0, 1, 1, 1]
    assert auroc(scores, labels) == tpr0(scores, labels) == average_precision(scores, labels) == 1
    assert tpr_at_fpr(scores, labels, fpr=0.5) == 1
    assert tpr_at_fpr([0.9, *scores[1:]], labels, fpr=0.5) == 0


def test_a_rate_of_whole_false_positives_is_not_lost_to_rounding():
    """0.57 of 100 negatives are 57, though 0.57 * 100 < 57 in floating point."""
    assert 0.57 * 100 < 57
    scores = np.r_[np.arange(100) + 1.0, 43.5]
    labels = np.r_[np.zeros(100), 1]
    assert tpr_at_fpr(scores, labels, fpr=0.57) == 1  # 57 negatives lie above the positive
    assert tpr_at_fpr(scores, labels, fpr=0.56) == 0


@pytest.mark.parametrize("figure", [roc_curve, auroc, average_precision, tpr0, tpr10])
@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, 0.2], [1, 1], "2 positives and 0 negatives.*choose another split"),
        ([0.1, 0.2], [0, 0], "0 positives and 2 negatives.*choose another split"),
        ([], [], "0 positives and 0 negatives"),
        ([0.1, np.nan], [0, 1], "1 of 2 scores are NaN; look for these objects' images"),
        ([0.1, 0.2], [0, -1], r"are 0 and 1 and these are \[-1, 0\]"),
        ([[0.1, 0.2]], [[0, 1]], r"scores \(N,\) and labels \(N,\) and got \(1, 2\)"),
    ],
)
def test_input_that_cannot_be_ranked(figure, scores, labels, message):
    with pytest.raises(DataError, match=message):
        figure(scores, labels)
