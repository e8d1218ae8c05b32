"""The path of a user's data, and every way in which it can be wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.errors import ConfigError, DataError

Make = Callable[..., CutoutDataModule]


def test_probe_reads_headers_only(make: Make, folder: Path) -> None:
    spec = make().probe()
    assert spec.bands == ("g", "r")
    assert spec.image_shape == (2, 5, 5)
    assert spec.classes == ("false", "true")
    assert spec.pixel_scale_arcsec == pytest.approx(0.36)
    assert not (folder / "cache").exists()


def test_batches_carry_what_the_catalogue_says(make: Make) -> None:
    data = make(classes=["galaxy", "lens"])
    data.prepare_data()
    data.setup()
    assert data.catalog.colnames[:6] == ["id", "index", "ra", "dec", "label", "split"]
    assert {"name", "is_lens", "field", "snr"} <= set(data.catalog.colnames)
    assert len(data.skipped) == 0
    rows = np.array([8, 3, 39])
    batch = data.gather(rows)
    assert batch["image"].mean((1, 2, 3)).tolist() == [8, 3, 39]
    assert batch["label"].tolist() == [1, 0, 0]
    assert batch["index"].tolist() == rows.tolist()
    assert batch["valid"].all()
    np.testing.assert_allclose(data.catalog["ra"], np.arange(40), atol=1e-9)
    assert data.valid_fraction(rows).tolist() == [1, 1, 1]


def test_splits_and_loaders(make: Make) -> None:
    data = make()
    rows = {split: set(data.rows(split).tolist()) for split in ("train", "val", "test")}
    assert [len(part) for part in rows.values()] == [28, 4, 8]
    assert set.union(*rows.values()) == set(range(40)) == set(data.rows("all").tolist())
    for split, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        assert {int(i) for batch in loader for i in batch["index"]} == rows[split]
    assert sum(len(batch["index"]) for batch in data.predict_dataloader()) == 40
    train = [batch["index"] for batch in data.train_dataloader()]
    assert [len(batch) for batch in train] == [4] * 7
    assert set(torch.cat(train).tolist()) <= rows["train"]
    sample = data.training_sample(3, n=10)
    assert set(sample["index"].tolist()) <= rows["train"]
    assert sample["index"].tolist() == data.training_sample(3, n=10)["index"].tolist()
    assert sample["index"].tolist() != data.training_sample(4, n=10)["index"].tolist()


def test_workers_give_the_same_batches(make: Make) -> None:
    plain, working = make(), make(num_workers=2)
    for one, other in zip(plain.train_dataloader(), working.train_dataloader(), strict=True):
        for key in one:
            assert torch.equal(one[key], other[key])


def test_order_of_the_table_changes_neither_cache_nor_split(make: Make, table: Table, folder: Path) -> None:
    first = make()
    first.setup()
    other = make(table=table[::-1])
    other.setup()
    assert len([p for p in (folder / "cache" / "packed").iterdir() if p.name[0] != "."]) == 1
    assert other.gather(np.array([0]))["image"].mean() == 39
    np.testing.assert_array_equal(other.catalog["split"][::-1], first.catalog["split"])


def test_groups_stay_together(make: Make) -> None:
    data = make(group="field", val_fraction=0.2)
    data.setup()
    for field in range(5):
        assert len(set(data.catalog["split"][data.catalog["field"] == field])) == 1


def test_a_stored_split_wins(make: Make, table: Table) -> None:
    table["split"] = ["Training"] * 20 + ["validation"] * 8 + ["test"] * 12
    data = make(table=table)
    assert [len(data.rows(split)) for split in ("train", "val", "test")] == [20, 8, 12]
    assert data.catalog["split_given"][0] == "Training"
    table["split"] = ["train"] * 30 + ["test"] * 10
    with pytest.raises(DataError, match=r"has the split 'val' in the column 'split'.*data\.split=null"):
        make(table=table).rows("val")
    assert len(make(table=table, split=None).rows("val")) == 4


def test_without_a_catalogue(make: Make) -> None:
    data = make(catalog=None)
    assert data.probe().classes == ()
    data.setup()
    assert data.catalog["id"][:2].tolist() == ["00", "01"]
    assert set(data.catalog["label"]) == {-1}
    assert set(data.catalog["split"]) == {""}
    np.testing.assert_allclose(data.catalog["ra"], np.arange(40), atol=1e-9)
    assert len(data.loader(data.rows("all"))) == 10
    with pytest.raises(DataError, match=r"no catalogue is given; give them with data\.catalog"):
        data.rows("train")


def test_positions_from_the_table(make: Make, table: Table) -> None:
    table["ALPHA"], table["DELTA"] = np.linspace(0, 1, 40), np.linspace(-1, 0, 40)
    data = make(table=table, ra="ALPHA", dec="DELTA")
    data.setup()
    np.testing.assert_allclose(data.catalog["ra"], table["ALPHA"])
    table["DELTA"] = 120.0
    with pytest.raises(DataError, match=r"'DELTA' of .* holds 120, which is no declination"):
        make(table=table, ra="ALPHA", dec="DELTA").probe()
    table.replace_column("DELTA", ["+10:20:30"] * 40)
    with pytest.raises(DataError, match="holds text"):
        make(table=table, ra="ALPHA", dec="DELTA").probe()


def test_one_file_a_band(
    folder: Path, realdata: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = realdata("lens_challenge/ground_based")
    paths = sorted(str(path) for path in root.glob("*/Band1/*.fits"))
    table = Table({"path": paths, "lens": ["nolens" not in path for path in paths]})
    table.write(folder / "lenses.ecsv")
    images = {band: f"{root}/*/Band{i + 1}/imageSDSS_{band}-*.fits" for i, band in enumerate("RIGU")}
    data = CutoutDataModule(images=images, catalog=str(folder / "lenses.ecsv"), id="path", label="lens")
    assert data.probe().image_shape == (4, 101, 101)
    assert data.probe().bands == ("R", "I", "G", "U")
    assert [len(data.rows(split)) for split in ("train", "val", "test")] == [8, 2, 2]
    batch = next(iter(data.train_dataloader()))
    assert len(batch["image"]) == 8
    for image, row in zip(batch["image"], batch["index"].tolist(), strict=True):
        file = data.catalog["path"][row].replace("Band1", "Band3").replace("imageSDSS_R", "imageSDSS_G")
        assert image[2].numpy().tobytes() == fits.getdata(file).astype("=f4").tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": None}, r"data\.images='folder/\*\.fits'"),
        ({"catalog": "gone.csv"}, r"the table gone\.csv does not exist"),
        ({"id": "nane"}, r"no column 'nane'; the nearest are 'name'.*data\.id="),
        ({"label": "islens"}, r"no column 'islens'; the nearest are 'is_lens'.*data\.label="),
        ({"group": "feild"}, r"no column 'feild'.*'field'.*data\.group="),
        ({"split": "fold"}, r"no column 'fold'.*data\.split="),
        ({"n_bands": 3}, r"data\.n_bands=3 but .*c\d\d\.fits has 2; leave it null"),
        ({"bands": ["g", "z"]}, r"c\d\d\.fits has no band z; it holds g, r"),
        ({"image_size": 64}, r"data\.image_size=\(64, 64\) but .* has \(5, 5\)"),
        ({"pixel_scale_arcsec": 0.2}, r"data\.pixel_scale_arcsec=0\.2 but .* has 0\.3"),
        ({"classes": ["E", "S", "Irr"]}, r"are not the values of the column 'is_lens'"),
        ({"hdu": "SCI"}, "has no HDU 'SCI'"),
    ],
)
def test_refused_before_a_pixel_is_read(
    make: Make, folder: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make(**options).probe()
    assert not (folder / "cache").exists()


def test_unknown_choice(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"data\.on_bad='ignore'"):
        make(on_bad="ignore")
    with pytest.raises(ConfigError, match="split='valid'"):
        make().rows("valid")


def test_values_that_agree_are_taken(make: Make) -> None:
    spec = make(bands=["r"], n_bands=1, image_size=[5, 5], pixel_scale_arcsec=0.361).probe()
    assert spec.bands == ("r",)
    assert spec.image_shape == (1, 5, 5)
    assert spec.pixel_scale_arcsec == 0.361


def test_ids_without_image_and_images_without_id(make: Make, table: Table) -> None:
    table = table[:-3]
    table.add_row(["c77", True, 0, 1.0])
    with pytest.raises(
        DataError, match=r"4 input\(s\).*3 × an image without id in the catalogue \(37, 38, 39\)"
    ):
        make(table=table).probe()
    data = make(table=table, on_bad="skip")
    data.setup()
    assert len(data.catalog) == 37
    assert data.skipped["id"].tolist() == ["c77", "37", "38", "39"]
    assert data.skipped["path"][1].endswith("img/c37.fits")


def test_an_id_twice(make: Make, table: Table) -> None:
    table["name"][5] = "c04"
    with pytest.raises(DataError, match=r"1 ids stand more than once in the column 'name' of .*: c04"):
        make(table=table, on_bad="skip").probe()


def test_bad_images(make: Make, folder: Path) -> None:
    image = folder / "img"
    (image / "c03.fits").write_bytes((image / "c03.fits").read_bytes()[:3000])
    fits.PrimaryHDU(np.full((2, 5, 5), np.nan, np.float32)).writeto(image / "c04.fits", overwrite=True)
    fits.PrimaryHDU(np.ones((2, 9, 9), np.float32)).writeto(image / "c06.fits", overwrite=True)
    data = make()
    with pytest.raises(DataError, match=r"3 input\(s\) cannot be used: .*c03\.fits.*on_bad=skip"):
        data.setup()
    data = make(on_bad="skip")
    data.setup()
    assert len(data.catalog) == 37
    assert data.skipped["id"].tolist() == ["c03", "c04", "c06"]
    assert data.gather(np.array([3, 4]))["image"].mean((1, 2, 3)).tolist() == [5, 7]
    np.testing.assert_array_equal(data.catalog["index"], np.arange(37))


def test_no_image_is_usable(make: Make, folder: Path) -> None:
    for path in (folder / "img").iterdir():
        path.write_bytes(path.read_bytes()[:2880])
    with pytest.raises(DataError, match="truncated"):
        make(on_bad="skip").setup()


def test_missing_and_unknown_labels(make: Make, table: Table) -> None:
    table["kind"] = ["lens" if lens else "galaxy" for lens in table["is_lens"]]
    table["kind"][7], table["kind"][9] = "?", ""
    options = {"table": table, "label": "kind", "classes": ["galaxy", "lens"]}
    with pytest.raises(DataError, match=r"the label '\?' is none of the classes galaxy, lens \(c07\)"):
        make(**options).probe()
    data = make(**options, on_bad="skip")
    data.setup()
    assert len(data.catalog) == 40
    assert np.flatnonzero(data.catalog["label"] == -1).tolist() == [7, 9]
    assert np.flatnonzero(data.catalog["split"] == "").tolist() == [7, 9]
    assert data.skipped["id"].tolist() == ["c07", "c09"]


def test_no_labels_is_fine_until_training(make: Make) -> None:
    data = make(label="label")
    assert len(data.rows("all")) == 40
    with pytest.raises(DataError, match=r"no labels in a column 'label' \(its columns are name, is_lens"):
        data.rows("train")


def test_one_class_only(make: Make, table: Table) -> None:
    table["is_lens"] = True
    data = make(table=table)
    assert len(data.rows("all")) == 40
    with pytest.raises(DataError, match=r"every label is 'true'.*at least two classes"):
        data.rows("train")
    table["is_lens"] = np.arange(40) < 20
    table["split"] = ["train"] * 20 + ["val", "test"] * 10
    with pytest.raises(DataError, match="every training object is 'true'"):
        make(table=table).rows("train")


def test_empty_split_and_too_few_objects(make: Make, table: Table) -> None:
    with pytest.raises(DataError, match=r"the val split is empty; raise data\.val_fraction"):
        make(val_fraction=0.0).rows("val")
    with pytest.raises(DataError, match=r"do not fit"):
        make(val_fraction=0.6, test_fraction=0.6).rows("train")
    table["is_lens"] = np.arange(40) == 0
    data = make(table=table)
    assert len(data.rows("all")) == 40  # to predict, no split is needed
    with pytest.raises(DataError, match=r"class 'true' has 1 object\(s\), too few"):
        data.rows("test")
