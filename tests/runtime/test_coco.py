"""COCO's averages against its definition, written out, and cases that are counted by hand."""

import numpy as np
import pytest

from astrocnn.functional.detections import Detections
from astrocnn.runtime.coco import coco_averages

K = 3
THRESHOLDS = np.linspace(0.5, 0.95, 10)


def detections(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> Detections:
    nothing = np.zeros((len(boxes), 0), np.float32)
    hot = np.eye(K, dtype=np.float32)[labels]
    return Detections(boxes.astype(np.float32), scores.astype(np.float32), hot, nothing, nothing)


def objects(boxes: np.ndarray, label: np.ndarray, ignore: np.ndarray | None = None) -> dict[str, np.ndarray]:
    return {
        "box": boxes,
        "label": label + 1,
        "ignore": np.zeros(len(boxes), bool) if ignore is None else ignore,
    }


def scene(
    rng: np.random.Generator, n: int, n_false: int, size: float
) -> tuple[Detections, dict[str, np.ndarray]]:
    """Objects in ``size``² pixels, a tenth to be ignored, some found well, some badly, some not, and false ones."""
    low = rng.uniform(0, size, (n, 2))
    boxes = np.concatenate([low, low + rng.uniform(6, 14, (n, 2))], 1)
    label, ignore = rng.integers(0, K, n), rng.random(n) < 0.1
    seen = rng.random(n) < 0.85
    said = boxes[seen] + rng.normal(size=(seen.sum(), 4)) * rng.choice([0.1, 0.8], (seen.sum(), 1))
    named = np.where(rng.random(seen.sum()) < 0.9, label[seen], rng.integers(0, K, seen.sum()))
    false = rng.uniform(0, size, (n_false, 2))
    false = np.concatenate([false, false + 10], 1)
    # of float32 no two are equal, so that the order is one
    scores = rng.permutation(np.arange(1, len(said) + n_false + 1)) / (len(said) + n_false + 1)
    scores[: len(said)] = np.sqrt(scores[: len(said)])
    found = detections(
        np.concatenate([said, false]), scores, np.concatenate([named, rng.integers(0, K, n_false)])
    )
    return found, objects(boxes, label, ignore)


def overlap(box: np.ndarray, others: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union; over the detection's own area with those to be ignored."""
    both = (np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])).clip(0).prod(1)
    own, areas = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(1)
    return both / np.where(crowd, own, own + areas - both)


def average(
    found: list[Detections], true: list[dict[str, np.ndarray]], label: int | None, least: float
) -> float:
    """One class at one IoU: greedy pairs, the best score first, and precision at 101 recalls."""
    scores, right, n_true = [], [], 0
    for said, there in zip(found, true, strict=True):
        mine = there["ignore"] | (label is None) | (there["label"] - 1 == label)
        boxes, crowd = there["box"][mine].astype(np.float32).astype(np.float64), there["ignore"][mine]
        taken = np.zeros(len(boxes), bool)
        n_true += (~crowd).sum()
        rows = np.flatnonzero((said.labels == label) | (label is None))
        for row in rows[np.argsort(-said.scores[rows], kind="stable")]:
            iou = overlap(said.boxes[row].astype(np.float64), boxes, crowd)
            free, ignored = (np.where(which, iou, 0) for which in (~crowd & ~taken, crowd))
            if len(iou) and free.max() >= least:
                taken[free.argmax()] = True
            elif len(iou) and ignored.max() >= least:
                continue
            scores.append(said.scores[row])
            right.append(bool(len(iou) and free.max() >= least))
    hits = np.cumsum(np.array(right)[np.argsort(-np.array(scores), kind="stable")])
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / n_true
    return float(np.mean([max(precision[recall >= at], default=0) for at in np.linspace(0, 1, 101)]))


