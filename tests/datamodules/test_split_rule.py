"""The rule by which a datamodule splits: what the options say, and what contradicts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.errors import ConfigError, DataError

Make = Callable[..., CutoutDataModule]
STORED = ["train"] * 20 + ["val"] * 8 + ["test"] * 12


def splits(data: CutoutDataModule) -> list[str]:
    data.setup()
    return [str(name) for name in data.catalog["split"]]


def test_without_a_rule_the_column_wins_then_the_group_then_chance(make: Make, table: Table) -> None:
    by_chance, by_group = make(split_by="random"), make(split_by="group", group="field", val_fraction=0.2)
    assert splits(make()) == splits(by_chance)
    assert splits(make(group="field", val_fraction=0.2)) == splits(by_group)
    table["split"] = STORED
    assert splits(make(table=table, group="field")) == STORED
    assert splits(make(table=table, split_by="column")) == STORED
    assert splits(make(table=table, split_by="random")) == splits(by_chance)
    assert splits(make(table=table, split_by="group", group="field", val_fraction=0.2)) == splits(by_group)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({}, "at random (data.split_seed=0)"),
        ({"group": "field"}, "by the column 'field': 5 groups, each on one side"),
        ({"split_by": "sky"}, "by sky: 15 HEALPix cells of 3.66 deg (nside 16), each on one side"),
    ],
)
def test_the_rule_is_told_in_words(make: Make, options: dict[str, object], rule: str) -> None:
    data = make(**options)
    data.setup()
    assert data.parted is not None
    assert data.parted.rule == rule


def test_by_sky_with_positions_of_the_images(make: Make) -> None:
    data = make(split_by="sky", sky_cell_deg=2.0, val_fraction=0.2)
    split = splits(data)
    cells = np.asarray(data.catalog["ra"]) // 10
    assert set(split) == {"train", "val", "test"}
    assert len(cells) == 40
    assert data.parted is not None
    assert not data.parted.overlapping.any()  # a degree apart, and cutouts of two arcsec


def test_what_overlaps_is_in_no_split_and_still_predicted(make: Make, table: Table) -> None:
    scale = 0.36 * 5 * np.sqrt(2) / 3600  # diagonal in degrees
    table["ra"], table["dec"] = 30 + np.arange(40) * scale * 0.99, 0.0
    data = make(table=table, split_by="sky", sky_cell_deg=scale * 8, val_fraction=0.2)
    split = np.array(splits(data))
    assert data.parted is not None
    out = data.parted.overlapping
    assert 2 <= out.sum() < 20
    assert (split[out] == "").all()
    changes = np.flatnonzero(split[1:] != split[:-1])
    assert all("" in (split[i], split[i + 1]) for i in changes)
    assert len(data.rows("all")) == 40
    assert set(data.rows("train")).isdisjoint(np.flatnonzero(out))


def test_by_sky_needs_a_pixel_scale_to_train_but_not_to_predict(
    make: Make, folder: Path, table: Table
) -> None:
    for path in (folder / "img").iterdir():
        fits.PrimaryHDU(fits.getdata(path)).writeto(path, overwrite=True)
    table["ra"], table["dec"] = np.arange(40.0), 2.0
    data = make(table=table, split_by="sky")
    assert len(data.rows("all")) == 40
    with pytest.raises(DataError, match=r"give data\.pixel_scale_arcsec"):
        data.rows("train")
    assert len(make(table=table, split_by="sky", pixel_scale_arcsec=0.3).rows("train")) > 10


def test_an_emptied_split_says_why(make: Make, table: Table) -> None:
    table["ra"], table["dec"] = 30 + np.arange(40) * 0.05 / 3600, 0.0
    data = make(table=table, split_by="sky", sky_cell_deg=0.2 / 3600)
    assert len(data.rows("test")) > 4
    with pytest.raises(
        DataError, match=r"nothing is left in the train split: \d+ objects .*data\.sky_cell_deg"
    ):
        data.rows("train")


def test_the_source_may_bring_the_groups(make: Make, table: Table, monkeypatch) -> None:
    def columns(self: CutoutFiles, numbers: np.ndarray) -> dict[str, np.ndarray]:
        return {"tile": np.array([f"tile{int(self.ids[n]) // 8}" for n in numbers]), "field": numbers}

    monkeypatch.setattr(CutoutFiles, "columns", columns)
    data = make(table=table[::-1], group="tile", val_fraction=0.2)
    data.setup()
    for number in range(5):
        mine = data.catalog["tile"] == f"tile{number}"
        assert mine.sum() == 8
        assert len(set(data.catalog["split"][mine])) == 1
    np.testing.assert_array_equal(data.catalog["field"], table["field"][::-1])  # the table's own stays
    alone = make(catalog=None, group="tile")
    alone.setup()
    assert alone.catalog["tile"][39] == "tile4"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"split_by": "skies"},
            r"data\.split_by='skies' is not known; choose from random, column, group, sky",
        ),
        ({"split_by": "group"}, r"data\.split_by=group needs a column; name it with data\.group=<column>"),
        ({"split_by": "column", "split": None}, r"name it with data\.split=<column>"),
        ({"split_by": "sky", "group": "field"}, r"data\.group=field has no effect with data\.split_by=sky"),
        ({"sky_cell_deg": 1.0}, r"only data\.split_by=sky has them"),
    ],
)
def test_options_that_contradict(make: Make, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**options)


def test_columns_that_are_not_there(make: Make) -> None:
    with pytest.raises(DataError, match=r"no column 'split'; its columns are name, is_lens.*data\.split="):
        make(split_by="column").probe()
    with pytest.raises(DataError, match=r"the set without data\.catalog has no column 'field'.*data\.group="):
        make(catalog=None, group="field").probe()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_seed": -1}, r"data\.split_seed=-1.*0 or more"),
        ({"val_fraction": float("nan")}, r"data\.val_fraction=nan .*from 0 to 1"),
    ],
)
def test_numbers_out_of_their_range(make: Make, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**options)
