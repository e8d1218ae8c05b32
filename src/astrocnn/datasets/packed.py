"""Objects packed once into memory-mapped arrays: a batch is one gather."""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from astrocnn.batch import Batch
from astrocnn.datasets.equal_rows import equal_rows, probes
from astrocnn.datasets.source import Source
from astrocnn.errors import DataError, listed
from astrocnn.io.atomic import atomic_path
from astrocnn.io.cache import cached_folder, fingerprint, seal, sealed
from astrocnn.io.npy import RowWriter
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.paths import cache_dir
from astrocnn.progress import track

__all__ = ["PackedArray", "pack", "planes"]

FORMAT = "astrocnn packed cutouts"
VERSION = 2


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


class PackedArray:
    """Cutouts in a packed folder; calling it with row numbers (B,) gathers a batch.

    Attributes:
        shape: of every object: (C, H, W), (C, L) or (F,).
        bad: row number and reason of each cutout that could not be packed; its pixels are not to be used.
        valid_fraction: (N,) float32, the fraction of valid pixels.
        position: (N, 2) float64, ra and dec of the centres in degrees (ICRS), or None when not asked for.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        meta = sealed(self.folder, format=FORMAT, version=VERSION)
        if meta is None:
            raise DataError(f"{folder} is not a whole packed folder; delete it, and it is made again.")
        self.shape: tuple[int, ...] = tuple(meta["shape"])
        self.bad: list[tuple[int, str]] = [(int(row), str(reason)) for row, reason in meta["bad"]]
        self._image = self._map("image")
        self._bits, self._variance = self._map("valid"), self._map("variance")
        self.valid_fraction: NDArray[np.float32] = np.load(self.folder / "valid_fraction.npy")
        position = self.folder / "position.npy"
        self.position: NDArray[np.float64] | None = np.load(position) if position.exists() else None

    def _map(self, name: str) -> Any:
        path = self.folder / f"{name}.npy"
        return np.asarray(np.load(path, mmap_mode="r")) if path.exists() else None

    def __reduce__(self) -> tuple[type["PackedArray"], tuple[Path]]:
        return type(self), (self.folder,)  # a worker maps the files itself, instead of being sent the pixels

    def __len__(self) -> int:
        return len(self._image)

    def __call__(self, rows: NDArray[np.int64]) -> Batch:
        """``image`` (B, C, H, W) float32 and ``valid`` bool, and ``variance`` float32 if it was packed."""
        # numpy throughout: torch would start its threads for a fill that takes a millisecond
        batch = {"image": torch.from_numpy(self._image[rows])}  # (B, C, H, W)
        valid = np.ones((len(rows), *self.shape), np.bool_)
        if self._bits is not None:
            partial = np.flatnonzero(self.valid_fraction[rows] < 1)
            bits = self._bits[rows[partial]]  # (b, ceil(C*H*W / 8))
            flat = np.unpackbits(bits, axis=1, count=math.prod(self.shape)).view(np.bool_)  # (b, C*H*W)
            valid[partial] = flat.reshape(-1, *self.shape)
        batch["valid"] = torch.from_numpy(valid)
        if self._variance is not None:
            batch["variance"] = torch.from_numpy(self._variance[rows])
        return batch

    def equal_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each of ``rows`` (N,), the first of them with the same values and validity; itself if none has."""
        return equal_rows(self._image, self._bits, rows, self._probes())

    def _probes(self) -> NDArray[np.uint64]:
        path = self.folder / "probes.npy"  # kept: on a cold disc, the first look reads the pages of all rows
        try:
            kept: NDArray[np.uint64] = np.load(path)
            if kept.shape == (len(self),) and kept.dtype == np.uint64:
                return kept
        except (OSError, ValueError, EOFError):
            pass
        made = probes(self._image)
        with suppress(OSError), atomic_path(path) as part:
            np.save(part, made)
        return made


