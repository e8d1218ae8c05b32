"""COCO's average precisions, by the package that the field uses."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from astrocnn.functional.detections import Detections

__all__ = ["coco_averages"]

MOST_DETECTIONS = 2000  # of one image and class; COCO's own limit is 100


def coco_averages(
    found: Sequence[Detections], true: Sequence[Mapping[str, NDArray[Any]]], *, n_classes: int
) -> dict[str, float | None]:
    """Average precisions of detections (Lin+14, arXiv:1405.0312; cocodataset.org/#detection-eval).

    What lies on an object to be ignored counts neither way, whatever its class (a crowd of COCO); so does, where
    classes count, what lies on an object whose class is not known.

    Args:
        found: of each image, down to scores that are low.
        true: of each image ``box`` (N, 4), ``label`` (N,) from 1 on, 0 where it is not known, and ``ignore``.
        n_classes: of the objects.

    Returns:
        ``map``, mean over the classes and over IoU from 0.50 to 0.95 in steps of 0.05; ``map_50``, at IoU 0.5;
        ``ap_50``, at IoU 0.5 with all classes as one. None where no object counts.
    """
    by_class = _measured(found, true, n_classes)
    as_one = by_class if n_classes == 1 else _measured(found, true, 1)
    averages = {"map": by_class["map"], "map_50": by_class["map_50"], "ap_50": as_one["map_50"]}
    return {name: None if value < 0 else value for name, value in averages.items()}


def _measured(
    found: Sequence[Detections], true: Sequence[Mapping[str, NDArray[Any]]], n_classes: int
) -> dict[str, float]:
    metric = MeanAveragePrecision(
        backend="faster_coco_eval", max_detection_thresholds=[1, 10, MOST_DETECTIONS]
    )
    for said, there in zip(found, true, strict=True):
        labels = said.labels if n_classes > 1 else np.zeros(len(said), np.int64)
        detections: dict[str, NDArray[Any]] = {"boxes": said.boxes, "scores": said.scores, "labels": labels}
        metric.update([_tensors(detections)], [_tensors(_truth(there, n_classes))])
    logging.getLogger("faster_coco_eval").setLevel(logging.WARNING)  # it tells its table to everyone
    values = metric.compute()
    return {name: float(values[name]) for name in ("map", "map_50")}


def _truth(there: Mapping[str, NDArray[Any]], n_classes: int) -> dict[str, NDArray[Any]]:
    """The objects of an image, those to be ignored once in every class."""
    boxes, ignored = there["box"].astype(np.float32), np.asarray(there["ignore"], dtype=bool)
    label = (
        np.asarray(there["label"], dtype=np.int64) - 1 if n_classes > 1 else np.zeros(len(boxes), np.int64)
    )
    ignored = ignored | (label < 0)
    crowds = np.repeat(np.arange(n_classes), ignored.sum())
    return {
        "boxes": np.concatenate([boxes[~ignored], *[boxes[ignored]] * n_classes]),
        "labels": np.concatenate([label[~ignored], crowds]),
        "iscrowd": np.repeat([0, 1], [(~ignored).sum(), len(crowds)]),
    }


def _tensors(columns: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(values) for name, values in columns.items()}
