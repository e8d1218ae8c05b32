"""What is measured of detections on the image in which they were found."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.functional.boxes import labels_of_boxes
from astrocnn.functional.detections import Detections
from astrocnn.functional.masks import labels_of_masks
from astrocnn.functional.objects import measure_objects

__all__ = ["measure_detections"]


def measure_detections(
    found: Detections,
    image: NDArray[np.floating],
    valid: NDArray[np.bool_],
    *,
    sky: NDArray[np.floating] | None = None,
    noise: NDArray[np.floating] | None = None,
    variance: NDArray[np.floating] | None = None,
) -> tuple[dict[str, NDArray[Any]], NDArray[np.int32]]:
    """Positions, fluxes and areas of detections, each from the pixels of its mask, or else of the ellipse in its box.

    Args:
        found: N detections.
        image: (C, H, W) flux.
        valid: (C, H, W).
        sky: its level in ``image``, (C,) or of each detection (N, C); None takes 0.
        noise: 1σ scatter of its pixels, likewise; None measures it on the pixels that are no detection's.
        variance: (C, H, W).

    Returns:
        The columns of :func:`~astrocnn.functional.objects.measure_objects` in the order of the detections, (N, ...),
        their classes those of the network, counted from 1 (0 is the background), with ``score``, ``box`` (N, 4),
        ``values`` and ``value_errors`` (N, V); and the instance map (H, W). A detection that has no pixel of its own
        has the centre of its box without an error, no area, no flux and no S/N.
    """
    shape = (image.shape[-2], image.shape[-1])
    if found.masks is None:
        labels = labels_of_boxes(found.boxes, shape)
    else:
        labels = labels_of_masks(found.boxes, found.masks, shape)
    seen = measure_objects(labels, image, valid, sky=sky, noise=noise, variance=variance)
    rows = seen["number"] - 1
    n = len(found)
    measured: dict[str, NDArray[Any]] = {
        "number": np.arange(1, n + 1),
        "x": found.x.astype(np.float64),
        "y": found.y.astype(np.float64),
        **{name: np.full(n, np.nan) for name in ("x_err", "y_err", "xy_covariance", "snr")},
        "area_pix": np.zeros(n, np.int64),
        "flux": np.full((n, len(image)), np.nan),
        "blended": np.zeros(n, bool),
    }
    if variance is not None:
        measured["flux_err"] = np.full((n, len(image)), np.nan)
    for name in measured:
        if name != "number":
            measured[name][rows] = seen[name]
    p_class = np.concatenate([np.zeros((n, 1), np.float32), found.p_class], axis=1)
    return measured | {
        "label": found.labels + 1,
        "p_class": p_class,
        "score": found.scores,
        "box": found.boxes,
        "values": found.values,
        "value_errors": found.value_errors,
    }, labels
