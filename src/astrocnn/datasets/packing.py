"""Reading the objects of a source into the files of one packed folder, on every core, in bounded memory."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.source import Source
from astrocnn.errors import DataError, listed
from astrocnn.io.cache import cached_folder, fingerprint, seal, sealed
from astrocnn.io.npy import RowWriter
from astrocnn.io.sample import Block, Sample, SampleInfo
from astrocnn.paths import cache_dir
from astrocnn.processes import in_processes, may_fork
from astrocnn.progress import track

__all__ = ["FORMAT", "MAPS", "VERSION", "packed_folder", "planes"]

FORMAT = "astrocnn packed cutouts"
VERSION = 5  # to be raised with every change of what is read from a file or how it is kept
MAPS: dict[str, type[np.generic]] = {
    "class_map": np.int16,
    "instances": np.int32,
    "target_image": np.float32,
}  # how each is kept; what is valid of the last is kept as bits beside it
MOST_REASONS = 3  # that are told of objects that cannot be packed
BELOW_ONE = 1 - 2**-24  # the float32 before 1: of 20 million pixels all but one are not all
ROWS_A_WRITE = 32  # rows that wait in memory for one write
TASKS_A_WORKER = 4  # portions that are handed to a thread in advance

Outcome = tuple[int, str | tuple[float, float, float]]


def packed_folder(
    files: Source,
    numbers: NDArray[np.int64],
    *,
    shape: tuple[int, ...],
    bands: Sequence[str],
    maps: Mapping[str, tuple[int, ...]] | None = None,
    sky: bool = False,
    max_bad: int | None = None,
    n_workers: int | None = None,
) -> Path:
    """The folder that holds the objects ``numbers`` of ``files``, packed now or before; row i is ``numbers[i]``.

    Args:
        files: where the objects are.
        numbers: (N,) objects to pack.
        shape: (C, H, W), (C, L) or (F,), that every object must have.
        bands: the planes to take, by name where the files name them.
        maps: shapes of the maps that every object must have, by their key in the batch.
        sky: also keep the position of each centre.
        max_bad: stop when more objects than this cannot be packed; None goes on to the end.
        n_workers: processes where each object has files of its own (threads elsewhere, and on other systems than
            Linux); None for one more than there are cores, since one may wait for the disc.

    Raises:
        DataError: too little space, a file is gone, or more than ``max_bad`` cannot be packed.
    """
    options = {
        "format": FORMAT,
        "version": VERSION,
        "source": type(files).__name__,
        "source_options": files.options,
        "bands": list(bands),
        "shape": list(shape),
        "maps": {name: list(size) for name, size in (maps or {}).items()},
        "sky": sky,
    }
    key = fingerprint(files.files_of(numbers), options | {"objects": files.digest(numbers)})
    expected = {"format": FORMAT, "version": VERSION, "fingerprint": key}
    expected |= {"n": len(numbers), "shape": list(shape), "bands": list(bands)}
    packer = _Packer(
        files,
        numbers,
        shape=shape,
        bands=bands,
        maps=maps or {},
        sky=sky,
        max_bad=max_bad,
        n_workers=n_workers,
    )
    return cached_folder(
        cache_dir() / "packed" / key,
        whole=lambda folder: sealed(folder, **expected) is not None,
        build=lambda part: packer.build(part, expected),
        n_bytes=packer.n_bytes,
        what=f"packing {len(numbers):,} objects",
    )


def planes(path: object, info: SampleInfo, bands: Sequence[str]) -> list[int] | None:
    """Which planes of a file are ``bands``, in that order; None for all of them as they stand.

    Names decide where the file's planes have reliable ones; else the number of planes must be that of the
    bands.

    Raises:
        DataError: a band is not in the file, or the number differs.
    """
    if info.named_planes:
        missing = [band for band in bands if band not in info.bands]
        if missing:
            raise DataError(
                f"{path} has no band {listed(missing)}; it holds {listed(info.bands, most=12)}; "
                "choose among them with data.bands=[...], or leave the object out."
            )
        numbers = [info.bands.index(band) for band in bands]
        return None if numbers == list(range(info.shape[0])) else numbers
    if info.shape[0] != len(bands):
        raise DataError(
            f"{path} holds {info.shape[0]} planes but {len(bands)} bands are wanted ({listed(bands, most=12)}); "
            "all files need the same bands (see data.bands and data.hdu)."
        )
    return None


class _Packer:
    """Writes the arrays of one packed folder, each task its own rows.

    Args:
        files, numbers: the objects; row i is ``numbers[i]``.
        shape: that every object must have.
        bands: the planes to take.
        maps: shapes of the maps to take.
        sky: also keep the positions.
        max_bad: stop when more objects than this cannot be packed; None goes on to the end.
        n_workers: processes or threads; None for one more than there are cores.
    """

    def __init__(
        self,
        files: Source,
        numbers: NDArray[np.int64],
        *,
        shape: tuple[int, ...],
        bands: Sequence[str],
        maps: Mapping[str, tuple[int, ...]],
        sky: bool,
        max_bad: int | None,
        n_workers: int | None,
    ) -> None:
        self.files, self.numbers, self.shape, self.bands = files, numbers, shape, tuple(bands)
        self.maps, self.sky, self.max_bad = dict(maps), sky, max_bad
        self.n_workers = n_workers or _cores() + 1

    @property
    def n_bytes(self) -> int:
        """How large the folder will be at most."""
        n, n_values = len(self.numbers), len(self.numbers) * math.prod(self.shape)
        of_maps = sum(n * math.prod(size) * np.dtype(MAPS[name]).itemsize for name, size in self.maps.items())
        of_maps += n * math.prod(self.maps.get("target_image", (0,))) // 8
        return n_values * (8 if self.files.has_variance else 4) + n_values // 8 + 40 * n + of_maps

    def build(self, folder: Path, meta: dict[str, Any]) -> None:
        """Write the arrays into ``folder`` and seal it with ``meta``.

        Raises:
            DataError: more than ``max_bad`` objects cannot be packed.
            OSError: the disc is full, or cannot be written.
        """
        n, size = len(self.numbers), math.prod(self.shape)
        arrays: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
            "image": ((n, *self.shape), np.float32),
            "valid": ((n, -(-size // 8)), np.uint8),
        }
        if self.files.has_variance:
            arrays["variance"] = ((n, *self.shape), np.float32)
        arrays |= {name: ((n, *size), MAPS[name]) for name, size in self.maps.items()}
        if "target_image" in self.maps:
            arrays["target_valid"] = ((n, -(-math.prod(self.maps["target_image"]) // 8)), np.uint8)
        fraction, position = np.zeros(n, np.float32), np.full((n, 2), np.nan)
        bad: list[tuple[int, str]] = []
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(closing(RowWriter(folder / f"{name}.npy", shape, dtype)))
                for name, (shape, dtype) in arrays.items()
            }
            for row, outcome in track(self._outcomes(writers), "packing objects", total=n):
                if isinstance(outcome, str):
                    bad.append((row, outcome))
                    self._check(bad)
                else:
                    fraction[row], position[row] = outcome[0], outcome[1:]
        bad.sort()
        usable = np.ones(n, bool)
        usable[[row for row, _ in bad]] = False
        if (fraction[usable] == 1).all():
            (folder / "valid.npy").unlink()
        np.save(folder / "valid_fraction.npy", fraction)
        if self.sky:
            np.save(folder / "position.npy", position)
        seal(folder, {**meta, "bad": bad})

    def _check(self, bad: list[tuple[int, str]]) -> None:
        if self.max_bad is None or len(bad) <= self.max_bad:
            return
        alike: dict[str, str] = {}  # the first of the reasons that differ in the file's name only
        for row, reason in bad:
            paths = self.files.paths[int(self.numbers[row])]
            path = next((path for path in paths if reason.startswith(path)), "")
            alike.setdefault(reason.removeprefix(path), reason.rstrip("."))
        raise DataError(
            f"more than {self.max_bad} objects cannot be used: {'; '.join(list(alike.values())[:MOST_REASONS])}. Mend "
            "them, or go on without them with data.on_bad=skip, which lists them in a table."
        )

    def _outcomes(self, writers: dict[str, RowWriter]) -> Iterator[Outcome]:
        """(row, reason) of each bad object and (row, (valid fraction, ra, dec)) of each other."""
        tasks = self.files.tasks(self.numbers)
        if self.files.own_files and self.n_workers > 1 and len(tasks) > 1 and may_fork():
            # most of the time of a small file is the interpreter's, which threads would wait for in turns
            for outcomes in in_processes(
                lambda rows: self._rows(rows, writers), tasks, self.n_workers, forked=True
            ):
                yield from outcomes
            return
        executor = ThreadPoolExecutor(self.n_workers)
        waiting: set[Future[list[Outcome]]] = set()
        try:
            for rows in tasks:
                waiting.add(executor.submit(self._rows, rows, writers))
                if len(waiting) >= TASKS_A_WORKER * self.n_workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for task in done:
                        yield from task.result()
            for task in waiting:
                yield from task.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _rows(self, rows: NDArray[np.int64], writers: dict[str, RowWriter]) -> list[Outcome]:
        block = self.files.read_block(self.numbers[rows])
        if block is not None:
            return self._block_rows(rows, block, writers)
        outcomes: list[Outcome] = []
        samples = self.files.read_many(self.numbers[rows], sky=self.sky)
        for portion in _runs(rows):
            blocks: dict[str, list[NDArray[Any]]] = {name: [] for name in writers}
            for row in portion.tolist():
                sample = self._checked(int(self.numbers[row]), next(samples))
                if isinstance(sample, DataError):
                    outcomes.append((row, str(sample)))
                    for name, writer in writers.items():
                        blocks[name].append(writer.zeros)
                    continue
                n_valid, size = np.count_nonzero(sample.valid), sample.valid.size
                fraction = 1.0 if n_valid == size else min(n_valid / size, BELOW_ONE)
                blocks["image"].append(sample.flux)
                blocks["valid"].append(np.packbits(sample.valid.reshape(-1)))
                if sample.variance is not None:
                    blocks["variance"].append(sample.variance)
                for name, values in sample.maps.items():
                    blocks[name].append(np.packbits(values.reshape(-1)) if name == "target_valid" else values)
                outcomes.append((row, (fraction, sample.info.ra, sample.info.dec)))
            for name, writer in writers.items():
                writer.write(int(portion[0]), blocks[name])
        return outcomes

    def _block_rows(
        self, rows: NDArray[np.int64], block: Block, writers: dict[str, RowWriter]
    ) -> list[Outcome]:
        """As :meth:`_rows`, of objects that were read together."""
        path = self.files.paths[int(self.numbers[rows[0]])][0]
        chosen = planes(path, block.info, self.bands)
        flux, valid, variance = block.flux, block.valid, block.variance
        if chosen is not None:
            flux, valid = flux[:, chosen], valid[:, chosen]
            variance = None if variance is None else variance[:, chosen]
        n_valid = np.count_nonzero(valid.reshape(len(rows), -1), axis=1)
        nothing = np.setdiff1d(np.flatnonzero(n_valid == 0), list(block.bad))
        bad = {**block.bad, **dict.fromkeys(nothing.tolist(), self._no_value(path))}
        refused = list(bad)
        flux[refused], valid[refused] = 0, False
        arrays: dict[str, NDArray[Any]] = {
            "image": flux,
            "valid": np.packbits(valid.reshape(len(rows), -1), axis=1),
        }
        if variance is not None:
            variance[refused] = 0
            arrays["variance"] = variance
        for name, writer in writers.items():
            for at in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1):
                writer.write_array(int(rows[at[0]]), arrays[name][at[0] : at[-1] + 1])
        share = (n_valid / (valid[0].size or 1)).tolist()
        sky = (block.info.ra, block.info.dec)
        return [(row, bad[i] if i in bad else (share[i], *sky)) for i, row in enumerate(rows.tolist())]

    def _no_value(self, path: object) -> str:
        return f"{path}: no {self.files.words.value} is valid in the bands {listed(self.bands, most=12)}."

    def _checked(self, number: int, sample: Sample | DataError) -> Sample | DataError:
        """The sample in the wanted bands, or why it cannot be used."""
        if isinstance(sample, DataError):
            return sample
        path = self.files.paths[number][0]
        try:
            chosen = planes(path, sample.info, self.bands)
        except DataError as error:
            return error
        if chosen is not None:
            variance = None if sample.variance is None else sample.variance[chosen]
            sample = replace(sample, flux=sample.flux[chosen], valid=sample.valid[chosen], variance=variance)
        if sample.flux.shape != self.shape:
            return DataError(
                f"{path} is {_size(sample.flux.shape)} (bands × rows × columns) but the others are "
                f"{_size(self.shape)}; cut all to one size, or leave it out with data.on_bad=skip."
            )
        for name, size in self.maps.items():
            if sample.maps[name].shape != size:
                return DataError(
                    f"{path}: its {name} is {_size(sample.maps[name].shape)} but those of the others are "
                    f"{_size(size)}; give all in one size, or leave it out with data.on_bad=skip."
                )
        if not sample.valid.any():
            return DataError(self._no_value(path))
        return sample


def _runs(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """``rows`` in their order, cut where the next is not the one that follows, and into writes of a bounded size."""
    for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
        for start in range(0, len(run), ROWS_A_WRITE):
            yield run[start : start + ROWS_A_WRITE]


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
