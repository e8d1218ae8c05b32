"""Average precision against cases by hand, a loop, scikit-learn and COCO's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, precision_recall_curve
from torchmetrics.detection import MeanAveragePrecision

from astrocnn.functional.average_precision import average_precision, precision_recall
from astrocnn.functional.detections import Detections


def found(x, y, scores):
    """Boxes of 2 pixels."""
    x, y, scores = (np.asarray(of, np.float32) for of in (x, y, scores))
    none = np.empty((len(x), 0), np.float32)
    return Detections(np.stack([x - 1, y - 1, x + 1, y + 1], 1), scores, none, none, none)


def true(x, y, ignore=None):
    n = len(x)
    return {"x": np.array(x, float), "y": np.array(y, float), "ignore": np.array(ignore or [False] * n, bool)}


def test_a_case_by_hand():
    """Right, wrong, right, and one of three objects is never found: precision 1, 1/2, 2/3."""
    said = found([10, 50, 20], [10, 50, 20], [0.9, 0.8, 0.7])
    curve = average_precision([said], [true([10, 20, 30], [10, 20, 30])], radius_pix=2)
    assert curve["value"] == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert curve["precision"] == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve["completeness"] == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert curve["score"] == pytest.approx([0.9, 0.8, 0.7])


def test_the_better_detection_takes_the_object():
    """The second one on the same object is a false one."""
    there = [true([10], [10])]
    two = found([10.0, 11.0], [10, 10], [0.6, 0.9])
    assert average_precision([two], there, radius_pix=2)["value"] == 1
    missed = found([10.0, 14.0], [10, 10], [0.6, 0.9])
    assert average_precision([missed], there, radius_pix=2)["value"] == pytest.approx(0.5)


def test_a_detection_takes_the_nearest_object_that_is_free():
    there = [true([10, 12], [10, 10])]
    said = found([11.2, 11.9], [10, 10], [0.9, 0.8])  # both are nearer to the second
    assert average_precision([said], there, radius_pix=2.5)["value"] == 1
    assert average_precision([said], there, radius_pix=1.5)["value"] == pytest.approx(0.5)


def test_objects_to_be_ignored_count_neither_way():
    there = [true([10, 20, 30], [10, 20, 30], [False, True, False])]
    said = found([10, 20, 20.5, 30], [10, 20, 20, 30], [0.9, 0.8, 0.7, 0.6])
    curve = average_precision([said], there, radius_pix=2)
    assert curve["value"] == 1
    assert curve["score"] == pytest.approx([0.9, 0.6])
    near = [
        true([10, 10.5], [10, 10], [False, True])
    ]  # one that counts goes before a nearer one that does not
    assert average_precision([found([10.4], [10], [0.9])], near, radius_pix=2)["value"] == 1


def test_images_are_ranked_together():
    said = [found([10], [10], [0.5]), found([50, 10], [50, 10], [0.9, 0.4])]
    curve = average_precision(said, [true([10], [10])] * 2, radius_pix=2)
    assert curve["precision"] == pytest.approx([0, 1 / 2, 2 / 3])
    assert curve["value"] == pytest.approx(2 / 3)


def test_nothing_found_and_nothing_there():
    none, some = found([], [], []), found([5], [5], [0.5])
    for said, there in ((none, true([5], [5])), (some, true([], [])), (none, true([], []))):
        curve = average_precision([said], [there], radius_pix=2)
        assert curve["value"] == 0
    assert average_precision([], [], radius_pix=2)["value"] == 0


def crowded(seed, n=150):
    """Objects 6 pixels apart or more, detections of most of them, and others where nothing is."""
    rng = np.random.default_rng(seed)
    y, x = (of.ravel() * 8.0 + rng.uniform(-1, 1, 400) for of in np.mgrid[:20, :20])
    rows = rng.permutation(400)[:n]
    hit = rng.uniform(size=n) < 0.8
    shift = rng.uniform(-0.4, 0.4, (2, n))
    far = 300 + 10 * np.arange(40.0)
    scores = np.concatenate([rng.beta(4, 2, n)[hit], rng.beta(2, 4, 40)])
    said = found(
        np.concatenate([(x[rows] + shift[0])[hit], far]),
        np.concatenate([(y[rows] + shift[1])[hit], far]),
        scores,
    )
    return said, true(x[rows], y[rows]), np.arange(len(scores)) < hit.sum()


def test_a_crowded_field_as_by_a_loop():
    fields = [crowded(seed) for seed in range(3)]
    ranked = sorted(
        (-score, not good)
        for said, _, right in fields
        for score, good in zip(said.scores, right, strict=True)
    )
    n_true, hits, points = 450, 0, []
    for n, (_, wrong) in enumerate(ranked, start=1):
        hits += not wrong
        points.append((hits / n_true, hits / n))
    expected = sum(
        max(precision for completeness, precision in points if completeness >= k / n_true - 1e-12) / n_true
        for k in range(1, hits + 1)
    )
    curve = average_precision([f[0] for f in fields], [f[1] for f in fields], radius_pix=1.0)
    assert curve["value"] == pytest.approx(expected)
    assert len(curve["score"]) == 200
    assert np.all(np.diff(curve["score"]) <= 0)
    assert curve["completeness"][-1] == pytest.approx(hits / n_true)


def test_precision_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    score, right = rng.permutation(300) / 300, rng.uniform(size=300) < 0.4
    order = np.argsort(-score)
    precision, recall = precision_recall(right[order], int(right.sum()))
    their_precision, their_recall, _ = precision_recall_curve(right, score, drop_intermediate=False)
    np.testing.assert_allclose(precision, their_precision[-2::-1])
    np.testing.assert_allclose(recall, their_recall[-2::-1])
    area = (np.diff(recall, prepend=0) * precision).sum()
    assert area == pytest.approx(average_precision_score(right, score))


def test_a_field_as_coco_has_it():
    """Boxes of 4 pixels overlap by half, or not at all: COCO's average at IoU 0.5, of 101 points of the curve."""
    pytest.importorskip("faster_coco_eval")
    said, there, right = crowded(0)
    metric = MeanAveragePrecision(backend="faster_coco_eval", max_detection_thresholds=[1, 10, 1000])

    def boxes(x, y):
        return torch.tensor(np.stack([x - 2, y - 2, x + 2, y + 2], 1))

    labels = [torch.zeros(n, dtype=torch.int64) for n in (len(said), len(there["x"]))]
    metric.update(
        [{"boxes": boxes(said.x, said.y), "scores": torch.from_numpy(said.scores), "labels": labels[0]}],
        [{"boxes": boxes(there["x"], there["y"]), "labels": labels[1]}],
    )
    ours = average_precision([said], [there], radius_pix=1.0)["value"]
    assert 0.3 < right.mean() < 0.9
    assert ours == pytest.approx(metric.compute()["map_50"].item(), abs=0.01)
