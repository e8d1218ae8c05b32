"""Counts of detections, by hand."""

import numpy as np
import pytest
import torch

from astrocnn.metrics.detection import DetectionCounts


def counts(*images, radius_pix=2.0):
    """Of images: detections (x, y), objects (x, y), and which of these count."""
    metric = DetectionCounts(radius_pix=radius_pix)
    for found, centres, counted in images:
        x, y = np.array(found, np.float32).reshape(-1, 2).T
        metric.update(x, y, torch.tensor(centres).reshape(-1, 2), torch.tensor(counted, dtype=torch.bool))
    return {name: value.item() for name, value in metric.compute().items()}


def test_pairs_within_the_radius():
    found = [(10.0, 10.0), (21.9, 20.0), (50.0, 50.0), (32.1, 30.0)]
    centres = [(10.0, 10.0), (20.0, 20.0), (30.0, 30.0), (40.0, 40.0), (45.0, 5.0)]
    said = counts((found, centres, [True] * 5))
    assert said["completeness"] == pytest.approx(2 / 5)
    assert said["purity"] == pytest.approx(2 / 4)
    assert said["f1"] == pytest.approx(4 / 9)
    assert counts((found, centres, [True] * 5), radius_pix=2.2)["completeness"] == pytest.approx(3 / 5)


def test_two_detections_of_an_object_are_one_and_a_false_one():
    said = counts(([(10.0, 10.0), (10.5, 10.0)], [(10.0, 10.0)], [True]))
    assert said["completeness"] == 1
    assert said["purity"] == pytest.approx(1 / 2)


def test_objects_that_do_not_count_are_counted_neither_way():
    found, centres = [(10.0, 10.0), (20.0, 20.0), (30.0, 30.0)], [(10.0, 10.0), (20.0, 20.0), (40.0, 40.0)]
    said = counts((found, centres, [True, False, False]))
    assert said["completeness"] == 1
    assert said["purity"] == pytest.approx(1 / 2)
    said = counts((found[:2], centres, [False, False, False]))
    assert said == {"completeness": 0, "purity": 0, "f1": 0}


def test_an_object_that_counts_is_paired_first():
    """Though one that does not is nearer to the detection."""
    said = counts(([(10.0, 10.0)], [(10.2, 10.0), (11.0, 10.0)], [False, True]))
    assert said == {"completeness": 1, "purity": 1, "f1": 1}


def test_images_are_added_up_and_not_averaged():
    one = ([(1.0, 1.0)], [(1.0, 1.0)], [True])
    other = ([(5.0, 5.0)] * 0, [(1.0, 1.0), (9.0, 9.0), (5.0, 1.0)], [True] * 3)
    said = counts(one, other, ([(3.0, 3.0)], [], []))
    assert said["completeness"] == pytest.approx(1 / 4)
    assert said["purity"] == pytest.approx(1 / 2)
    assert said["f1"] == pytest.approx(2 / 6)


def test_counts_begin_anew():
    metric = DetectionCounts(radius_pix=1.0)
    metric.update(np.ones(1), np.ones(1), torch.ones(1, 2), torch.ones(1, dtype=torch.bool))
    assert metric.found == metric.true == metric.matched == 1
    metric.reset()
    assert metric.found == metric.true == metric.matched == 0
