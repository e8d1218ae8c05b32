"""The summary against a direct computation with scikit-learn, and what it says where little can be said."""

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.classification import summarise
from astrocnn.functional.ranking import tpr0, tpr10, tpr_at_fpr

CLASSES = ["non-lens", "lens"]


def draw(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(int)
    p = 1 / (1 + np.exp(-(2 * (2 * y - 1) + 2 * rng.normal(size=n))))
    truth = {
        "theta_E": np.where(y == 1, rng.uniform(0.5, 3, n), np.nan),
        "snr_arc": np.where(y == 1, 10 + rng.lognormal(3, 1, n), np.nan),
        "kind": np.where(y == 1, "lens", rng.choice(["spiral", "ring"], n)),
    }
    return p.astype(np.float32), y, truth


def test_figures_are_those_of_scikit_learn():
    p, y, _ = draw()
    result = summarise(p, y, classes=CLASSES, n_bootstrap=50, threshold=0.4)
    called = p >= 0.4
    expected = {
        "auroc": sk.roc_auc_score(y, p),
        "average_precision": sk.average_precision_score(y, p),
        "accuracy": sk.accuracy_score(y, called),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called),
        "brier": sk.brier_score_loss(y, p),
        "nll": sk.log_loss(y, p.astype(float)),
        "tpr_at_fpr_1e-1": tpr_at_fpr(p, y, fpr=0.1),
        "tpr_at_fpr_1e-2": tpr_at_fpr(p, y, fpr=0.01),
        "tpr0": tpr0(p, y),
        "tpr10": tpr10(p, y),
    }
    for name, value in expected.items():
        assert result["figures"][name]["value"] == pytest.approx(value, rel=1e-6), name
    assert set(result["figures"]) == {*expected, "ece", "tpr_at_fpr_1e-3"}
    assert result["confusion"] == sk.confusion_matrix(y, called).tolist()
    assert (result["n"], result["n_positive"], result["n_negative"]) == (1500, y.sum(), (1 - y).sum())
    assert result["prevalence"] == pytest.approx(y.mean())
    assert (result["classes"], result["threshold"]) == (CLASSES, 0.4)


def test_intervals_are_those_of_resampled_objects():
    """Objects really drawn again, scikit-learn on every resample: the same interval within its noise."""
    p, y, _ = draw(n=300)
    result = summarise(p, y, classes=CLASSES, n_bootstrap=2000)
    rng = np.random.default_rng(5)
    groups = [np.flatnonzero(y == k) for k in (0, 1)]
    drawn = [np.concatenate([rng.choice(g, len(g)) for g in groups]) for _ in range(1000)]
    slow = {
        "auroc": [sk.roc_auc_score(y[i], p[i]) for i in drawn],
        "average_precision": [sk.average_precision_score(y[i], p[i]) for i in drawn],
        "balanced_accuracy": [sk.balanced_accuracy_score(y[i], p[i] >= 0.5) for i in drawn],
        "brier": [sk.brier_score_loss(y[i], p[i]) for i in drawn],
        "tpr_at_fpr_1e-1": [tpr_at_fpr(p[i], y[i], fpr=0.1) for i in drawn],
        "tpr10": [tpr10(p[i], y[i]) for i in drawn],
    }
    for name, values in slow.items():
        low, high = np.quantile(values, [0.025, 0.975])
        figure = result["figures"][name]
        assert figure["low"] == pytest.approx(low, abs=0.12 * (high - low)), name
        assert figure["high"] == pytest.approx(high, abs=0.12 * (high - low)), name
        assert figure["low"] < figure["value"] < figure["high"]


