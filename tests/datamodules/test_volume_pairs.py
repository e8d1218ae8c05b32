"""Volumes and their targets, from the user's files and simulated."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.datamodules.baryons import BaryonDataModule
from astrocnn.datamodules.resolved_galaxies import ResolvedGalaxyDataModule
from astrocnn.datamodules.volume_pairs import VolumePairDataModule
from astrocnn.datasets.volumes import VolumeFiles
from astrocnn.errors import DataError


def write(path: Path, channels: dict[str, np.ndarray], **units: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(values, name=name) for name, values in channels.items())]
    for hdu in hdus[1:]:
        if hdu.name in units:
            hdu.header["BUNIT"] = units[hdu.name]
    fits.HDUList(hdus).writeto(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty volumes of two channels (and a picture that is none) with targets of one."""
    folder, rng = tmp_path_factory.mktemp("volumes"), np.random.default_rng(0)
    for number in range(20):
        density, speed = rng.normal(size=(2, 4, 6, 8)).astype(">f4")
        density[0, 0, 0] = np.nan
        write(
            folder / "in" / f"box{number}.fits", {"RHO": density, "SPEED": speed, "PICTURE": np.zeros((3, 3))}
        )
        gas = (2 * density + speed).astype(np.float64)
        write(folder / "out" / f"box{number}.fits", {"GAS": gas}, GAS="K")
    return folder


def test_volumes_come_with_their_targets(folder: Path) -> None:
    data = VolumePairDataModule(volumes=f"{folder}/in/*.fits", target={"files": f"{folder}/out/*.fits"})
    spec = data.probe()
    assert spec.bands == ("RHO", "SPEED")
    assert spec.image_shape == (2, 4, 6, 8)
    assert spec.maps == {"target_image": (1, 4, 6, 8)}
    assert data.filled()["target_bands"] == ["GAS"]
    assert spec.target_units == ("K",)
    data.setup("fit")
    batch = data.gather(np.arange(20))
    assert batch["image"].shape == (20, 2, 4, 6, 8)
    assert not batch["valid"][:, 0, 0, 0, 0].any()
    assert not batch["target_valid"][:, 0, 0, 0, 0].any()
    for row in range(20):
        name = data.catalog["id"][row]
        with fits.open(folder / "in" / f"{name}.fits") as hdus:
            np.testing.assert_array_equal(batch["image"][row, 1], hdus["SPEED"].data)
    want = 2 * batch["image"][:, :1] + batch["image"][:, 1:]
    known = batch["target_valid"]
    np.testing.assert_allclose(batch["target_image"][known], want[known], rtol=1e-6)
    assert [len(data.rows(part)) for part in ("train", "val", "test")] == [14, 2, 4]


def test_channels_are_chosen_by_hdu_or_band(folder: Path) -> None:
    target = {"files": f"{folder}/out/*.fits"}
    by_band = VolumePairDataModule(volumes=f"{folder}/in/*.fits", target=target, bands=["SPEED"])
    by_hdu = VolumePairDataModule(volumes=f"{folder}/in/*.fits", target=target, hdu=["SPEED", "RHO"])
    assert by_band.probe().image_shape == (1, 4, 6, 8)
    assert by_hdu.probe().bands == ("SPEED", "RHO")
    own = VolumePairDataModule(volumes=f"{folder}/in/*.fits", hdu=["RHO"], target={"hdu": ["SPEED"]})
    assert own.probe().target_bands == ("SPEED",)
    for data in (by_band, by_hdu):
        data.setup("fit")
    np.testing.assert_array_equal(by_band.gather([3])["image"][0, 0], by_hdu.gather([3])["image"][0, 0])


def test_what_is_no_volume_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no volumes given; name them with data\.volumes="):
        VolumePairDataModule().probe()
    with pytest.raises(DataError, match="no target volumes given"):
        VolumePairDataModule(volumes=f"{folder}/in/*.fits").probe()
    write(tmp_path / "a.fits", {"RHO": np.zeros((4, 4, 4)), "SPEED": np.zeros((4, 4, 5))})
    with pytest.raises(
        DataError, match=r"a\.fits holds no volume whose channels are HDUs of three axes and one size"
    ):
        VolumeFiles(f"{tmp_path}/*.fits").probe(0)
    write(tmp_path / "b" / "flat.fits", {"RHO": np.zeros((4, 4))})
    with pytest.raises(DataError, match="holds no volume"):
        VolumeFiles(f"{tmp_path}/b/*.fits").probe(0)
    write(tmp_path / "out" / "box1.fits", {"GAS": np.zeros((4, 6, 9))})
    with pytest.raises(DataError, match=r"the target image is 1 × 4 × 6 × 9 but"):
        VolumePairDataModule(
            volumes=f"{folder}/in/box1.fits*", target={"files": f"{tmp_path}/out/box1.fits*"}
        ).probe()


def test_simulated_volumes_are_made_once(tmp_path: Path) -> None:
    data = BaryonDataModule(root=str(tmp_path), n_volumes=10, cells=8, n_workers=1)
    spec = data.probe()
    assert spec.bands == ("matter_density", "matter_vx", "matter_vy", "matter_vz")
    assert spec.target_bands == ("gas_density", "temperature", "gas_vx", "gas_vy", "gas_vz")
    assert spec.target_units[1] == "K"
    made = (data.folder / "catalog.fits").stat().st_mtime_ns
    again = BaryonDataModule(root=str(tmp_path), n_volumes=10, cells=8, bands=["matter_density"])
    assert again.probe().image_shape == (1, 8, 8, 8)
    assert (again.folder / "catalog.fits").stat().st_mtime_ns == made


@pytest.mark.parametrize("pair", ["maps", "resolution"])
def test_simulated_galaxies_come_with_named_planes(pair: str, tmp_path: Path) -> None:
    pytest.importorskip("galsim")
    data = ResolvedGalaxyDataModule(
        root=str(tmp_path), n_images=4, size=32, pair=pair, bands=["u", "g", "r", "i"], n_workers=1
    )
    spec = data.probe()
    if pair == "maps":  # as many planes as bands, but of another kind
        assert spec.target_bands == ("log_mass", "log_sfr", "log_age", "log_metallicity")
        assert spec.target_units[0] == "dex(Msun)"
        assert spec.maps["target_image"] == (4, 32, 32)
    else:
        assert spec.target_bands == spec.bands
        assert spec.image_shape == (4, 16, 16)
        assert spec.maps["target_image"] == (4, 32, 32)
