"""Figures of found objects: hand-made scenes, scikit-learn, and counting one by one."""

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.bootstrap import stratified_counts
from astrocnn.functional.source_figures import SourceFigures
from astrocnn.functional.source_matches import match_scenes
from astrocnn.functional.source_scores import summarise_objects

CLASSES = ["background", "star", "disc", "irregular"]


def table(**columns):
    return {name: np.asarray(column) for name, column in columns.items()}


def draw(n_scenes=8, n=40, seed=0):
    """Measured and true tables: some objects missed, some invented, classes by noisy probabilities."""
    rng = np.random.default_rng(seed)
    measured, true = [], []
    for _ in range(n_scenes):
        x, y = (rng.permutation(n) * 12.0 for _ in range(2))  # far apart: matches are certain
        label, snr = rng.integers(1, 4, n), 10 ** rng.uniform(0.5, 2.5, n)
        mag = 26 - 2.5 * np.log10(snr / 5)
        t = table(
            x=x,
            y=y,
            label=label,
            snr=snr,
            mag=mag,
            blended=rng.random(n) < 0.5,
            ignore=snr < 5,
            scored=snr > 30,
        )
        t["iou"] = rng.random(n)
        found = rng.random(n) < snr / (snr + 5)
        p = rng.dirichlet([0.5, 1, 1, 1], n)
        p[np.arange(n), label] += 1
        p /= p.sum(1, keepdims=True)
        m = {
            "x": np.append(x[found] + rng.normal(0, 0.4, found.sum()), rng.uniform(-500, -100, 6)),
            "y": np.append(y[found] + rng.normal(0, 0.4, found.sum()), rng.uniform(0, 400, 6)),
            "mag": np.append(mag[found] + rng.normal(0, 0.1, found.sum()), rng.uniform(24, 26, 6)),
            "p_class": np.concatenate([p[found], rng.dirichlet([1, 1, 1, 1], 6)]),
        }
        m["label"] = m["p_class"][:, 1:].argmax(1) + 1
        m["snr"] = 5 * 10 ** ((26 - m["mag"]) / 2.5)
        m["blended"] = rng.random(len(m["x"])) < 0.3
        measured.append(m)
        true.append(t)
    return measured, true


ROUND = {step * 10.0**decade for step in (1, 1.5, 2, 3, 5, 7) for decade in range(4)}


def test_a_scene_counted_by_hand():
    true = table(
        x=[10.0, 20.0, 30.0, 50.0],
        y=[10.0, 10.0, 10.0, 50.0],
        label=[1, 2, 3, 2],
        ignore=[False, False, False, True],
        scored=[True, True, False, False],
        blended=[False, True, True, False],
        iou=[0.8, 0.6, 0.0, 0.9],
    )
    # Found: the first, the second (called a star), one invented, and the one to be ignored.
    measured = table(
        x=[10.3, 20.0, 80.0, 50.0],
        y=[10.4, 11.2, 80.0, 51.0],
        label=[1, 1, 2, 2],
        blended=[False, True, True, False],
    )
    found = summarise_objects([measured], [true], classes=CLASSES, n_bootstrap=0)
    assert found["counts"] == {
        **{"n_scenes": 1, "n_true": 3, "n_blended": 2, "n_ignored": 1},
        **{"n_measured": 3, "n_matched": 2, "n_measured_ignored": 1},
    }
    values = {name: figure["value"] for name, figure in found["figures"].items()}
    expected = {
        **{"completeness": 2 / 3, "purity": 2 / 3, "f1": 2 / 3, "isolated_f1": 1.0, "blended_f1": 0.5},
        **{
            "isolated_completeness": 1.0,
            "blended_completeness": 0.5,
            "isolated_purity": 1.0,
            "blended_purity": 0.5,
        },
        **{"instance_iou": 1.4 / 3, "isolated_instance_iou": 0.8, "blended_instance_iou": 0.3},
        **{"class_accuracy": 0.5, "class_balanced_accuracy": 0.5},
        **{"star_completeness": 1.0, "star_purity": 0.5},
        "position_median_pix": (0.5 + 1.2) / 2,
    }
    assert values == pytest.approx(expected)
    assert found["classification"]["confusion"] == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert found["residuals"]["median_dx_pix"] == pytest.approx(0.15)
    assert found["completeness"] is found["purity"] is None  # no magnitudes