def test_averages_are_those_of_the_definition() -> None:
    """Five images, one without objects and one of 260 detections of three classes, some objects to be ignored."""
    rng = np.random.default_rng(3)
    scenes = [scene(rng, n, n_false, size) for n, n_false, size in (
        (30, 20, 150.0), (12, 5, 60.0), (0, 6, 60.0), (1, 0, 60.0), (240, 60, 500.0)
    )]  # fmt: skip
    found, true = [list(each) for each in zip(*scenes, strict=True)]
    assert len(found[-1]) > 240
    assert sum(each["ignore"].sum() for each in true) > 15
    n = [sum(((t["label"] - 1 == k) & ~t["ignore"]).sum() for t in true) for k in range(K)]
    # so that no recall is one of those where precision is read, which the package rounds to float32
    assert np.gcd([*n, sum(n)], 10).max() == 1
    said = coco_averages(found, true, n_classes=K)
    every = np.array([[average(found, true, k, least) for least in THRESHOLDS] for k in range(K)])
    assert said["map"] == pytest.approx(every.mean(), abs=1e-6)
    assert said["map_50"] == pytest.approx(every[:, 0].mean(), abs=1e-6)
    assert said["ap_50"] == pytest.approx(average(found, true, None, 0.5), abs=1e-6)
    assert said["map"] < said["map_50"] - 0.1 < said["ap_50"] - 0.1


def grid(n: int) -> np.ndarray:
    """Boxes of 10² pixels that do not touch."""
    low = 12.0 * np.stack(np.divmod(np.arange(n), 20), 1)
    return np.concatenate([low, low + 10], 1)


def test_more_than_a_hundred_objects_in_an_image_count() -> None:
    """All of 360 are found: with COCO's limit of 100 detections the average would be 0.28."""
    boxes, label = grid(360), np.zeros(360, np.int64)
    said = coco_averages(
        [detections(boxes, np.linspace(1, 0.1, 360), label)], [objects(boxes, label)], n_classes=K
    )
    assert said == {"map": 1.0, "map_50": 1.0, "ap_50": 1.0}


def test_classes_have_equal_say_and_wrong_ones_are_wrong() -> None:
    """Class 0 is all found, class 1 all called 0; class 2 has no object. Half of all are of either class."""
    boxes, label = grid(8), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    scores = np.linspace(0.9, 0.1, 8)
    said = coco_averages([detections(boxes, scores, 0 * label)], [objects(boxes, label)], n_classes=K)
    assert said == {"map": pytest.approx(0.5), "map_50": pytest.approx(0.5), "ap_50": 1.0}


@pytest.mark.parametrize("unknown", [False, True])
def test_what_lies_on_ignored_objects_counts_neither_way(unknown: bool) -> None:
    """Of any class, and however many; an object without a class is one where classes do not count."""
    boxes = grid(3)
    label = np.array([0, 1, -1 if unknown else 2])
    there = objects(boxes, label, np.array([False, False, not unknown]))
    said = detections(
        np.concatenate([boxes, boxes[2:] + 0.1]), np.array([0.5, 0.4, 0.9, 0.8]), np.array([0, 1, 0, 1])
    )
    averages = coco_averages([said], [there], n_classes=K)
    assert (averages["map"], averages["map_50"]) == (1.0, 1.0)
    # as one class the object is found at 0.9, and what is found of it again at 0.8 is false
    expected = (34 + 67 * 0.75) / 101 if unknown else 1.0
    assert averages["ap_50"] == pytest.approx(expected)


def test_images_without_objects_have_no_averages() -> None:
    none = np.zeros((0, 4))
    label = np.zeros(2, np.int64)
    for there in (objects(none, label[:0]), objects(grid(2), label, np.ones(2, bool))):
        said = coco_averages([detections(grid(2), np.array([0.9, 0.8]), label)], [there], n_classes=K)
        assert said == {"map": None, "map_50": None, "ap_50": None}
    nothing = coco_averages(
        [detections(none, np.zeros(0), label[:0])], [objects(grid(2), label)], n_classes=K
    )
    assert nothing == {"map": 0.0, "map_50": 0.0, "ap_50": 0.0}
