"""The sources of a mosaic, from its maps: found in blocks that overlap, each source once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.functional.objects import measure_objects
from astrocnn.inference.map_planes import MapPlanes
from astrocnn.inference.mosaic_sky import sky_of
from astrocnn.inference.objects import find_objects, signal_to_noise
from astrocnn.io.map_file import MapFile
from astrocnn.io.map_tiles import edges
from astrocnn.progress import track
from astrocnn.transforms.normalize import Normalize

__all__ = ["Sources", "find_sources"]

Measured = dict[str, NDArray[Any]]
BLOCK = 1024
HALO = 128  # pixels around a block that are looked at too
MOST_HALO = 512  # where a source reaches further
NEAR_PIX = 2.0  # a centre so near to a block's edge may be on the other side in the block there
SAME = 0.5  # a source is one found before when that has this share of its pixels


@dataclass(frozen=True)
class Box:
    """Rows and columns of a mosaic."""

    top: int
    bottom: int
    left: int
    right: int

    def wider(self, pixels: int, shape: tuple[int, int]) -> "Box":
        """The same and ``pixels`` around it, as far as the mosaic goes."""
        return Box(
            max(self.top - pixels, 0),
            min(self.bottom + pixels, shape[0]),
            max(self.left - pixels, 0),
            min(self.right + pixels, shape[1]),
        )

    @property
    def middle(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """X (1,) and y (1,)."""
        return np.array([(self.left + self.right - 1) / 2]), np.array([(self.top + self.bottom - 1) / 2])

    @property
    def part(self) -> tuple[slice, slice]:
        """What indexes an array of the mosaic's shape."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def holds(self, x: NDArray[np.float64], y: NDArray[np.float64], near: float) -> NDArray[np.bool_]:
        """Which positions are in the box, or nearer to it than ``near``."""
        first = np.array([self.left, self.top]) - 0.5 - near
        last = np.array([self.right, self.bottom]) - 0.5 + near
        position = np.stack([x, y], axis=1)
        return np.asarray(((position >= first) & (position < last)).all(axis=1))


class Sources:
    """Finds sources of single blocks.

    Args:
        maps: with the planes of ``planes``.
        planes: of a task with classes, the first of which is the background.
        mosaic: whose pixels the maps are of.
        n_bands: of the mosaic; further planes of its rows are variances.
        shape: rows and columns.
        normalize: of the task.
    """

    def __init__(
        self,
        maps: MapFile,
        planes: MapPlanes,
        mosaic: OpenMosaic,
        *,
        n_bands: int,
        shape: tuple[int, int],
        normalize: Normalize,
    ) -> None:
        self.maps, self.mosaic, self.n_bands, self.shape = maps, mosaic, n_bands, shape
        self._normalize, self._sky = normalize, sky_of(mosaic, normalize)
        names = [plane.name for plane in planes.predicted]
        self._names = names[: len(planes.classes)]
        self._centre = [name for name in names if name == "CENTRE"]
        self._offset = [name for name in names if name in ("OFFSET_Y", "OFFSET_X")]

    def of_block(
        self, core: Box, pixels: NDArray[np.float32], at: Box
    ) -> tuple[NDArray[np.int32], Measured, Box]:
        """Instance map and measurements of a block and what is around it, and the box that these are of.

        What is around it grows until every source whose centre is in the block is in the box as a whole.

        Args:
            core: the block.
            pixels: of the mosaic, around it.
            at: which these are.
        """
        halo = HALO
        while True:
            labels, found = self._found(pixels, at, core)
            own = core.holds(found["x"], found["y"], NEAR_PIX)
            inner = _inner_edge(labels, at, self.shape)
            cut = np.isin(found["number"][own], inner)
            if not cut.any() or halo >= MOST_HALO:
                return labels, {name: values[own] for name, values in found.items()}, at
            halo *= 2
            at = core.wider(halo, self.shape)
            pixels = self.mosaic.window(at.top, at.bottom, at.left, at.right)

    def _found(self, pixels: NDArray[np.float32], at: Box, core: Box) -> tuple[NDArray[np.int32], Measured]:
        """Instance map of a box, and what is measured of its sources over the sky in the middle of the block ``core``,
        positions in the whole mosaic.
        """
        sides = at.top, at.bottom, at.left, at.right
        image, variance = pixels[: self.n_bands], pixels[self.n_bands :]
        valid = np.isfinite(image)
        p = self.maps.read(self._names, *sides)
        centre = self.maps.read(self._centre, *sides)[0] if self._centre else None
        offset = self.maps.read(self._offset, *sides) if self._offset else None
        # which is not looked at where centres tell sources apart
        brightness = p[0] if self._centre else signal_to_noise(image, valid, self._normalize)
        labels = find_objects(p, centre=centre, offset=offset, brightness=brightness)
        (sky,), (noise,) = self._sky.at(*core.middle)
        found = measure_objects(
            labels, image, valid, p,
            sky=sky, noise=noise, variance=variance if len(variance) else None,
        )  # fmt: skip
        return labels, found | {"x": found["x"] + at.left, "y": found["y"] + at.top}


