"""Calibration of logits against scikit-learn and scipy; prevalences against Bayes' theorem on drawn data."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.calibration import fit_affine_calibration, reweight_prevalence


def draw(n=4000, seed=0):
    """Logits that are twice as sure as they may be, and off by 1.5."""
    rng = np.random.default_rng(seed)
    true_logit = 2 * rng.normal(size=n)
    return 2 * (true_logit - 1.5), (rng.random(n) < expit(true_logit)).astype(int)


def test_platt_is_logistic_regression():
    logits, labels = draw()
    scale, bias = fit_affine_calibration(logits, labels, ridge=1e-9)
    expected = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, None], labels)
    assert scale == pytest.approx(expected.coef_[0, 0], rel=1e-5)
    assert bias == pytest.approx(expected.intercept_, rel=1e-5)
    assert bias.shape == (1,)


def test_the_truth_is_found_and_the_ridge_does_not_matter():
    scale, bias = fit_affine_calibration(*draw(n=50_000))
    assert scale == pytest.approx(0.5, abs=0.02)
    assert bias[0] == pytest.approx(1.5, abs=0.06)


def test_many_classes_minimise_the_likelihood():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(1500, 4)) * 2
    labels = np.array([rng.choice(4, p=row) for row in softmax(truth, axis=1)])
    logits = 3 * truth + [0, 1, -2, 0.5]

    def objective(theta):
        log_p = log_softmax(theta[0] * logits + theta[1:], axis=1)
        penalty = 0.05 * ((theta[0] - 1) ** 2 + (theta[1:] ** 2).sum())
        return -log_p[np.arange(len(labels)), labels].sum() + penalty

    expected = minimize(objective, np.r_[1, np.zeros(4)], method="BFGS", options={"gtol": 1e-6}).x
    scale, bias = fit_affine_calibration(logits, labels)
    np.testing.assert_allclose(np.r_[scale, bias], expected, atol=2e-5)
    assert bias.sum() == pytest.approx(0, abs=1e-9)
    assert scale == pytest.approx(1 / 3, rel=0.1)


def test_two_logits_are_the_one_between_them():
    logits, labels = draw(n=500)
    one_scale, one_bias = fit_affine_calibration(logits, labels, ridge=1e-8)
    two_scale, two_bias = fit_affine_calibration(
        np.stack([np.zeros_like(logits), logits], 1), labels, ridge=1e-8
    )
    assert two_scale == pytest.approx(one_scale, rel=1e-4)
    assert two_bias[1] - two_bias[0] == pytest.approx(one_bias[0], rel=1e-4)


@pytest.mark.parametrize("n", [4, 1000])
@pytest.mark.parametrize("size", [1e-3, 3.0, 1e4])
def test_separable_data_stay_finite(n, size):
    labels = np.arange(n) % 2
    logits = size * (2.0 * labels - 1)
    scale, bias = fit_affine_calibration(logits, labels)
    assert 1 <= scale < 1e3
    assert abs(bias[0]) < 1e-6
    few_scale, _ = fit_affine_calibration([-3.0, 3.0], [0, 1])
    assert few_scale < 2


def test_labels_unknown_are_left_out():
    logits, labels = draw(n=300)
    labels[::3] = -1
    kept = labels >= 0
    everything, without = (
        fit_affine_calibration(logits, labels),
        fit_affine_calibration(logits[kept], labels[kept]),
    )
    assert everything[0] == without[0]
    assert everything[1] == without[1]


def test_a_ranking_that_is_worse_than_chance_is_not_turned_round():
    logits, labels = draw(n=2000)
    scale, bias = fit_affine_calibration(-logits, labels)
    assert 0 < scale <= 1e-3
    assert expit(bias[0]) == pytest.approx(labels.mean(), abs=0.01)  # what is left to say: the prevalence


def test_input_that_cannot_be_calibrated():
    with pytest.raises(DataError, match=r"got classes \[1\]; enlarge the validation split"):
        fit_affine_calibration([1.0, 2.0], [1, 1])
    with pytest.raises(DataError, match=r"got classes \[\]"):
        fit_affine_calibration([1.0], [-1])
    with pytest.raises(DataError, match="not finite"):
        fit_affine_calibration([1.0, np.nan], [0, 1])
    with pytest.raises(DataError, match="label 4 has no logit among 3"):
        fit_affine_calibration(np.zeros((2, 3)), [0, 4])
    with pytest.raises(DataError, match=r"logits \(N, K\) and labels \(N,\)"):
        fit_affine_calibration(np.zeros((2, 3)), [0, 1, 2])


def gaussian_posterior(x, prevalence):
    """P(1 | x) where class 0 is N(0, 1) and class 1 is N(1.5, 1)."""
    one, zero = prevalence * np.exp(-((x - 1.5) ** 2) / 2), (1 - prevalence) * np.exp(-(x**2) / 2)
    return one / (one + zero)


@pytest.mark.parametrize("prevalence", [1e-3, 0.2, 0.9])
def test_prevalence_is_that_of_bayes(prevalence):
    x = np.linspace(-4, 6, 50)
    reweighted = reweight_prevalence(gaussian_posterior(x, 0.5), 0.5, prevalence)
    np.testing.assert_allclose(reweighted, gaussian_posterior(x, prevalence), rtol=1e-12)
    back = reweight_prevalence(reweighted, prevalence, 0.5)
    np.testing.assert_allclose(back, gaussian_posterior(x, 0.5), rtol=1e-10)


def test_two_columns_are_one_probability():
    p = np.random.default_rng(0).random(20)
    both = reweight_prevalence(np.stack([1 - p, p], 1), [0.3, 0.7], [0.99, 0.01])
    np.testing.assert_allclose(both[:, 1], reweight_prevalence(p, 0.7, 0.01))
    np.testing.assert_allclose(both.sum(1), 1)


def test_certainty_and_the_same_mixture_stay():
    np.testing.assert_array_equal(reweight_prevalence([0.0, 1.0], 0.5, 1e-3), [0, 1])
    p = np.random.default_rng(0).dirichlet(np.ones(3), 5)
    np.testing.assert_allclose(reweight_prevalence(p, [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]), p)


@pytest.mark.parametrize(
    ("train", "new", "message"),
    [
        (0.0, 0.5, "lacks a class"),
        (0.5, 1.5, "prevalence=1.5 is no mixture of 2 classes; give one fraction between 0 and 1"),
        (0.5, [0.2, 0.2], r"prevalence=\[0.2, 0.2\] is no mixture"),
        ([0.5, 0.2, 0.3], 0.1, "training set's prevalence"),
    ],
)
def test_what_is_no_prevalence(train, new, message):
    with pytest.raises(ConfigError, match=message):
        reweight_prevalence([0.5], train, new)
