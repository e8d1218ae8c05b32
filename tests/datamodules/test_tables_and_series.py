"""Tables, spectra and light curves as a user has them: from the command's options to batches."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from omegaconf import OmegaConf

from astrocnn.datamodules.light_curves import LightCurveDataModule
from astrocnn.datamodules.photometry import PhotometryDataModule
from astrocnn.datamodules.spectra import SpectrumDataModule
from astrocnn.errors import ConfigError, DataError
from astrocnn.paths import config_dir
from astrocnn.transforms.normalize import Normalize

Find = Callable[[str], Path]


def configured(*overrides: str) -> Any:
    """The configuration of a training with these overrides, as the command line composes it."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_dir()), version_base=None):
        return compose("train", overrides=list(overrides))


def datamodule(*overrides: str) -> Any:
    return instantiate(configured(*overrides).data, _convert_="all")


def test_two_tables_of_one_file_are_two_sets(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.hdf5", "w") as file:
        for name, mag in (("train", 20.0), ("test", 25.0)):
            file[f"{name}/mag_g"] = np.full(6, mag)
            file[f"{name}/label"] = np.arange(6) % 2
    for name, mag in (("train", 20.0), ("test", 25.0)):
        data = datamodule("data=table", f"data.catalog={tmp_path}/s.hdf5::{name}", "data.features=[mag_g]")
        data.setup("predict")
        assert data.gather(np.arange(6))["image"].tolist() == [[mag]] * 6


def test_photometric_redshifts(realdata: Find) -> None:
    path = realdata("photoz/test_dc2_training_9816.hdf5")
    data = datamodule(
        "data=table", f"data.catalog={path}", "data.features='mag_*_lsst'", "data.errors='mag_err_*_lsst'",
        "data.redshift=redshift", "data.limits=error", "data.batch_size=256",
    )  # fmt: skip
    assert isinstance(data, PhotometryDataModule)
    spec = data.probe()
    assert spec.image_shape == (12,)
    assert spec.bands[:2] == ("mag_u_lsst", "mag_g_lsst")
    data.setup()
    rows = np.array([5, 4000, 10224])
    batch = data.gather(rows)
    with h5py.File(path) as file:
        photometry = {
            name: file[f"photometry/{name}"][()]
            for name in ("mag_i_lsst", "mag_err_i_lsst", "redshift", "id")
        }
    assert batch["image"].shape == batch["valid"].shape == batch["variance"].shape == (3, 12)
    np.testing.assert_array_equal(batch["image"][:, 3], photometry["mag_i_lsst"][rows])
    np.testing.assert_allclose(
        batch["variance"][:, 3], photometry["mag_err_i_lsst"][rows].astype(float) ** 2, rtol=1e-6
    )
    assert batch["redshift"].dtype == torch.float32
    np.testing.assert_array_equal(batch["redshift"], photometry["redshift"][rows].astype(np.float32))
    assert data.catalog["id"][5] == str(photometry["id"][5])
    every = data.gather(data.rows("all"))
    assert (~every["valid"][:, 0]).sum() == 714
    # no labels are needed: whoever has a redshift is in a split
    assert [len(data.rows(split)) for split in ("train", "val", "test")] == [7158, 1022, 2045]
    sample = data.training_sample(0, 500)
    normalize = Normalize(n_bands=6, stretch="linear", sharpen=0.0)
    normalize.fit(sample["image"][:, :6], sample["valid"][:, :6], bands=spec.bands)
    assert normalize.sky[3] == pytest.approx(float(np.median(photometry["mag_i_lsst"])), abs=0.3)
    assert len(next(iter(data.train_dataloader()))["redshift"]) == 256


def test_a_table_without_ids_and_a_column_that_is_not_there(tmp_path: Path) -> None:
    table = Table({f"mag_{b}": np.linspace(18, 25, 30) for b in "gri"} | {"z_spec": np.linspace(0, 1, 30)})
    table["z_spec"][::3] = np.nan
    table.write(tmp_path / "t.parquet")
    data = PhotometryDataModule(catalog=f"{tmp_path}/t.parquet", redshift="z_spec")
    data.setup()
    assert data.catalog["id"][:3].tolist() == ["0", "1", "2"]
    assert data.gather(np.arange(3))["redshift"].isnan().tolist() == [True, False, False]
    assert sum(len(data.rows(split)) for split in ("train", "val", "test")) == 20
    assert data.filled() == {"bands": ["mag_g", "mag_r", "mag_i"], "n_bands": 3, "classes": None}
    with pytest.raises(DataError, match=r"no column 'redshift'.*data\.redshift=<column>"):
        PhotometryDataModule(catalog=f"{tmp_path}/t.parquet", redshift="redshift").setup()
    with pytest.raises(DataError, match=r"no table given; name it with data\.catalog="):
        PhotometryDataModule().probe()
    with pytest.raises(DataError, match=r"have no labels|has no labels in a column 'label'"):
        PhotometryDataModule(catalog=f"{tmp_path}/t.parquet").rows("train")
    table["z_spec"] = np.nan
    table.write(tmp_path / "n.parquet")
    with pytest.raises(DataError, match=r"need a redshift, but no object of .*n\.parquet has one"):
        PhotometryDataModule(catalog=f"{tmp_path}/n.parquet", redshift="z_spec").rows("train")
    table.replace_column("z_spec", ["x"] * 30)
    table.write(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"'z_spec' of .*x\.parquet holds no numbers"):
        PhotometryDataModule(catalog=f"{tmp_path}/x.parquet", redshift="z_spec").setup()


def test_objects_without_any_magnitude_are_listed(tmp_path: Path) -> None:
    table = Table({f"mag_{b}": np.linspace(18, 25, 30) for b in "gr"} | {"kind": ["a", "b"] * 15})
    table["mag_g"][7], table["mag_r"][7], table["mag_r"][8] = 99.0, -99.0, np.nan
    table.write(tmp_path / "t.fits")
    options: dict[str, Any] = {"catalog": f"{tmp_path}/t.fits", "label": "kind"}
    with pytest.raises(DataError, match=r"1 input\(s\) cannot be used: .*t\.fits.*on_bad=skip"):
        PhotometryDataModule(**options).setup()
    data = PhotometryDataModule(**options, on_bad="skip")
    data.setup()
    assert data.skipped["id"].tolist() == ["7"]
    assert len(data.catalog) == 29
    assert data.spec.classes == ("a", "b")
    assert data.gather(np.array([7]))["valid"].tolist() == [[True, False]]
    assert data.gather(np.array([7]))["label"].tolist() == [0]


def test_spectra(tmp_path: Path) -> None:
    loglam = np.linspace(3.6, 3.9, 400)
    for i in range(12):
        flux = np.full(400, 1.0 + i)
        Table({"loglam": loglam, "flux": flux, "ivar": np.full(400, 4.0)}).write(
            tmp_path / f"spec-{i:02d}.fits"
        )
    Table(
        {"name": [f"{i:02d}" for i in range(12)], "kind": ["star", "qso"] * 6, "z": np.arange(12) / 10}
    ).write(tmp_path / "t.csv")
    data = datamodule(
        "data=spectra", f"data.files='{tmp_path}/spec-*.fits'", f"data.catalog={tmp_path}/t.csv", "data.id=name",
        "data.label=kind", "data.redshift=z", "data.n_pixels=100", "data.variance=true",
    )  # fmt: skip
    assert isinstance(data, SpectrumDataModule)
    assert data.probe().image_shape == (1, 100)
    data.setup()
    batch = data.gather(np.array([3, 11]))
    np.testing.assert_allclose(
        batch["image"], np.array([4.0, 12.0])[:, None, None] * np.ones((1, 100)), rtol=1e-6
    )
    assert batch["valid"].all()
    assert batch["redshift"].tolist() == pytest.approx([0.3, 1.1])
    assert (batch["variance"] < 0.25).all()
    assert data.spec.classes == ("qso", "star")
    filled = data.filled()
    assert filled["wave_min"] == pytest.approx(10**3.6)
    assert (filled["n_pixels"], filled["bands"]) == (100, ["flux"])
    assert set(SpectrumDataModule.carried) >= {"bands", "classes", "wave_min", "wave_max", "n_pixels"}
    with pytest.raises(DataError, match=r"no spectra given; name them with data\.files="):
        SpectrumDataModule().probe()


def test_light_curves_folded_by_the_catalogue(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    period = rng.uniform(0.4, 0.9, 10)
    for i in range(10):
        time = np.sort(rng.uniform(59000, 59100, 300 + i))
        phase = (time - 59000) / period[i] % 1
        table = Table({"mjd": time, "mag": 15 + np.sin(2 * np.pi * phase), "magerr": np.full(len(time), 0.1)})
        table.write(tmp_path / f"lc_{i}.csv")
    Table({"id": np.arange(10), "P": period, "type": ["ab", "c"] * 5}).write(tmp_path / "stars.fits")
    options = [
        "data=light_curves", f"data.files='{tmp_path}/lc_*.csv'", f"data.catalog={tmp_path}/stars.fits",
        "data.label=type", "data.quantity=magnitude",
    ]  # fmt: skip
    plain = datamodule(*options)
    assert isinstance(plain, LightCurveDataModule)
    assert plain.probe().image_shape == (2, 309)
    assert plain.filled()["length"] == 309
    assert (~plain.gather(np.array([0]))["valid"]).sum() == 18
    folded = datamodule(*options, "data.period=P", "data.epoch=59000", "data.n_bins=25", "data.variance=true")
    folded.setup()
    batch = folded.gather(np.array([2, 9]))
    assert folded.spec.bands == ("phase", "flux")
    centre = (np.arange(25) + 0.5) / 25
    np.testing.assert_allclose(batch["image"][:, 0], np.stack([centre, centre]), rtol=1e-6)
    np.testing.assert_allclose(
        batch["image"][:, 1], np.stack([15 + np.sin(2 * np.pi * centre)] * 2), atol=0.1
    )
    assert (batch["variance"][:, 1] < 0.01).all()
    for extra, message in (
        (["data.period=Q"], r"no column 'Q'.*data\.period="),
        (["data.period=type"], r"'type' of .* holds no numbers"),
        (["data.period=P", "data.catalog=null"], r"data\.period=P names a column, but no catalogue is given"),
    ):
        with pytest.raises(DataError, match=message):
            datamodule(*options, *extra).probe()
    with pytest.raises(ConfigError, match=r"data\.epoch=1 without data\.period"):
        LightCurveDataModule(epoch=1)
    with pytest.raises(DataError, match=r"no light curves given; name them with data\.files="):
        LightCurveDataModule().probe()


def test_objects_of_a_long_table_meet_the_catalogue(tmp_path: Path) -> None:
    rows = Table(
        {"snid": np.repeat([3, 1, 2], 4), "mjd": np.tile(np.arange(4.0), 3), "flux": np.arange(12.0)}
    )
    rows["band"] = ["r", "g"] * 6
    rows.write(tmp_path / "lc.parquet")
    Table({"snid": [1, 2, 3], "type": ["Ia", "II", "Ia"], "z": [0.1, 0.2, 0.3]}).write(tmp_path / "t.csv")
    data = datamodule(
        "data=light_curves", f"data.files={tmp_path}/lc.parquet", "data.object=snid", f"data.catalog={tmp_path}/t.csv",
        "data.id=snid", "data.label=type", "data.redshift=z", "data.bands=[time,r]",
    )  # fmt: skip
    data.setup()
    batch = data.gather(np.array([0, 2]))
    assert batch["image"].tolist() == [[[0, 2], [4, 6]], [[0, 2], [0, 2]]]  # only the times of that band
    assert batch["valid"].all()
    assert batch["redshift"].tolist() == pytest.approx([0.1, 0.3])


def six_files(folder: Path, kind: str) -> list[str]:
    """Six files of a kind; the command's words for them."""
    x = np.linspace(4000.0, 5000.0, 60)
    for i in range(6):
        if kind == "spectra":
            Table({"wave": x, "flux": x + i}).write(folder / f"{i}.csv")
        elif kind == "fibres":
            rows = {"id": [f"{i}a", f"{i}b"], "wave": np.stack([x] * 2), "flux": np.stack([x + i] * 2)}
            Table(rows).write(folder / f"{i}.fits")
        elif kind == "kepler":
            table = Table({"TIME": x, "PDCSAP_FLUX": x + i, "SAP_QUALITY": np.zeros(60, int)})
            fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(table, name="LIGHTCURVE")]).writeto(
                folder / f"{i}.fits"
            )
        else:  # light curves in bands, one object a file or two
            rows = {"mjd": x, "flux": x + i, "band": ["g", "r"] * 30, "snid": [f"{i}a", f"{i}b"] * 30}
            Table(rows).write(folder / f"{i}.csv")
    name = "spectra" if kind in ("spectra", "fibres") else "light_curves"
    suffix = "fits" if kind in ("fibres", "kepler") else "csv"
    words = [f"data={name}", f"data.files='{folder}/*.{suffix}'"]
    return [*words, "data.object=snid"] if kind == "long" else words


