"""Detections are measured on their own pixels: those of their masks, or of the ellipses in their boxes."""

import numpy as np
import pytest
from scipy import ndimage

from astrocnn.functional.boxes import labels_of_boxes
from astrocnn.functional.detections import Detections
from astrocnn.functional.objects import measure_objects
from astrocnn.inference.detected import measure_detections


def corner() -> tuple[np.ndarray, np.ndarray]:
    """An object of 24 pixels in the shape of an L, of flux 2 and 4 each, and a bright one in its bend."""
    labels = np.zeros((16, 20), np.int64)
    labels[3:11, 4:6] = labels[9:11, 4:10] = 1
    labels[4:8, 8:12] = 2
    return labels, np.stack([2.0 * (labels == 1) + 50.0 * (labels == 2), 4.0 * (labels == 1)]).astype(
        np.float32
    )


def detections(labels: np.ndarray, *, masks: bool) -> Detections:
    """Those of the bounds of the objects, with the true pixels where these are asked for."""
    boxes, grids = [], []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        boxes.append([columns.start - 0.5, rows.start - 0.5, columns.stop - 0.5, rows.stop - 0.5])
        part = labels[rows, columns] == number
        grids.append(np.kron(part, np.ones(24 // np.array(part.shape))).astype(np.float32))  # 24 × 24 cells
    none = np.zeros((2, 0), np.float32)
    grid = np.stack(grids) if masks else None
    return Detections(
        np.float32(boxes), np.float32([0.9, 0.8]), np.ones((2, 1), np.float32), none, none, grid
    )


def test_fluxes_are_those_of_the_masks() -> None:
    labels, image = corner()
    valid = np.ones(image.shape, bool)
    variance = np.full(image.shape, 0.25)
    found, map_ = measure_detections(detections(labels, masks=True), image, valid, variance=variance)
    np.testing.assert_array_equal(map_, labels)
    assert found["area_pix"].tolist() == [24, 16]
    assert found["flux"].tolist() == [[48, 96], [800, 0]]
    np.testing.assert_allclose(found["flux_err"][:, 0], [24**0.5 / 2, 2])
    assert found["label"].tolist() == [1, 1]
    ellipses, _ = measure_detections(detections(labels, masks=False), image, valid)
    assert ellipses["flux"][0, 0] != pytest.approx(48, rel=0.2)  # what the box alone cannot know


def test_positions_have_errors_and_those_without_pixels_none() -> None:
    rng = np.random.default_rng(0)
    y, x = np.indices((40, 50))
    light = np.zeros((40, 50))
    for a, b in ((30.2, 12.4), (12.1, 25.3)):
        light += 36 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8)
    image = (light + rng.normal(size=light.shape)).astype(np.float32)[None]
    boxes = np.array([[25, 7, 35, 17], [60, 50, 70, 60], [7, 20, 17, 30]], np.float32)
    n = len(boxes)
    nothing = np.zeros((n, 0), np.float32)
    found = Detections(boxes, np.ones(n, np.float32), np.ones((n, 1), np.float32), nothing, nothing)
    measured, labels = measure_detections(found, image, image > -99, variance=np.ones_like(image))
    np.testing.assert_array_equal(labels, labels_of_boxes(boxes, (40, 50)))
    alone = measure_objects(labels, image, image > -99, np.zeros((2, 40, 50)), variance=np.ones_like(image))
    for name in ("x", "y", "x_err", "y_err", "xy_covariance", "flux_err"):
        np.testing.assert_array_equal(measured[name][[0, 2]], alone[name])
    assert (alone["x_err"] < 0.1).all()
    np.testing.assert_array_equal([measured["x"][1], measured["y"][1]], [65, 55])
    for name in ("x_err", "y_err", "flux_err"):
        assert np.isnan(measured[name][1]).all()