def test_auroc_interval_covers_the_true_value():
    """Scores N(0, 1) and N(1, 1): AUROC Φ(1/√2). Of 200 intervals 95 % hold it (±3σ)."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 60)
    held = 0
    for seed in range(200):
        p = 1 / (1 + np.exp(-(rng.normal(size=120) + y)))
        figure = summarise(p, y, classes=CLASSES, n_bootstrap=300, seed=seed)["figures"]["auroc"]
        held += figure["low"] <= 0.76025 <= figure["high"]
    assert held / 200 == pytest.approx(0.95, abs=0.047)


def test_roc_curve():
    p, y, _ = draw()
    roc = summarise(p, y, classes=CLASSES, n_bootstrap=200)["roc"]
    assert 100 < len(roc["fpr"]) <= 500
    assert roc["fpr"][0] == 0
    assert roc["fpr"][-1] == roc["tpr"][-1] == 1
    for k in (0, 1, 20, 150):
        assert roc["tpr"][k] == pytest.approx(tpr_at_fpr(p, y, fpr=roc["fpr"][k]))
    assert all(low <= high for low, high in zip(roc["low"], roc["high"], strict=True))
    assert (
        np.mean([low <= t <= high for low, t, high in zip(roc["low"], roc["tpr"], roc["high"], strict=True)])
        > 0.95
    )


def test_selection_kinds_and_completeness():
    p, y, truth = draw()
    result = summarise(
        p,
        y,
        classes=CLASSES,
        truth=truth,
        selections={"clear": {"theta_E": 1.2, "snr_arc": 20}, "none": {"theta_E": 99}},
        strata=["theta_E", "snr_arc"],
        kind="kind",
        n_bootstrap=20,
    )
    with np.errstate(invalid="ignore"):
        clear = (truth["theta_E"] > 1.2) & (truth["snr_arc"] > 20)
    rows = clear | (y == 0)
    chosen = result["selections"]["clear"]
    assert chosen["where"] == {"theta_E": 1.2, "snr_arc": 20}
    assert (chosen["n_positive"], chosen["n_negative"]) == (clear.sum(), (y == 0).sum())
    assert chosen["figures"]["auroc"]["value"] == pytest.approx(sk.roc_auc_score(y[rows], p[rows]))
    assert result["selections"]["none"]["figures"] == {}

    cut = result["threshold_fpr"]["threshold"]
    assert result["threshold_fpr"]["fpr"] == 0.01
    for kind in ("spiral", "ring"):
        mine = (truth["kind"] == kind) & (y == 0)
        assert result["false_positives"][kind]["n"] == mine.sum()
        assert result["false_positives"][kind]["fpr"]["value"] == pytest.approx((p[mine] >= cut).mean())
    assert set(result["false_positives"]) == {"spiral", "ring"}

    n, value = np.array(result["completeness"]["n"]), np.array(result["completeness"]["value"], dtype=float)
    assert n.sum() == y.sum()
    assert np.nansum(n * value) == pytest.approx((p[y == 1] >= cut).sum())
    assert result["completeness"]["x"]["name"] == "theta_E"
    json.dumps(result, allow_nan=False)


def test_many_classes():
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=800)
    z = rng.normal(size=(800, 4)) + 1.5 * np.eye(4)[y]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    result = summarise(p, y, classes=list("abcd"), n_bootstrap=100)
    expected = {
        "auroc": sk.roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "accuracy": sk.accuracy_score(y, p.argmax(1)),
        "balanced_accuracy": sk.balanced_accuracy_score(y, p.argmax(1)),
        "nll": sk.log_loss(y, p),
        "brier": sk.brier_score_loss(y, p, scale_by_half=False),
    }
    for name, value in expected.items():
        figure = result["figures"][name]
        assert figure["value"] == pytest.approx(value), name
        assert figure["low"] < figure["value"] < figure["high"]
    assert result["confusion"] == sk.confusion_matrix(y, p.argmax(1)).tolist()
    recall = sk.recall_score(y, p.argmax(1), average=None)
    assert [result["recall"][name]["value"] for name in "abcd"] == pytest.approx(recall.tolist())
    json.dumps(result, allow_nan=False)


def test_a_class_without_object_is_said():
    p = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    result = summarise(p, np.arange(40) % 2, classes=list("abc"), n_bootstrap=10)
    assert result["figures"]["auroc"]["note"] == "without c, which no object belongs to"
    assert result["recall"]["c"]["value"] is None
    assert result["n_per_class"] == [20, 20, 0]
    json.dumps(result, allow_nan=False)


def test_two_columns_are_one():
    p, y, _ = draw(n=100)
    two = np.stack([1 - p.astype(float), p.astype(float)], 1)
    assert summarise(two, y, classes=CLASSES, n_bootstrap=10) == summarise(
        p, y, classes=CLASSES, n_bootstrap=10
    )


def test_calibration_error_interval():
    """Probabilities that are true: the percentiles lie above the value, the interval must reach towards 0."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(20):
        p = rng.random(300)
        y = (rng.random(300) < p).astype(int)
        found.append(summarise(p, y, classes=CLASSES, n_bootstrap=100, seed=seed)["figures"]["ece"])
    assert all(0 <= ece["low"] <= ece["value"] <= ece["high"] for ece in found)
    assert np.mean([ece["low"] for ece in found]) < 0.3 * np.mean([ece["value"] for ece in found])

    y = (rng.random(2000) < 0.7).astype(int)
    ece = summarise(np.full(2000, 0.9), y, classes=CLASSES, n_bootstrap=200)["figures"]["ece"]
    assert ece["low"] < 0.2 < ece["high"]


