"""Objects and a catalogue, whatever holds the values, into batches: what all our datamodules share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray
from pytorch_lightning.utilities import rank_zero_warn

from astrocnn.batch import DataSpec
from astrocnn.datamodules.catalog import (
    DUPLICATE_OF,
    Catalog,
    Objects,
    Problem,
    join,
    read_catalog,
    with_our_columns,
)
from astrocnn.datamodules.duplicates import (
    Duplicates,
    DuplicateWarning,
    checked_radius,
    find_duplicates,
    told,
)
from astrocnn.datamodules.loaders import ReadObjects
from astrocnn.datamodules.probing import find_spec
from astrocnn.datamodules.refusals import (
    check_labels,
    check_training_classes,
    problem,
    refuse,
    skipped_table,
)
from astrocnn.datamodules.row_loaders import RowLoaders
from astrocnn.datamodules.split_rule import Split, SplitRule, Splittable
from astrocnn.datamodules.splits import SPLITS
from astrocnn.datamodules.targets import (
    check_targets,
    scalar_values,
    split_strata,
    target_problems,
    target_values,
)
from astrocnn.datamodules.training_rows import TrainingRows
from astrocnn.datasets.packed import PackedArray, pack
from astrocnn.datasets.source import Source
from astrocnn.errors import ConfigError, DataError, listed

__all__ = ["ObjectDataModule"]

MOST_BAD = 100
ON_BAD = ("error", "skip")


class ObjectDataModule(RowLoaders):
    """Objects of some source, with or without a catalogue.

    A subclass says in :meth:`source` what holds the values; its own arguments come beside the ones here, which
    it takes as ``**common``.

    Args:
        catalog: table of the objects; None takes every object of the source, without labels.
        id, label, ra, dec, group, split: names of the table's columns. A default name may be absent.
        bands: names and order of the bands; None takes the files'.
        n_bands: None takes the files'; another value than theirs is an error.
        classes: values of the label in the order of the classes, or names for the labels 0..K−1; the second of
            two is the positive class.
        split_by: 'random', 'column', 'group' or 'sky'; None takes the column ``split`` where the table has it,
            else ``group`` where it is named, else chance.
        val_fraction, test_fraction: shares of each class that validate and test, when no split is stored.
        split_seed: seed of that split.
        sky_cell_deg: width in degrees of the cells of ``split_by='sky'``, of which HEALPix has the nearest power
            of two; None chooses it from the extent of the set.
        duplicate_radius_arcsec: objects nearer than this count as one, as do those with the same values; None
            looks for no duplicates.
        seed: seed of the order of training.
        batch_size: objects a batch and device.
        num_workers: processes that read batches; 0 reads in the training process.
        on_bad: 'error' stops at objects that cannot be used, 'skip' leaves them out and lists them.
        selections, strata, kind: for the evaluation: bounds on truth columns that define parts of the
            positives, the two columns of the completeness map, and the column of the kinds of negatives.

    Attributes:
        spec: what :meth:`probe` found.
        targets: keys of the batch and the columns of numbers that they hold, {'redshift': 'z_spec'}; a subclass
            fills it. Without labels, the objects that have all of them are those to be split.
        training_rows: which objects may train and how much each counts; a subclass may choose, and batches then have
            ``weight`` (B,) float32.
        scalars: columns that become ``scalars`` (B, S) of the batch; a subclass fills it.
        learns: the key of the targets that a task learns; the objects are split by it and not by their labels.
        catalog: after :meth:`setup`, one row a usable object: ``id``, ``index``, ``ra``, ``dec`` (degrees),
            ``label`` (−1 unknown), ``split`` ('' none) and the table's own columns.
        parted: after :meth:`setup`, how the split came about; None where the objects cannot be split.
        skipped: after :meth:`setup`, ``id``, ``path`` and ``reason`` of what ``on_bad='skip'`` left out.
    """

    carried: ClassVar[tuple[str, ...]] = ("bands", "classes")  # options that other data take from a run

    size_option: ClassVar[str | None] = None  # of sets that are simulated with their split

    spec: DataSpec
    catalog: Table
    skipped: Table
    parted: Split | None

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
        split_by: str | None = None,
        bands: Sequence[str] | None = None,
        n_bands: int | None = None,
        classes: Sequence[str] | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        sky_cell_deg: float | None = None,
        duplicate_radius_arcsec: float | None = 1.0,
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
        self.wanted: dict[str, Any] = {"bands": bands, "n_bands": n_bands}
        self.targets: dict[str, str] = {}
        self.scalars: tuple[str, ...] = ()
        self.learns: str | None = None
        self.classes = None if classes is None else tuple(str(name) for name in classes)
        self.split_rule = SplitRule(
            by=split_by,
            columns=self.columns,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            seed=split_seed,
            sky_cell_deg=sky_cell_deg,
            skip=on_bad == "skip",
        )
        self.training_rows = TrainingRows()
        self.duplicate_radius_arcsec = checked_radius(duplicate_radius_arcsec, group=group)
        self.seed, self.batch_size, self.num_workers, self.on_bad = seed, batch_size, num_workers, on_bad
        self.selections = {name: dict(bounds) for name, bounds in (selections or {}).items()}
        self.strata, self.kind = tuple(strata or ()), kind
        self._objects: Objects | None = None
        self._packed: PackedArray | None = None
        self._no_split: DataError | None = None
        self._duplicates: Duplicates | None = None
        self._warned = False

    @abstractmethod
    def source(self, catalog: Catalog | None) -> Source:
        """What holds the values of the objects."""

    def read_catalog(self) -> Catalog | None:
        """The user's table; None without one."""
        return None if self.table is None else read_catalog(self.table, self.columns)

    def probe(self) -> DataSpec:
        """Read the table and some headers; find bands, size, classes and pixel scale.

        Raises:
            DataError: files or table are missing or do not fit together, or the user's values are not theirs.
        """
        if self._objects is None:
            catalog = self.read_catalog()
            objects = join(self.source(catalog), catalog, columns=self.columns, classes=self.classes)
            self.split_rule.check(objects.table, self.table or "the set without data.catalog")
            refuse(objects.problems, skip=self.on_bad == "skip")
            spec = find_spec(objects, wanted=self.wanted, skip=self.on_bad == "skip")
            self.spec = replace(spec, targets=tuple(self.targets), scalars=self.scalars)
            self._objects = objects
        return self.spec

    def filled(self) -> dict[str, Any]:
        """What :meth:`probe` found, by the option that would have said it."""
        spec = self.probe()
        return {
            "bands": list(spec.bands),
            "n_bands": len(spec.bands),
            "classes": list(spec.classes) or None,
        }

    def require_labels(self) -> None:
        """Raise a :class:`DataError` unless the objects can be trained on: labels, of at least two classes, or
        the numbers that the task learns.
        """
        if self.learns is not None:
            refuse(self._unlearnable(), skip=self.on_bad == "skip")
        elif not self.spec.truth:
            check_labels(self._joined, table=self.table, column=self.columns["label"])

    def _unlearnable(self) -> list[Problem]:
        """The objects without a number to learn, where a task learns one."""
        if self.learns is None:
            return []
        objects, column = self._joined, self.targets[self.learns]
        values = target_values(objects.table, {self.learns: column}, source=self.table)
        check_targets(values, source=self.table)
        return target_problems(objects, values[self.learns], key=self.learns, column=column)

    @property
    def _joined(self) -> Objects:
        self.probe()
        assert self._objects is not None
        return self._objects

    def prepare_data(self) -> None:
        """Pack the values, unless they are in the cache already."""
        self._pack()

    def _pack(self) -> tuple[PackedArray, NDArray[np.int64]]:
        objects, spec = self._joined, self.spec
        numbers = objects.numbers()  # by path, so that another order of the table finds the same cache
        packed = pack(
            objects.files,
            numbers,
            shape=spec.image_shape,
            bands=spec.bands,
            maps=spec.maps,
            sky=objects.position is None,
            max_bad=MOST_BAD if self.on_bad == "error" else None,
        )
        return packed, np.searchsorted(numbers, objects.file)

    def setup(self, stage: str | None = None) -> None:
        """Open the packed values and make ``catalog`` and ``skipped``; warn of duplicates on two sides.

        Raises:
            DataError: objects cannot be used (``on_bad='error'``), or none can.
        """
        self._ready()
        if stage in (None, "fit") and not self._warned:
            self._warned = True
            if message := self.duplicate_warning():
                rank_zero_warn(message, category=DuplicateWarning, stacklevel=2)

    def _ready(self) -> None:
        if self._packed is not None:
            return
        objects = self._joined
        packed, row = self._pack()
        reasons = dict(packed.bad)
        bad = np.isin(row, list(reasons))
        unread = [
            problem(str(objects.ids[i]), objects.files.paths[objects.file[i]], reasons[int(row[i])])
            for i in np.flatnonzero(bad)
        ]
        scalars = scalar_values(objects.table, self.scalars, source=self.table)
        for i in np.flatnonzero(~np.isfinite(scalars).all(1) & ~bad):
            name = self.scalars[int(np.argmin(np.isfinite(scalars[i])))]
            files = objects.files.paths[objects.file[i]]
            unread.append(problem(str(objects.ids[i]), files, f"no number in the column {name!r}"))
        bad |= ~np.isfinite(scalars).all(1)
        refuse(unread, skip=self.on_bad == "skip")
        if bad.all():
            raise DataError(
                f"none of the {len(bad)} {objects.files.words.several} can be used: "
                f"{listed([p.reason for p in unread], most=3)}"
            )
        keep = np.flatnonzero(~bad)
        labels, ids = objects.labels[keep], objects.ids[keep]
        position = _positions(objects, packed, row, keep)
        table = objects.table[keep] if bad.any() else objects.table
        if self.columns["group"] == DUPLICATE_OF and DUPLICATE_OF not in table.colnames:
            self._duplicates = self._find_duplicates(position, packed, row[keep])
            table[DUPLICATE_OF] = self._duplicates.first(ids)
        values = target_values(table, self.targets, source=self.table)
        if self.learns is not None:
            values[self.learns] = np.where(values[self.learns] >= 0, values[self.learns], np.nan)
        known = labels if self.learns is None else np.full_like(labels, -1)
        strata, classes = split_strata(known, self.spec.classes, values, truth=self.spec.truth)
        self.parted = self._part(Splittable(table, ids, strata, classes, position, self._reach()))
        weight = None
        if self.parted is not None:
            self.parted, weight = self.training_rows(self.parted, table, self.table)
        ours = {
            "id": ids,
            "index": np.arange(len(keep)),
            "ra": position[:, 0],
            "dec": position[:, 1],
            "label": labels,
            "split": np.full(len(keep), "", dtype="U5") if self.parted is None else self.parted.names,
        }
        self.catalog = with_our_columns(table, ours)
        unlearnable = self._unlearnable() if self.on_bad == "skip" else []
        self.skipped = skipped_table(objects.problems + unread + unlearnable)
        self._values = {key: torch.from_numpy(column) for key, column in values.items()}
        if weight is not None:
            self._values["weight"] = torch.from_numpy(weight)
        if self.scalars:
            self._values["scalars"] = torch.from_numpy(scalars[keep])
        self._row, self._labels, self._packed = row[keep], torch.from_numpy(labels), packed

    def _part(self, objects: Splittable) -> Split | None:
        try:
            return self.split_rule(objects)
        except DataError as error:
            self._no_split = error  # matters only to who asks for a split: a prediction takes all rows
            return None

    def _reach(self) -> float | None:
        """Within how many arcsec an object must not have another of another split; None where that is not known."""
        return self.duplicate_radius_arcsec or 0.0

    @property
    def duplicates(self) -> Duplicates | None:
        """The objects that stand more than once; None where they are not looked for."""
        self._ready()
        if self._duplicates is None and self.duplicate_radius_arcsec is not None:
            position = np.stack([self.catalog["ra"], self.catalog["dec"]], axis=1)
            self._duplicates = self._find_duplicates(position, self.reader.packed, self._row)
        return self._duplicates

    def _find_duplicates(
        self, position: NDArray[np.float64], packed: PackedArray, row: NDArray[np.int64]
    ) -> Duplicates:
        return find_duplicates(position, packed, row, radius_arcsec=self.duplicate_radius_arcsec or 0.0)

    def duplicate_warning(self) -> str | None:
        """In words, that duplicates are on two sides of the split or have two labels; None where none are."""
        if self.duplicates is None or self.parted is None:
            return None
        remedy = self.split_rule.remedy(self.parted)
        return told(self.duplicates, self.catalog, self.spec.classes, remedy=remedy)

    def class_counts(self, rows: NDArray[np.int64]) -> dict[str, int]:
        """How many objects of each class are in these rows of the catalogue; {} where classes are of pixels."""
        labels = np.asarray(self.catalog["label"])[rows]
        classes = () if self.spec.maps else self.spec.classes
        return {name: int((labels == number).sum()) for number, name in enumerate(classes)}

    def rows(self, split: str) -> NDArray[np.int64]:
        """Rows of the catalogue that are in ``split``: 'train', 'val', 'test', or 'all'.

        Raises:
            DataError: there is none, the labels are of one class, or the objects cannot be split.
        """
        self._ready()
        if split == "all":
            return np.arange(len(self.catalog))
        if split not in SPLITS:
            raise ConfigError(f"split={split!r} is not known; choose from {listed((*SPLITS, 'all'))}.")
        by_label = not (self.targets or self.spec.truth) or bool((self._labels >= 0).any())
        by_label &= self.learns is None
        if by_label:
            self.require_labels()
        elif self.targets:
            check_targets({key: self._values[key] for key in self.targets}, source=self.table)
        if self._no_split is not None:
            raise self._no_split
        rows = np.flatnonzero(np.asarray(self.catalog["split"]) == split)
        if not len(rows):
            assert self.parted is not None
            why = self.split_rule.why_empty(split, self.parted, size_option=self.size_option)
            raise DataError(self.training_rows.why_empty(split) or why)
        if split == "train" and by_label:
            check_training_classes(self._labels[rows].numpy(), self.spec.classes)
        return rows

    @property
    def reader(self) -> ReadObjects:
        """Reads the rows of the catalogue."""
        self._ready()
        assert self._packed is not None
        return ReadObjects(self._packed, self._row, {"label": self._labels, **self._values})

    def numbers(self) -> dict[str, NDArray[np.float32]]:
        """The targets (N,) of every row of the catalogue, by their key in the batch, NaN where unknown."""
        self._ready()
        return {key: self._values[key].numpy() for key in self.targets}

    def valid_fraction(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The fraction of valid values (B,) of these rows."""
        return self.reader.packed.valid_fraction[self._row[rows]]

    def origin(self) -> tuple[Source, NDArray[np.int64], PackedArray]:
        """What holds the values, the number there of each row of the catalogue (N,), and the packed values."""
        packed, objects = self.reader.packed, self._joined
        return objects.files, objects.numbers()[self._row], packed


def _positions(
    objects: Objects, packed: PackedArray, row: NDArray[np.int64], keep: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Right ascension and declination (N, 2) of the kept objects, from the table or else from the images."""
    if objects.position is not None:
        return objects.position[keep]
    if packed.position is not None:
        return packed.position[row[keep]]
    return np.full((len(keep), 2), np.nan)
