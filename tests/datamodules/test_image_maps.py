"""Images with maps, from files to batches."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.image_maps import ImagePairDataModule, SegmentationMapDataModule
from astrocnn.datamodules.scene_boxes import SceneBoxDataModule
from astrocnn.datamodules.scenes import SceneDataModule
from astrocnn.errors import DataError

N = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("maps"), np.random.default_rng(0)
    for name in ("images", "labels", "targets"):
        (path / name).mkdir()
    for n in range(N):
        image = rng.normal(size=(2, 10, 10)).astype(np.float32)
        fits.writeto(path / f"images/{n:02d}.fits", image, fits.Header({"BAND1": "g", "BAND2": "r"}))
        fits.writeto(path / f"labels/l{n:02d}.fits", rng.integers(0, 3, (10, 10)).astype(np.int16))
        fits.writeto(path / f"targets/{n:02d}.fits", 2 * image, fits.Header({"BUNIT": "nJy"}))
    return path


def segmentation(folder, **options):
    labels = {"files": f"{folder}/labels/l*.fits"}
    return SegmentationMapDataModule(images=f"{folder}/images/*.fits", class_map=labels, **options)


def test_classes_are_those_of_the_maps_and_images_are_split(folder):
    data = segmentation(folder)
    spec = data.probe()
    assert spec.classes == ("0", "1", "2")
    assert spec.maps == {"class_map": (10, 10)}
    assert data.filled()["classes"] == ["0", "1", "2"]
    data.setup()
    assert [len(data.rows(split)) for split in ("train", "val", "test")] == [14, 2, 4]
    batch = next(iter(data.loader(data.rows("test"))))
    first = fits.getdata(folder / f"labels/l{data.catalog['id'][data.rows('test')[0]]}.fits")
    np.testing.assert_array_equal(batch["class_map"][0], first)


def test_named_classes_bound_the_maps(folder):
    data = segmentation(folder, classes=["sky", "source"])
    with pytest.raises(DataError, match="holds 2, but the classes are numbered 0 to 1"):
        data.setup()
    with pytest.raises(DataError, match="at least two classes"):
        segmentation(folder, classes=["sky"]).probe()


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            [3, 255],
            r"hold the values 0, 1, 2, 3, 255 and not .* data.class_map.ignore=255 if 255 is no class, or data",
        ),
        (
            [3, 7],
            r"0, 1, 2, 3, 7 .* data.class_map.ignore=7 .* data.classes=\[...\] with the names of 8 classes",
        ),
        ([5, 7], r"0, 1, 2, 5, 7 and not all numbers from 0 to 7; say what they mean: data.classes="),
        ([40000], r"a.fits: the class map holds 40000, but the classes are numbered 0 to 32767; .*ignore"),
    ],
)
def test_values_that_may_be_no_classes_are_asked_about(tmp_path, others, message):
    labels = np.resize(np.array([0, 1, 2, *others]), (8, 8)).astype(np.int32)
    fits.writeto(tmp_path / "1a.fits", labels)
    fits.writeto(tmp_path / "1image.fits", np.ones((8, 8), np.float32))

    def data(**options):
        return SegmentationMapDataModule(
            images=f"{tmp_path}/*image.fits", class_map={"files": f"{tmp_path}/*a.fits", **options}
        )

    with pytest.raises(DataError, match=message):
        data().probe()
    if len(others) == 2 and others[0] == 3:
        assert data(ignore=others[1]).probe().classes == ("0", "1", "2", "3")
        named = data()
        named.classes = tuple("abcdefgh")
        assert named.probe().classes == tuple("abcdefgh")


def test_a_map_that_cannot_be_read_says_so_and_nan_is_ignored(tmp_path):
    labels = np.resize([0.0, 1.0, 2.0], (9, 9))
    labels[4] = np.nan
    fits.writeto(tmp_path / "1image.fits", np.ones((9, 9), np.float32))
    fits.writeto(tmp_path / "1labels.fits", labels)
    data = SegmentationMapDataModule(
        images=f"{tmp_path}/*image.fits", class_map={"files": f"{tmp_path}/*labels.fits"}
    )
    assert data.probe().classes == ("0", "1", "2")
    data.setup()
    np.testing.assert_array_equal(data.gather(np.arange(1))["class_map"][0], np.nan_to_num(labels, nan=-1))
    fits.writeto(tmp_path / "1labels.fits", labels + 0.5, overwrite=True)
    data = SegmentationMapDataModule(
        images=f"{tmp_path}/*image.fits", class_map={"files": f"{tmp_path}/*labels.fits"}
    )
    with pytest.raises(DataError, match=r"labels\.fits: the class map holds 0\.5; it must be whole numbers"):
        data.probe()


def test_one_mistake_of_many_maps_is_told_once(folder):
    with pytest.raises(DataError) as error:
        segmentation(folder, classes=["sky", "source"]).setup()
    said = str(error.value)
    assert said.startswith(
        f"{N} input(s) cannot be used: {folder}/labels/l00.fits: the class map holds 2, but"
    )
    assert "(and so 01, 02, 03, 04, 05 and 14 more)" in said
    assert said.count("the class map holds") == 1


@pytest.mark.parametrize("option", ["class_map", "instances", "target", "mask", "variance"])
def test_a_pattern_that_matches_nothing_is_named_by_its_own_option(folder, option):
    kind = ImagePairDataModule if option == "target" else SegmentationMapDataModule
    options = {"class_map": {"files": f"{folder}/labels/l*.fits"}} if option in ("mask", "variance") else {}
    with pytest.raises(DataError, match=rf"no file matches data\.{option}\.files='nowhere/\*\.fits'"):
        kind(images=f"{folder}/images/*.fits", **options, **{option: {"files": "nowhere/*.fits"}}).probe()
    if option in ("class_map", "instances", "target"):
        own = {option: {"hdu": "NONE"}}
        with pytest.raises(DataError, match=rf"no HDU 'NONE'.* choose one with data\.{option}\.hdu="):
            kind(images=f"{folder}/images/*.fits", **own).probe()


def test_no_maps_are_asked_for(folder):
    with pytest.raises(DataError, match=r"data\.class_map\.files="):
        SegmentationMapDataModule(images=f"{folder}/images/*.fits").probe()
    with pytest.raises(DataError, match=r"data\.target\.files="):
        ImagePairDataModule(images=f"{folder}/images/*.fits").probe()


def test_the_users_table_of_objects_needs_positions(folder, tmp_path):
    Table({"id": ["00"], "x": [1.0]}).write(tmp_path / "objects.csv")
    with pytest.raises(DataError, match=r"'y'.*data\.objects"):
        segmentation(folder, objects=str(tmp_path / "objects.csv")).objects()


def pairs(folder, **options):
    target = {"files": f"{folder}/targets/*.fits"}
    return ImagePairDataModule(images=f"{folder}/images/*.fits", target=target, **options)


def test_planes_of_a_target_have_the_names_of_the_bands_where_they_are_as_many(folder):
    data = pairs(folder)
    spec = data.probe()
    assert (spec.target_bands, spec.target_units) == (("g", "r"), ("nJy", "nJy"))
    assert data.filled()["target_bands"] == ["g", "r"]
    batch = data.gather(np.arange(3))
    assert bool((batch["target_image"] == 2 * batch["image"]).all())
    assert pairs(folder, target_bands=["mass", "age"]).probe().target_bands == ("mass", "age")
    with pytest.raises(DataError, match="1 names for 2 planes"):
        pairs(folder, target_bands=["mass"]).probe()


def test_another_size_of_maps_finds_no_old_cache(folder, tmp_path):
    data = segmentation(folder)
    data.setup()
    first = data.reader.packed.folder
    other = pairs(folder)
    other.setup()
    assert other.reader.packed.folder != first


def test_labels_of_the_users_objects_are_those_of_the_class_map(folder, tmp_path):
    Table({"id": ["00"], "x": [1.0], "y": [2.0], "label": [7]}).write(tmp_path / "objects.csv")
    with pytest.raises(
        DataError, match=r"objects\.csv: the labels are not the numbers of the classes, 0 to \d"
    ):
        segmentation(folder, objects=str(tmp_path / "objects.csv")).objects()


def test_simulated_scenes_have_maps_objects_and_their_own_split(tmp_path):
    data = SceneDataModule(root=str(tmp_path), n_scenes=6, size=128, density=20, n_workers=1)
    assert data.probe().maps == {"class_map": (128, 128), "instances": (128, 128)}
    data.setup()
    assert [len(data.rows(split)) for split in ("train", "val", "test")] == [4, 1, 1]
    batch = data.gather(np.arange(6))
    objects = data.objects()
    for n, name in enumerate(data.catalog["id"]):
        mine = objects[(objects["id"] == name) & ~objects["ignore"]]
        numbers = set(batch["instances"][n].unique().tolist()) - {0, -1}
        assert numbers <= set(mine["number"].tolist())
        for row in mine[mine["scored"]]:  # the pixel of its centre is its own, or that of a brighter one
            x, y = round(row["x"]), round(row["y"])
            if 0 <= x < 128 and 0 <= y < 128 and batch["instances"][n, y, x] == row["number"]:
                assert batch["class_map"][n, y, x] == row["label"]
    assert json.loads((data.folder / "simulation.json").read_text())["options"]["n_scenes"] == 6


def test_a_set_of_one_scene_asks_for_more(tmp_path):
    for kind in (SceneDataModule, SceneBoxDataModule):
        data = kind(root=str(tmp_path), n_scenes=1, size=128, density=80, n_workers=1)
        data.setup()
        for split in [name for name in ("train", "val", "test") if name not in data.catalog["split"]]:
            with pytest.raises(
                DataError, match=rf"nothing is in its {split} split; simulate more with data.n_scenes="
            ):
                data.rows(split)


def test_simulated_scenes_have_the_pixels_of_their_boxes(tmp_path):
    """Every pixel of an object lies in its box, and the centre of one that touches no other is its own."""
    options = {"root": str(tmp_path), "n_scenes": 6, "size": 128, "density": 20, "n_workers": 1}
    data = SceneBoxDataModule(**options, masks=True)
    assert data.probe().maps == {"instances": (128, 128)}
    data.setup()
    batch = data.gather(np.arange(6))
    isolated = 0
    for row in range(6):
        table = data.objects_of(row)
        there = batch["boxes"][row].isfinite().all(-1)
        assert batch["box_numbers"][row][there].tolist() == table["number"].tolist()
        for k in np.flatnonzero(batch["box_labels"][row] >= 0):
            y, x = np.nonzero((batch["instances"][row] == batch["box_numbers"][row, k]).numpy())
            x0, y0, x1, y1 = batch["boxes"][row, k].tolist()
            assert ((x > x0) & (x < x1) & (y > y0) & (y < y1)).all()
            if not table["blended"][k]:
                isolated += 1
                assert len(x) == table["area_pix"][k] or min(x0, y0) < 0 or max(x1, y1) > 127
    assert isolated > 10
    without = SceneBoxDataModule(**options)
    without.setup()
    assert not {"instances", "box_numbers"} & set(without.gather(np.arange(2)))
