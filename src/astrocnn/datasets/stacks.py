"""Cutouts held in one file (or a few): row i is object i."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.datasets.patterns import by_band, found
from astrocnn.datasets.source import Match, Source
from astrocnn.datasets.stack_samples import RowSamples
from astrocnn.errors import DataError, choose
from astrocnn.io.fits import Both
from astrocnn.io.flux_units import flux_factor
from astrocnn.io.layers import Files, FluxScale, Layer, Mask, Variance
from astrocnn.io.pictures import is_picture
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.select import HDUS
from astrocnn.io.stack import MOST_CHANNELS, SUFFIXES, Joined, Stack, by, grid_shape, open_stack
from astrocnn.io.stack_fits import is_stack

__all__ = ["CHANNELS", "CutoutStack", "is_stacked"]

CHANNELS = ("first", "last")


class CutoutStack(Source):
    """The rows of ``.npy``, ``.npz``, HDF5, FITS or Parquet files; object i is row i.

    Args:
        images: pattern of the files (several are one after the other), or a mapping from band to pattern.
        hdu: the array, data set, HDU or column; None for the only one; a list for one a band.
        mask, variance: names of arrays of the same file, or ``files`` of others with as many rows.
        flux: the unit to bring all to; None leaves the values as stored.
        channels: whether the bands stand 'first' (objects × bands × rows × columns) or 'last'; None finds out.
        row_shape: shape of a row, for Parquet columns that do not say it.
        option: what ``images`` are called in messages.

    Attributes:
        bands: names of the bands that the mapping or the list gives; None where the file has to say.

    Raises:
        DataError: a file cannot be read or is no stack of images, or they do not fit together.
    """

    def __init__(
        self,
        images: str | Mapping[str, str],
        *,
        hdu: HDUS = None,
        mask: Mask | None = None,
        variance: Variance | None = None,
        flux: FluxScale | None = None,
        channels: str | None = None,
        row_shape: Sequence[int] | None = None,
        option: str = "data.images",
    ) -> None:
        if channels is not None:
            choose("data.channels", channels, dict.fromkeys(CHANNELS))
        self.mask, self.variance, self.flux, self.channels = mask, variance, flux, channels
        self._row_shape, self._given = row_shape, images
        self.bands = _names(images, hdu)
        self._images = self._open(option, images, hdu)
        layers: dict[str, Layer | None] = {"mask": mask, "variance": variance}
        self._layers = {
            name: self._open(f"{layer.option}.files", layer.files or images, layer.hdu)
            for name, layer in layers.items()
            if layer is not None
        }
        n = len(self._images[0])
        for stack in self._stacks:
            if len(stack) != n:
                raise DataError(
                    f"{stack.label} holds {len(stack):,} rows but {self._images[0].label} {n:,}; row i of each must "
                    "be the same object; give files of the same objects."
                )
        self._grids = {stack: self._planes(stack) for stack in self._stacks}
        self._info = self._describe()
        self._check_layers()
        self._samples = RowSamples(
            self._images,
            self._layers,
            self._grids,
            info=self._info,
            mask=mask,
            variance=variance,
            factor=self._factors(),
        )
        self.incomplete = []
        self.ids: Sequence[str] = [str(row) for row in range(n)]
        every = tuple(dict.fromkeys(path for stack in self._stacks for path in _paths(stack)))
        self.paths = [every] * n

    def _open(self, option: str, files: Files, hdu: HDUS) -> list[Stack]:
        """One stack for all bands, or one a band."""
        patterns = by_band(option, files, self.bands if isinstance(self._given, Mapping) else None)
        names = hdu if isinstance(hdu, Sequence) and not isinstance(hdu, str) else [hdu]
        if len(patterns) > 1 and len(names) > 1:
            raise DataError(
                f"data.hdu={names}: with one file a band, give one name of an array for all of them."
            )
        return [self._joined(option, pattern, name) for pattern in patterns.values() for name in names]

    def _joined(self, option: str, pattern: str, name: str | int | None) -> Stack:
        paths = sorted((path for _, path in found(pattern, option)), key=_natural)
        parts = [open_stack(path, name, row_shape=self._row_shape) for path in paths]
        return parts[0] if len(parts) == 1 else Joined(parts)

    def _describe(self) -> SampleInfo:
        shapes = [self._grids[stack] for stack in self._images]
        for stack, shape in zip(self._images, shapes, strict=True):
            if shape[1:] != shapes[0][1:] or (len(shapes) > 1 and shape[0] != 1):
                raise DataError(
                    f"the rows of {stack.label} are {by(shape)} but those of {self._images[0].label} are "
                    f"{by(shapes[0])} (bands × rows × columns); with one array a band each has one plane and all have "
                    "one size."
                )
        n_planes = sum(shape[0] for shape in shapes)
        bands = self.bands or self._images[0].bands
        bands = bands if len(bands) == n_planes else ()
        unit = str(self._header(0).get("BUNIT") or "").strip() or None
        return SampleInfo(
            (n_planes, *shapes[0][1:]),
            bands,
            bool(bands),
            unit=self.flux.unit if self.flux is not None else unit,
        )

    def _check_layers(self) -> None:
        """Raise a :class:`DataError` unless masks and variances are of the images' size."""
        n_planes, *size = self._info.shape
        for name, stacks in self._layers.items():
            grids = [self._grids[stack] for stack in stacks]
            n = sum(grid[0] for grid in grids)
            counts = (1, n_planes) if name == "mask" else (n_planes,)
            if n not in counts or any(list(grid[1:]) != size for grid in grids):
                raise DataError(
                    f"{stacks[0].label}: its rows are {n} × {by(grids[0][1:])} but the images are "
                    f"{by(self._info.shape)}; choose another with data.{name}.hdu=... or data.{name}.files=..."
                )

    def _header(self, i: int) -> Both:
        return Both(self._images[i].header, self._images[i].shared)

    def _factors(self) -> NDArray[np.float64] | None:
        if self.flux is None:
            return None
        factors: list[float] = []
        area = None if self.flux.pixel_scale_arcsec is None else self.flux.pixel_scale_arcsec**2
        for number, zero_point in enumerate(self.flux.of_planes(self._info)):
            i = number if len(self._images) > 1 else 0
            try:
                factors.append(
                    flux_factor(
                        self._header(i), self.flux.unit, zero_point=zero_point, pixel_area_arcsec2=area
                    )
                )
            except DataError as error:
                raise DataError(f"{self._images[i].label}: {error}") from error
        return np.array(factors)[:, None, None]

    def _planes(self, stack: Stack) -> tuple[int, int, int]:
        """(C, H, W) of a row."""
        shape, channels = stack.shape, self.channels or stack.channels
        if (
            len(shape) == 3
            and channels is None
            and shape[2] <= MOST_CHANNELS < shape[1]
            and shape[0] == shape[1]
        ):
            raise DataError(
                f"{stack.label} is {by(shape)}, which looks like one image with its bands last; a stack is objects × "
                "rows × columns; set data.stacked=false for images, data.channels=first for a stack."
            )
        return grid_shape(shape[1:], channels, stack.label)

    @property
    def options(self) -> dict[str, Any]:
        layers = {"mask": self.mask, "variance": self.variance}
        given = {name: asdict(layer) for name, layer in layers.items() if layer is not None}
        if self.flux is not None:
            given["flux"] = self.flux.key(self._info)
        names = [stack.name for stack in self._images]
        return {"names": names, "channels": self.channels, **given}

    @property
    def has_variance(self) -> bool:
        return self.variance is not None

    def key(self, number: int) -> str:
        return str(number)

    @property
    def pictures(self) -> bool:
        """Whether the rows are pictures (PNG, JPEG)."""
        return any(stack.pictures for stack in self._images)

    def table(self) -> Table | None:
        """What the file holds of the objects besides the images; None for nothing."""
        return self._images[0].table()

    def match(self, ids: Sequence[str] | NDArray[np.str_], *, base: Any = None) -> Match:
        """Row i of the catalogue is row i of the stack.

        Raises:
            DataError: they have not as many.
        """
        del base
        if len(ids) != len(self):
            raise DataError(
                f"the catalogue has {len(ids):,} rows but {self._images[0].label} holds {len(self):,} images; row i of "
                "one is row i of the other; give the table of these images (data.catalog)."
            )
        return Match(np.arange(len(self)), np.empty(0, np.int64), "row")

    def probe(self, number: int) -> SampleInfo:
        """Shape and bands, which are those of every object."""
        del number
        return self._info

    def read(self, number: int, *, sky: bool = False) -> Sample:
        """The pixels of row ``number``."""
        sample = next(self.read_many(np.array([number]), sky=sky))
        if isinstance(sample, DataError):
            raise sample
        return sample

    def tasks(self, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Rows of ``numbers`` that lie in one portion of every file."""
        order = np.argsort(numbers, kind="stable")
        portion = np.searchsorted(self._starts(), numbers[order], side="right")
        return np.split(order, np.flatnonzero(np.diff(portion)) + 1) if len(order) else []

    def _starts(self) -> NDArray[np.int64]:
        """The first row of each portion, so large that none is read twice from what can only be read forward."""
        each = [np.asarray(stack.starts, np.int64) for stack in self._stacks if stack.forward]
        if each:
            return reduce(np.intersect1d, each)
        return np.asarray(min((stack.starts for stack in self._stacks), key=len), np.int64)

    def read_many(self, numbers: NDArray[np.int64], *, sky: bool = False) -> Iterator[Sample | DataError]:
        """The values of each of ``numbers``, or why it cannot be used; quick where they ascend."""
        del sky
        if (np.diff(numbers) <= 0).any():
            for number in numbers:
                yield from self.read_many(np.array([number]))
            return
        gaps = np.flatnonzero(np.diff(numbers) > 1) + 1
        for run in [numbers] if any(stack.forward for stack in self._stacks) else np.split(numbers, gaps):
            yield from self._read_run(run.tolist())

    @property
    def _stacks(self) -> list[Stack]:
        return [*self._images, *(stack for stacks in self._layers.values() for stack in stacks)]

    def _read_run(self, numbers: list[int]) -> Iterator[Sample | DataError]:
        first, last, wanted = numbers[0], numbers[-1], set(numbers)
        n_done = 0
        try:
            for row, parts in enumerate(
                zip(*(s.rows(first, last + 1) for s in self._stacks), strict=True), start=first
            ):
                if row in wanted:
                    yield self._samples(row, parts)
                    n_done += 1
        except DataError as error:
            yield from [error] * (len(numbers) - n_done)


def is_stacked(images: str | Mapping[str, str], hdu: HDUS) -> bool:
    """Whether files hold all objects, by their kind: ``.npz``, HDF5 and Parquet do; so do a single ``.npy`` or one
    of four axes, and a single FITS whose image has four axes that are longer than 1.

    Raises:
        DataError: no file matches, or it cannot be read.
    """
    pattern = next(iter(images.values()), "") if isinstance(images, Mapping) else images
    paths = [path for _, path in found(str(pattern), "data.images")]
    suffix = os.path.splitext(paths[0])[1].lower()
    if suffix == ".npy":
        return len(paths) == 1 or len(open_stack(paths[0]).shape) == 4
    if suffix in SUFFIXES:
        return True
    return len(paths) == 1 and not is_picture(paths[0]) and is_stack(paths[0], hdu)


def _names(images: str | Mapping[str, str], hdu: HDUS) -> tuple[str, ...]:
    """Bands that the mapping, or a list of names of arrays, gives."""
    if isinstance(images, Mapping):
        return tuple(str(band) for band in images)
    listed_names = isinstance(hdu, Sequence) and not isinstance(hdu, str) and len(hdu) > 1
    return tuple(str(name) for name in hdu) if listed_names and isinstance(hdu, Sequence) else ()


def _natural(path: str) -> list[tuple[str, int]]:
    """A key that sorts runs of digits as numbers: part 2 comes before part 10."""
    runs: list[str] = re.findall(r"\d+|\D", path)
    return [("0", int(run)) if run.isdecimal() else (run, 0) for run in runs]


def _paths(stack: Stack) -> list[str]:
    return [part.path for part in stack.parts] if isinstance(stack, Joined) else [stack.path]
