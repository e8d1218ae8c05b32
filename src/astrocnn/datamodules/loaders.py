"""Loaders without a state: what they yield is a function of their arguments and of the trainer's position."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from astrocnn.batch import Batch
from astrocnn.datasets.packed import PackedArray
from astrocnn.errors import DataError
from astrocnn.functional.seeding import seed_of

__all__ = ["EpochBatches", "ReadObjects", "SequentialBatches"]

Rows = NDArray[np.int64]
Read = Callable[[Rows], Batch]


class ReadObjects:
    """Rows of the catalogue into a batch: packed values, ``index``, and ``columns`` (N,), such as ``label``, by
    their key; can be sent to a worker.
    """

    def __init__(self, packed: PackedArray, row: NDArray[np.int64], columns: Mapping[str, Tensor]) -> None:
        self.packed, self.row, self.columns = packed, row, dict(columns)

    def __call__(self, rows: NDArray[np.int64]) -> Batch:
        index = torch.from_numpy(rows)
        of_rows = {key: values[index] for key, values in self.columns.items()}
        return {**self.packed(self.row[rows]), "index": index, **of_rows}


class _ReadRows(Dataset[Batch]):
    """``read`` as a data set whose items are whole batches."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def __getitem__(self, rows: Rows) -> Batch:
        return self._read(rows)


def _batches(read: Read, blocks: list[Rows], num_workers: int, pin_memory: bool) -> Iterator[Batch]:
    """One batch for each block of rows, in order, read here or in worker processes."""
    if num_workers == 0:
        for rows in blocks:
            batch = read(rows)
            yield {key: value.pin_memory() for key, value in batch.items()} if pin_memory else batch
        return
    yield from DataLoader(
        _ReadRows(read),
        sampler=blocks,
        batch_size=None,
        num_workers=num_workers,
        pin_memory=pin_memory,
        generator=torch.Generator().manual_seed(0),  # else starting the workers draws from the global one
    )


class EpochBatches:
    """The training batches of an epoch, as a function of (seed, epoch, first batch, rank, world).

    All ranks permute the same rows with the key (seed, epoch) and take turns at blocks of ``batch_size``, so
    that they are disjoint. Rows left over after whole batches on every rank sit out this epoch. With fewer
    rows than one batch on every rank, the batch is as large as the rows allow.

    ``position`` gives (epoch, first batch); it is asked at the first ``next()``, when a resumed trainer has
    restored its counters.

    Raises:
        DataError: there are fewer rows than ranks.
    """

    def __init__(
        self,
        read: Read,
        rows: Rows,
        *,
        batch_size: int,
        seed: int,
        position: Callable[[], tuple[int, int]],
        rank: int = 0,
        world: int = 1,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        if len(rows) < world:
            raise DataError(
                f"{len(rows)} training objects cannot be shared by {world} devices; use fewer devices."
            )
        self.read, self.rows, self.seed, self.position = read, rows, seed, position
        self.batch_size = min(batch_size, len(rows) // world)
        self.rank, self.world, self.num_workers, self.pin_memory = rank, world, num_workers, pin_memory

    def __len__(self) -> int:
        return len(self.rows) // (self.batch_size * self.world)

    def blocks(self, epoch: int) -> NDArray[np.int64]:
        """The rows (n_batches, B) of this rank in ``epoch``."""
        order = np.random.default_rng(seed_of(self.seed, epoch)).permutation(self.rows)
        whole = order[: len(self) * self.world * self.batch_size]
        return whole.reshape(len(self), self.world, self.batch_size)[:, self.rank]  # (n_batches, B)

    def __iter__(self) -> Iterator[Batch]:
        epoch, first = self.position()
        yield from _batches(self.read, list(self.blocks(epoch)[first:]), self.num_workers, self.pin_memory)


class SequentialBatches:
    """Every row once, in order: whole batches and the rest."""

    def __init__(
        self, read: Read, rows: Rows, *, batch_size: int, num_workers: int = 0, pin_memory: bool = False
    ) -> None:
        self.read, self.rows, self.batch_size = read, rows, batch_size
        self.num_workers, self.pin_memory = num_workers, pin_memory

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        starts = range(0, len(self.rows), self.batch_size)
        blocks = [self.rows[start : start + self.batch_size] for start in starts]
        yield from _batches(self.read, blocks, self.num_workers, self.pin_memory)
