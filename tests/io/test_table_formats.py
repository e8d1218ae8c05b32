"""Formats of tables that others write: HDF5 in its kinds, text separated by blanks, several tables in a file."""

import gzip
import logging
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Table, vstack

from astrocnn.errors import DataError
from astrocnn.io.tables import read_table, write_table

Find = Callable[[str], Path]
FRAME = {"id": np.arange(4), "u": np.linspace(20, 23, 4), "g": np.linspace(1, 2, 4)}


def test_photometry_of_rail(realdata: Find) -> None:
    path = realdata("photoz/test_dc2_training_9816.hdf5")
    table = read_table(path)
    with h5py.File(path) as file:
        assert set(table.colnames) == set(file["photometry"])
        for name in table.colnames:
            np.testing.assert_array_equal(table[name], file["photometry"][name][()])
    assert len(table) == 10225
    assert (table["mag_u_lsst"] == 99).sum() == 714
    assert read_table(f"{path}::photometry").colnames == table.colnames
    with pytest.raises(DataError, match=r"holds no table 'photo'; it holds photometry"):
        read_table(f"{path}::photo")


def test_hdf5_as_h5py_and_astropy_write_it(tmp_path: Path) -> None:
    path = tmp_path / "t.hdf5"
    table = Table(FRAME | {"name": ["a", "bb", "", "ü"]})
    table["u"].unit = "mag"
    table.write(path, path="by/astropy", serialize_meta=True)
    with h5py.File(path, "a") as file:
        file["by/h5py"] = np.rec.fromarrays(list(FRAME.values()), names=list(FRAME))
        file["columns/u"], file["columns/name"] = FRAME["u"], ["x", "y", "z", ""]
        file["columns/vector"] = np.ones((4, 3), ">f4")
        file["matrix/a"], file["matrix/b"] = np.ones(3), np.ones(5)
    assert str(read_table(f"{path}::by/astropy")["u"].unit) == "mag"
    assert read_table(f"{path}::by/astropy")["name"].tolist() == ["a", "bb", "", "ü"]
    np.testing.assert_array_equal(read_table(f"{path}::by/h5py")["g"], FRAME["g"])
    columns = read_table(f"{path}::columns")
    assert columns["vector"].shape == (4, 3)
    assert columns["name"].tolist() == ["x", "y", "z", ""]
    with pytest.raises(
        DataError, match=r"holds 3 tables: columns, by/astropy, by/h5py; choose one with .*hdf5::columns"
    ):
        read_table(path)


def test_hdf5_as_pandas_writes_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # pandas itself needs PyTables to write; these are its two layouts, taken from files that it wrote
    with h5py.File(tmp_path / "table.h5", "w") as file:
        dtype = [("index", "i8"), ("values_block_0", "f8", 2), ("values_block_1", "i8", 1)]
        rows = np.zeros(4, dtype)
        rows["values_block_0"] = np.stack([FRAME["u"], FRAME["g"]], 1)
        rows["values_block_1"][:, 0] = FRAME["id"]
        group = file.create_group("cat")
        group.attrs["values_cols"] = b"(lp0\nVvalues_block_0\np1\naVvalues_block_1\np2\na."
        group["table"] = rows
        group["table"].attrs["values_block_0_kind"] = b"(lp0\nVu\np1\naVg\np2\na."
        group["table"].attrs["values_block_1_kind"] = b"(lp0\nVid\np1\na."
        group["_i_table/index/bounds"] = np.zeros(4)
    with h5py.File(tmp_path / "fixed.h5", "w") as file:
        group = file.create_group("cat")
        group.attrs["nblocks"] = 3
        group["axis0"], group["axis1"] = np.array([b"id", b"u", b"g", b"s"]), np.arange(4)
        group["block0_items"], group["block0_values"] = np.array([b"u", b"g"]), rows["values_block_0"]
        group["block1_items"], group["block1_values"] = np.array([b"id"]), rows["values_block_1"]
        group["block2_items"] = np.array([b"s"])
        group.create_dataset("block2_values", (1,), h5py.vlen_dtype(np.uint8))[0] = np.frombuffer(
            b"\x80.", "u1"
        )
    for name in ("table", "fixed"):
        table = read_table(tmp_path / f"{name}.h5")
        for key, values in FRAME.items():
            np.testing.assert_array_equal(table[key], values)
    assert "columns s are pickled objects and are left out" in caplog.text