@pytest.mark.parametrize("damaged", [(0,), (2,), (0, 1, 3)], ids=str)
@pytest.mark.parametrize("kind", ["spectra", "fibres", "kepler", "bands", "long"])
def test_damaged_files_are_left_out_and_listed(tmp_path: Path, kind: str, damaged: tuple[int, ...]) -> None:
    words, many = six_files(tmp_path, kind), kind in ("fibres", "long")
    whole = datamodule(*words)
    shape = whole.probe().image_shape
    for i in damaged:
        path = next(tmp_path.glob(f"{i}.*"))
        path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3] + b",,,\n")
    data = datamodule(*words, "data.on_bad=skip")
    data.setup()
    left = [i for i in range(6) if i not in damaged]
    assert sorted(data.catalog["id"]) == [f"{i}{o}" for i in left for o in ("ab" if many else [""])]
    assert [re.findall(r"/(\d)\.", why) for why in data.skipped["reason"]] == [[str(i)] for i in damaged]
    assert data.spec.image_shape == shape
    assert data.gather(np.array([0]))["valid"].any()
    with pytest.raises(DataError, match=rf"{damaged[0]}\.(csv|fits)"):
        datamodule(*words).setup()


@pytest.mark.parametrize("kind", ["spectra", "fibres", "kepler", "bands", "long"])
def test_the_first_of_files_that_are_all_damaged_is_named(tmp_path: Path, kind: str) -> None:
    words = [*six_files(tmp_path, kind), "data.on_bad=skip"]
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-200] + b",,,\n")
    with pytest.raises(DataError, match=r"/0\.(csv|fits)"):
        datamodule(*words).probe()


@pytest.mark.parametrize("name", ["table", "spectra", "light_curves"])
def test_these_data_choose_a_normalisation_that_fits_them(name: str) -> None:
    config = configured(f"data={name}")
    assert (config.normalize.stretch, config.normalize.sharpen) == ("linear", 0.0)
    assert not OmegaConf.to_container(config.augment)
    chosen = configured(f"data={name}", "normalize=asinh")
    assert chosen.normalize.stretch == "asinh"  # a user's word counts
