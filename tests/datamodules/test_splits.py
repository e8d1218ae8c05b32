"""Splits: right shares, no leak between groups, the same whatever the order."""

import numpy as np
import pytest

from astrocnn.datamodules.splits import random_split, stored_split
from astrocnn.errors import DataError

CLASSES = ("a", "b", "c")


def split(labels: np.ndarray, **options: object) -> np.ndarray:
    ids = np.array([f"{i:05d}" for i in range(len(labels))])
    given = {"val_fraction": 0.1, "test_fraction": 0.2, "seed": 0, "classes": CLASSES, **options}
    return random_split(labels, ids, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("fractions", [(0.1, 0.2), (0.25, 0.5), (0.0, 0.3), (0.0, 1.0), (0.0, 0.0)])
def test_every_class_is_shared_in_the_fractions(fractions: tuple[float, float]) -> None:
    labels = np.repeat([0, 1, 2], [1000, 100, 40])
    parts = split(labels, val_fraction=fractions[0], test_fraction=fractions[1])
    for number, n in enumerate((1000, 100, 40)):
        members = parts[labels == number]
        assert (members == "val").sum() == round(fractions[0] * n)
        assert (members == "test").sum() == round(fractions[1] * n)
    assert set(parts) <= {"train", "val", "test"}


def test_depends_on_the_seed_and_not_on_the_order() -> None:
    labels = np.arange(300) % 3
    ids = np.array([f"{i:05d}" for i in range(300)])
    options = {"val_fraction": 0.1, "test_fraction": 0.2, "classes": CLASSES}
    first = random_split(labels, ids, seed=1, **options)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(random_split(labels[order], ids[order], seed=1, **options), first[order])
    assert (random_split(labels, ids, seed=2, **options) != first).any()


def test_unlabelled_objects_have_no_split() -> None:
    parts = split(np.array([-1, 0, 0, 0, 1, 1, 1, -1]))
    assert (parts == "").tolist() == [True] + [False] * 6 + [True]


def test_few_objects_are_still_on_every_side() -> None:
    labels = np.repeat([0, 1, 2], [6, 6, 3])
    parts = split(labels)
    for number in range(3):
        assert set(parts[labels == number]) == {"train", "val", "test"}


def test_no_group_is_on_two_sides_and_classes_are_even() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 150, 3000).astype(str)
    labels = (rng.random(3000) < 0.2).astype(np.int64)
    assert_shared(labels, groups, 0.02)


def test_a_rare_class_is_shared_as_evenly_as_a_common_one() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 60, 3000).astype(str)
    share = np.where(np.char.endswith(groups, "7"), 0.3, 0.01)  # most of the rare class is in a few groups
    assert_shared((rng.random(3000) < share).astype(np.int64), groups, 0.05)


def assert_shared(labels: np.ndarray, groups: np.ndarray, tolerance: float) -> None:
    parts = split(labels, groups=groups, classes=("a", "b"))
    for group in np.unique(groups):
        assert len(set(parts[groups == group])) == 1
    for part, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        for number in (0, 1):
            assert np.mean(parts[labels == number] == part) == pytest.approx(share, abs=tolerance)


def test_few_groups_fill_every_side() -> None:
    parts = split(np.arange(30) % 2, groups=np.repeat(["x", "y", "z"], 10), classes=("a", "b"))
    assert set(parts) == {"train", "val", "test"}
    with pytest.raises(DataError, match=r"2 group\(s\) cannot be shared.*data\.group"):
        split(np.arange(30) % 2, groups=np.repeat(["x", "y"], 15), classes=("a", "b"))


def test_bad_fractions() -> None:
    for fractions in ((0.5, 0.6), (-0.1, 0.2)):
        with pytest.raises(DataError, match=r"data\.val_fraction=.*do not fit"):
            split(np.arange(30) % 3, val_fraction=fractions[0], test_fraction=fractions[1])
    with pytest.raises(DataError, match=r"class 'c' has 2 object\(s\), too few"):
        split(np.repeat([0, 1, 2], [9, 9, 2]))


def test_spellings_of_stored_splits() -> None:
    given = np.array(["train", "Training", "val", "valid", "validation", "TEST", "testing", "", " dev "])
    expected = ["train", "train", "val", "val", "val", "test", "test", "", "val"]
    assert stored_split(given, name="split").tolist() == expected
    with pytest.raises(DataError, match=r"'fold' holds 1, 2; use train"):
        stored_split(np.array(["1", "2", "train"]), name="fold")