def test_rates_that_the_negatives_cannot_resolve():
    p, y, _ = draw(n=120)
    figures = summarise(p, y, classes=CLASSES, n_bootstrap=10)["figures"]
    n_negative = (y == 0).sum()
    assert n_negative < 100
    assert figures["tpr_at_fpr_1e-2"]["value"] is None
    assert (
        f"{n_negative} negatives cannot resolve a rate of 0.01; at least 100 can"
        in figures["tpr_at_fpr_1e-2"]["note"]
    )
    assert figures["tpr_at_fpr_1e-1"]["value"] is not None
    assert figures["tpr0"]["n_negative"] == figures["tpr10"]["n_negative"] == n_negative
    assert figures["tpr0"]["low"] is None


def test_one_negative_and_unlabelled_objects():
    p, y = [0.1, 0.8, 0.9, 0.3, 0.2], [0, 1, 1, 1, -1]
    result = summarise(p, y, classes=CLASSES, n_bootstrap=20)
    assert (result["n"], result["n_unlabelled"], result["n_negative"]) == (4, 1, 1)
    assert result["figures"]["auroc"]["value"] == 1
    assert "by definition" in result["figures"]["tpr10"]["note"]
    assert result["threshold_fpr"]["fpr"] == 1
    json.dumps(result, allow_nan=False)


def test_no_intervals():
    p, y, _ = draw(n=100)
    figure = summarise(p, y, classes=CLASSES, n_bootstrap=0)["figures"]["auroc"]
    assert figure["low"] is None
    assert figure["value"] == pytest.approx(sk.roc_auc_score(y, p))


def test_same_seed_same_summary():
    p, y, _ = draw(n=200)
    first, again, other = (summarise(p, y, classes=CLASSES, n_bootstrap=30, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first["figures"]["auroc"] != other["figures"]["auroc"]


@pytest.mark.parametrize(
    ("p", "y", "message"),
    [
        ([0.2, 0.3], [1, 1], "2 positives and 0 negatives"),
        ([0.2, 0.3], [-1, -1], "no labelled object"),
        ([], [], "no labelled object"),
        ([0.2, np.nan], [0, 1], "have NaN for a probability"),
        ([0.2, 0.3], [0], "2 probabilities and labels of shape"),
        (np.full((2, 3), 1 / 3), [1, 1], "all 2 objects are of class 'b'; choose another split"),
    ],
)
def test_input_that_cannot_be_summarised(p, y, message):
    classes = ["a", "b", "c"][: 3 if np.ndim(p) == 2 else 2]
    with pytest.raises(DataError, match=message):
        summarise(p, y, classes=classes)


def test_options_that_do_not_fit():
    p, y, truth = draw(n=50)
    with pytest.raises(DataError, match="no column z_l; it has theta_E, snr_arc, kind"):
        summarise(p, y, classes=CLASSES, truth=truth, selections={"near": {"z_l": 0.5}})
    with pytest.raises(ConfigError, match="3 class names"):
        summarise(p, y, classes=["a", "b", "c"])
    with pytest.raises(ConfigError, match="must be two columns"):
        summarise(p, y, classes=CLASSES, truth=truth, strata=["theta_E"])
    with pytest.raises(ConfigError, match="n_bootstrap=-1"):
        summarise(p, y, classes=CLASSES, n_bootstrap=-1)
    with pytest.raises(ConfigError, match="need two classes"):
        summarise(np.eye(3), [0, 1, 2], classes=list("abc"), truth={"kind": np.zeros(3)}, kind="kind")