def test_what_is_ignored_takes_no_match_from_what_counts():
    true = table(x=[0.0, 1.0], y=[0.0, 0.0], ignore=[False, True])
    near_the_ignored = table(x=[1.0], y=[0.0])
    found = summarise_objects([near_the_ignored], [true], classes=CLASSES, n_bootstrap=0)
    assert found["figures"]["completeness"]["value"] == 1
    both = table(x=[1.0, 0.9, 9.0], y=[0.0, 0.0, 0.0])
    found = summarise_objects([both], [true], classes=CLASSES, n_bootstrap=0)
    assert found["counts"]["n_measured_ignored"] == 1
    assert found["figures"]["purity"]["value"] == 0.5


def test_scenes_do_not_mix():
    here, there = table(x=[5.0], y=[5.0]), table(x=[50.0], y=[50.0])
    found = summarise_objects([here, there], [there, here], classes=CLASSES, n_bootstrap=0)
    assert found["figures"]["completeness"]["value"] == 0
    found = summarise_objects([here, there], [here, there], classes=CLASSES, n_bootstrap=0)
    assert found["figures"]["completeness"]["value"] == 1


def test_stars_and_classes_are_judged_as_sklearn_does():
    measured, true = draw()
    sources = match_scenes(measured, true, radius_pix=3.0, star=1)
    t, m = sources.true, sources.found
    counted = ~t["ignore"] & (t["partner"] >= 0)
    p = np.concatenate([part["p_class"] for part in measured])
    p_star = (p[:, 1] / (1 - p[:, 0]))[t["partner"]]
    found = summarise_objects(measured, true, classes=CLASSES, n_bootstrap=0)
    auroc = roc_auc_score(t["label"][counted] == 1, p_star[counted])
    assert found["figures"]["star_auroc"]["value"] == pytest.approx(auroc)
    inside = counted & (t["snr"] >= 20) & (t["snr"] < 50)
    part = found["stars"]["auroc_by_snr"]["bins"][2]
    assert part["value"] == pytest.approx(roc_auc_score(t["label"][inside] == 1, p_star[inside]))
    assert part["n_star"] + part["n_galaxy"] == inside.sum()
    assert not any(name.startswith("star_auroc_") for name in found["figures"])
    judged = counted & t["scored"]
    y, called = t["label"][judged], m["label"][t["partner"][judged]]
    assert found["figures"]["class_accuracy"]["value"] == pytest.approx((y == called).mean())
    balanced = balanced_accuracy_score(y, called)
    assert found["figures"]["class_balanced_accuracy"]["value"] == pytest.approx(balanced)
    assert np.sum(found["classification"]["confusion"]) == judged.sum()


@pytest.mark.parametrize(("of", "suffix"), [("mag", ""), ("snr", "_by_snr")])
def test_rates_against_a_value_are_those_of_counting(of, suffix):
    measured, true = draw()
    sources = match_scenes(measured, true, radius_pix=3.0)
    found = summarise_objects(measured, true, classes=CLASSES, n_bootstrap=0)
    for curve, rows, hit, among in (
        ("completeness", sources.true, sources.true["partner"] >= 0, ~sources.true["ignore"]),
        ("purity", sources.found, sources.found["partner"] >= 0, sources.found["counts"]),
    ):
        rates, edges = found[curve + suffix], found[curve + suffix]["edges"]
        assert np.allclose(np.diff(edges), 0.5) if of == "mag" else set(edges) <= ROUND
        for kind, member in (
            ("all", True),
            ("blended", rows["blended"] == 1),
            ("isolated", rows["blended"] == 0),
        ):
            for k in range(len(edges) - 1):
                inside = among & member & (rows[of] >= edges[k]) & (rows[of] < edges[k + 1])
                assert rates[kind]["n"][k] == inside.sum()
                if inside.any():
                    assert rates[kind]["value"][k] == pytest.approx(hit[inside].mean())
                    assert rates[kind]["low"][k] < rates[kind]["high"][k]
                else:
                    assert rates[kind]["value"][k] is None


