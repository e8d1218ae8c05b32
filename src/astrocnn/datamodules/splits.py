"""Who trains, who validates, who tests: stratified at random, by group, or as the table says."""

import zlib

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed
from astrocnn.functional.seeding import seed_of

__all__ = ["SPLITS", "part_shares", "random_split", "stored_split"]

SPLITS = ("train", "val", "test")
SPELLINGS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "": "",
}
Strings = NDArray[np.str_]
Ints = NDArray[np.int64]


def stored_split(values: Strings, *, name: str) -> Strings:
    """The column ``name`` of splits in our spelling: 'train', 'val', 'test' or '' for none.

    Raises:
        DataError: a value is none of the known spellings.
    """
    known = np.array([SPELLINGS.get(str(value).strip().lower(), "?") for value in values], dtype="U5")
    strange = sorted(set(map(str, np.asarray(values)[known == "?"])))
    if strange:
        raise DataError(
            f"the split column {name!r} holds {listed(strange)}; use train, val (or validation) and test, or "
            "split at random with data.split=null."
        )
    return known


def part_shares(*, val_fraction: float, test_fraction: float) -> dict[str, float]:
    """The share of each part that is not empty.

    Raises:
        DataError: the fractions do not fit.
    """
    fractions = {"train": 1 - val_fraction - test_fraction, "val": val_fraction, "test": test_fraction}
    if min(val_fraction, test_fraction) < 0 or fractions["train"] < -1e-9:
        raise DataError(
            f"data.val_fraction={val_fraction} and data.test_fraction={test_fraction} do not fit: neither may be "
            "negative nor their sum above 1; the rest trains."
        )
    return {name: share for name, share in fractions.items() if share > 1e-9}


def random_split(
    labels: Ints,
    ids: Strings,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    classes: tuple[str, ...],
    groups: Strings | None = None,
) -> Strings:
    """Split (N,) labelled objects so that each class is shared in the given fractions.

    The same objects get the same split whatever their order. With ``groups`` no group is on two sides, and the
    classes are shared as evenly as whole groups allow. Objects with label −1 get ''.

    Raises:
        DataError: the fractions do not fit, or a class or the groups are too few to be shared.
    """
    parts = part_shares(val_fraction=val_fraction, test_fraction=test_fraction)
    split = np.full(len(labels), "", dtype="U5")
    if groups is not None:
        labelled = np.flatnonzero(labels >= 0)
        split[labelled] = _by_group(labels[labelled], groups[labelled], parts, seed, classes)
        return split
    for number, name in enumerate(classes):
        members = np.flatnonzero(labels == number)
        members = members[np.argsort(ids[members], kind="stable")]
        members = np.random.default_rng(seed_of(seed, number)).permutation(members)
        start = 0
        for part, n in _counts(len(members), parts, name).items():
            split[members[start : start + n]] = part
            start += n
    return split


def _counts(n: int, shares: dict[str, float], name: str) -> dict[str, int]:
    """How many of ``n`` each part gets: the nearest whole numbers, at least one each."""
    if n == 0:
        return {}
    if n < len(shares):
        raise DataError(
            f"class {name!r} has {n} object(s), too few for {listed(list(shares))}; "
            "give more, merge classes, or set data.val_fraction or data.test_fraction to 0."
        )
    order = [part for part in ("test", "val", "train") if part in shares]
    counts: dict[str, int] = {}
    left = n
    for i, part in enumerate(order[:-1]):
        after = len(order) - 1 - i
        counts[part] = min(max(1, round(shares[part] * n)), left - after)
        left -= counts[part]
    counts[order[-1]] = left
    return counts


def _by_group(
    labels: Ints, groups: Strings, shares: dict[str, float], seed: int, classes: tuple[str, ...]
) -> Strings:
    """Give each group, the largest first, to the part that is then nearest to its share of every class."""
    names, of_row = np.unique(groups, return_inverse=True)
    if len(names) < len(shares):
        raise DataError(
            f"{len(names)} group(s) cannot be shared by {listed(list(shares))} without one being on two sides; "
            "choose a column with more groups (data.group=...)."
        )
    counts = np.zeros((len(names), len(classes)))  # (n_groups, K)
    np.add.at(counts, (of_row, labels), 1)
    parts = list(shares)
    target = np.array(list(shares.values()))[:, None] * counts.sum(0)  # (n_parts, K)
    tie = [seed_of(seed, zlib.crc32(name.encode())) for name in names]
    order = sorted(range(len(names)), key=lambda g: (-counts[g].sum(), tie[g]))
    held = np.zeros_like(target)
    weight = 1 / np.maximum(counts.sum(0), 1)  # rare classes count as much as common ones
    n_groups = np.zeros(len(parts), dtype=int)
    part_of = np.empty(len(names), dtype=int)
    for done, group in enumerate(order):
        excess = (held + counts[group] - target) * weight
        change = (excess**2 - ((held - target) * weight) ** 2).sum(1)
        if len(names) - done <= (n_groups == 0).sum():
            change[n_groups > 0] = np.inf  # as many groups left as empty parts
        part = int(change.argmin())
        part_of[group] = part
        held[part] += counts[group]
        n_groups[part] += 1
    return np.array(parts, dtype="U5")[part_of][of_row]
