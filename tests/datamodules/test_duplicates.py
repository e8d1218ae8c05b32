"""Objects that stand more than once: found as a comparison of all pairs finds them, and told with a remedy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from scipy.sparse.csgraph import connected_components

from astrocnn.datamodules import duplicates as module
from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datamodules.duplicates import Duplicates, DuplicateWarning, same_place
from astrocnn.errors import ConfigError, DataError

Make = Callable[..., CutoutDataModule]


def groups(links: np.ndarray, n: int) -> np.ndarray:
    joined = np.zeros((n, n), bool)
    joined[links[:, 0], links[:, 1]] = True
    return connected_components(joined, directed=False)[1]


def crowd(n: int, centre: tuple[float, float], seed: int = 0) -> np.ndarray:
    """Positions (n, 2), a third of them twice within an arcsec or so, some at the very same place."""
    rng = np.random.default_rng(seed)
    sky = SkyCoord(*centre, unit="deg")
    around = sky.directional_offset_by(rng.uniform(0, 360, n) * units.deg, rng.uniform(0, 0.2, n) * units.deg)
    some = around[: n // 3]
    near = some.directional_offset_by(
        rng.uniform(0, 360, len(some)) * units.deg, rng.uniform(0, 2, len(some)) * units.arcsec
    )
    position = np.stack([[*around.ra.deg, *near.ra.deg], [*around.dec.deg, *near.dec.deg]], axis=1)
    position[n - 5 : n] = position[:5]
    return position


@pytest.mark.parametrize("centre", [(150.0, 2.0), (0.0, 0.0), (77.0, 90.0), (300.0, -89.999)])
def test_joins_what_astropys_separations_join(centre: tuple[float, float]) -> None:
    position = crowd(400, centre)
    position[17] = np.nan, 3.0
    sky = SkyCoord(*np.nan_to_num(position, nan=-45.0).T, unit="deg")
    near = sky[:, None].separation(sky[None]).to_value(units.arcsec) <= 1.0
    truth = connected_components(near, directed=False)[1]
    found = groups(same_place(position, radius_arcsec=1.0), len(position))
    np.testing.assert_array_equal(found[:, None] == found, truth[:, None] == truth)
    assert 50 < len(position) - found.max() - 1 < 133


def test_radius_zero_joins_the_very_same_place() -> None:
    position = crowd(60, (10.0, 10.0))
    links = same_place(position, radius_arcsec=0.0)
    assert sorted(map(tuple, np.sort(links).tolist())) == [(i, 55 + i) for i in range(5)]


def test_a_place_that_says_nothing_is_none() -> None:
    assert len(same_place(np.full((50, 2), 20.0), radius_arcsec=1.0)) == 0
    assert len(same_place(np.full((50, 2), np.nan), radius_arcsec=1.0)) == 0
    assert len(same_place(np.array([[4e-31, 0], [0, 0], [1, 1], [2, 2]]), radius_arcsec=1.0)) == 0
    assert len(same_place(np.array([[0.0, 1], [0, 1], [1, 1], [2, 2]]), radius_arcsec=1.0)) == 1


def test_a_crowd_is_joined_within_bounded_memory(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.uniform(10, 20, (5, 2)), 400, axis=0)
    position = centres + rng.normal(0, 0.05 / 3600, (2000, 2))  # 400 exposures of each of 5 stars
    monkeypatch.setattr(module, "MOST_LINKS", 20_000)
    found = groups(same_place(position, radius_arcsec=1.0), 2000)
    np.testing.assert_array_equal(found, np.repeat(np.arange(5), 400))
    monkeypatch.setattr(module, "MOST_LINKS", 100)
    with pytest.raises(
        ConfigError, match=r"data\.duplicate_radius_arcsec=30 joins each of .* smaller radius"
    ):
        same_place(crowd(400, (0.0, 0.0)), radius_arcsec=30.0)


def test_groups_name_their_first_and_differ_by_what_is_known() -> None:
    nobody = np.zeros(7, bool)
    found = Duplicates(np.array([1, 0, -1, 1, 0, 1, 0]), nobody, nobody)
    ids = np.array(["d", "b", "a", "c", "g", "e", "f"])
    assert found.first(ids).tolist() == ["c", "b", "", "c", "b", "c", "b"]
    labels = np.array([1, 0, 0, 1, -1, 0, 0])
    assert found.differing(labels, labels >= 0).tolist() == [
        [5, 3]
    ]  # 0, 3 and 5 are one, and 5 is of another class
    assert found.differing(labels, nobody).shape == (0, 2)
    none = Duplicates(np.full(3, -1), nobody[:3], nobody[:3])
    assert none.rows.tolist() == []
    assert none.first(ids[:3]).tolist() == ["", "", ""]


@pytest.fixture
def noisy(folder: Path) -> Path:
    """The images of the set filled with noise, so that they can be told apart."""
    rng = np.random.default_rng(0)
    for path in sorted((folder / "img").iterdir()):
        with fits.open(path, mode="update") as hdus:
            hdus[0].data = rng.normal(size=(2, 5, 5)).astype(np.float32)
    return folder / "img"


def copy_pixels(folder: Path, source: int, target: int) -> None:
    """The pixels of one file in the other, whose position stays."""
    data = fits.getdata(folder / f"c{source:02d}.fits")
    with fits.open(folder / f"c{target:02d}.fits", mode="update") as hdus:
        hdus[0].data = data


STORED = ["train"] * 20 + ["val"] * 8 + ["test"] * 12


def test_the_same_pixels_on_two_sides_are_told(make: Make, table: Table, noisy: Path) -> None:
    table["split"] = STORED
    copy_pixels(noisy, 2, 30)  # train and test, both no lens
    copy_pixels(noisy, 4, 9)  # both train, a lens and none
    data = make(table=table)
    with pytest.warns(DuplicateWarning) as caught:
        data.setup()
    text = str(caught[0].message)
    assert len(caught) == 1
    assert "1 object(s) stand on two sides of the split, such as c30 (test) and c02 (train)" in text
    assert "mend the column 'split', or keep such objects together with data.split_by=group" in text
    assert "1 object(s) have two labels, such as c09 (false) and c04 (true)" in text
    data.setup("fit")  # told once
    assert data.duplicates is not None
    listed = data.duplicates.table(data.catalog)
    assert sorted(listed["id"]) == ["c02", "c04", "c09", "c30"]
    assert listed["duplicate_of"].tolist() == ["c02", "c02", "c04", "c04"]
    assert set(listed["by"]) == {"pixels"}
    assert data.duplicates.summary(data.catalog) == {
        "rows": 4, "objects": 2, "rows_by_position": 0, "rows_by_pixels": 4,
        "objects_on_two_sides": 1, "objects_with_two_labels": 1,
    }  # fmt: skip


def test_the_same_place_on_two_sides_is_told(make: Make, table: Table, noisy: Path) -> None:
    table["split"] = STORED
    table["ra"], table["dec"] = np.linspace(0, 4, 40), 10.0
    table["ra"][39] = table["ra"][0] + 0.8 / 3600
    table["ra"][38] = table["ra"][1] + 1.2 / 3600
    with pytest.warns(DuplicateWarning, match=r"such as c39 \(test\) and c00 \(train\): figures"):
        make(table=table).setup()
    make(table=table, duplicate_radius_arcsec=0.5).setup()
    make(table=table, duplicate_radius_arcsec=None).setup()
    data = make(table=table, duplicate_radius_arcsec=None)
    assert data.duplicates is None
    assert data.duplicate_warning() is None


def test_a_prediction_does_not_look_for_duplicates(
    make: Make, table: Table, noisy: Path, monkeypatch
) -> None:
    table["split"] = STORED
    copy_pixels(noisy, 2, 30)
    data = make(table=table)
    monkeypatch.setattr("astrocnn.datamodules.objects.find_duplicates", None)
    data.setup("predict")
    assert len(data.rows("all")) == len(data.gather(data.rows("all"))["index"]) == 40


def test_duplicates_stay_together_as_groups(make: Make, noisy: Path) -> None:
    for original, copies in {0: (4, 8), 1: (3, 30, 31), 13: (38,)}.items():
        for copy in copies:
            copy_pixels(noisy, original, copy)
    for seed in range(5):
        data = make(group="duplicate_of", split_seed=seed)
        data.setup()  # warns of nothing but labels, and those agree
        split = np.asarray(data.catalog["split"])
        for family in ([0, 4, 8], [1, 3, 30, 31], [13, 38]):
            assert len(set(split[family])) == 1
        assert set(split) == {"train", "val", "test"}
        assert data.catalog["duplicate_of"][[8, 31, 5]].tolist() == ["c00", "c01", ""]


def test_a_column_of_that_name_is_the_users(make: Make, table: Table, noisy: Path) -> None:
    table["duplicate_of"] = table["field"]
    data = make(table=table, group="duplicate_of", val_fraction=0.2)
    data.setup()
    for number in range(5):
        assert len(set(data.catalog["split"][data.catalog["field"] == number])) == 1


def test_options_that_cannot_be(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"data\.duplicate_radius_arcsec=-1 is no distance"):
        make(duplicate_radius_arcsec=-1)
    with pytest.raises(ConfigError, match=r"data\.duplicate_radius_arcsec=null looks for none"):
        make(duplicate_radius_arcsec=None, group="duplicate_of")
    with pytest.raises(DataError, match=r"has no column 'duplicates'"):
        make(group="duplicates").probe()
