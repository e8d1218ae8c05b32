"""The objects of all images in the order of the catalogue's rows, and batches with those of some rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.datamodules.box_checks import flags, numbers
from astrocnn.datamodules.loaders import ReadObjects
from astrocnn.datasets.packed import PackedArray
from astrocnn.functional.boxes import clip_boxes, labels_seen
from astrocnn.io.box_files import BOX

__all__ = ["BoxRows", "ReadBoxes", "box_rows"]


@dataclass(frozen=True)
class BoxRows:
    """N objects, those of one row of the catalogue after those of another; the last row of each tensor is no object.

    Attributes:
        first: (R + 1,) where the objects of each of the R rows begin, and N.
        boxes: (N + 1, 4) in pixels.
        labels: (N + 1,) int64.
        values: (N + 1, K).
        numbers: (N + 1,) int64, in the instance map of their image; None where there are no such maps.
    """

    first: NDArray[np.int64]
    boxes: Tensor
    labels: Tensor
    values: Tensor
    numbers: Tensor | None

    def of(self, rows: NDArray[np.int64]) -> Batch:
        """What a batch of these rows (B,) has of its objects, by key; see :mod:`astrocnn.batch`."""
        counts = self.first[rows + 1] - self.first[rows]
        most = int(counts.max(initial=0))
        place = self.first[rows][:, None] + np.arange(most)  # (B, N)
        there = np.arange(most) < counts[:, None]
        index = torch.from_numpy(np.where(there, place, len(self.boxes) - 1))
        found = {"boxes": self.boxes[index], "box_labels": self.labels[index]}
        if self.values.shape[1]:
            found["box_values"] = self.values[index]
        if self.numbers is not None:
            found["box_numbers"] = self.numbers[index]
        return found


class ReadBoxes(ReadObjects):
    """Reads batches with ``boxes``, ``box_labels`` and, where there are any, ``box_values`` and ``box_numbers``.

    An object without a pixel that holds data does not count.
    """

    def __init__(
        self, packed: PackedArray, row: NDArray[np.int64], columns: Mapping[str, Tensor], objects: BoxRows
    ) -> None:
        super().__init__(packed, row, columns)
        self.objects = objects

    def __call__(self, rows: NDArray[np.int64]) -> Batch:
        batch = super().__call__(rows) | self.objects.of(rows)
        labels = labels_seen(batch["boxes"], batch["box_labels"], batch["valid"].any(1))
        return batch | {"box_labels": labels}


def box_rows(
    table: Table,
    images: NDArray[np.int64],
    *,
    values: Sequence[str],
    shape: tuple[int, int],
) -> BoxRows:
    """The objects of a table in the order of the catalogue's rows, clipped to their images.

    Args:
        table: of the objects: ``x0``, ``y0``, ``x1``, ``y1``, ``_image`` (number of its image), ``_label``, and as far
            as there are such ``ignore`` and ``_number`` (in the instance map).
        images: (R,) the number of each row's image.
        values: names of the columns of numbers beside the boxes.
        shape: rows and columns of an image.
    """
    image = np.asarray(table["_image"])
    order = np.argsort(image, kind="stable")
    begin = np.searchsorted(image[order], images)
    end = np.searchsorted(image[order], images, side="right")
    first = np.concatenate([[0], np.cumsum(end - begin)])
    rows = order[
        np.concatenate(
            [np.arange(a, b) for a, b in zip(begin, end, strict=True)] or [np.empty(0, int)]
        ).astype(int)
    ]
    boxes = np.stack([np.asarray(table[name], dtype=np.float32)[rows] for name in BOX], 1).reshape(-1, 4)
    labels = np.asarray(table["_label"])[rows]
    if "ignore" in table.colnames:
        labels = np.where(flags(table, "ignore", unknown=False)[rows], -1, labels)
    found = [numbers(table, name).astype(np.float32)[rows] for name in values]
    stacked = np.stack(found, 1) if values else np.zeros((len(rows), 0), np.float32)
    own = None
    if "_number" in table.colnames:
        own = torch.from_numpy(np.append(np.asarray(table["_number"], dtype=np.int64)[rows], 0))
    return BoxRows(
        first,
        clip_boxes(_and_none(boxes, np.nan), shape),
        _and_none(labels, -1),
        _and_none(stacked, np.nan),
        own,
    )


def _and_none(values: NDArray[np.generic], nothing: float) -> Tensor:
    """The rows (N, ...), and one of ``nothing`` behind them."""
    return torch.from_numpy(np.concatenate([values, np.full((1, *values.shape[1:]), nothing, values.dtype)]))
