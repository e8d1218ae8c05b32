"""The objects of a mosaic of any size: windows in, each object once out, in the memory of a row of windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.functional.boxes import kept_by_distance, reach_of
from astrocnn.functional.sky_mesh import SkyMesh
from astrocnn.functional.windows import Window
from astrocnn.inference.detected import measure_detections
from astrocnn.inference.mosaic import Grid
from astrocnn.inference.mosaic_sky import sky_of
from astrocnn.processes import ahead
from astrocnn.progress import track
from astrocnn.tasks.detection import DetectionTask

__all__ = ["detect_mosaic"]

Array = NDArray[np.float32]
Measured = dict[str, NDArray[Any]]
EDGE_PIX = 1  # around the boxes, where objects touch


@dataclass(frozen=True)
class Stretch:
    """Rows (or columns) of a window, and which of them are its own.

    Attributes:
        start, end: what the network sees; end is the first that it does not.
        first, last: of those whose objects are the window's, in pixels from the centre of the mosaic's first.
    """

    start: int
    end: int
    first: float
    last: float


def detect_mosaic(
    task: DetectionTask,
    mosaic: OpenMosaic,
    grid: Grid,
    *,
    n_bands: int,
    batch_size: int = 1,
    description: str = "detecting",
) -> Measured:
    """Find the objects of a mosaic.

    Every object belongs to the window in whose part of the mosaic its centre lies, where the network sees as much
    around it as in one pass. Of two that are found on both sides of a seam, nearer than the task's radius, the better
    one is kept.

    Args:
        task: on the device where it shall run.
        mosaic: open, with variances behind the bands where they are known.
        grid: of windows.
        n_bands: of the mosaic.
        batch_size: windows that are seen together.
        description: shown beside the progress.

    Returns:
        Columns as :func:`~astrocnn.inference.detected.measure_detections` gives them, with positions and boxes in the
        pixels of the mosaic, from the top row of windows to the last.
    """
    was_training = task.training
    task.eval()
    sky = sky_of(mosaic, task.normalize)
    rows, columns = (_stretches(side) for side in (grid.rows, grid.columns))
    windows = ahead(_windows(task, mosaic, rows, columns, n_bands, batch_size))
    parts = [
        _own(task, window, row, column, n_bands, sky)
        for window, row, column in track(windows, description, total=len(rows) * len(columns))
    ]
    task.train(was_training)
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    places = np.stack([(found["box"][:, axis] + found["box"][:, axis + 2]) / 2 for axis in (0, 1)], 1)
    reach = reach_of(found["box"], task.radius_pix, task.radius_share)
    kept = np.sort(kept_by_distance(places, found["score"], reach))
    return {name: values[kept] for name, values in found.items()} | {"number": np.arange(1, len(kept) + 1)}


def _stretches(windows: Sequence[Window]) -> list[Stretch]:
    """Windows that share what they overlap, half of it each."""
    edges = [
        -np.inf,
        *((a.last + b.first) / 2 - 0.5 for a, b in pairwise(windows)),
        np.inf,
    ]
    return [Stretch(window.start, window.end, edges[k], edges[k + 1]) for k, window in enumerate(windows)]


def _windows(
    task: DetectionTask,
    mosaic: OpenMosaic,
    rows: Sequence[Stretch],
    columns: Sequence[Stretch],
    n_bands: int,
    batch_size: int,
) -> Iterator[tuple[Any, Stretch, Stretch]]:
    """Pixels of each window and what is found in it; None where no pixel is valid."""
    for row in rows:
        pixels = mosaic.rows(row.start, row.end)
        for first in range(0, len(columns), batch_size):
            some = columns[first : first + batch_size]
            for column, (window, found) in zip(some, _found(task, pixels, some, n_bands), strict=True):
                yield (window, found), row, column


def _found(
    task: DetectionTask, pixels: Array, columns: Sequence[Stretch], n_bands: int
) -> list[tuple[Array, Any]]:
    windows = [pixels[..., column.start : column.end].copy() for column in columns]  # they are read over
    said: list[Any] = [None] * len(windows)
    by_width: dict[int, list[int]] = {}
    valid = [np.isfinite(window[:n_bands]) for window in windows]
    for k, window in enumerate(windows):
        if valid[k].any():
            by_width.setdefault(window.shape[-1], []).append(k)
    for some in by_width.values():
        images, there = (np.stack([of[k][:n_bands] for k in some]) for of in (windows, valid))
        batch = task.batch_of(images, torch.from_numpy(there))
        with torch.inference_mode():
            for k, found in zip(some, task.detections(batch), strict=True):
                said[k] = found
    return list(zip(windows, said, strict=True))


def _own(
    task: DetectionTask, seen: tuple[Array, Any], row: Stretch, column: Stretch, n_bands: int, sky: SkyMesh
) -> Measured:
    """What is measured of a window's own objects, in the mosaic's pixels."""
    pixels, found = seen
    image, variance = pixels[:n_bands], pixels[n_bands:]
    if found is None:
        found = task.nothing()
    x, y = found.x + column.start, found.y + row.start
    mine = (x >= column.first) & (x < column.last) & (y >= row.first) & (y < row.last)
    left, top, right, bottom = _around(found.boxes[mine], image.shape[-2:])
    part = (slice(None), slice(top, bottom), slice(left, right))
    level, noise = sky.at(x, y)
    measured, _ = measure_detections(
        found.moved(-left, -top),
        image[part],
        np.isfinite(image[part]),
        sky=level,
        noise=noise,
        variance=variance[part] if len(variance) else None,
    )
    shift = np.array([column.start + left, row.start + top] * 2, np.float32)
    moved = {
        "x": measured["x"] + column.start + left,
        "y": measured["y"] + row.start + top,
        "box": measured["box"] + shift,
    }
    return {name: values[mine] for name, values in (measured | moved).items()}


def _around(boxes: NDArray[np.floating], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """First column and row, and those behind the last, of the pixels that hold these boxes (N, 4)."""
    if not len(boxes):
        return 0, 0, 1, 1
    first = np.clip(np.floor(boxes[:, :2].min(0)).astype(int) - EDGE_PIX, 0, [shape[1] - 1, shape[0] - 1])
    end = np.clip(np.ceil(boxes[:, 2:].max(0)).astype(int) + 1 + EDGE_PIX, first + 1, [shape[1], shape[0]])
    return int(first[0]), int(first[1]), int(end[0]), int(end[1])