def test_no_code_of_a_data_file_runs(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    with h5py.File(tmp_path / "t.h5", "w") as file:
        group = file.create_group("cat")
        group.attrs["values_cols"] = b""
        group["table"] = np.zeros(2, [("index", "i8"), ("values_block_0", "f8", 1)])
        group["table"].attrs["values_block_0_kind"] = np.void(pickle.dumps(Trap()))
    with pytest.raises(DataError, match="not read from data files"):
        read_table(tmp_path / "t.h5")
    assert not (tmp_path / "sprung").exists()


def test_text_of_a_photo_z_code(realdata: Find, caplog: pytest.LogCaptureFixture) -> None:
    path = realdata("photoz/SDSS_MGS.train")
    with caplog.at_level(logging.WARNING):
        table = read_table(path)
    # the file's own header leaves out one of its 19 columns, so that no name can be trusted
    assert "last comment has 18 words but its rows have 19 values" in caplog.text
    assert table.colnames[:2] == ["col1", "col2"]
    np.testing.assert_array_equal(np.stack([table[n] for n in table.colnames], 1), np.loadtxt(path))


def test_rr_lyrae_tables(realdata: Find) -> None:
    table = read_table(realdata("timeseries/rrlyrae/table2.dat.gz"))
    assert len(table) == 483
    assert table.colnames[:4] == ["id", "type", "P", "uA"]
    assert (table["type"] == "ab").sum() == 379
    assert table["P"][0] == 0.641754351271


def test_text_separated_by_blanks(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text(
        '# made by hand\n#  id   mag  name\n007  21.5  "NGC 1"\n\n  8   nan  x \n# end\n'
    )
    table = read_table(tmp_path / "a.dat")
    assert table["id"].tolist() == ["007", "8"]
    assert table["name"].tolist() == ["NGC 1", "x"]
    assert np.isnan(table["mag"][1])
    (tmp_path / "b.txt").write_text("id mag\n1 2.5\n")
    assert read_table(tmp_path / "b.txt")["mag"].tolist() == [2.5]
    with gzip.open(tmp_path / "c.txt.gz", "wt") as file:
        file.write("1\t+2.5\n3\t4\n")
    assert read_table(tmp_path / "c.txt.gz")["col2"].tolist() == [2.5, 4]
    (tmp_path / "d.txt").write_text("a b\n1 2\n\n1 2 3\n")
    with pytest.raises(DataError, match=r"d\.txt, line 4: 3 values for 2 columns"):
        read_table(tmp_path / "d.txt")


@pytest.mark.parametrize(
    ("name", "text", "names", "n_rows"),
    [
        ("a.csv", "# Labels by A. Smith, 2024\nid,label\n1,0\n2,1\n", ["id", "label"], 2),
        ("a.csv", "# Labels by A. Smith, 2024\nid,label\ncosmos,ring\n", ["id", "label"], 1),
        ("a.dat", "# Photometry of field 12\nid ra dec mag\n1 2 3 4\n", ["id", "ra", "dec", "mag"], 1),
        (
            "a.dat",
            "# a b c d\n# Photometry of field 12\nid ra dec mag\n1 2 3 4\n",
            ["id", "ra", "dec", "mag"],
            1,
        ),
        ("a.csv", "# id, kind\n7,ring\n8,\n", ["id", "kind"], 2),
        ("a.csv", "# by A. Smith, 2024\n# name,z\nM31,nan\n", ["name", "z"], 1),
        ("a.csv", "# by A. Smith\n#name,z\nM31,0.1\n", ["name", "z"], 1),
        ("a.csv", "# by A. Smith, 2024\nname,z\n", ["name", "z"], 0),
        ("a.csv", "# by A. Smith, 2024\n# name,z\n", ["name", "z"], 0),
        ("a.dat", "# by A. Smith\n#name\tz\tkind\nM 31\t0.1\tx\n", ["name", "z", "kind"], 1),
        ("a.csv", "#id,label\ncosmos,ring\nxmm,\n", ["id", "label"], 2),
        ("a.csv", "# Labels, 2024\nid,label\ncosmos,ring\nxmm,none\n", ["id", "label"], 2),
        ("a.csv", "\n# Labels, 2024\n\nid,label\n\n1,0\n\n2,1\n", ["id", "label"], 2),
    ],
)
def test_the_line_that_names_the_columns_of_a_text(
    tmp_path: Path, name: str, text: str, names: list[str], n_rows: int
) -> None:
    (tmp_path / name).write_text(text)
    table = read_table(tmp_path / name)
    assert (table.colnames, len(table)) == (names, n_rows)


def test_two_lines_that_might_be_the_header_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.csv").write_text("# Labels by A. Smith, 2024\nid,label\n1,ring\n")
    read_table(tmp_path / "a.csv")
    assert not caplog.records
    (tmp_path / "b.dat").write_text("# id label\ncosmos ring\nxmm none\n")
    read_table(tmp_path / "b.dat")
    assert "b.dat: its first line without '#' holds no number and is taken as names of columns" in caplog.text
    (tmp_path / "c.dat").write_text("# id label\na b\n1 2 3\n")
    with pytest.raises(DataError, match=r"c\.dat, line 3: 3 values for 2 columns"):
        read_table(tmp_path / "c.dat")


def test_a_catalogue_of_sextractor(realdata: Find) -> None:
    table = read_table(realdata("fits/sextractor/image.cat"))
    assert len(table) == 65
    assert table["X_IMAGE"][0] == pytest.approx(165.1449)


def test_text_larger_than_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("astrocnn.io.text_table.BATCH", 7)
    x = np.random.default_rng(0).normal(size=50)
    Table({"i": np.arange(50), "x": x, "s": [f"s{i}" for i in range(50)]}).write(tmp_path / "t.csv")
    table = read_table(tmp_path / "t.csv")
    assert table["i"].tolist() == list(range(50))
    np.testing.assert_array_equal(table["x"], x)
    assert table["s"][49] == "s49"


def test_one_of_several_tables(tmp_path: Path) -> None:
    hdus = [fits.BinTableHDU(Table({"x": [i]}), name=name) for i, name in enumerate(("FIRST", "SECOND"))]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "t.fits")
    for part, value in ((None, 0), ("1", 0), ("2", 1), ("second", 1)):
        assert read_table(f"{tmp_path}/t.fits" + (f"::{part}" if part else ""))["x"][0] == value
    with pytest.raises(
        DataError, match=r"no table 'THIRD'; its tables are the HDUs 1 \(FIRST\), 2 \(SECOND\)"
    ):
        read_table(f"{tmp_path}/t.fits::THIRD")
    write_table(Table({"x": [1]}), tmp_path / "t.csv")
    with pytest.raises(DataError, match="holds one table; leave out ::x"):
        read_table(f"{tmp_path}/t.csv::x")


def test_fits_columns_of_every_kind(tmp_path: Path) -> None:
    columns = [
        fits.Column("scaled", "I", array=np.array([1, 2])),
        fits.Column("unsigned", "I", bzero=2**15, array=np.array([1, 65535], "u2")),
        fits.Column("large", "K", bzero=2**63, array=np.array([1, 2**64 - 1], "u8")),
        fits.Column("null", "J", null=-1, array=np.array([3, -1])),
        fits.Column("vector", "3E", array=np.ones((2, 3))),
        fits.Column("text", "5A", array=np.array(["ab ", "c"])),
        fits.Column("flag", "L", array=np.array([True, False])),
    ]
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header["TSCAL1"], hdu.header["TZERO1"] = 0.5, 10.0
    hdu.writeto(tmp_path / "t.fits")
    table = read_table(tmp_path / "t.fits")
    assert table["scaled"].tolist() == [10.5, 11.0]
    assert table["unsigned"].tolist() == [1, 65535]
    assert table["large"].tolist() == [1, 2**64 - 1]
    assert table["null"].tolist() == [3, None]
    assert table["vector"].shape == (2, 3)
    assert table["text"].tolist() == ["ab", "c"]
    assert table["flag"].tolist() == [True, False]
    assert {table[n].dtype.kind for n in table.colnames} == {"f", "i", "u", "U", "b"}
    assert all(table[n].dtype.isnative for n in table.colnames)


def test_votable_is_read_by_others(tmp_path: Path) -> None:
    table = Table({"id": ["a", "b"], "p": [0.25, np.nan]})
    table["p"].unit = "mag"
    write_table(table, tmp_path / "t.votable", header={"PREVAL": 0.5, "RUN": "outputs/x"})
    content = parse_single_table(tmp_path / "t.votable", verify="exception")
    assert [field.name for field in content.fields] == ["id", "p"]
    assert {param.name: param.value for param in content.params} == {"PREVAL": 0.5, "RUN": "outputs/x"}
    assert "<TD>" in (tmp_path / "t.votable").read_text()


def test_damaged_files_are_named(tmp_path: Path, realdata: Find) -> None:
    sources = {
        ".fits": "radio/1904_comp.fits",
        ".hdf5": "photoz/test_dc2_training_9816.hdf5",
        ".xml": "fits/photutils/spitzer_example_catalog.xml",
        ".parquet": "fits/hsc_cutouts/star_cat_correct.pq",
    }
    for suffix, name in sources.items():
        (tmp_path / f"t{suffix}").write_bytes(realdata(name).read_bytes()[:9000])
        said = f"t{suffix} cannot be read as {suffix[1:]}.*check that it is whole"
        if suffix == ".fits":
            said = r"t\.fits, HDU 1: the header promises 7,905 bytes of data .* the file holds 360; it is truncated"
        with pytest.raises(DataError, match=said):
            read_table(tmp_path / f"t{suffix}")
    (tmp_path / "t.hdf5").unlink()
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        file["a"], file["b"] = np.ones(3), np.ones(4)
    with pytest.raises(DataError, match=r"holds no table: .*its content is a \(3,\), b \(4,\)"):
        read_table(tmp_path / "t.hdf5")
    with pytest.raises(DataError, match=r"\.h5 is read but not written; use one of \.fits"):
        write_table(Table({"x": [1]}), tmp_path / "out.h5")


def test_all_missing_and_empty_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n,nan,1\n,NA,2\n")
    table = read_table(tmp_path / "t.csv")
    assert table["a"].tolist() == ["", ""]
    assert np.isnan(table["b"]).all()
    (tmp_path / "t.csv").write_text("# a,b\n")
    assert len(vstack([read_table(tmp_path / "t.csv")])) == 0


def test_csv_has_a_column_for_each_element_of_vectors(tmp_path: Path) -> None:
    weights = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
    path = write_table(Table({"id": ["a", "b", "c"], "pdf_weight": weights}), tmp_path / "p.csv")
    lines = [line.split(",") for line in path.read_text().splitlines()]
    assert lines[0] == ["id", "pdf_weight_1", "pdf_weight_2"]
    np.testing.assert_array_equal(np.array(lines[1:])[:, 1:].astype(float), weights)
