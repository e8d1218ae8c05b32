"""Masks of objects on grids over their boxes: as many cells for a large object as for a small one.

A grid of M × M cells divides its box evenly: cell (i, j) spans from i/M to (i + 1)/M of its height and from j/M to
(j + 1)/M of its width. Positions are exact: a pixel is a square of side 1 about its centre, and nothing is rounded to
whole pixels, by which masks of sources of a few pixels would be shifted.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["labels_of_masks", "masks_in_boxes"]

POINTS = 2  # along each side of a cell
LIKELIER = 0.5  # than this a pixel is an object's


def masks_in_boxes(instances: Tensor, numbers: Tensor, boxes: Tensor, *, cells: int) -> Tensor:
    """The share of each cell that is the object's own, from 2 × 2 points of the cell.

    No mask of the image's size is made: memory goes with the number of boxes, not with that of the pixels.

    Args:
        instances: (H, W) int64, the number of the object in every pixel.
        numbers: (P,) int64, of the object that each box is of.
        boxes: (P, 4) in pixels; the centre of the first pixel is (0, 0).
        cells: M.

    Returns:
        (P, M, M) float32 from 0 to 1; beyond the image 0.
    """
    n = cells * POINTS
    steps = (torch.arange(n, device=boxes.device) + 0.5) / n
    places, inside = [], []
    for axis, length in ((1, instances.shape[0]), (0, instances.shape[1])):
        low, high = boxes[:, axis, None], boxes[:, axis + 2, None]
        place = (low + steps * (high - low) + 0.5).floor().long()  # (P, n) of the nearest pixel
        places.append(place.clamp(0, length - 1))
        inside.append((place >= 0) & (place < length))
    own = instances[places[0][:, :, None], places[1][:, None, :]] == numbers[:, None, None]  # (P, n, n)
    own &= inside[0][:, :, None] & inside[1][:, None, :]
    return torch.nn.functional.avg_pool2d(own[:, None].float(), POINTS)[:, 0]


def labels_of_masks(
    boxes: NDArray[np.floating], masks: NDArray[np.floating], shape: tuple[int, int]
) -> NDArray[np.int32]:
    """An instance map (H, W): to which object each pixel belongs, 0 none, 1 the first.

    A pixel goes to the object whose mask gives it the highest probability, above 1/2; of equal ones to the first. Masks
    are interpolated bilinearly between the centres of their cells, within their boxes alone.

    Args:
        boxes: (N, 4).
        masks: (N, M, M) probability that a cell is the object's.
        shape: rows and columns.
    """
    labels = np.zeros(shape, np.int32)
    highest = np.full(shape, LIKELIER, np.float32)
    cells = masks.shape[-1]
    edges = np.asarray(boxes, np.float64).tolist()
    for number, ((x0, y0, x1, y1), mask) in enumerate(zip(edges, masks, strict=True), start=1):
        rows, down = _weights(y0, y1, length=shape[0], cells=cells)
        columns, across = _weights(x0, x1, length=shape[1], cells=cells)
        p = down @ mask @ across.T  # (rows, columns) of the box
        own = p > highest[rows, columns]
        highest[rows, columns][own] = p[own]
        labels[rows, columns][own] = number
    return labels


def _weights(low: float, high: float, *, length: int, cells: int) -> tuple[slice, NDArray[np.float32]]:
    """Which pixels of an axis have their centres in a box, and the weights (pixels, M) of the cells there."""
    first = max(int(np.ceil(low)), 0)
    last = max(min(int(np.floor(high)), length - 1), first - 1)
    centres = (np.arange(first, last + 1) - low) / max(high - low, 1e-6) * cells - 0.5
    away = np.abs(centres.clip(0, cells - 1)[:, None] - np.arange(cells))
    return slice(first, last + 1), np.maximum(1 - away, 0).astype(np.float32)
