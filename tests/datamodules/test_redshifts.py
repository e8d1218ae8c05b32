"""Redshifts and further inputs from the columns of a catalogue, of images and of tables."""

from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datamodules.photometry import PhotometryDataModule, RedshiftTable
from astrocnn.datasets.photometry import MagnitudeWarning
from astrocnn.errors import DataError

N = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "stamps.npy", np.random.default_rng(0).normal(size=(N, 2, 8, 8)).astype(np.float32))
    columns = {
        "id": np.arange(N),
        "z": np.linspace(0, 2, N),
        "ebv": np.linspace(0, 0.2, N),
        "seeing": np.full(N, 0.7),
    }
    columns |= {f"mag_{band}": np.linspace(18, 25, N) for band in "gri"}
    columns["label"] = np.repeat([0, 1], N // 2)
    Table(columns).write(tmp_path / "galaxies.fits")
    return tmp_path


def cutouts(folder: Path, **options) -> CutoutDataModule:
    return CutoutDataModule(
        images=f"{folder}/stamps.npy",
        catalog=f"{folder}/galaxies.fits",
        redshift="z",
        channels="first",
        **options,
    )


def test_batches_of_images_carry_redshift_and_scalars(folder: Path) -> None:
    data = cutouts(folder, scalars=["ebv", "seeing"])
    assert data.probe().targets == ("redshift",)
    assert data.spec.scalars == ("ebv", "seeing")
    data.learns = "redshift"
    data.require_labels()
    data.setup()
    batch = data.gather(np.array([3, 0]))
    table = Table.read(folder / "galaxies.fits")
    np.testing.assert_allclose(batch["redshift"], table["z"][[3, 0]], rtol=1e-6)
    np.testing.assert_allclose(batch["scalars"], [[table["ebv"][k], 0.7] for k in (3, 0)], rtol=1e-6)
    assert batch["scalars"].dtype == torch.float32
    assert sum(len(data.rows(split)) for split in ("train", "val", "test")) == N


def test_labels_do_not_decide_the_split_of_who_learns_redshifts(folder: Path) -> None:
    table = Table.read(folder / "galaxies.fits")
    table["label"] = 1  # of one class
    table.write(folder / "galaxies.fits", overwrite=True)
    data = cutouts(folder)
    data.probe()
    with pytest.raises(DataError, match="every label is"):
        data.require_labels()
    data = cutouts(folder)
    data.learns = "redshift"
    data.require_labels()
    assert len(data.rows("train")) == 14


@pytest.mark.parametrize("kind", ["images", "table"])
def test_what_is_no_redshift(folder: Path, kind: str) -> None:
    table = Table.read(folder / "galaxies.fits")
    table["z"][[2, 5]], table["z"][7] = -9.0, np.nan
    table.write(folder / "galaxies.fits", overwrite=True)

    def made(**options):
        given = {"catalog": f"{folder}/galaxies.fits", "redshift": "z", "label": None} | options
        data = RedshiftTable(**given) if kind == "table" else cutouts(folder, **options)
        data.learns = "redshift"
        return data

    with pytest.raises(
        DataError, match=r"3 input\(s\) cannot be used: 2 × a redshift below 0 .*no redshift in"
    ):
        made().require_labels()
    data = made(on_bad="skip")
    data.require_labels()
    data.setup()
    assert data.skipped["id"].tolist() == ["2", "5", "7"]
    rows = np.concatenate([data.rows(split) for split in ("train", "val", "test")])
    assert sorted(set(range(N)) - set(rows.tolist())) == [2, 5, 7]
    assert data.gather(np.array([2, 5, 7]))["redshift"].isnan().all()
    predicting = made()
    predicting.learns = None
    predicting.setup("predict")
    assert len(predicting.rows("all")) == N


def test_scalars_that_are_missing(folder: Path) -> None:
    table = Table.read(folder / "galaxies.fits")
    table["ebv"][4] = np.nan
    table.write(folder / "galaxies.fits", overwrite=True)
    with pytest.raises(DataError, match="no number in the column 'ebv'"):
        cutouts(folder, scalars=["ebv"]).setup()
    data = cutouts(folder, scalars=["ebv"], on_bad="skip")
    data.setup()
    assert len(data.catalog) == N - 1
    np.testing.assert_allclose(data.gather(np.array([4]))["scalars"], [[table["ebv"][5]]], rtol=1e-6)
    with pytest.raises(DataError, match=r"no column 'seeng'.*data\.scalars"):
        cutouts(folder, scalars=["seeng"]).setup()


def test_magnitudes_that_are_hardly_any(folder: Path) -> None:
    table = Table.read(folder / "galaxies.fits")
    for band in "gri":
        table[f"mag_{band}"] = 10 ** (-0.4 * (table[f"mag_{band}"] - 22))
    table.write(folder / "fluxes.fits")
    with pytest.warns(
        MagnitudeWarning, match="no feature has a median between 10 and 30.*data.quantity=flux"
    ):
        PhotometryDataModule(catalog=f"{folder}/fluxes.fits").probe()
    PhotometryDataModule(catalog=f"{folder}/galaxies.fits").probe()
