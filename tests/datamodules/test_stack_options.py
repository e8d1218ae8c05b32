"""Stacks through the datamodule: the catalogue by row, in its own file or in the stack's."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.errors import ConfigError, DataError

RealData = Callable[[str], Path]
N = 30
IMAGES = np.arange(N, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 13, 14), np.float32)
LABELS = np.arange(N) % 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "stack.npy", IMAGES)
    Table({"label": LABELS, "z": np.linspace(0, 1, N)}).write(tmp_path / "labels.csv")
    return tmp_path


def test_a_table_beside_the_stack(folder: Path) -> None:
    data = CutoutDataModule(images=f"{folder}/stack.npy", catalog=f"{folder}/labels.csv", bands=["g", "r"])
    assert data.probe().image_shape == (2, 13, 14)
    data.setup()
    assert data.catalog["id"][:3].tolist() == ["0", "1", "2"]
    batch = data.gather(np.array([5, 2]))
    assert batch["image"].mean((1, 2, 3)).tolist() == [5, 2]
    assert batch["label"].tolist() == [1, 0]
    assert len(data.rows("train")) + len(data.rows("val")) + len(data.rows("test")) == N
    _, numbers, _ = data.origin()
    assert numbers.tolist() == list(range(N))


def test_ids_of_the_table_name_the_rows(folder: Path) -> None:
    Table({"name": [f"g{i}" for i in range(N)], "label": LABELS}).write(folder / "named.csv")
    data = CutoutDataModule(images=f"{folder}/stack.npy", catalog=f"{folder}/named.csv", id="name")
    data.setup()
    assert data.catalog["id"][4] == "g4"
    plain = CutoutDataModule(images=f"{folder}/stack.npy", catalog=f"{folder}/named.csv", id=None)  # type: ignore[arg-type]
    plain.setup()
    assert plain.catalog["id"][4] == "4"


def test_another_number_of_rows(folder: Path) -> None:
    Table({"label": LABELS[:-2]}).write(folder / "short.csv")
    with pytest.raises(DataError, match=r"the catalogue has 28 rows but .*stack\.npy holds 30 images"):
        CutoutDataModule(images=f"{folder}/stack.npy", catalog=f"{folder}/short.csv").probe()


def test_a_stack_without_table(folder: Path) -> None:
    data = CutoutDataModule(images=f"{folder}/stack.npy")
    data.setup()
    assert data.catalog["id"].tolist() == [str(i) for i in range(N)]
    assert set(data.catalog["label"]) == {-1}


def write_npz(folder: Path) -> str:
    np.savez(folder / "a.npz", images=IMAGES, label=LABELS, id=[f"x{i}" for i in range(N)])
    return "a.npz"


def write_hdf5(folder: Path) -> str:
    with h5py.File(folder / "a.h5", "w") as file:
        file["images"], file["label"], file["id"] = IMAGES, LABELS, [f"x{i}" for i in range(N)]
    return "a.h5"


def write_parquet(folder: Path) -> str:
    lists = pa.list_(pa.list_(pa.list_(pa.float32())))
    columns = {"id": [f"x{i}" for i in range(N)], "label": LABELS, "image": pa.array(IMAGES.tolist(), lists)}
    pq.write_table(pa.table(columns), folder / "a.parquet", row_group_size=8)
    return "a.parquet"


def write_fits(folder: Path) -> str:
    table = fits.table_to_hdu(Table({"id": [f"x{i}" for i in range(N)], "label": LABELS}))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(IMAGES), table]).writeto(folder / "a.fits")
    return "a.fits"


@pytest.mark.parametrize("write", [write_npz, write_hdf5, write_parquet, write_fits])
@pytest.mark.parametrize("named", [False, True])
def test_a_stack_may_be_its_own_catalogue(tmp_path: Path, write: Callable[[Path], str], named: bool) -> None:
    path = f"{tmp_path}/{write(tmp_path)}"
    data = CutoutDataModule(images=path, catalog=path if named else None)
    data.setup()
    assert data.catalog["id"][:2].tolist() == ["x0", "x1"]
    assert data.catalog["label"].tolist() == LABELS.tolist()
    assert data.gather(np.array([9]))["image"].mean() == 9
    assert data.spec.classes == ("0", "1")


def test_three_axes_are_a_stack_on_request(tmp_path: Path) -> None:
    fits.PrimaryHDU(IMAGES[:, 0]).writeto(tmp_path / "a.fits")
    assert CutoutDataModule(images=f"{tmp_path}/a.fits").probe().image_shape == (N, 13, 14)
    data = CutoutDataModule(images=f"{tmp_path}/a.fits", stacked=True)
    assert data.probe().image_shape == (1, 13, 14)
    assert data.gather(np.array([3]))["image"].mean() == 3
    fits.PrimaryHDU(IMAGES).writeto(tmp_path / "b.fits")
    with pytest.raises(DataError, match=r"at most 3 that are longer than 1.*data\.stacked=true"):
        CutoutDataModule(images=f"{tmp_path}/b.fits", stacked=False).probe()


def test_one_array_an_object(tmp_path: Path) -> None:
    for i in range(4):
        np.save(tmp_path / f"o{i}.npy", np.moveaxis(IMAGES[i], 0, -1).astype(np.float64))
    broken = np.full((13, 14, 2), np.nan)
    np.save(tmp_path / "o4.npy", broken)
    (tmp_path / "o5.npy").write_bytes(b"no array")
    data = CutoutDataModule(images=f"{tmp_path}/o*.npy", on_bad="skip")
    data.setup()
    assert data.catalog["id"].tolist() == ["0", "1", "2", "3"]
    assert data.gather(np.array([3]))["image"].shape == (1, 2, 13, 14)
    assert data.gather(np.array([3]))["image"].mean() == 3
    reasons = " ".join(data.skipped["reason"])
    assert "o4.npy: no pixel is valid" in reasons
    assert "o5.npy cannot be read" in reasons
    with pytest.raises(DataError, match=r"o0\.npy has no HDUs, masks, .*leave out data\.hdu"):
        CutoutDataModule(images=f"{tmp_path}/o*.npy", hdu="SCI").probe()


def test_channels_and_shape_of_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IMAGES[:, :, :5, :6].transpose(0, 2, 3, 1))
    with pytest.raises(DataError, match=r"data\.channels=first or data\.channels=last"):
        CutoutDataModule(images=f"{tmp_path}/a.npy").probe()
    assert CutoutDataModule(images=f"{tmp_path}/a.npy", channels="last").probe().image_shape == (2, 5, 6)
    with pytest.raises(ConfigError, match=r"data\.channels='lst' is not known; choose from first, last"):
        CutoutDataModule(images=f"{tmp_path}/a.npy", channels="lst")
    pq.write_table(pa.table({"image": IMAGES.reshape(N, -1).tolist()}), tmp_path / "a.parquet")
    data = CutoutDataModule(images=f"{tmp_path}/a.parquet", image_size=[13, 14], n_bands=2)
    assert data.gather(np.array([7]))["image"].mean() == 7


def test_rows_that_cannot_be_used_are_skipped_and_listed(tmp_path: Path) -> None:
    images = IMAGES.copy()
    images[3] = np.nan
    images[5, 0, 0, 0] = np.nan
    np.savez(tmp_path / "a.npz", images=images, label=LABELS)
    with pytest.raises(DataError, match=r"a\.npz, images, row 3: no pixel is valid"):
        CutoutDataModule(images=f"{tmp_path}/a.npz").setup()
    data = CutoutDataModule(images=f"{tmp_path}/a.npz", on_bad="skip")
    data.setup()
    assert len(data.catalog) == N - 1
    assert data.skipped["id"].tolist() == ["3"]
    assert (~data.gather(np.array([4]))["valid"]).sum() == 1


def test_real_galaxies_with_labels_from_the_archive(realdata: RealData) -> None:
    path = realdata("galaxy_zoo/gz1_dev.npz")
    data = CutoutDataModule(
        images=str(path), id="objid", split=None, bands=["r", "g", "b"], duplicate_radius_arcsec=None
    )
    assert data.probe().classes == ("0", "1", "2", "3", "4", "5")
    data.setup()
    with np.load(path) as archive:
        np.testing.assert_array_equal(data.catalog["label"], archive["label"])
        assert data.catalog["id"][0] == str(archive["objid"][0])
        batch = data.gather(np.array([11, 2998]))
        np.testing.assert_array_equal(batch["image"], archive["images"][[11, 2998]].transpose(0, 3, 1, 2))
