"""What is printed and kept of the splits: every object counted once."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.io.tables import read_table
from astrocnn.runtime.describe import describe_data

N = 120


@pytest.fixture
def table(cutouts: Path) -> Table:
    """The labels of the 120 cutouts of 6.4 arcsec, each 8 arcsec from the next in declination."""
    table = Table.read(cutouts / "labels.csv")
    table["ra"], table["dec"] = 10.0, -5 + np.arange(N) * 8 / 3600
    return table


def described(
    cutouts: Path, table: Table, folder: Path, **options: object
) -> tuple[dict[str, object], CutoutDataModule]:
    table.write(folder / "table.fits", overwrite=True)
    given = {"images": f"{cutouts}/fits/*.fits", "catalog": f"{folder}/table.fits", "id": "name"}
    data = CutoutDataModule(**(given | {"label": "is_ring", "on_bad": "skip"} | options))  # type: ignore[arg-type]
    data.setup("predict")  # which does not warn: the warning is printed
    record = describe_data(data, folder, "outputs/here")
    assert json.loads(json.dumps(record)) == record
    return record, data


def test_every_object_is_counted_and_every_absence_explained(
    cutouts: Path, table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table["ra"][5] = np.nan
    table["is_ring"][[7, 8]] = -1
    options = {"split_by": "sky", "sky_cell_deg": 0.03, "val_fraction": 0.2}
    record, data = described(cutouts, table, tmp_path, **options)
    parts = {part: record[part]["n"] for part in ("train", "val", "test", "none")}  # type: ignore[index]
    assert sum(parts.values()) == N
    for part, n in parts.items():
        assert n == (np.asarray(data.catalog["split"]) == part.replace("none", "")).sum()
    none = record["none"]["reasons"]  # type: ignore[index]
    overlapping = none.pop("overlap a cutout of another split")
    assert none == {"without position": 1, "without label": 2}
    assert 0 < overlapping == parts["none"] - 3
    out = capsys.readouterr().out
    assert "120 images of 2×32×32 pixels, bands g r" in out
    assert "split by sky: " in out
    train = record["train"]  # type: ignore[index]
    line = f"  train {parts['train']:6d}  {100 * parts['train'] / N:5.1f} %"
    assert f"{line}  (0 {train['classes']['0']}, 1 {train['classes']['1']})" in out  # type: ignore[index]
    assert f"{overlapping} overlap a cutout of another split, 1 without position, 2 without label" in out
    assert "warning" not in out


def test_duplicates_are_warned_of_and_listed(
    cutouts: Path, table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table["fold"] = ["train"] * 80 + ["val"] * 20 + ["test"] * 20
    table["fold"][50] = ""
    table["dec"][[110, 111]] = table["dec"][[3, 4]] + 0.5 / 3600
    record, _ = described(cutouts, table, tmp_path, split="fold")
    assert record["none"]["reasons"] == {"without a split in the table": 1}  # type: ignore[index]
    assert record["duplicates"]["objects_on_two_sides"] == 2  # type: ignore[index]
    out = capsys.readouterr().out
    assert "4 rows are 2 objects; they are listed in outputs/here/duplicates.csv" in out
    assert "warning: the same object more than once: 2 object(s) stand on two sides of the split" in out
    listed = read_table(tmp_path / "duplicates.csv")
    assert listed["id"].tolist() == ["obj003", "obj110", "obj004", "obj111"]
    assert listed["duplicate_of"].tolist() == ["obj003", "obj003", "obj004", "obj004"]
    assert listed["split"].tolist() == ["train", "test", "train", "test"]


def test_nothing_is_said_of_what_is_not_looked_for(cutouts: Path, table: Table, tmp_path: Path) -> None:
    record, _ = described(cutouts, table, tmp_path, duplicate_radius_arcsec=None)
    assert "duplicates" not in record
    assert not (tmp_path / "duplicates.csv").exists()
