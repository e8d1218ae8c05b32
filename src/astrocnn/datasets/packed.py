"""Objects packed once into memory-mapped arrays: a batch is one gather."""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.datasets.equal_rows import equal_rows, probes
from astrocnn.datasets.packing import FORMAT, MAPS, VERSION, packed_folder
from astrocnn.datasets.source import Source
from astrocnn.errors import DataError
from astrocnn.io.atomic import atomic_path
from astrocnn.io.cache import sealed
from astrocnn.io.room import mark_used

__all__ = ["PackedArray", "pack"]


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
        mark_used(self.folder)
        self.shape: tuple[int, ...] = tuple(meta["shape"])
        self.bad: list[tuple[int, str]] = [(int(row), str(reason)) for row, reason in meta["bad"]]
        self._image = self._map("image")
        self._bits, self._variance = self._map("valid"), self._map("variance")
        self._maps = {name: values for name in MAPS if (values := self._map(name)) is not None}
        self._target_bits = self._map("target_valid")
        self.valid_fraction: NDArray[np.float32] = np.load(self.folder / "valid_fraction.npy")
        position = self.folder / "position.npy"
        self.position: NDArray[np.float64] | None = np.load(position) if position.exists() else None

    def _map(self, name: str) -> Any:
        path = self.folder / f"{name}.npy"
        # torch takes no array that cannot be written; writing to this one would change no file
        return np.asarray(np.load(path, mmap_mode="c")) if path.exists() else None

    def __reduce__(self) -> tuple[type["PackedArray"], tuple[Path]]:
        return type(self), (self.folder,)  # a worker maps the files itself, instead of being sent the pixels

    def __len__(self) -> int:
        return len(self._image)

    def __call__(self, rows: NDArray[np.int64]) -> Batch:
        """``image`` (B, C, H, W) float32 and ``valid`` bool, and ``variance`` float32 and maps if they were packed.

        Where all pixels are valid, ``valid`` is one True expanded to the shape, which cannot be written in place.
        """
        index = torch.from_numpy(rows)
        batch = {"image": _gathered(self._image, index)}  # (B, C, H, W)
        if self._bits is None or (self.valid_fraction[rows] == 1).all():
            batch["valid"] = torch.ones((), dtype=torch.bool).expand(len(rows), *self.shape)
        else:  # of all rows, since writing some among others costs more than to unpack those that are whole
            batch["valid"] = _unpacked(self._bits[rows], self.shape)
        if self._variance is not None:
            batch["variance"] = _gathered(self._variance, index)
        for name, values in self._maps.items():
            found = _gathered(values, index)
            batch[name] = found if found.is_floating_point() else found.long()
        if self._target_bits is not None:
            batch["target_valid"] = _unpacked(self._target_bits[rows], tuple(batch["target_image"].shape[1:]))
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


def _unpacked(bits: NDArray[np.uint8], shape: tuple[int, ...]) -> Tensor:
    flat = np.unpackbits(bits, axis=1, count=math.prod(shape))  # (B, C*H*W)
    return torch.from_numpy(flat.view(np.bool_).reshape(-1, *shape))


def _gathered(array: NDArray[Any], index: Tensor) -> Tensor:
    """Rows of an array, copied by all threads of torch, into numpy's memory, for which it asks for large pages."""
    rows = torch.from_numpy(np.empty((len(index), *array.shape[1:]), array.dtype))
    return torch.index_select(torch.from_numpy(array), 0, index, out=rows)


def pack(
    files: Source,
    numbers: NDArray[np.int64],
    *,
    shape: tuple[int, ...],
    bands: Sequence[str],
    maps: Mapping[str, tuple[int, ...]] | None = None,
    sky: bool = False,
    max_bad: int | None = None,
    n_workers: int | None = None,
) -> PackedArray:
    """Objects of a source as a packed array; all is as in :func:`astrocnn.datasets.packing.packed_folder`."""
    return PackedArray(
        packed_folder(
            files,
            numbers,
            shape=shape,
            bands=bands,
            maps=maps,
            sky=sky,
            max_bad=max_bad,
            n_workers=n_workers,
        )
    )
