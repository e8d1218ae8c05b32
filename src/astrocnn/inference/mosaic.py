"""A task's maps of a whole mosaic: windows in, seamless stripes out, in the memory of a few windows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.errors import ConfigError
from astrocnn.functional.windows import Seam, Window, begin_at, cover, least_window, needed_from, seam, stitch
from astrocnn.inference.map_planes import MapPlanes
from astrocnn.io.map_tiles import TILE, MapTiles
from astrocnn.processes import ahead
from astrocnn.progress import track
from astrocnn.tasks.base import BaseTask

__all__ = ["WINDOW", "Grid", "grid_of", "predict_mosaic"]

Array = NDArray[np.float32]
WINDOW = 1024
FIELDS = 4  # a window spans at least as many times what the network looks around


@dataclass(frozen=True)
class Grid:
    """The windows of a mosaic.

    Attributes:
        rows, columns: of pixels.
        border: how many pixels less come out of a window than go in, on each side.
        exact: whether the maps are those of one pass over the whole mosaic.
    """

    rows: list[Window]
    columns: list[Window]
    border: int
    exact: bool

    @property
    def new_fraction(self) -> float:
        """How many pixels the mosaic has for one that the network sees, in all windows."""
        sides = (self.rows, self.columns)
        return math.prod(side[-1].last / sum(window.end - window.start for window in side) for side in sides)


def grid_of(task: BaseTask, shape: tuple[int, int], window: int | None = None, *, blend: bool = True) -> Grid:
    """The windows in which ``task`` is to see a mosaic.

    Args:
        task: whose network has ``multiple``, ``half_field``, where it uses no padding ``border``, and where another
            size than 1024 suits it ``window_pix``.
        shape: rows and columns of the mosaic.
        window: rows and columns of a window; None takes what suits the network, and more if it looks far around.
        blend: whether what comes out of neighbours is blended; otherwise each has its own part.

    Raises:
        ConfigError: such windows are larger than the mosaic, too small for the network, or of a size that it cannot
            take.
    """
    network = task.network
    multiple, border = int(getattr(network, "multiple", 1)), int(getattr(network, "border", 0))
    least = int(getattr(network, "least_size", multiple)) if border else multiple
    reach = task.normalize.reach
    half_field: int | None = getattr(network, "half_field", None) if hasattr(network, "multiple") else None
    bounded = half_field is not None and reach is not None
    if window is None:
        far = FIELDS * ((half_field or 0) + (reach or 0)) if bounded else 0
        window = least + -(-max(far - least, 0) // multiple) * multiple
        usual = int(getattr(network, "window_pix", WINDOW))
        window = max(window, least + (usual - least) // multiple * multiple)
    elif window > max(shape):
        raise ConfigError(
            f"data.window={window}: a window is not larger than the mosaic, {shape[0]} × {shape[1]} pixels; leave it "
            "out to see all of it at once."
        )
    elif window < least or (window - least) % multiple:
        enough = least_window(multiple=multiple, half_field=half_field if bounded else None, reach=reach or 0)
        below = max(
            least + -(-max(enough - least, 0) // multiple) * multiple, window - (window - least) % multiple
        )
        near = [str(size) for size in (below, below + multiple) if size <= max(shape)]
        remedy = f"the nearest are {' and '.join(near)}" if near else "leave it out to see all of it at once"
        raise ConfigError(
            f"data.window={window}: the network takes windows of {least} pixels and any number of {multiple} more, "
            f"from {enough} on here; {remedy}."
        )
    inner = window - 2 * border
    one = max(shape) <= inner
    known = half_field if bounded else None
    around = reach or 0
    of = Seam(0, 0)
    if not one:
        of = seam(window, multiple=multiple, half_field=known, reach=around, length=max(shape))
    of = of if blend else Seam(of.margin_pix, 0)
    rows, columns = (cover(length, window, multiple=multiple, of=of, border=border) for length in shape)
    return Grid(rows, columns, border, one or bounded)


def predict_mosaic(
    task: BaseTask,
    mosaic: OpenMosaic,
    grid: Grid,
    planes: MapPlanes,
    tiles: MapTiles,
    *,
    batch_size: int = 1,
    description: str = "predicting",
) -> None:
    """Predict what ``tiles`` has not yet, stripe by stripe.

    Args:
        task: on the device where it shall run.
        mosaic: open.
        grid: from :func:`grid_of`.
        planes: of the task.
        tiles: for these planes, of the mosaic's shape times their ``upscale``.
        batch_size: windows that are seen together.
        description: shown beside the progress.
    """
    height, width = tiles.shape
    if tiles.rows == height:
        return
    was_training = task.training
    task.eval()
    task.surround = False  # windows reach over what the network loses
    rows, columns = ([window.finer(planes.upscale) for window in side] for side in (grid.rows, grid.columns))
    begin = begin_at(rows, TILE[0], tiles.rows)
    needed = grid.rows[needed_from(rows, TILE[0], begin) :]
    maps = ahead(_maps(task, mosaic, needed, grid, planes, batch_size))
    shown = track(maps, description, total=len(needed) * len(columns))
    try:
        with torch.random.fork_rng([task.device] if task.device.type == "cuda" else []):
            for top, left, block in stitch(rows, columns, shown, unit=TILE, begin=begin):
                tiles.put(top, left, planes.blocks(block))
                if left + block.shape[2] == width:
                    tiles.commit(top + block.shape[1])
    finally:
        task.train(was_training)
        task.surround = True


@torch.inference_mode()
def _maps(
    task: BaseTask, mosaic: OpenMosaic, rows: Sequence[Window], grid: Grid, planes: MapPlanes, batch_size: int
) -> Iterator[Array]:
    """The maps of each window, row by row, only where it has a say; NaN where no band is valid."""
    height, width = grid.rows[-1].last, grid.columns[-1].last
    for row in rows:
        pixels = mosaic.rows(max(row.start, 0), min(row.end, height))
        outside = max(-row.start, 0), max(row.end - height, 0)
        for columns in _together(grid.columns, batch_size):
            images = [_window(pixels, outside, column, width) for column in columns]
            yield from _predicted(task, images, row, columns, grid.border, planes)


def _together(columns: Sequence[Window], batch_size: int) -> Iterator[list[Window]]:
    """Neighbours of one width, at most ``batch_size`` of them."""
    batch: list[Window] = []
    for column in columns:
        if batch and (len(batch) == batch_size or column.end - column.start != batch[0].end - batch[0].start):
            yield batch
            batch = []
        batch.append(column)
    yield batch


def _window(pixels: Array, outside: tuple[int, int], column: Window, width: int) -> Array:
    """The pixels (C, h, w) of a window, NaN where it reaches over the mosaic."""
    inside = pixels[..., max(column.start, 0) : min(column.end, width)]
    sides = max(-column.start, 0), max(column.end - width, 0)
    if not any(outside + sides):
        return inside
    return np.pad(inside, ((0, 0), outside, sides), constant_values=np.nan)


def _predicted(
    task: BaseTask, images: list[Array], row: Window, columns: list[Window], border: int, planes: MapPlanes
) -> list[Array]:
    """The maps of windows of one row."""
    known: list[NDArray[np.bool_]] = [np.asarray(np.isfinite(image).any(0)) for image in images]
    some = [n for n, valid in enumerate(known) if valid.any()]
    found: dict[int, Array] = {}
    if some:
        torch.manual_seed(0)  # of networks that draw samples: the same ones in all windows
        batch = task.batch_of(np.stack([images[n] for n in some]), None)
        found = dict(zip(some, planes.stacked(task.predict(batch)), strict=True))
    maps = []
    finer = planes.upscale
    for n, column in enumerate(columns):
        sides = [(side.first - side.start, side.last - side.start) for side in (row, column)]
        if n not in found:
            shape = len(planes.predicted), *(finer * (last - first) for first, last in sides)
            maps.append(np.full(shape, np.nan, np.float32))
            continue
        there = known[n][tuple(slice(*side) for side in sides)]
        own = tuple(slice(finer * (first - border), finer * (last - border)) for first, last in sides)
        shown = found[n][(slice(None), *own)]
        if not there.all():
            shown = np.where(there.repeat(finer, 0).repeat(finer, 1), shown, np.float32(np.nan))
        maps.append(shown)
    return maps
