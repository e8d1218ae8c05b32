from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrocnn.io.writers import write_cutout, write_labels, write_planes


@pytest.fixture
def cutout(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 5, 7)).astype(np.float32)
    image[0, 1, 2] = np.nan
    variance = rng.uniform(size=(2, 5, 7)).astype(np.float32)
    path = tmp_path / "a.fits"
    write_cutout(
        path,
        image,
        variance=variance,
        bands=("g", "r"),
        ra=10.0,
        dec=-33.123456789012,
        x_pix=2.25,
        y_pix=3.0,
        pixel_scale_arcsec=0.2,
        keywords={"OBJECT": ("O'Neill", "a name with a quote"), "SEEING": (0.8, "arcsec")},
    )
    return path, image, variance


def test_astropy_reads_what_was_written(cutout: tuple[Path, np.ndarray, np.ndarray]) -> None:
    path, image, variance = cutout
    assert path.stat().st_size % 2880 == 0
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert np.array_equal(hdus[0].data, image, equal_nan=True)
        assert np.array_equal(hdus["VARIANCE"].data, variance)
        header = hdus[0].header
        assert header["OBJECT"] == "O'Neill"
        assert (header["BAND1"], header["BAND2"], header["BUNIT"]) == ("g", "r", "nJy")
        for hdu in hdus:
            ra, dec = WCS(hdu.header).celestial.pixel_to_world_values(2.25, 3.0)
            assert (ra, dec) == (pytest.approx(10.0, abs=1e-10), pytest.approx(-33.123456789012, abs=1e-10))


def test_without_variance_there_is_one_hdu(tmp_path: Path) -> None:
    place = {"ra": 1.0, "dec": 2.0, "x_pix": 0.0, "y_pix": 0.0, "pixel_scale_arcsec": 0.3}
    write_cutout(tmp_path / "a.fits", np.ones((1, 4, 4), np.float32), bands=("i",), **place)
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus.verify("exception")
        assert len(hdus) == 1
        assert "EXTEND" not in hdus[0].header


def test_equal_cutouts_are_equal_bytes(tmp_path: Path) -> None:
    place = {"ra": 1.0, "dec": 2.0, "x_pix": 0.0, "y_pix": 0.0, "pixel_scale_arcsec": 0.3}
    for name in "ab":
        write_cutout(tmp_path / f"{name}.fits", np.ones((1, 4, 4), np.float32), bands=("i",), **place)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_planes_and_volumes_of_numbers_are_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    planes = {"mass": rng.normal(size=(5, 7)), "age": rng.normal(size=(5, 7))}
    sky = {"ra": 150.0, "dec": -20.0, "x_pix": 3.0, "y_pix": 2.0, "pixel_scale_arcsec": 0.2}
    write_planes(tmp_path / "planes.fits", planes, {"mass": "dex(Msun)", "age": ""}, **sky)
    write_planes(tmp_path / "volume.fits", {"rho": rng.normal(size=(2, 3, 4))}, {"rho": "g/cm3"})
    with fits.open(tmp_path / "planes.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "mass", "age"]
        assert hdus["MASS"].header["BUNIT"] == "dex(Msun)"
        assert "BUNIT" not in hdus["AGE"].header
        np.testing.assert_array_equal(hdus["AGE"].data, planes["age"].astype(np.float32))
        np.testing.assert_allclose(WCS(hdus["AGE"].header).pixel_to_world_values(3.0, 2.0), [150, -20])
    with fits.open(tmp_path / "volume.fits") as hdus:
        hdus.verify("exception")
        assert hdus[1].data.shape == (2, 3, 4)
        assert "CTYPE1" not in hdus[1].header


def test_labels_are_extensions_with_one_wcs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    maps = {
        "CLASS": rng.integers(-1, 5, (6, 9)).astype(np.int16),
        "INSTANCE": rng.integers(-1, 70_000, (6, 9)).astype(np.int32),
    }
    place = {"ra": 200.0, "dec": 5.0, "x_pix": 4.0, "y_pix": 2.5, "pixel_scale_arcsec": 0.2}
    write_labels(tmp_path / "a.fits", maps, **place)
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "CLASS", "INSTANCE"]
        for name, labels in maps.items():
            assert hdus[name].data.dtype.newbyteorder("=") == labels.dtype
            assert np.array_equal(hdus[name].data, labels)
            ra, dec = WCS(hdus[name].header).pixel_to_world_values(4.0, 2.5)
            assert (ra, dec) == (pytest.approx(200.0, abs=1e-10), pytest.approx(5.0, abs=1e-10))
