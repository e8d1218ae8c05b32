"""What is measured of detections is what is measured of the pixels in the ellipses of their boxes."""

import numpy as np

from astrocnn.functional.boxes import labels_of_boxes
from astrocnn.functional.detections import Detections
from astrocnn.functional.objects import measure_objects
from astrocnn.inference.detected import measure_detections


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
