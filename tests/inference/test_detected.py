"""Detections are measured on their own pixels."""

import numpy as np
import pytest
from scipy import ndimage

from astrocnn.functional.detections import Detections
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
