"""Figures of class maps against scikit-learn and torchmetrics, pixel by pixel."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score, precision_score, recall_score
from torchmetrics.functional.classification import multiclass_calibration_error

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.bootstrap import stratified_counts
from astrocnn.functional.scene_figures import paired_differences
from astrocnn.functional.segmentation import (
    PixelFigures,
    join_pixel_counts,
    join_summaries,
    pixel_counts,
    summarise_pixels,
)

CLASSES = ["sky", "star", "disc", "irregular"]


def scenes(n=6, size=24, seed=0, skill=1.5):
    """Probabilities (n, 4, H, W) float32 and class maps with pixels that do not count."""
    rng = np.random.default_rng(seed)
    true = rng.choice(4, (n, size, size), p=[0.6, 0.1, 0.2, 0.1])
    logits = rng.normal(size=(n, 4, size, size)) + skill * (true[:, None] == np.arange(4)[:, None, None])
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return p.astype(np.float32), np.where(rng.random(true.shape) < 0.2, -1, true)


def test_figures_are_those_of_sklearn():
    p, true = scenes()
    full = np.where(true == -1, 3, true)
    found = summarise_pixels(pixel_counts(p, true, full_map=full), CLASSES, n_bootstrap=0)
    known = true >= 0
    y, called = true[known], p.argmax(1)[known]
    figures = {name: figure["value"] for name, figure in found["figures"].items()}
    assert figures["mean_iou"] == pytest.approx(jaccard_score(y, called, average="macro"))
    assert figures["mean_dice"] == pytest.approx(f1_score(y, called, average="macro"))
    assert figures["pixel_accuracy"] == pytest.approx((y == called).mean())
    source, of_source = (full > 0).ravel(), (p[:, 0] < 0.5).ravel()
    assert figures["foreground_iou"] == pytest.approx(jaccard_score(source, of_source))
    assert figures["foreground_dice"] == pytest.approx(f1_score(source, of_source))
    assert found["confusion"] == confusion_matrix(y, called).tolist()
    for kind, measure in (
        ("iou", jaccard_score),
        ("dice", f1_score),
        ("recall", recall_score),
        ("precision", precision_score),
    ):
        values = [found["per_class"][name][kind]["value"] for name in CLASSES]
        assert values == pytest.approx(measure(y, called, average=None))
    assert [found["per_class"][name]["n_pixels"] for name in CLASSES] == np.bincount(y).tolist()
    assert found["n_pixels"] == known.sum()
    assert found["n_scenes"] == 6


def test_calibration_is_that_of_torchmetrics():
    p, true = scenes()
    found = summarise_pixels(pixel_counts(p, true), CLASSES, n_bootstrap=0)
    expected = multiclass_calibration_error(
        torch.from_numpy(p), torch.from_numpy(true), num_classes=4, n_bins=15, norm="l1", ignore_index=-1
    )
    assert found["figures"]["ece"]["value"] == pytest.approx(expected.item(), rel=1e-4)
    diagram = found["reliability"]
    known = true >= 0
    largest, right = p.max(1)[known], (p.argmax(1) == true)[known]
    inside = (largest >= 0.6) & (largest < 2 / 3)
    assert diagram["n"][9] == inside.sum()
    assert diagram["mean_p"][9] == pytest.approx(largest[inside].mean(), rel=1e-5)
    assert diagram["fraction"][9] == pytest.approx(right[inside].mean())
    assert diagram["mean_p"][0] is None


def test_scenes_are_counted_one_by_one_or_together():
    p, true = scenes()
    together = pixel_counts(p, true)
    one_by_one = join_pixel_counts(pixel_counts(p[k : k + 1], true[k : k + 1]) for k in range(len(p)))
    for name in ("confusion", "foreground", "in_bin", "came_true"):
        np.testing.assert_array_equal(getattr(one_by_one, name), getattr(together, name))
    np.testing.assert_allclose(one_by_one.stated, together.stated)


def test_resampled_figures_are_those_of_the_scenes_drawn():
    p, true = scenes()
    figures = PixelFigures(pixel_counts(p, true), CLASSES)
    counts = next(iter(stratified_counts(np.zeros(6), 5, seed=0)))
    for row, found in zip(counts, figures(counts), strict=True):
        drawn = np.repeat(np.arange(6), row.astype(int))
        expected = PixelFigures(pixel_counts(p[drawn], true[drawn]), CLASSES)(np.ones((1, 6)))[0]
        np.testing.assert_allclose(found, expected)


def test_intervals_hold_the_truth_of_many_scenes_as_often_as_they_say():
    population = pixel_counts(*scenes(n=2000, size=10, seed=1))
    expected = PixelFigures(population, CLASSES)(np.ones((1, 2000)))[0, 0]
    inside = 0
    for k in range(50):
        rows = slice(40 * k, 40 * k + 40)
        part = type(population)(*(getattr(population, name)[rows] for name in vars(population)))
        figure = summarise_pixels(part, CLASSES, n_bootstrap=200, seed=k)["figures"]["mean_iou"]
        assert figure["low"] < figure["value"] < figure["high"]
        inside += figure["low"] <= expected <= figure["high"]
    assert 43 <= inside <= 50


def test_a_class_without_pixels_is_left_out_and_said():
    p, true = scenes()
    true = np.where(true == 3, 2, true)
    p[:, 3] = 0
    found = summarise_pixels(pixel_counts(p, true), CLASSES, n_bootstrap=20)
    y, called = true[true >= 0], p.argmax(1)[true >= 0]
    assert found["figures"]["mean_iou"]["value"] == pytest.approx(jaccard_score(y, called, average="macro"))
    assert "irregular" in found["figures"]["mean_iou"]["note"]
    assert found["per_class"]["irregular"]["iou"]["value"] is None
    json.dumps(found, allow_nan=False)


def test_one_scene_has_figures_without_intervals():
    p, true = scenes(n=1)
    figure = summarise_pixels(pixel_counts(p, true), CLASSES)["figures"]["mean_iou"]
    assert figure["value"] > 0
    assert figure["low"] is figure["high"] is None


def test_methods_are_compared_on_the_same_scenes():
    """The better method is ahead on every scene: scene-to-scene scatter cancels in the difference."""
    rng = np.random.default_rng(5)
    parts = [[], []]
    for k in range(20):
        skill = rng.uniform(0.5, 3)
        for part, more in zip(parts, (0.3, 0.0), strict=True):
            part.append(pixel_counts(*scenes(n=1, seed=k, skill=skill + more)))
    better, worse = (PixelFigures(join_pixel_counts(part), CLASSES) for part in parts)
    difference = paired_differences(better, worse, n_resamples=200)["mean_iou"]
    values = [figures(np.ones((1, 20)))[0, 0] for figures in (better, worse)]
    assert difference["value"] == pytest.approx(values[0] - values[1])
    assert 0 < difference["low"] < difference["value"] < difference["high"]
    one = summarise_pixels(join_pixel_counts(parts[0]), CLASSES)["figures"]["mean_iou"]
    assert difference["high"] - difference["low"] < 0.5 * (one["high"] - one["low"])
    with pytest.raises(ConfigError, match="20 and 19"):
        paired_differences(better, PixelFigures(join_pixel_counts(parts[1][1:]), CLASSES))


def test_summaries_join_with_their_figures():
    joined = join_summaries({"a": 1, "figures": {"x": 1}}, {"b": 2, "figures": {"y": 2}})
    assert joined == {"a": 1, "b": 2, "figures": {"x": 1, "y": 2}}


def test_what_cannot_be_scored_is_refused():
    p, true = scenes(n=2)
    with pytest.raises(DataError, match="class 4"):
        pixel_counts(p, np.where(true == 3, 4, true))
    with pytest.raises(DataError, match=r"\(2, 4, 24, 24\), \(2, 24, 23\)"):
        pixel_counts(p, true[:, :, 1:])
    p[0, :, 0, 0], true[0, 0, 0] = np.nan, 1
    with pytest.raises(DataError, match="1 pixels"):
        pixel_counts(p, true)
    true[0, 0, 0] = -1
    counts = pixel_counts(p, true)
    with pytest.raises(ConfigError, match="3 class names"):
        summarise_pixels(counts, CLASSES[:3])
    with pytest.raises(ConfigError, match="n_bootstrap=-1"):
        summarise_pixels(counts, CLASSES, n_bootstrap=-1)
    with pytest.raises(DataError, match="no pixel has a class"):
        summarise_pixels(pixel_counts(p, 0 * true - 1), CLASSES)
    with pytest.raises(DataError, match="no scene"):
        join_pixel_counts([])
