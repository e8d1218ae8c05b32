"""Images with maps of truth beside them, checked against astropy and against what was written."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.packed import pack
from astrocnn.datasets.stacks import CutoutStack
from astrocnn.datasets.with_maps import WithMaps
from astrocnn.errors import DataError
from astrocnn.io.layers import ClassMap, InstanceMap, TargetImage


def header(ra=150.0, dec=2.0, scale=0.2):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [ra, dec], [6.5, 4.5]
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    return wcs.to_header()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("images", "labels", "targets"):
        (tmp_path / name).mkdir()
    for n in range(3):
        image = rng.normal(size=(2, 8, 12)).astype(np.float32)
        fits.writeto(tmp_path / f"images/{n}.fits", image, header(ra=150 + n))
        classes = rng.integers(0, 3, (8, 12)).astype(np.int16)
        classes[0, 0], classes[0, 1] = -1, 9
        numbers = rng.integers(0, 4, (8, 12)).astype(np.int32)
        hdus = [
            fits.PrimaryHDU(),
            fits.CompImageHDU(classes, header(ra=150 + n), name="CLASS", compression_type="GZIP_2"),
            fits.ImageHDU(numbers, header(ra=150 + n), name="INSTANCE"),
        ]
        fits.HDUList(hdus).writeto(tmp_path / f"labels/{n}.fits")
        target = rng.normal(size=(3, 16, 24)).astype(np.float32)
        target[0, 0, 0] = np.nan
        fits.writeto(tmp_path / f"targets/{n}.fits", target, header(ra=150 + n))
    return tmp_path


def joined(folder, *truths, n_classes=None):
    maps = [(truth, CutoutFiles(f"{folder}/{truth.files}", hdu=truth.hdu)) for truth in truths]
    return WithMaps(CutoutFiles(f"{folder}/images/*.fits"), maps, n_classes=n_classes)


CLASSES = ClassMap(hdu="CLASS", files="labels/*.fits", ignore=9)
NUMBERS = InstanceMap(hdu="INSTANCE", files="labels/*.fits")
TARGET = TargetImage(files="targets/*.fits")


def packed(source, n=3):
    infos = source.probe(0)
    maps = {key: of.shape if key == "target_image" else of.shape[1:] for key, of in infos.maps.items()}
    return pack(source, np.arange(n), shape=infos.shape, bands=("a", "b")[: infos.shape[0]], maps=maps)


def test_maps_are_packed_with_their_images(folder):
    batch = packed(joined(folder, CLASSES, NUMBERS, n_classes=3))(np.array([2, 0]))
    for place, n in enumerate([2, 0]):
        with fits.open(folder / f"labels/{n}.fits") as hdus:
            expected = hdus["CLASS"].data.astype(int)
            expected[expected == 9] = -1
            np.testing.assert_array_equal(batch["class_map"][place], expected)
            np.testing.assert_array_equal(batch["instances"][place], hdus["INSTANCE"].data)
        np.testing.assert_array_equal(batch["image"][place], fits.getdata(folder / f"images/{n}.fits"))


def test_a_target_keeps_its_own_size_planes_and_gaps(folder):
    batch = packed(joined(folder, TARGET))(np.array([1]))
    expected = fits.getdata(folder / "targets/1.fits")
    np.testing.assert_array_equal(batch["target_valid"][0], np.isfinite(expected))
    np.testing.assert_array_equal(batch["target_image"][0], np.nan_to_num(expected))


def test_an_instance_map_alone_tells_objects_from_background(folder):
    batch = packed(joined(folder, NUMBERS))(np.array([0]))
    np.testing.assert_array_equal(batch["class_map"], batch["instances"].sign())


def test_rows_of_one_file_have_their_maps_there_too(tmp_path):
    rng = np.random.default_rng(1)
    images, labels = rng.normal(size=(4, 6, 6)), rng.integers(0, 5, (4, 6, 6))
    np.savez(tmp_path / "all.npz", images=images, labels=labels)
    path = str(tmp_path / "all.npz")
    source = WithMaps(CutoutStack(path, hdu="images"), [(NUMBERS, CutoutStack(path, hdu="labels"))])
    np.testing.assert_array_equal(packed(source, 4)(np.arange(4))["instances"], labels)


def test_an_image_without_its_map_is_incomplete(folder):
    (folder / "labels/1.fits").unlink()
    source = joined(folder, CLASSES, n_classes=3)
    assert source.ids == ["0", "2"]
    assert source.incomplete == [("1", "no file of data.class_map")]
    match = source.match(["2", "0"])
    np.testing.assert_array_equal(match.file, [1, 0])


def rewrite(path, hdu, change, new_header=None):
    with fits.open(path) as hdus:
        data = change(hdus[hdu].data.copy())
    fits.writeto(path, data, new_header or header(ra=150), overwrite=True)


@pytest.mark.parametrize(
    ("change", "new_header", "message"),
    [
        (lambda a: a[:, :10], None, "the class map is 1 × 8 × 10 but .* is 2 × 8 × 12"),
        (lambda a: a, header(ra=150.001), "another place of the sky"),
        (lambda a: a, header(scale=0.3), "another pixel scale"),
        (
            lambda a: np.where(a == 2, 7, a),
            None,
            r"holds 7, but the classes are numbered 0 to 2; .*data\.classes",
        ),
        (lambda a: a + 0.5, None, "must be whole numbers"),
        (lambda a: np.where(a == 2, -5, a), None, "holds -5; it must be whole numbers from 0 on"),
    ],
)
def test_maps_that_do_not_fit_are_refused(folder, change, new_header, message):
    rewrite(folder / "labels/0.fits", "CLASS", change, new_header)
    source = joined(folder, ClassMap(files="labels/*.fits", ignore=9), n_classes=3)
    with pytest.raises(DataError, match=message):
        source.read(0)


def test_a_target_is_larger_by_a_whole_number_only(folder):
    rewrite(folder / "targets/0.fits", 0, lambda a: a[:, :12, :18], header(ra=150))
    with pytest.raises(DataError, match="whole number of times larger"):
        joined(folder, TARGET).read(0)


def test_no_image_with_a_map_names_both_patterns(folder):
    for n in range(3):
        (folder / f"labels/{n}.fits").rename(folder / f"labels/map{n}.fits")
    with pytest.raises(DataError, match=r"ids of data.images are like .*place the last"):
        joined(folder, CLASSES)
