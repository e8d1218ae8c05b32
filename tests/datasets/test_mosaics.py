"""Mosaics in every form, put together from their files and read by rows, against astropy's pixels."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.datasets.mosaics import Layers, Mosaic, find_mosaics
from astrocnn.errors import ConfigError, DataError
from astrocnn.io.layers import FluxScale, Mask, Variance

RNG = np.random.default_rng(4)
SHAPE = (90, 70)
IMAGE = RNG.normal(100, 5, (3, *SHAPE)).astype(np.float32)
IMAGE[0, 10:20, :] = np.nan
BANDS = ["g", "r", "i"]


def cards(**more: Any) -> fits.Header:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": -5.0})
    header.update(CRPIX1=30.0, CRPIX2=40.0, CDELT1=-1e-4, CDELT2=1e-4, RADESYS="ICRS", **more)
    return header


def write(path: Path, *hdus: Any) -> str:
    first = [] if hdus and isinstance(hdus[0], fits.PrimaryHDU) else [fits.PrimaryHDU()]
    fits.HDUList([*first, *hdus]).writeto(path)
    return str(path)


def files(folder: Path) -> dict[str, str]:
    return {
        band: write(folder / f"field_{band}.fits", fits.PrimaryHDU(IMAGE[n], cards()))
        for n, band in enumerate(BANDS)
    }


def pixels(mosaic: Mosaic, layers: Layers | None = None, *, step: int = 17, **options: Any) -> np.ndarray:
    """All of a mosaic, by rows that overlap."""
    with OpenMosaic(mosaic, layers or Layers(), **options) as opened:
        height, width = mosaic.shape
        parts = []
        for top in range(0, height, step):
            rows = opened.rows(max(top - 5, 0), min(top + step, height))
            assert rows.shape[1:] == (min(top + step, height) - max(top - 5, 0), width)
            parts.append(rows[:, top - max(top - 5, 0) :].copy())
        whole = np.concatenate(parts, axis=1)
        np.testing.assert_array_equal(opened.window(3, 33, 50, 61), whole[:, 3:33, 50:61])
    return whole


def plain(folder: Path) -> dict[str, Any]:
    return {"images": files(folder)}


def planes(folder: Path) -> dict[str, Any]:
    hdu = fits.PrimaryHDU(IMAGE, cards(BAND1="g", BAND2="r", BAND3="i", CTYPE3="BAND"))
    return {"images": write(folder / "field.fits", hdu)}


def compressed_planes(folder: Path) -> dict[str, Any]:
    names = {f"BAND{n}": band for n, band in enumerate(BANDS, start=1)}
    hdu = fits.CompImageHDU(IMAGE, cards(**names), compression_type="GZIP_2", quantize_level=0)
    return {"images": write(folder / "field.fits.fz", hdu)}


def compressed_in_blocks(folder: Path) -> dict[str, Any]:
    options = {"compression_type": "GZIP_1", "quantize_level": 0, "tile_shape": (16, 32)}
    hdus = [fits.CompImageHDU(IMAGE[n], cards(), name=band, **options) for n, band in enumerate(BANDS)]
    return {"images": write(folder / "field.fits.fz", *hdus), "hdu": BANDS}


def hdus_of_a_gzipped_file(folder: Path) -> dict[str, Any]:
    hdus = [fits.ImageHDU(IMAGE[n], cards(), name=f"SCI_{band}") for n, band in enumerate(BANDS)]
    path = Path(write(folder / "plain.fits", *hdus))
    (folder / "field.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    return {"images": str(folder / "field.fits.gz"), "hdu": {band: f"SCI_{band}" for band in BANDS}}


FORMS = [plain, planes, compressed_planes, compressed_in_blocks, hdus_of_a_gzipped_file]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_mosaic(tmp_path: Path, form: Callable[[Path], dict[str, Any]]) -> None:
    (mosaic,) = find_mosaics(**form(tmp_path))
    assert mosaic.bands == tuple(BANDS)
    assert mosaic.shape == SHAPE
    assert mosaic.name == "field"
    assert mosaic.wcs is not None
    np.testing.assert_array_equal(pixels(mosaic), IMAGE)


@pytest.mark.parametrize("form", FORMS[:4])
def test_bands_are_chosen_by_name(tmp_path: Path, form: Callable[[Path], dict[str, Any]]) -> None:
    (mosaic,) = find_mosaics(**form(tmp_path), bands=["i", "g"])
    np.testing.assert_array_equal(pixels(mosaic), IMAGE[[2, 0]])


def test_planes_without_names_are_the_wanted_bands(tmp_path: Path) -> None:
    path = write(tmp_path / "cube.fits", fits.PrimaryHDU(IMAGE))
    assert find_mosaics(path, bands=["u", "v", "w"])[0].bands == ("u", "v", "w")
    assert find_mosaics(path)[0].bands == ("band1", "band2", "band3")
    with pytest.raises(DataError, match="holds 3 planes but 2 bands are wanted"):
        find_mosaics(path, bands=["u", "v"])


def test_patterns_are_several_mosaics(tmp_path: Path) -> None:
    for n in (1, 2):
        for band in "gr":
            write(tmp_path / f"t{n}_{band}.fits", fits.PrimaryHDU(IMAGE[n], cards()))
    found = find_mosaics({band: f"{tmp_path}/t*_{band}.fits" for band in "gr"})
    assert [mosaic.name for mosaic in found] == ["1", "2"]
    found = find_mosaics(f"{tmp_path}/t*_g.fits")
    assert [mosaic.name for mosaic in found] == ["t1_g", "t2_g"]
    np.testing.assert_array_equal(pixels(found[1]), IMAGE[2:])
    (tmp_path / "t2_r.fits").unlink()
    with pytest.raises(DataError, match=r"the mosaic 2 has no file of band r: none matches data.images.r="):
        find_mosaics({band: f"{tmp_path}/t*_{band}.fits" for band in "gr"})


def test_masks_variances_and_units(tmp_path: Path) -> None:
    bad, variance = RNG.random((2, *SHAPE)) < 0.1, RNG.uniform(1, 2, (2, *SHAPE)).astype(np.float32)
    for n, band in enumerate("gr"):
        write(
            tmp_path / f"{band}.fits",
            fits.ImageHDU(IMAGE[n + 1], cards(BUNIT="uJy"), name="SCI"),
            fits.ImageHDU(bad[n].astype(np.int16) * 4, name="DQ"),
            fits.ImageHDU(1 / variance[n], name="IVAR"),
        )
    layers = Layers(Mask("DQ", bits=2), Variance("IVAR", kind="inverse"), FluxScale("nJy"))
    (mosaic,) = find_mosaics({band: f"{tmp_path}/{band}.fits" for band in "gr"}, hdu="SCI", layers=layers)
    assert mosaic.units == ("nJy", "nJy")
    found = pixels(mosaic, layers, variance=True)
    np.testing.assert_allclose(found[:2], np.where(bad, np.nan, IMAGE[1:] * 1e3), rtol=1e-6)
    np.testing.assert_allclose(found[2:], np.where(bad, np.nan, variance * 1e6), rtol=1e-6)
    np.testing.assert_array_equal(pixels(mosaic, layers), found[:2])


def test_one_mask_is_for_all_planes(tmp_path: Path) -> None:
    bad = RNG.random(SHAPE) < 0.1
    path = write(tmp_path / "a.fits", fits.ImageHDU(IMAGE), fits.ImageHDU(bad.astype(np.uint8), name="DQ"))
    layers = Layers(Mask("DQ"))
    (mosaic,) = find_mosaics(path, layers=layers)
    np.testing.assert_array_equal(pixels(mosaic, layers), np.where(bad, np.nan, IMAGE))


def test_masks_of_bands_may_stand_in_a_list(tmp_path: Path) -> None:
    bad = RNG.random((2, *SHAPE)) < 0.1
    parts = [fits.ImageHDU(IMAGE[n + 1], name=band) for n, band in enumerate("GR")]
    masks = [fits.ImageHDU(bad[n].astype(np.uint8), name=f"M{band}") for n, band in enumerate("GR")]
    path = write(tmp_path / "a.fits", *parts, *masks)
    layers = Layers(Mask(["MG", "MR"]))
    (mosaic,) = find_mosaics(path, hdu=["G", "R"], layers=layers)
    np.testing.assert_array_equal(pixels(mosaic, layers), np.where(bad, np.nan, IMAGE[1:]))
    with pytest.raises(ConfigError, match=r"data.mask.hdu=\['MG'\] has 1 HDUs for 2 bands"):
        find_mosaics(path, hdu=["G", "R"], layers=Layers(Mask(["MG"])))


def test_each_row_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("astrocnn.datasets.mosaic_rows.CHUNK_VALUES", 70 * 8)
    (mosaic,) = find_mosaics(files(tmp_path))
    read: list[int] = []
    with OpenMosaic(mosaic, Layers()) as opened:
        original = opened._read
        monkeypatch.setattr(
            opened, "_read", lambda boxes, into: (read.extend(range(*boxes[0][:2])), original(boxes, into))
        )
        for top, bottom in ((0, 40), (24, 64), (48, 90), (80, 90), (10, 30)):
            np.testing.assert_array_equal(opened.rows(top, bottom), IMAGE[:, top:bottom])
    assert read == [*range(90), *range(10, 30)]


def test_windows_are_parts_of_it(tmp_path: Path) -> None:
    (mosaic,) = find_mosaics(files(tmp_path))
    boxes = [[0, 20, 0, 30], [5, 90, 40, 70], [10, 12, 3, 9]]
    with OpenMosaic(mosaic, Layers()) as opened:
        for (top, bottom, left, right), pixels in zip(boxes, opened.windows(boxes), strict=True):
            np.testing.assert_array_equal(pixels, IMAGE[:, top:bottom, left:right])


def test_an_image_of_one_band_is_a_mosaic(tmp_path: Path) -> None:
    path = write(tmp_path / "coadd.fits", fits.PrimaryHDU(IMAGE[1], cards(FILTER="r")))
    assert find_mosaics(path)[0].bands == ("r",)
    assert find_mosaics(path, bands=["VIS"])[0].bands == ("VIS",)  # a filter's name may be anything


def other_shape(folder: Path) -> str:
    write(folder / "field_z.fits", fits.PrimaryHDU(IMAGE[0, :80], cards()))
    return r"field_z.fits, HDU 0: band z is 80 × 70 pixels but band g \(.*\) is 90 × 70; .* resample them"


def other_wcs(folder: Path) -> str:
    header = cards()
    header["CRPIX1"] += 3
    write(folder / "field_z.fits", fits.PrimaryHDU(IMAGE[0], header))
    return "the WCS of band z is not that of band g .*: the same positions are up to 3 pixels apart"


def several_planes(folder: Path) -> str:
    write(folder / "field_z.fits", fits.PrimaryHDU(IMAGE, cards()))
    return "field_z.fits, HDU 0: 3 × 90 × 70 pixels, several planes for the one band z"


def no_image(folder: Path) -> str:
    write(folder / "field_z.fits", fits.PrimaryHDU())
    return "field_z.fits holds no image"


@pytest.mark.parametrize("wrong", [other_shape, other_wcs, several_planes, no_image])
def test_bands_that_do_not_go_together(tmp_path: Path, wrong: Callable[[Path], str]) -> None:
    message = wrong(tmp_path)
    with pytest.raises(DataError, match=message):
        find_mosaics(files(tmp_path) | {"z": f"{tmp_path}/field_z.fits"})


def test_a_missing_band_is_named(tmp_path: Path) -> None:
    message = r"has no band z; it has g, r, i; name the files of all bands \(data.images=\{band: file\}\), or choose"
    with pytest.raises(DataError, match=message):
        find_mosaics(files(tmp_path), bands=["g", "z"])
    with pytest.raises(DataError, match=r"no file matches data.images.u="):
        find_mosaics({"u": f"{tmp_path}/u.fits"})
    with pytest.raises(ConfigError, match="a mosaic is one image"):
        find_mosaics(f"{tmp_path}/*.fits", hdu="all")


@pytest.mark.parametrize("layer", [Mask, Variance])
def test_masks_and_variances_of_another_place_are_refused(
    tmp_path: Path, layer: type[Mask | Variance]
) -> None:
    other = cards()
    other["CRVAL2"] += 1
    for name, header in (("same", cards()), ("other", other), ("none", None)):
        write(tmp_path / f"{name}.fits", fits.PrimaryHDU(np.ones(SHAPE, np.int16), header))
    image = files(tmp_path)["r"]

    def found(name: str) -> list[Mosaic]:
        of = layer(files=f"{tmp_path}/{name}.fits")
        layers = Layers(mask=of) if layer is Mask else Layers(variance=of)
        return find_mosaics(image, layers=layers)

    what = layer.__name__.lower()
    message = rf"other.fits, HDU 0: the WCS of the {what} is not that of {image}: .* up to 1e\+04 pixels"
    with pytest.raises(DataError, match=message):
        found("other")
    assert len(found("same")) == len(found("none")) == 1


def test_real_images_become_mosaics(realdata: Callable[[str], Path]) -> None:
    folder = realdata("fits/decam_grz")
    (mosaic,) = find_mosaics({band: f"{folder}/decam_img_{band}.fits" for band in "grz"})
    assert mosaic.name == "decam_img"
    truth = np.stack([fits.getdata(folder / f"decam_img_{band}.fits") for band in "grz"])
    np.testing.assert_array_equal(pixels(mosaic, step=300), truth)
    (mosaic,) = find_mosaics(str(realdata("radio") / "1904-66_SIN_3d.fits"))
    assert len(mosaic.bands) == 3


def test_a_band_that_is_not_there_is_not_valid_where_that_is_asked_for(tmp_path: Path) -> None:
    there = {band: path for band, path in files(tmp_path).items() if band != "r"}
    with pytest.raises(DataError, match=r"no band r; it has g, i;.*data\.missing_band=invalid"):
        find_mosaics(there, bands=BANDS)
    (mosaic,) = find_mosaics(there, bands=BANDS, missing_band="invalid")
    assert mosaic.bands == tuple(BANDS)
    whole = pixels(mosaic)
    np.testing.assert_array_equal(whole[[0, 2]], IMAGE[[0, 2]])
    assert np.isnan(whole[1]).all()
    with pytest.raises(
        DataError, match=r"has the band i, and the bands that are wanted are g, r, z; mend its name"
    ):
        find_mosaics(there, bands=["g", "r", "z"], missing_band="invalid")
    with pytest.raises(ConfigError, match=r"data\.missing_band='skip'"):
        find_mosaics(there, missing_band="skip")
