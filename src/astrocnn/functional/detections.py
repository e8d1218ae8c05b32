"""Detections in one image, and how grids of predictions become them."""

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from math import isqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.functional.boxes import kept_by_distance, reach_of
from astrocnn.functional.dense_boxes import CELL, LOG_DEVIATION, decode, peaks
from astrocnn.functional.yolo import yolo_cells

__all__ = ["Detections", "kept", "of_grid"]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Detections:
    """What is found in one image.

    Attributes:
        boxes: (N, 4) x0, y0, x1, y1 in pixels; the centre of the first pixel is (0, 0).
        scores: (N,) from 0 to 1.
        p_class: (N, K) probability of each class.
        values, value_errors: (N, V) of the further values, and their standard deviations.
        masks: (N, M, M) probability of each cell of a grid over the box to be the object's
            (:mod:`astrocnn.functional.masks`); None of networks that say nothing of it.
    """

    boxes: Floats
    scores: Floats
    p_class: Floats
    values: Floats
    value_errors: Floats
    masks: Floats | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def x(self) -> Floats:
        """(N,) centres in pixels."""
        x: Floats = self.boxes[:, ::2].mean(1)
        return x

    @property
    def y(self) -> Floats:
        """(N,) centres in pixels."""
        y: Floats = self.boxes[:, 1::2].mean(1)
        return y

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) the likeliest class."""
        return self.p_class.argmax(1) if self.p_class.shape[1] else np.zeros(len(self), np.int64)

    def where(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Detections":
        """Some of them."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(self, **{name: values[rows] for name, values in known.items() if values is not None})

    def first(self, n: int) -> "Detections":
        """The first ``n``."""
        return self.where(np.arange(min(n, len(self))))

    def moved(self, dx: float, dy: float) -> "Detections":
        """The same in pixels of another image, whose first is at (−dx, −dy) of this one."""
        return replace(self, boxes=self.boxes + np.array([dx, dy, dx, dy], np.float32))

    def scaled(self, mean: Floats, scale: Floats) -> "Detections":
        """The same with values in their units, where they are differences from ``mean`` in units of ``scale``, (V,)."""
        return replace(self, values=self.values * scale + mean, value_errors=self.value_errors * scale)


def of_grid(
    raw: Tensor,
    *,
    reads: str,
    image_size: tuple[int, int],
    stride: int,
    n_classes: int,
    n_values: int,
    threshold: float,
) -> list[Detections]:
    """The cells of a grid (or the rows of a list) whose score is at least ``threshold``, image by image.

    Args:
        raw: (B, channels, h, w) of a network that ``reads`` 'dense' or 'yolo', or (B, n, 5 + K) of one that reads
            'detections': boxes, scores and classes, NaN where there is none; (B, n, 5 + K + M²) with masks.
        reads: how they are to be read.
        image_size: rows and columns of the images.
        stride: pixels a cell of a dense grid.
        n_classes: K.
        n_values: V.
        threshold: from 0 to 1.
    """
    if reads == "yolo":
        score, boxes, p_class = yolo_cells(raw, image_size=image_size, n_classes=n_classes)
        which = (score >= threshold).nonzero(as_tuple=True)
        own = [boxes[which], score[which], p_class[which], *(raw.new_zeros(len(which[0]), 0),) * 2]
    elif reads == "detections":
        which = (raw[..., 4] >= threshold).nonzero(as_tuple=True)
        row = raw[which]
        values = row[:, :0]
        own = [row[:, :4], row[:, 4], row[:, CELL : CELL + n_classes], values, values]
        if cells := isqrt(raw.shape[-1] - CELL - n_classes):
            own.append(row[:, CELL + n_classes :].reshape(-1, cells, cells))
    else:
        score = raw[:, 0].sigmoid()
        which = peaks(score, threshold=threshold).nonzero(as_tuple=True)
        cell = raw.movedim(1, -1)[which]  # (P, 5 + K + 2V)
        p_class, values, log_deviations = torch.split(cell[:, CELL:], [n_classes, n_values, n_values], 1)
        deviations = log_deviations.clamp(*LOG_DEVIATION).exp()
        own = [decode(cell, *which[1:], stride=stride), score[which], p_class.softmax(-1), values, deviations]
    ends = np.searchsorted(which[0].cpu().numpy(), np.arange(len(raw) + 1))
    arrays = [of.float().cpu().numpy() for of in own]
    return [Detections(*(of[a:b] for of in arrays)) for a, b in pairwise(ends)]


def kept(found: Detections, *, radius_pix: float, radius_share: float, most: int) -> Detections:
    """The best of those whose centres are near each other, best first, at most ``most``."""
    radius = reach_of(found.boxes, radius_pix, radius_share)
    rows = kept_by_distance(np.stack([found.x, found.y], 1), found.scores, radius)
    return found.where(rows[:most])