def pack(
    files: Source,
    numbers: NDArray[np.int64],
    *,
    shape: tuple[int, ...],
    bands: Sequence[str],
    sky: bool = False,
    max_bad: int | None = None,
    n_workers: int | None = None,
) -> PackedArray:
    """Read the objects ``numbers`` of ``files`` into the cache, or find them there; row i is ``numbers[i]``.

    Args:
        files: where the cutouts are.
        numbers: (N,) objects to pack.
        shape: (C, H, W), (C, L) or (F,), that every object must have.
        bands: the planes to take, by name where the files name them.
        sky: also keep the position of each centre.
        max_bad: stop when more cutouts than this cannot be packed; None goes on to the end.
        n_workers: threads; None for one a core. (Threads, since opening and reading release the interpreter
            and the rest is short; processes take longer to start than 8,000 files to read.)

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
        "sky": sky,
    }
    paths = dict.fromkeys(path for number in numbers for path in files.paths[number])
    key = fingerprint(paths, options | {"objects": _objects(files, numbers)})
    n_values = len(numbers) * math.prod(shape)
    n_bytes = n_values * (4 + 4 * (files.has_variance)) + n_values // 8 + 40 * len(numbers)
    expected = {"format": FORMAT, "version": VERSION, "fingerprint": key}
    packer = _Packer(files, numbers, shape, bands, sky, max_bad, n_workers)
    folder = cached_folder(
        cache_dir() / "packed" / key,
        whole=lambda folder: sealed(folder, **expected) is not None,
        build=lambda part: packer.build(part, expected),
        n_bytes=n_bytes,
        what=f"packing {len(numbers):,} cutouts",
    )
    return PackedArray(folder)


class _Packer:
    """Writes the arrays of one packed folder, each task its own rows."""

    def __init__(
        self,
        files: Source,
        numbers: NDArray[np.int64],
        shape: tuple[int, ...],
        bands: Sequence[str],
        sky: bool,
        max_bad: int | None,
        n_workers: int | None,
    ) -> None:
        self.files, self.numbers, self.shape, self.bands = files, numbers, shape, tuple(bands)
        self.sky, self.max_bad = sky, max_bad
        self.n_workers = n_workers or _cores()

    def build(self, folder: Path, meta: dict[str, Any]) -> None:
        n, size = len(self.numbers), math.prod(self.shape)
        arrays: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
            "image": ((n, *self.shape), np.float32),
            "valid": ((n, -(-size // 8)), np.uint8),
        }
        if self.files.has_variance:
            arrays["variance"] = ((n, *self.shape), np.float32)
        fraction, position = np.zeros(n, np.float32), np.full((n, 2), np.nan)
        bad: list[tuple[int, str]] = []
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(closing(RowWriter(folder / f"{name}.npy", shape, dtype)))
                for name, (shape, dtype) in arrays.items()
            }
            for row, outcome in track(self._outcomes(writers), "packing cutouts", total=n):
                if isinstance(outcome, str):
                    bad.append((row, outcome))
                    self._check(bad)
                else:
                    fraction[row], position[row] = outcome[0], outcome[1:]
            for writer in writers.values():
                writer.sync()
        bad.sort()
        usable = np.ones(n, bool)
        usable[[row for row, _ in bad]] = False
        if (fraction[usable] == 1).all():
            (folder / "valid.npy").unlink()
        np.save(folder / "valid_fraction.npy", fraction)
        if self.sky:
            np.save(folder / "position.npy", position)
        seal(folder, {**meta, "shape": list(self.shape), "bands": list(self.bands), "bad": bad})

    def _check(self, bad: list[tuple[int, str]]) -> None:
        if self.max_bad is not None and len(bad) > self.max_bad:
            raise DataError(
                f"more than {self.max_bad} cutouts cannot be used: {listed([r for _, r in bad], most=3)}"
            )

    def _outcomes(self, writers: dict[str, RowWriter]) -> Iterator[tuple[int, Any]]:
        """(row, reason) of each bad cutout and (row, (valid fraction, ra, dec)) of each other."""
        executor = ThreadPoolExecutor(self.n_workers)
        try:
            tasks = [executor.submit(self._rows, rows, writers) for rows in self.files.tasks(self.numbers)]
            for task in as_completed(tasks):
                yield from task.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _rows(self, rows: NDArray[np.int64], writers: dict[str, RowWriter]) -> list[tuple[int, Any]]:
        outcomes: list[tuple[int, Any]] = []
        samples = self.files.read_many(self.numbers[rows], sky=self.sky)
        for portion in _runs(rows):
            blocks = {name: writer.zeros(len(portion)) for name, writer in writers.items()}
            for i, row in enumerate(portion.tolist()):
                try:
                    sample = self._checked(int(self.numbers[row]), next(samples))
                except DataError as error:
                    outcomes.append((row, str(error)))
                    continue
                blocks["image"][i] = sample.flux
                blocks["valid"][i] = np.packbits(sample.valid.reshape(-1))
                if sample.variance is not None:
                    blocks["variance"][i] = sample.variance
                outcomes.append((row, (float(sample.valid.mean()), sample.info.ra, sample.info.dec)))
            for name, writer in writers.items():
                writer.write(int(portion[0]), blocks[name])
        return outcomes

    def _checked(self, number: int, sample: Sample | DataError) -> Sample:
        """The sample in the wanted bands."""
        if isinstance(sample, DataError):
            raise sample
        path = self.files.paths[number][0]
        chosen = planes(path, sample.info, self.bands)
        if chosen is not None:
            variance = None if sample.variance is None else sample.variance[chosen]
            sample = Sample(sample.info, sample.flux[chosen], sample.valid[chosen], variance)
        if sample.flux.shape != self.shape:
            raise DataError(
                f"{path} is {_size(sample.flux.shape)} (bands × rows × columns) but the others are "
                f"{_size(self.shape)}; cut all to one size, or leave it out with data.on_bad=skip."
            )
        if not sample.valid.any():
            raise DataError(f"{path}: no pixel is valid in the bands {listed(self.bands, most=12)}.")
        return sample


def _runs(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """``rows`` in their order, cut where the next is not the one that follows."""
    return np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)


def _objects(files: Source, numbers: NDArray[np.int64]) -> str:
    """A digest of which objects these are, in what order."""
    digest = hashlib.sha256()
    for number in numbers:
        digest.update(f"{files.key(int(number))}\n".encode())
    return digest.hexdigest()


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
