"""Grids into detections, by hand and by a loop over the cells."""

import math

import numpy as np
import pytest
import torch

from astrocnn.functional.detections import Detections, kept, of_grid

DENSE = {
    "reads": "dense",
    "image_size": (12, 16),
    "stride": 4,
    "n_classes": 2,
    "n_values": 1,
    "threshold": 0.5,
}


def dense(cells, n=1):
    """A grid of 3 × 4 cells that is empty but for some: logit, dx, dy, log w, log h, 2 classes, value, log σ."""
    raw = torch.zeros(n, 9, 3, 4)
    raw[:, 0] = -9
    for (image, row, column), values in cells.items():
        raw[image, :, row, column] = torch.tensor(values)
    return raw


def test_a_cell_is_a_detection():
    cell = [2.0, 0.25, -0.5, math.log(2.0), math.log(0.5), 1.0, 3.0, 0.7, math.log(0.2)]
    none, found = of_grid(dense({(1, 2, 1): cell}, n=2), **DENSE)
    assert len(none) == 0
    assert len(found) == 1
    # the cell's centre is (5.5, 9.5)
    np.testing.assert_allclose(found.boxes, [[6.5 - 4, 7.5 - 1, 6.5 + 4, 7.5 + 1]], rtol=1e-6)
    np.testing.assert_allclose((found.x[0], found.y[0]), (6.5, 7.5))
    assert found.scores[0] == pytest.approx(1 / (1 + math.exp(-2)))
    assert found.p_class[0].tolist() == pytest.approx([1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))])
    assert found.labels.tolist() == [1]
    assert found.values[0, 0] == pytest.approx(0.7)
    assert found.value_errors[0, 0] == pytest.approx(0.2)
    inunits = found.scaled(np.array([20.0]), np.array([3.0]))
    assert inunits.values[0, 0] == pytest.approx(22.1)
    assert inunits.value_errors[0, 0] == pytest.approx(0.6)


def test_every_image_gets_its_own():
    cells = {(image, row, 2 * image): [1.0 + row] + [0.0] * 8 for image in (0, 1) for row in (0, 2)}
    cells[(1, 0, 0)] = [-0.1] + [0.0] * 8  # below the threshold
    first, second = of_grid(dense(cells, n=2), **DENSE)
    assert first.y.tolist() == [1.5, 9.5]
    assert first.x.tolist() == [1.5, 1.5]
    assert second.x.tolist() == [9.5, 9.5]
    assert first.values.shape == (2, 1)
    without = of_grid(dense(cells, n=2)[:, :7], **{**DENSE, "n_values": 0})
    assert [len(each) for each in without] == [2, 2]
    assert without[0].values.shape == without[0].value_errors.shape == (2, 0)


def test_yolos_cells_are_detections():
    raw = torch.zeros(1, 2 + 10, 2, 2)
    raw[0, :, 1, 0] = torch.tensor([0.9, 0.1, 0.5, 0.5, 0.5, 0.25, 0.8, 0.5, 0.5, 1.0, 1.0, 0.3])
    (found,) = of_grid(raw, **{**DENSE, "reads": "yolo", "n_values": 0})
    assert len(found) == 1  # the other box has a score of 0.27
    assert found.scores[0] == pytest.approx(0.72)
    # a quarter of 16 pixels wide and a sixteenth of 12 high, in the middle of columns 0 to 7 and rows 6 to 11
    np.testing.assert_allclose(found.boxes, [[1.5, 8.125, 5.5, 8.875]], atol=1e-5)
    assert found.p_class[0].tolist() == pytest.approx([0.9, 0.1])


def test_masks_stay_with_their_detections():
    """Of two images, one with two detections and one with one: rows are boxes, score, two classes, 3 × 3 cells."""
    raw = torch.full((2, 2, 7 + 9), torch.nan)
    for image, k, score in ((0, 0, 0.6), (0, 1, 0.9), (1, 0, 0.7)):
        x = 10.0 * image + 30.0 * k
        raw[image, k] = torch.tensor([x, 0, x + 4, 4, score, 0, 1, *(0.1 * n + 0.01 * k for n in range(9))])
    raw[1, 0, 7:] = 1.0
    first, second = of_grid(raw, **{**DENSE, "reads": "detections", "n_values": 0})
    assert first.masks.shape == (2, 3, 3)
    assert first.p_class.shape == (2, 2)
    np.testing.assert_allclose(first.masks[1], 0.1 * np.arange(9).reshape(3, 3) + 0.01, rtol=1e-6)
    assert (second.masks == 1).all()
    best = kept(first, radius_pix=2.0, radius_share=0.0, most=9)
    assert best.x.tolist() == [32.0, 2.0]
    np.testing.assert_allclose(best.masks[0], first.masks[1])
    assert best.first(1).masks.shape == (1, 3, 3)
    assert first.scaled(np.zeros(0), np.ones(0)).masks is first.masks
    (without,) = of_grid(raw[:1, :, :7], **{**DENSE, "reads": "detections", "n_values": 0})
    assert without.masks is None
    assert without.where(np.array([1])).masks is None


def some(x, scores, side=2.0):
    x = np.array(x, np.float32)
    boxes = np.stack([x - side / 2, 0 * x, x + side / 2, 0 * x + side], 1)
    none = np.empty((len(x), 0), np.float32)
    return Detections(boxes, np.array(scores, np.float32), none, none, none)


def test_the_best_of_near_ones_is_kept():
    found = some([0.0, 1.5, 4.0, 9.0], [0.5, 0.9, 0.6, 0.7])
    assert kept(found, radius_pix=2.0, radius_share=0.0, most=9).x.tolist() == [1.5, 9.0, 4.0]
    assert kept(found, radius_pix=3.0, radius_share=0.0, most=9).x.tolist() == [1.5, 9.0]
    assert kept(found, radius_pix=2.0, radius_share=0.0, most=2).x.tolist() == [1.5, 9.0]
    large = some([0.0, 1.5, 4.0, 9.0], [0.5, 0.9, 0.6, 0.7], side=30.0)
    assert kept(large, radius_pix=2.0, radius_share=0.1, most=9).x.tolist() == [1.5, 9.0]
    none = kept(some([], []), radius_pix=2.0, radius_share=0.1, most=9)
    assert len(none) == 0
    assert none.labels.tolist() == []