def test_without_s_n_nothing_is_said_of_it_and_what_is_below_1_counts_in_the_first_bin():
    measured, true = ([{**of, "snr": of["snr"] / 40 - 0.5} for of in tables] for tables in draw())
    found = summarise_objects(measured, true, classes=CLASSES, n_bootstrap=0)
    assert found["purity_by_snr"]["edges"][0] == 1
    n_found = sum(found["purity_by_snr"]["all"]["n"])
    assert n_found >= 0.98 * found["counts"]["n_measured"]  # the brightest may lie above the last bin
    bare = [[{name: of[name] for name in ("x", "y")} for of in tables] for tables in (measured, true)]
    found = summarise_objects(*bare, classes=CLASSES, n_bootstrap=0)
    assert found["completeness_by_snr"] is found["purity_by_snr"] is found["pairs_by_snr"] is None


def test_resampled_figures_are_those_of_the_scenes_drawn():
    measured, true = draw()
    figures = SourceFigures(match_scenes(measured, true, radius_pix=3.0, star=1), n_classes=4, star=1)
    counts = next(iter(stratified_counts(np.zeros(8), 4, seed=0)))
    for row, found in zip(counts, figures(counts), strict=True):
        drawn = np.repeat(np.arange(8), row.astype(int))
        again = match_scenes([measured[k] for k in drawn], [true[k] for k in drawn], radius_pix=3.0, star=1)
        expected = SourceFigures(again, n_classes=4, star=1)
        assert expected.names == figures.names
        np.testing.assert_allclose(found, expected(np.ones((1, 8)))[0])


def test_figures_lie_in_their_intervals_and_go_into_json():
    found = summarise_objects(*draw(), classes=CLASSES, n_bootstrap=100)
    for name, figure in found["figures"].items():
        assert figure["low"] <= figure["value"] <= figure["high"], name
    again = summarise_objects(*draw(), classes=CLASSES, n_bootstrap=100)
    assert json.dumps(found, allow_nan=False) == json.dumps(again)


def test_the_median_distance_is_that_of_numpy():
    measured, true = draw(n_scenes=3)
    sources = match_scenes(measured, true, radius_pix=3.0)
    hit = sources.true["partner"] >= 0
    dx, dy = (sources.found[a][sources.true["partner"][hit]] - sources.true[a][hit] for a in "xy")
    found = summarise_objects(measured, true, classes=CLASSES, n_bootstrap=0)
    assert found["figures"]["position_median_pix"]["value"] == pytest.approx(np.median(np.hypot(dx, dy)))
    assert sum(found["residuals"]["n"]) == hit.sum()


def test_scenes_without_objects_have_no_figures_but_count():
    nothing, something = table(x=[], y=[]), table(x=[1.0], y=[1.0])
    none = summarise_objects([nothing] * 2, [nothing] * 2, classes=CLASSES)
    assert none["figures"] == {}
    assert none["counts"]["n_scenes"] == 2
    missed = summarise_objects([nothing] * 2, [something, nothing], classes=CLASSES)
    assert missed["figures"]["completeness"]["value"] == 0
    assert "purity" not in missed["figures"]
    invented = summarise_objects([something] * 2, [nothing] * 2, classes=CLASSES)
    assert invented["figures"]["purity"]["value"] == 0
    for found in (none, missed, invented):
        json.dumps(found, allow_nan=False)


def test_tables_that_cannot_be_matched_are_refused():
    measured, true = draw(n_scenes=2)
    with pytest.raises(DataError, match="1 scenes were measured and 2"):
        summarise_objects(measured[:1], true, classes=CLASSES)
    with pytest.raises(DataError, match="measured objects lack y"):
        summarise_objects([{"x": [1.0]}], true[:1], classes=CLASSES)
    with pytest.raises(ConfigError, match="radius_pix=0"):
        summarise_objects(measured, true, classes=CLASSES, radius_pix=0)
    with pytest.raises(ConfigError, match="n_bootstrap=-1"):
        summarise_objects(measured, true, classes=CLASSES, n_bootstrap=-1)
