"""Masks, variances, units and pictures through the datamodule, with the options that a user types."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.pictures import PictureWarning
from astrocnn.paths import config_dir
from astrocnn.runtime.build import instantiated


def typed(*words: str) -> CutoutDataModule:
    """The datamodule of ``data=cutouts`` with these words behind ``data.``, as they are read on the command line."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_dir()), version_base=None):
        config = compose("train", overrides=["data=cutouts", *(f"data.{word}" for word in words)])
    data: CutoutDataModule = instantiated(config.data, "data")
    return data


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Images with a mask, whose header names its bits, and weights in files of their own."""
    (tmp_path / "img").mkdir()
    (tmp_path / "wht").mkdir()
    names = fits.Header({"MP_BAD": 0, "MP_SAT": 1, "HIERARCH MP_DETECTED": 5})
    for i in range(6):
        flux = np.full((8, 8), 1.0 + i, np.float32)
        mask = np.full((8, 8), 32, np.int32)
        mask[0, 0], mask[0, 1] = 33, 34
        image = fits.ImageHDU(flux, fits.Header({"BUNIT": "nanomaggy"}), name="IMAGE")
        hdus = [fits.PrimaryHDU(), image, fits.ImageHDU(mask, names, name="MASK")]
        hdus.append(fits.ImageHDU(np.full((8, 8), 4.0, np.float32), name="IVAR"))
        fits.HDUList(hdus).writeto(tmp_path / "img" / f"o{i}.fits")
        fits.PrimaryHDU(np.full((8, 8), 0.25, np.float32)).writeto(tmp_path / "wht" / f"o{i}.fits")
    Table({"id": [f"o{i}" for i in range(6)], "label": [0, 1] * 3}).write(tmp_path / "labels.csv")
    return tmp_path


def test_the_commands_of_masks_and_variances(survey: Path) -> None:
    images = f"images='{survey}/img/*.fits'"
    data = typed(images, "mask.hdu=MASK", "mask.bits=[SAT,BAD]", "variance.hdu=IVAR", "variance.kind=inverse")
    batch = data.gather(data.rows("all"))
    assert (~batch["valid"]).sum() == 12
    assert not batch["valid"][:, 0, 0, :2].any()
    assert batch["variance"][0, 0, 2, 2] == 0.25
    assert (batch["image"][~batch["valid"]] == 0).all()
    weights = typed(
        images, f"variance.files='{survey}/wht/*.fits'", "variance.kind=rms", "mask.hdu=2", "mask.bits=[1]"
    )
    batch = weights.gather(weights.rows("all"))
    assert (~batch["valid"]).sum() == 6
    assert batch["variance"][3, 0, 4, 4] == 0.0625
    with pytest.raises(
        DataError, match=r"o0\.fits, HDU 2 \(MASK\): the mask has a bit DETECTED.*say which bits"
    ):
        typed(images, "mask.hdu=MASK").setup()


def test_one_unit_of_flux(survey: Path) -> None:
    images = f"images='{survey}/img/*.fits'"
    data = typed(images, "flux_unit=nJy", "variance.hdu=IVAR", "variance.kind=inverse")
    assert data.probe().units == ("nJy",)
    batch = data.gather(np.array([2]))
    np.testing.assert_allclose(batch["image"], 3 * 3631, rtol=1e-6)
    np.testing.assert_allclose(batch["variance"], 0.25 * 3631.0**2, rtol=1e-6)
    other = typed(images, "flux_unit=nJy", "zero_point=31.4")
    np.testing.assert_allclose(other.gather(np.array([2]))["image"], 3, rtol=1e-4)
    with fits.open(survey / "img" / "o0.fits", mode="update") as hdus:
        hdus[1].header["FILTER"] = "g"
    by_band = typed(images, "flux_unit=nJy", "zero_point={g: 31.4}", "bands=[g]")
    np.testing.assert_allclose(by_band.gather(np.array([2]))["image"], 3, rtol=1e-4)
    with pytest.raises(DataError, match=r"o0\.fits: data\.zero_point={'r': 25\.0}: none for g"):
        typed(images, "flux_unit=nJy", "zero_point={r: 25.0}", "bands=[g]").probe()
    with pytest.raises(ConfigError, match=r"data\.flux_unit='jansky' is not known"):
        typed(images, "flux_unit=jansky")


def test_a_band_in_two_units_is_told_apart_from_two_bands_in_two(tmp_path: Path) -> None:
    def write(folder: str, number: int, *units: str) -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        hdus = [fits.PrimaryHDU()]
        for name, unit in zip("GR", units, strict=False):
            hdus.append(fits.ImageHDU(np.ones((4, 4), np.float32), fits.Header({"BUNIT": unit}), name))
        fits.HDUList(hdus).writeto(tmp_path / folder / f"o{number}.fits")

    for number in range(6):
        write("own", number, "ADU", "nJy")
        write("mixed", number, "ADU", "nJy" if number % 2 else "ADU")
        write("g", number, "ADU" if number % 2 else "nJy")
        write("r", number, "ADU")
    assert typed(f"images='{tmp_path}/own/*.fits'", "hdu=[G,R]").probe().units == ("ADU", "nJy")
    with pytest.raises(DataError, match=r"o0\.fits is in ADU but .*o1\.fits in nJy \(band R\)"):
        typed(f"images='{tmp_path}/mixed/*.fits'", "hdu=[G,R]").probe()
    with pytest.raises(DataError, match=r"o0\.fits is in nJy but .*o1\.fits in ADU \(band g\)"):
        typed(f"images={{g: '{tmp_path}/g/*.fits', r: '{tmp_path}/r/*.fits'}}").probe()


def test_files_of_two_units_are_told_apart(survey: Path) -> None:
    path = survey / "img" / "o3.fits"
    with fits.open(path, mode="update") as hdus:
        hdus[1].header["BUNIT"] = "nJy"
    with pytest.raises(DataError, match=r"o0\.fits is in nanomaggy but .*o3\.fits in nJy; .*data\.flux_unit"):
        typed(f"images='{survey}/img/*.fits'").probe()
    data = typed(f"images='{survey}/img/*.fits'", "flux_unit=nJy")
    assert data.gather(np.arange(6))["image"][:, 0, 0, 0].tolist() == [
        3631,
        2 * 3631,
        3 * 3631,
        4,
        5 * 3631,
        6 * 3631,
    ]


def test_pictures_warn_once(tmp_path: Path) -> None:
    for i in range(3):
        Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(tmp_path / f"{i}.png")
    data = typed(f"images='{tmp_path}/*.png'")
    with pytest.warns(PictureWarning, match="pictures hold no fluxes") as caught:
        data.setup()
    assert data.probe().bands == ("R", "G", "B")
    assert [warning.category for warning in caught].count(PictureWarning) == 1
    assert data.gather(np.array([2]))["image"].mean() == 2
