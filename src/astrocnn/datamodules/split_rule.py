"""By which rule a datamodule parts its objects, as the user's options say."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.datamodules import sky_split
from astrocnn.datamodules.catalog import DUPLICATE_OF, group_names
from astrocnn.datamodules.splits import part_shares, random_split, stored_split
from astrocnn.errors import ConfigError, DataError, choose, listed
from astrocnn.io.tables import column

__all__ = ["RULES", "Split", "SplitRule", "Splittable"]

Strings = NDArray[np.str_]


@dataclass(frozen=True)
class Splittable:
    """What a rule may look at: one row an object.

    ``labels`` (N,) int64 are −1 where unknown; ``position`` (N, 2) float64 in degrees is NaN where unknown;
    ``reach_arcsec`` is the distance within which two cutouts can overlap, None where the pixel scale is unknown.
    """

    table: Table
    ids: Strings
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    position: NDArray[np.float64]
    reach_arcsec: float | None


@dataclass(frozen=True)
class Split:
    """Who is where: ``names`` (N,) are 'train', 'val', 'test' or ''; ``rule`` says in words how they came about.

    ``overlapping`` (N,) bool were taken out since their cutouts overlap those of another part; ``unplaced``
    (N,) bool have a label but no position to be split by; ``kept_out`` (N,) bool may not train (data.train_where).
    """

    by: str
    rule: str
    names: Strings
    overlapping: NDArray[np.bool_]
    unplaced: NDArray[np.bool_]
    kept_out: NDArray[np.bool_]


class SplitRule:
    """Calling it parts the objects.

    Args:
        by: 'random', 'column', 'group' or 'sky'; None for the stored column where the table has it, else by
            group where one is named, else at random.
        columns: names of the columns ``split`` and ``group``.
        val_fraction, test_fraction: shares of each class, where no column says them.
        seed: of what is drawn, 0 or more.
        sky_cell_deg: width of the cells of 'sky'; None chooses it from the extent of the set.
        skip: leave out what has no position instead of refusing it.

    Raises:
        ConfigError: options that contradict each other, or are out of their range.
    """

    def __init__(
        self,
        *,
        by: str | None,
        columns: Mapping[str, str | None],
        val_fraction: float,
        test_fraction: float,
        seed: int,
        sky_cell_deg: float | None,
        skip: bool,
    ) -> None:
        self.by, self.column, self.group = by, columns["split"], columns["group"]
        self.fractions = {"val_fraction": val_fraction, "test_fraction": test_fraction}
        self.seed, self.sky_cell_deg, self.skip = seed, sky_cell_deg, skip
        if seed < 0:
            raise ConfigError(f"data.split_seed={seed}: a whole number, 0 or more.")
        if math.isnan(val_fraction) or math.isnan(test_fraction):
            raise ConfigError(
                f"data.val_fraction={val_fraction} and data.test_fraction={test_fraction}: numbers from 0 to 1."
            )
        if by is not None:
            choose("data.split_by", by, RULES)
        for rule, name in (("column", self.column), ("group", self.group)):
            if by == rule and name is None:
                option = "split" if rule == "column" else "group"
                raise ConfigError(
                    f"data.split_by={rule} needs a column; name it with data.{option}=<column>."
                )
        if by not in (None, "group") and self.group is not None:
            raise ConfigError(
                f"data.group={self.group} has no effect with data.split_by={by}; leave one of them out."
            )
        if sky_cell_deg is not None and (by != "sky" or not 0 < sky_cell_deg <= 180):
            raise ConfigError(
                f"data.sky_cell_deg={sky_cell_deg} with data.split_by={by}: cells of the sky are wider than 0 "
                "degrees, and only data.split_by=sky has them."
            )

    def check(self, table: Table, source: str) -> None:
        """Raise a :class:`DataError` unless the table has the column that ``by='column'`` asks for."""
        if self.by == "column":
            column(table, str(self.column), "data.split", source=source)

    def __call__(self, objects: Splittable) -> Split:
        """Part the objects.

        Raises:
            DataError: they cannot be parted so: the column holds strange values, classes or groups are too few,
                positions or the pixel scale are unknown.
        """
        by = self.by
        if by is None:
            stored = self.column is not None and self.column in objects.table.colnames
            by = "column" if stored else "random" if self.group is None else "group"
        if not (objects.labels >= 0).any():
            return _split(by, "not at all: no object has a label", np.full(len(objects.ids), "", dtype="U5"))
        return RULES[by](self, objects)

    def _random(self, objects: Splittable) -> Split:
        rule = f"at random (data.split_seed={self.seed})"
        return _split("random", rule, self._shared(objects))

    def _column(self, objects: Splittable) -> Split:
        name = str(self.column)
        names = stored_split(np.asarray(objects.table[name]).astype(str), name=name)
        return _split("column", f"by the column {name!r}", np.where(objects.labels >= 0, names, ""))

    def _group(self, objects: Splittable) -> Split:
        groups = group_names(objects.table[self.group], objects.ids)
        n = len(np.unique(groups[objects.labels >= 0]))
        rule = f"by the column {self.group!r}: {n} groups, each on one side"
        return _split("group", rule, self._shared(objects, groups))

    def _sky(self, objects: Splittable) -> Split:
        placed = np.isfinite(objects.position).all(1)
        unplaced = (objects.labels >= 0) & ~placed
        labels = np.where(placed, objects.labels, -1)
        chosen = np.flatnonzero(labels >= 0)
        self._refuse_sky(objects, unplaced, chosen)
        position, reach = objects.position[chosen], objects.reach_arcsec or 0.0
        parts = part_shares(**self.fractions)
        if self.sky_cell_deg is None:
            nside = sky_split.choose_nside(position, smallest_share=min(parts.values()), reach_arcsec=reach)
        else:
            nside = sky_split.nside_of(self.sky_cell_deg)
        width = f"{sky_split.cell_deg(nside):.3g} deg"
        groups = np.full(len(labels), "", dtype="U20")
        groups[chosen] = sky_split.cells(position, nside).astype(str)
        n_cells = len(np.unique(groups[chosen]))
        if n_cells < len(parts):
            raise DataError(
                f"the objects lie in {n_cells} cell(s) of the sky of {width}, which cannot be shared by "
                f"{listed(list(parts))}; choose smaller cells (data.sky_cell_deg=...) or another data.split_by."
            )
        names = self._shared(Splittable(**{**vars(objects), "labels": labels}), groups)
        overlapping = np.zeros(len(names), np.bool_)
        overlapping[chosen] = sky_split.overlapping(names[chosen], position, reach_arcsec=reach)
        rule = f"by sky: {n_cells} HEALPix cells of {width} (nside {nside}), each on one side"
        nobody = np.zeros(len(names), np.bool_)
        return Split("sky", rule, np.where(overlapping, "", names), overlapping, unplaced, nobody)

    def _refuse_sky(
        self, objects: Splittable, unplaced: NDArray[np.bool_], chosen: NDArray[np.int64]
    ) -> None:
        if objects.reach_arcsec is None:
            raise DataError(
                "data.split_by=sky keeps cutouts of two splits from overlapping, for which it needs to know "
                "their size on the sky, and the files have no pixel scale; give data.pixel_scale_arcsec=..."
            )
        if unplaced.any() and not (self.skip and len(chosen)):
            who = objects.ids[unplaced].tolist()
            raise DataError(
                f"data.split_by=sky, but {len(who)} of {len(who) + len(chosen)} labelled objects have no position "
                f"({listed(who)}); name its columns with data.ra and data.dec, leave such objects out with "
                "data.on_bad=skip, or choose another data.split_by."
            )

    def _shared(self, objects: Splittable, groups: Strings | None = None) -> Strings:
        return random_split(
            objects.labels,
            objects.ids,
            **self.fractions,
            seed=self.seed,
            classes=objects.classes,
            groups=groups,
        )

    def why_empty(self, part: str, split: Split, *, size_option: str | None = None) -> str:
        """Why nothing is in ``part``, and what to do; ``size_option`` makes a set larger that comes with its split."""
        if split.by == "column":
            if size_option is not None:
                return f"the set is so small that nothing is in its {part} split; simulate more with {size_option}=..."
            return (
                f"no labelled object has the split {part!r} in the column {self.column!r}; write {part!r} there "
                "for some, or split at random with data.split=null."
            )
        if n := int(split.overlapping.sum()):
            return (
                f"nothing is left in the {part} split: {n} objects were taken out since their cutouts overlap those "
                "of another split; choose larger cells with data.sky_cell_deg=..., or another data.split_by."
            )
        if part == "train":
            return "no object is left to train on; lower data.val_fraction or data.test_fraction."
        return f"the {part} split is empty; raise data.{part}_fraction."

    def remedy(self, split: Split) -> str:
        """What to do when one object is on two sides."""
        together = f"keep such objects together with data.split_by=group data.group={DUPLICATE_OF}"
        if split.by == "random":
            return f"split by place with data.split_by=sky, or {together}"
        return f"mend the column {self.column!r}, or {together}" if split.by == "column" else together


def _split(by: str, rule: str, names: Strings) -> Split:
    nobody = np.zeros(len(names), np.bool_)
    return Split(by, rule, names, nobody, nobody, nobody)


RULES: dict[str, Callable[[SplitRule, Splittable], Split]] = {
    "random": SplitRule._random,
    "column": SplitRule._column,
    "group": SplitRule._group,
    "sky": SplitRule._sky,
}
