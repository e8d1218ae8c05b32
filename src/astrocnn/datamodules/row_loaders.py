"""What Lightning, the calibration and a notebook ask of a data set: batches of its rows."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule

from astrocnn.batch import Batch
from astrocnn.datamodules.loaders import EpochBatches, ReadObjects, SequentialBatches
from astrocnn.functional.seeding import seed_of

__all__ = ["RowLoaders"]


class RowLoaders(ABC, LightningDataModule):
    """Batches of numbered rows; a subclass says which rows are in a split, and what reads them.

    Attributes:
        batch_size: rows a batch and device.
        num_workers: processes that read batches; 0 reads in the training process.
        seed: seed of the order of training.
    """

    batch_size: int
    num_workers: int
    seed: int

    @abstractmethod
    def rows(self, split: str) -> NDArray[np.int64]:
        """Numbers of the rows in ``split``: 'train', 'val', 'test', or 'all'."""

    @property
    @abstractmethod
    def reader(self) -> ReadObjects:
        """What turns numbers of rows into a batch."""

    def gather(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows (B,) of the catalogue."""
        return self.reader(np.asarray(rows, dtype=np.int64))

    def loader(self, rows: NDArray[np.int64]) -> SequentialBatches:
        """Batches of these rows in order: whole ones and the rest."""
        return SequentialBatches(
            self.reader,
            np.asarray(rows, dtype=np.int64),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> EpochBatches:
        """The keyed batches of the trainer's epoch, from the trainer's batch on."""
        trainer, rows = self.trainer, self.rows("train")
        return EpochBatches(
            self.reader,
            rows,
            batch_size=self.batch_size,
            seed=self.seed,
            position=lambda: (trainer.current_epoch, trainer.fit_loop.batch_idx + 1) if trainer else (0, 0),
            rank=trainer.global_rank if trainer else 0,
            world=trainer.world_size if trainer else 1,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> SequentialBatches:
        """The validation split, shared by the trainer's devices."""
        return self.loader(self._own(self.rows("val")))

    def test_dataloader(self) -> SequentialBatches:
        """The test split, shared by the trainer's devices."""
        return self.loader(self._own(self.rows("test")))

    def predict_dataloader(self) -> SequentialBatches:
        """Every row, shared by the trainer's devices."""
        return self.loader(self._own(self.rows("all")))

    def _own(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows[self.trainer.global_rank :: self.trainer.world_size] if self.trainer else rows

    def training_sample(self, seed: int, n: int = 1024) -> Batch:
        """Up to ``n`` random rows of the training split, the same for the same ``seed``."""
        rows = np.random.default_rng(seed_of(seed)).permutation(self.rows("train"))[:n]
        return self.gather(np.sort(rows))
