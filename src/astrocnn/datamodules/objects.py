"""Objects and a catalogue, whatever holds the pixels, into batches: what all our datamodules share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule

from astrocnn.batch import Batch, DataSpec
from astrocnn.datamodules.catalog import (
    Catalog,
    Objects,
    Problem,
    group_names,
    join,
    read_catalog,
    with_our_columns,
)
from astrocnn.datamodules.loaders import EpochBatches, ReadObjects, SequentialBatches
from astrocnn.datamodules.probing import find_spec
from astrocnn.datamodules.refusals import check_labels, check_training_classes, refuse, skipped_table
from astrocnn.datamodules.splits import SPLITS, random_split, stored_split
from astrocnn.datasets.packed import PackedArray, pack
from astrocnn.datasets.source import Source
from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.functional.seeding import seed_of

__all__ = ["ObjectDataModule"]

MOST_BAD = 100
ON_BAD = ("error", "skip")


class ObjectDataModule(ABC, LightningDataModule):
    """Objects of some source, with or without a catalogue.

    A subclass says in :meth:`source` what holds the values; its own arguments come beside the ones here, which
    it takes as ``**common``.

    Args:
        catalog: table of the objects; None takes every object of the source, without labels.
        id, label, ra, dec, group, split: names of the table's columns. A default name may be absent.
        bands: names and order of the bands; None takes the files'.
        n_bands, image_size, pixel_scale_arcsec: None takes the files'; another value than theirs is an error.
        classes: values of the label in the order of the classes, or names for the labels 0..K−1; the second of
            two is the positive class.
        val_fraction, test_fraction: shares of each class that validate and test, when no split is stored.
        split_seed: seed of that split.
        seed: seed of the order of training.
        batch_size: images a batch and device.
        num_workers: processes that read batches; 0 reads in the training process.
        on_bad: 'error' stops at objects that cannot be used, 'skip' leaves them out and lists them.
        selections, strata, kind: for the evaluation: bounds on truth columns that define parts of the
            positives, the two columns of the completeness map, and the column of the kinds of negatives.

    Attributes:
        spec: what :meth:`probe` found.
        catalog: after :meth:`setup`, one row a usable object: ``id``, ``index``, ``ra``, ``dec`` (degrees),
            ``label`` (−1 unknown), ``split`` ('' none) and the table's own columns.
        skipped: after :meth:`setup`, ``id``, ``path`` and ``reason`` of what ``on_bad='skip'`` left out.
    """

    spec: DataSpec
    catalog: Table
    skipped: Table

    def __init__(
        self,
        *,
        catalog: str | None = None,
        id: str = "id",
        label: str | None = "label",
        ra: str = "ra",
        dec: str = "dec",
        group: str | None = None,
        split: str | None = "split",
        bands: Sequence[str] | None = None,
        n_bands: int | None = None,
        classes: Sequence[str] | None = None,
        image_size: int | Sequence[int] | None = None,
        pixel_scale_arcsec: float | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        seed: int = 0,
        batch_size: int = 64,
        num_workers: int = 0,
        on_bad: str = "error",
        selections: Mapping[str, Mapping[str, float]] | None = None,
        strata: Sequence[str] | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__()
        if on_bad not in ON_BAD:
            raise ConfigError(f"data.on_bad={on_bad!r} is not known; choose from {listed(ON_BAD)}.")
        if batch_size < 1 or num_workers < 0:
            raise ConfigError(
                f"data.batch_size={batch_size} and data.num_workers={num_workers}: at least 1 and at least 0."
            )
        self.table = catalog
        self.columns = {"id": id, "label": label, "ra": ra, "dec": dec, "group": group, "split": split}
        self.wanted = {
            "bands": bands,
            "n_bands": n_bands,
            "image_size": image_size,
            "pixel_scale_arcsec": pixel_scale_arcsec,
        }
        self.classes = None if classes is None else tuple(str(name) for name in classes)
        self.val_fraction, self.test_fraction, self.split_seed = val_fraction, test_fraction, split_seed
        self.seed, self.batch_size, self.num_workers, self.on_bad = seed, batch_size, num_workers, on_bad
        self.selections = {name: dict(bounds) for name, bounds in (selections or {}).items()}
        self.strata, self.kind = tuple(strata or ()), kind
        self._objects: Objects | None = None
        self._packed: PackedArray | None = None
        self._no_split: DataError | None = None

    @abstractmethod
    def source(self, catalog: Catalog | None) -> Source:
        """What holds the values of the objects."""

    def probe(self) -> DataSpec:
        """Read the table and some headers; find bands, size, classes and pixel scale.

        Raises:
            DataError: files or table are missing or do not fit together, or the user's values are not theirs.
        """
        if self._objects is None:
            catalog = None if self.table is None else read_catalog(self.table, self.columns)
            objects = join(self.source(catalog), catalog, columns=self.columns, classes=self.classes)
            refuse(objects.problems, skip=self.on_bad == "skip")
            self.spec = find_spec(objects, wanted=self.wanted, skip=self.on_bad == "skip")
            self._objects = objects
        return self.spec

    def require_labels(self) -> None:
        """Raise a :class:`DataError` unless the objects can be trained on: labels, of at least two classes."""
        check_labels(self._joined, table=self.table, column=self.columns["label"])

    @property
    def _joined(self) -> Objects:
        self.probe()
        assert self._objects is not None
        return self._objects

    def prepare_data(self) -> None:
        """Pack the images, unless they are in the cache already."""
        self._pack()

    def _pack(self) -> tuple[PackedArray, NDArray[np.int64]]:
        objects, spec = self._joined, self.spec
        numbers = np.unique(objects.file)  # by path, so that another order of the table finds the same cache
        packed = pack(
            objects.files,
            numbers,
            shape=spec.image_shape,
            bands=spec.bands,
            sky=objects.position is None,
            max_bad=MOST_BAD if self.on_bad == "error" else None,
        )
        return packed, np.searchsorted(numbers, objects.file)

    def setup(self, stage: str | None = None) -> None:
        """Open the packed images and make ``catalog`` and ``skipped``.

        Raises:
            DataError: images cannot be used (``on_bad='error'``), or none can.
        """
        if self._packed is not None:
            return
        objects = self._joined
        packed, row = self._pack()
        reasons = dict(packed.bad)
        bad = np.isin(row, list(reasons))
        unread = [
            Problem(str(objects.ids[i]), objects.files.paths[objects.file[i]][0], reasons[int(row[i])])
            for i in np.flatnonzero(bad)
        ]
        refuse(unread, skip=self.on_bad == "skip")
        if bad.all():
            raise DataError(
                f"none of the {len(bad)} images can be used: {listed([p.reason for p in unread], most=3)}"
            )
        keep = np.flatnonzero(~bad)
        labels, ids = objects.labels[keep], objects.ids[keep]
        split = self._split(objects.table[keep], labels, ids)
        self.catalog = with_our_columns(
            objects.table[keep],
            {
                "id": ids,
                "index": np.arange(len(keep)),
                **_sky(objects, packed, row, keep),
                "label": labels,
                "split": split,
            },
        )
        self.skipped = skipped_table(objects.problems + unread)
        self._row, self._labels, self._packed = row[keep], torch.from_numpy(labels), packed

    def _split(self, table: Table, labels: NDArray[np.int64], ids: NDArray[np.str_]) -> NDArray[np.str_]:
        self._no_split = None
        name, group = self.columns["split"], self.columns["group"]
        if name is not None and name in table.colnames:
            return np.where(labels >= 0, stored_split(np.asarray(table[name]).astype(str), name=name), "")
        try:
            return random_split(
                labels,
                ids,
                val_fraction=self.val_fraction,
                test_fraction=self.test_fraction,
                seed=self.split_seed,
                classes=self.spec.classes,
                groups=None if group is None else group_names(table[group], ids),
            )
        except DataError as error:
            self._no_split = error  # matters only to who asks for a split: a prediction takes all rows
            return np.full(len(labels), "", dtype="U5")

    def rows(self, split: str) -> NDArray[np.int64]:
        """Rows of the catalogue that are in ``split``: 'train', 'val', 'test', or 'all'.

        Raises:
            DataError: there is none, the labels are of one class, or the objects cannot be split.
        """
        self.setup()
        if split == "all":
            return np.arange(len(self.catalog))
        if split not in SPLITS:
            raise ConfigError(f"split={split!r} is not known; choose from {listed((*SPLITS, 'all'))}.")
        self.require_labels()
        if self._no_split is not None:
            raise self._no_split
        rows = np.flatnonzero(np.asarray(self.catalog["split"]) == split)
        if not len(rows):
            raise DataError(self._empty(split))
        if split == "train":
            check_training_classes(self._labels[rows].numpy(), self.spec.classes)
        return rows

    def _empty(self, split: str) -> str:
        name = self.columns["split"]
        if name is not None and name in self._joined.table.colnames:
            return (
                f"no labelled object has the split {split!r} in the column {name!r} of {self.table}; write "
                f"{split!r} there for some, or split at random with data.split=null."
            )
        if split == "train":
            return "no object is left to train on; lower data.val_fraction or data.test_fraction."
        return f"the {split} split is empty; raise data.{split}_fraction."

    def gather(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows (B,) of the catalogue."""
        self.setup()
        return self._reader(np.asarray(rows, dtype=np.int64))

    @property
    def _reader(self) -> ReadObjects:
        assert self._packed is not None
        return ReadObjects(self._packed, self._row, self._labels)

    def loader(self, rows: NDArray[np.int64]) -> SequentialBatches:
        """Batches of these rows in order: whole ones and the rest."""
        self.setup()
        return SequentialBatches(
            self._reader,
            np.asarray(rows, dtype=np.int64),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> EpochBatches:
        """The keyed batches of the trainer's epoch, from the trainer's batch on."""
        trainer, rows = self.trainer, self.rows("train")
        return EpochBatches(
            self._reader,
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

    def valid_fraction(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The fraction of valid pixels (B,) of these rows."""
        self.setup()
        return self._reader.packed.valid_fraction[self._row[rows]]

    def origin(self) -> tuple[Source, NDArray[np.int64], PackedArray]:
        """What holds the values, the number there of each row of the catalogue (N,), and the packed values."""
        self.setup()
        objects = self._joined
        return objects.files, np.unique(objects.file)[self._row], self._reader.packed


def _sky(
    objects: Objects, packed: PackedArray, row: NDArray[np.int64], keep: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """``ra`` and ``dec`` of the kept objects, from the table or else from the images."""
    if objects.position is not None:
        position = objects.position[keep]
    elif packed.position is not None:
        position = packed.position[row[keep]]
    else:
        position = np.full((len(keep), 2), np.nan)
    return {"ra": position[:, 0], "dec": position[:, 1]}
