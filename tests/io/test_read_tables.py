"""Tables: every format gives the same columns; what cannot be read is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from astrocnn.errors import DataError
from astrocnn.io.tables import column, read_table, write_table

SUFFIXES = (".csv", ".ecsv", ".fits", ".parquet", ".votable")


def example() -> Table:
    table = Table()
    table["id"] = ["000123", "000007", "b_9"]
    table["n"] = np.array([36411452835238206, -1, 7])
    table["flux"] = [1e-11, np.nan, -2.5]
    table["is_lens"] = [True, False, True]
    table["flux"].unit = "nJy"
    return table


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    path = write_table(example(), tmp_path / f"t{suffix}", header={"PREVAL": 0.5, "a_long_keyword": "text"})
    back = read_table(path)
    assert back.colnames == example().colnames
    assert back["id"].tolist() == ["000123", "000007", "b_9"]
    assert back["n"].dtype == np.int64
    assert back["n"].tolist() == [36411452835238206, -1, 7]
    assert back["is_lens"].dtype == bool
    np.testing.assert_array_equal(back["flux"], example()["flux"])
    if suffix != ".csv":
        assert str(back["flux"].unit) == "nJy"
        assert back.meta["PREVAL"] == 0.5
        assert {key.lower(): value for key, value in back.meta.items()}["a_long_keyword"] == "text"


def test_other_readers_agree(tmp_path: Path) -> None:
    for suffix in (".fits", ".parquet"):
        write_table(example(), tmp_path / f"t{suffix}", header={"PREVAL": 0.5})
    assert fits.getheader(tmp_path / "t.fits", 1)["PREVAL"] == 0.5
    arrow = pq.read_table(tmp_path / "t.parquet")
    assert arrow.column("n").to_pylist() == example()["n"].tolist()
    assert arrow.schema.metadata[b"PREVAL"] == b"0.5"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_values(tmp_path: Path, suffix: str) -> None:
    table = Table({"n": MaskedColumn([1, 2, 3], mask=[False, True, False])})
    table["s"] = MaskedColumn(["a", "b", "c"], mask=[False, False, True])
    table["x"] = MaskedColumn([1.5, 2.5, 3.5], mask=[True, False, False])
    back = read_table(write_table(table, tmp_path / f"t{suffix}"))
    assert np.ma.getmaskarray(back["n"]).tolist() == [False, True, False]
    assert back["s"].tolist() == ["a", "b", ""]
    assert np.isnan(back["x"]).tolist() == [True, False, False]


def test_csv_as_people_write_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        '\ufeff# made by hand\n# name; ra ; kind;big\n007;1e1;true;99999999999999999999\n"8";;FALSE;1\n',
        encoding="utf-8",
    )
    table = read_table(path)
    assert table.colnames == ["name", "ra", "kind", "big"]
    assert table["name"].tolist() == ["007", "8"]
    assert table["kind"].tolist() == [True, False]
    assert table["big"].tolist() == ["99999999999999999999", "1"]
    assert table["ra"][0] == 10
    assert np.isnan(table["ra"][1])


def test_the_five_formats_of_one_catalogue_agree(realdata: Callable[[str], Path]) -> None:
    folder = realdata("fits/hsc_cutouts")
    first, *others = (
        read_table(folder / f"star_cat_correct{s}")
        for s in (".fits", ".csv", ".pq", ".astropy.csv", ".votable")
    )
    assert (len(first), len(first.colnames)) == (10, 43)
    for table in others:
        for name in first.colnames:
            assert table[name].dtype.kind == first[name].dtype.kind
            assert np.ma.getmaskarray(table[name]).tolist() == np.ma.getmaskarray(first[name]).tolist()
            np.testing.assert_array_equal(np.ma.getdata(table[name]), np.ma.getdata(first[name]))


def test_bad_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv does not exist"):
        read_table(tmp_path / "gone.csv")
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(DataError, match=r"\.xlsx is not a known format.*\.parquet"):
        read_table(tmp_path / "t.xlsx")
    for suffix in (".fits", ".parquet", ".ecsv", ".xml", ".hdf5"):
        (tmp_path / f"t{suffix}").write_text("nothing of the kind\n" * 5)
        with pytest.raises(DataError, match=f"t{suffix} .*cannot be read as"):
            read_table(tmp_path / f"t{suffix}")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(DataError, match="line 3: 3 values for 2 columns"):
        read_table(tmp_path / "ragged.csv")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    with pytest.raises(DataError, match="same name: a"):
        read_table(tmp_path / "twice.csv")
    fits.PrimaryHDU(np.ones((3, 3))).writeto(tmp_path / "image.fits")
    with pytest.raises(DataError, match="holds no table"):
        read_table(tmp_path / "image.fits")


def test_missing_column_names_the_nearest() -> None:
    with pytest.raises(
        DataError, match=r"t\.csv has no column 'islens'; the nearest are 'is_lens'.*data\.label="
    ):
        column(example(), "islens", "data.label", source="t.csv")


def test_a_failed_write_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(example(), tmp_path / "t.csv")
    before = path.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Table, "write", full)
    with pytest.raises(DataError, match=r"t\.csv cannot be written: No space left"):
        write_table(example(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