def find_sources(sources: Sources, instances: NDArray[np.int32], *, description: str = "sources") -> Measured:
    """Every source of a mosaic once, numbered from 1, in the order of the blocks.

    A source belongs to the block that holds its centre. Where that is next to a block's edge two blocks may claim it;
    then it is the one that came first, told by the pixels that they share.

    Args:
        sources: of the mosaic.
        instances: (H, W) int32 zeros, which become the numbers of the sources.
        description: shown beside the progress.

    Returns:
        Arrays as :func:`~astrocnn.functional.objects.measure_objects` gives them.
    """
    parts: list[Measured] = []
    count = 0
    blocks = list(_blocks(sources.shape))
    for core, pixels, at in track(
        _read(sources.mosaic, blocks, sources.shape), description, total=len(blocks)
    ):
        labels, found, box = sources.of_block(core, pixels, at)
        there = instances[box.part]
        new = _new(labels, there, found["number"])
        names = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
        names[found["number"][new]] = count + 1 + np.arange(new.sum())
        ours = names[labels]
        free = (ours > 0) & (there == 0)
        there[free] = ours[free]
        found = {name: values[new] for name, values in found.items()}
        found["number"] = names[found["number"]].astype(np.int64)
        count += len(found["number"])
        parts.append(found)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _blocks(shape: tuple[int, int]) -> Iterator[Box]:
    for top, bottom in edges(shape[0], BLOCK):
        for left, right in edges(shape[1], BLOCK):
            yield Box(top, bottom, left, right)


def _read(
    mosaic: OpenMosaic, blocks: Sequence[Box], shape: tuple[int, int]
) -> Iterator[tuple[Box, NDArray[np.float32], Box]]:
    """Each block with the pixels around it, and the box of these."""
    for core in blocks:
        at = core.wider(HALO, shape)
        rows = mosaic.rows(at.top, at.bottom)
        yield core, rows[..., at.left : at.right], at


def _new(
    labels: NDArray[np.int32], there: NDArray[np.int32], numbers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of the sources ``numbers`` are not yet in the instance map ``there``."""
    n = int(labels.max(initial=0)) + 1
    area = np.bincount(labels.ravel(), minlength=n)
    taken = np.bincount(labels[there > 0], minlength=n)
    return np.asarray(taken[numbers] < SAME * area[numbers])


def _inner_edge(labels: NDArray[np.int32], at: Box, shape: tuple[int, int]) -> NDArray[np.int32]:
    """The numbers at those edges of a box that are not the mosaic's."""
    sides = (
        (at.top > 0, labels[0]),
        (at.bottom < shape[0], labels[-1]),
        (at.left > 0, labels[:, 0]),
        (at.right < shape[1], labels[:, -1]),
    )
    return np.unique(np.concatenate([labels[:0, 0], *(side for inner, side in sides if inner)]))
