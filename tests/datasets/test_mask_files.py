"""Masks, variances and units of cutouts, matched by pattern as the images are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.packed import pack
from astrocnn.errors import DataError
from astrocnn.io.layers import FluxScale, Mask, Variance

RealData = Callable[[str], Path]


def write(folder: Path, name: str, value: float, **header: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype = np.int32 if "dq" in name else np.float32
    fits.PrimaryHDU(np.full((4, 4), value, dtype), fits.Header(header)).writeto(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two objects in two bands, with a mask of each object and a weight of each band."""
    for i in (1, 2):
        write(tmp_path, f"dq/obj{i}.fits.gz", 0)
        for j, band in enumerate("gr"):
            write(tmp_path, f"{band}/obj{i}.fits", 10 * i + j, MAGZERO=22.5 + 2.5 * j)
            write(tmp_path, f"{band}/wht{i}.fits", 4.0**j)
    return tmp_path


def by_band(folder: Path, name: str) -> dict[str, str]:
    return {band: f"{folder}/{band}/{name}*.fits" for band in "gr"}


def test_files_of_masks_and_weights_by_object(folder: Path) -> None:
    files = CutoutFiles(
        by_band(folder, "obj"),
        mask=Mask(files=f"{folder}/dq/obj*"),
        variance=Variance(files=by_band(folder, "wht"), kind="weight"),
    )
    assert files.ids == ["1", "2"]
    assert [Path(path).name for path in files.paths[1]] == [
        "obj2.fits", "obj2.fits", "obj2.fits.gz", "wht2.fits", "wht2.fits"
    ]  # fmt: skip
    assert files.probe(1).shape == (2, 4, 4)
    image = files.read(1)
    assert image.flux[:, 0, 0].tolist() == [20, 21]
    assert image.variance is not None
    assert image.variance[:, 0, 0].tolist() == [1, 0.25]
    packed = pack(files, np.arange(2), shape=(2, 4, 4), bands=("r", "g"))
    assert packed(np.array([1]))["variance"][0, :, 0, 0].tolist() == [0.25, 1]


def test_the_cache_follows_mask_bits_and_unit(folder: Path) -> None:
    def packed(**options: object) -> Path:
        files = CutoutFiles(f"{folder}/g/obj*.fits", **options)  # type: ignore[arg-type]
        return pack(files, np.arange(2), shape=(1, 4, 4), bands=("g",)).folder

    dq = f"{folder}/dq/obj*.fits.gz"
    folders = [
        packed(),
        packed(mask=Mask(files=dq)),
        packed(mask=Mask(files=dq, bits=[1])),
        packed(flux=FluxScale("nJy")),
        packed(flux=FluxScale("nMgy")),
        packed(flux=FluxScale("nMgy", zero_point=22.5)),
    ]
    assert len(set(folders)) == 6
    assert packed(flux=FluxScale("nJy", pixel_scale_arcsec=0.2)) != folders[3]
    write(folder, "new/dq.fits", 4)
    (folder / "new" / "dq.fits").rename(folder / "dq" / "obj1.fits.gz")
    assert packed(mask=Mask(files=dq)) != folders[1]


def test_a_pixel_scale_that_was_filled_from_the_headers_makes_no_other_cache(tmp_path: Path) -> None:
    wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-4, "CDELT2": 1e-4}
    write(tmp_path, "a.fits", 1, BUNIT="MJy/sr", **wcs)
    files = [
        CutoutFiles(f"{tmp_path}/a.fits", flux=FluxScale("nJy", pixel_scale_arcsec=s)) for s in (None, 0.36)
    ]
    assert files[0].options == files[1].options
    np.testing.assert_array_equal(files[0].read(0).flux, files[1].read(0).flux)


def test_one_unit_for_bands_with_their_own_zero_points(folder: Path) -> None:
    files = CutoutFiles(by_band(folder, "obj"), flux=FluxScale("nMgy"))
    np.testing.assert_allclose(files.read(0).flux[:, 0, 0], [10, 11 / 10], rtol=1e-6)
    told = CutoutFiles(by_band(folder, "obj"), flux=FluxScale("nMgy", {"r": 22.5, "g": 25.0}))
    np.testing.assert_allclose(told.read(0).flux[:, 0, 0], [1, 11], rtol=1e-6)
    assert told.probe(0).unit == "nMgy"


def test_an_object_without_mask_is_listed(folder: Path) -> None:
    (folder / "dq" / "obj1.fits.gz").unlink()
    write(folder, "dq/obj3.fits.gz", 0)
    files = CutoutFiles(by_band(folder, "obj"), mask=Mask(files=f"{folder}/dq/obj*.fits.gz"))
    assert files.ids == ["2"]
    assert files.incomplete == [("1", "no mask")]  # a mask without image is nobody's loss


def test_patterns_that_do_not_fit(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no file matches data\.mask\.files='.*gone\*'"):
        CutoutFiles(f"{folder}/g/obj*.fits", mask=Mask(files=f"{folder}/gone*"))
    with pytest.raises(
        DataError, match=r"data\.variance\.files has patterns of the bands g, z, but .* of g, r"
    ):
        CutoutFiles(by_band(folder, "obj"), variance=Variance(files={"g": "x", "z": "y"}))
    with pytest.raises(DataError, match=r"bands g, but data\.images is a single pattern"):
        CutoutFiles(f"{folder}/g/obj*.fits", mask=Mask(files={"g": "x"}))
    with pytest.raises(
        DataError, match=r"no object has an image and a mask: .*\(data\.images, data\.mask\.files\)"
    ):
        CutoutFiles(f"{folder}/g/obj*.fits", mask=Mask(files=f"{folder}/dq/*.fits.gz"))


def test_real_triplets_by_pattern(realdata: RealData) -> None:
    root = realdata("fits/legacysurvey/testcase3/images")
    name = f"{root}/decam/CP/V4.8.2a/*/c4d_*_%s_*_ls9.*.fits"
    files = CutoutFiles(
        name % "ooi", mask=Mask(files=name % "ood"), variance=Variance(files=name % "oow", kind="weight")
    )
    assert len(files) == 8
    assert not files.incomplete
    for number, (image, mask, weight) in enumerate(files.paths):
        assert image.replace("_ooi_", "_ood_") == mask
        assert image.replace("_ooi_", "_oow_") == weight
        assert files.read(number).valid.all()


def test_real_unwise_images_and_gzipped_weights(realdata: RealData) -> None:
    root = realdata("fits/legacysurvey/testcase4/images/unwise/186/1866p257")
    images = {f"w{i}": f"{root}/unwise-*-w{i}-img-m.fits" for i in (1, 2)}
    weights = {f"w{i}": f"{root}/unwise-*-w{i}-invvar-m.fits.gz" for i in (1, 2)}
    files = CutoutFiles(images, variance=Variance(files=weights, kind="inverse"))
    assert files.ids == ["1866p257"]
    image = files.read(0)
    assert image.variance is not None
    for i in (1, 2):
        weight = fits.getdata(f"{root}/unwise-1866p257-w{i}-invvar-m.fits.gz").astype(float)
        np.testing.assert_array_equal(image.valid[i - 1], weight > 0)
        good = image.valid[i - 1]
        np.testing.assert_allclose(image.variance[i - 1][good], 1 / weight[good], rtol=1e-6)
