"""Boxes as people have them, against where the pixels are."""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from astrocnn.errors import DataError
from astrocnn.io.box_files import BOX, SKY_BOX, read_boxes

# Two objects: columns 3 to 6 and rows 10 to 10 (counted from 0), and the pixel (0, 0).
EDGES = [[2.5, 9.5, 6.5, 10.5], [-0.5, -0.5, 0.5, 0.5]]
WAYS = {
    "edges": {"x0": [2.5, -0.5], "y0": [9.5, -0.5], "x1": [6.5, 0.5], "y1": [10.5, 0.5]},
    "first and last pixel": {"xmin": [3, 0], "ymin": [10, 0], "xmax": [6, 0], "ymax": [10, 0]},
    "SExtractor": {"XMIN_IMAGE": [4, 1], "YMIN_IMAGE": [11, 1], "XMAX_IMAGE": [7, 1], "YMAX_IMAGE": [11, 1]},
    "centre": {"x": [4.5, 0.0], "y": [10.0, 0.0], "width": [4.0, 1.0], "height": [1.0, 1.0]},
}
SKY = {"ra": [150.1, 359.9], "dec": [2.2, -30.0], "width_arcsec": [3.0, 1.5], "height_arcsec": [2.0, 1.5]}


def written(tmp_path, columns, suffix=".ecsv", ids=("a", "b")):
    path = tmp_path / f"objects{suffix}"
    Table({"id": list(ids)} | columns).write(path, overwrite=True)
    return path


def edges(table, names=BOX):
    return np.stack([np.asarray(table[name]) for name in names], 1)


@pytest.mark.parametrize("suffix", [".ecsv", ".csv", ".fits", ".parquet"])
@pytest.mark.parametrize("way", WAYS)
def test_tables_in_pixels(tmp_path, way, suffix):
    table = read_boxes(written(tmp_path, WAYS[way] | {"mag": [20.0, 21.0]}, suffix))
    np.testing.assert_allclose(edges(table), EDGES)
    assert table["id"].tolist() == ["a", "b"]
    assert table["mag"].tolist() == [20.0, 21.0]


def test_squares_by_one_number(tmp_path):
    table = read_boxes(written(tmp_path, {"x": [4.0, 8.0], "y": [1.0, 2.0], "size": [3.0, 4.0]}))
    np.testing.assert_allclose(edges(table), [[2.5, -0.5, 5.5, 2.5], [6.0, 0.0, 10.0, 4.0]])
    columns = {"ra": SKY["ra"], "dec": SKY["dec"], "size_arcsec": [3.0, 4.0]}
    table = read_boxes(written(tmp_path, columns))
    np.testing.assert_allclose(edges(table, SKY_BOX), [[150.1, 2.2, 3.0, 3.0], [359.9, -30.0, 4.0, 4.0]])
    assert "x0" not in table.colnames


def test_tables_on_the_sky_stay_there(tmp_path):
    table = read_boxes(written(tmp_path, SKY))
    np.testing.assert_allclose(edges(table, SKY_BOX), np.array(list(SKY.values())).T)
    assert "x0" not in table.colnames


def test_edges_go_before_other_columns(tmp_path):
    """A catalogue has centroids, positions on the sky and sizes of other kinds beside its boxes."""
    others = {"x": [4.0, 4.0], "y": [9.0, 9.0], "width": [1.0, 1.0], "height": [1.0, 1.0], "size": [2.0, 2.0]}
    table = read_boxes(written(tmp_path, WAYS["edges"] | others | SKY))
    np.testing.assert_allclose(edges(table), EDGES)


def test_ids_are_text_and_what_is_missing_is_nan(tmp_path):
    columns = WAYS["first and last pixel"] | {"xmax": MaskedColumn([6, 0], mask=[False, True])}
    table = read_boxes(written(tmp_path, columns, ids=(17, 18)))
    assert table["id"].tolist() == ["17", "18"]
    assert np.isnan(table["x1"]).tolist() == [False, True]
    padded = read_boxes(written(tmp_path, WAYS["edges"], ".fits", ids=("a  ", "bcd")))
    assert padded["id"].tolist() == ["a", "bcd"]


def test_tables_without_boxes_are_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"objects\.ecsv says of no object where its box is; its columns are id, x, y"
    ):
        read_boxes(written(tmp_path, {"x": [1.0, 2.0], "y": [1.0, 2.0]}))
    path = tmp_path / "nameless.ecsv"
    Table(WAYS["edges"]).write(path)
    with pytest.raises(DataError, match=r"nameless\.ecsv has no column 'id'; .* the image of each box"):
        read_boxes(path)
    with pytest.raises(DataError, match="does not exist"):
        read_boxes(tmp_path / "nowhere.fits")


# COCO: the corner of the image is (0, 0), so that its first pixel's centre is (1/2, 1/2)
COCO = {
    "images": [{"id": 7, "file_name": "train/a.fits.gz"}, {"id": 9, "file_name": "b.c.fits"}],
    "categories": [{"id": 3, "name": "galaxy"}, {"id": 1, "name": "star"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [3, 10, 4, 1]},
        {"id": 2, "image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1], "iscrowd": 1},
        {"id": 3, "image_id": 7, "category_id": 1, "bbox": [0.5, 0.25, 1.5, 2.0], "iscrowd": 0},
    ],
}


def coco(tmp_path, **changed):
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(COCO | changed))
    return path


def test_coco(tmp_path):
    table = read_boxes(str(coco(tmp_path)))
    assert table["id"].tolist() == ["a", "b.c", "a"]
    assert table["label"].tolist() == ["galaxy", "star", "star"]
    assert table["ignore"].tolist() == [False, True, False]
    np.testing.assert_allclose(edges(table), [*EDGES, [0.0, -0.25, 1.5, 1.75]])


def test_coco_there_and_back(tmp_path):
    rng = np.random.default_rng(0)
    low = rng.uniform(-0.5, 50, (40, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 20, (40, 2))], 1)
    rows = [
        {"image_id": 7, "category_id": 3, "bbox": [x0 + 0.5, y0 + 0.5, x1 - x0, y1 - y0]}
        for x0, y0, x1, y1 in boxes.tolist()
    ]
    np.testing.assert_allclose(edges(read_boxes(coco(tmp_path, annotations=rows))), boxes)


def test_coco_without_objects_has_none(tmp_path):
    table = read_boxes(coco(tmp_path, annotations=[]))
    assert len(table) == 0
    assert edges(table).shape == (0, 4)


@pytest.mark.parametrize(
    "changed",
    [
        {"annotations": [{"image_id": 7, "category_id": 3}]},
        {"annotations": [{"image_id": 7, "category_id": 3, "bbox": [0, 0]}] * 2},
        {"annotations": [{"image_id": 7, "category_id": 3, "bbox": "0 0 1 1"}]},
        {"annotations": {"image_id": 7}},
        {"images": None},
    ],
)
def test_json_that_is_not_cocos_is_refused(tmp_path, changed):
    with pytest.raises(
        DataError, match=r"objects\.json is not of COCO's format: .*; it has images \(id, file_name\)"
    ):
        read_boxes(coco(tmp_path, **changed))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "category_id",
            "1 annotation of category 2, which 'categories' does not list .*3, 1.*; .* mend category_id",
        ),
        (
            "image_id",
            "1 annotation of image 2, which 'images' does not list .*7, 9.*; .* mend image_id",
        ),
    ],
)
def test_annotations_of_what_is_not_listed_are_refused(tmp_path, key, message):
    strange = {"image_id": 7, "category_id": 3, "bbox": [0, 0, 1, 1]} | {key: 2}
    with pytest.raises(DataError, match=rf"objects\.json: {message}"):
        read_boxes(coco(tmp_path, annotations=[*COCO["annotations"], strange]))


@pytest.mark.parametrize("content", ["[]", "{", "\xff", "[1, 2]"])
def test_files_that_are_no_json_are_refused(tmp_path, content):
    path = tmp_path / "objects.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match="is not of COCO's format"):
        read_boxes(path)
    with pytest.raises(DataError, match=r"none\.json does not exist"):
        read_boxes(tmp_path / "none.json")


def regions_file(tmp_path, regions, name="a.reg"):
    from regions import Regions

    path = tmp_path / name
    Regions(regions).write(path, format="ds9", overwrite=True)
    return str(path)


def inside(region, shape=(60, 60)):
    """Bounds of a region on a fine grid of its own containment, to a fortieth of a pixel."""
    from regions import PixCoord

    y, x = np.mgrid[: shape[0] : 0.025, : shape[1] : 0.025]
    there = region.contains(PixCoord(x, y))
    return [x[there].min(), y[there].min(), x[there].max(), y[there].max()]


def test_regions_in_pixels(tmp_path):
    """Against the bounds of what the package finds in them; it counts pixels from 0, as we do, and DS9 from 1."""
    from regions import CirclePixelRegion, EllipsePixelRegion, PixCoord, RectanglePixelRegion

    drawn = [
        CirclePixelRegion(PixCoord(20.0, 30.5), 4.0, meta={"text": "star"}),
        EllipsePixelRegion(PixCoord(25.0, 22.0), 20.0, 6.0, 30 * u.deg, meta={"text": "galaxy"}),
        RectanglePixelRegion(PixCoord(30.0, 28.0), 12.0, 5.0, -70 * u.deg, meta={"text": "galaxy"}),
        RectanglePixelRegion(PixCoord(30.0, 28.0), 12.0, 5.0, meta={"text": "star", "tag": ["halo"]}),
    ]
    path = regions_file(tmp_path, drawn)
    assert "circle(21.0" in (tmp_path / "a.reg").read_text()
    table = read_boxes([path], ids=["img1"])
    assert table["id"].tolist() == ["img1"] * 4
    assert table["label"].tolist() == ["star", "galaxy", "galaxy", "halo"]
    np.testing.assert_allclose(edges(table), [inside(region) for region in drawn], atol=0.06)
    np.testing.assert_allclose(edges(table)[3], [24.0, 25.5, 36.0, 30.5], atol=1e-3)


def test_regions_on_the_sky(tmp_path):
    from regions import CircleSkyRegion, EllipseSkyRegion, RectangleSkyRegion

    place = SkyCoord([150.1, 150.2, 150.3], [2.1, 2.2, 2.3], unit="deg")
    drawn = [
        CircleSkyRegion(place[0], 2 * u.arcsec),
        RectangleSkyRegion(place[1].fk5, 3 * u.arcsec, 1 * u.arcmin, 90 * u.deg),
        EllipseSkyRegion(place[2], 4 * u.arcsec, 2 * u.arcsec, 90 * u.deg),
    ]
    table = read_boxes(
        [regions_file(tmp_path, drawn[:2]), regions_file(tmp_path, drawn[2:], "b.reg")], ids=["a", "b"]
    )
    assert table["id"].tolist() == ["a", "a", "b"]
    expected = [[150.1, 2.1, 4, 4], [150.2, 2.2, 3, 60], [150.3, 2.3, 4, 2]]
    np.testing.assert_allclose(edges(table, SKY_BOX), expected, rtol=2e-5)
    np.testing.assert_allclose(table["_angle_deg"], [0, 90, 90], atol=1e-4)
    assert table["_ellipse"].tolist() == [True, False, True]


def test_regions_without_text_have_no_class(tmp_path):
    """They are objects all the same: not objects of an unknown class, which count neither way."""
    from regions import CirclePixelRegion, PixCoord

    circles = [CirclePixelRegion(PixCoord(5.0 + i, 5.0), 2.0) for i in range(3)]
    assert "label" not in read_boxes([regions_file(tmp_path, circles)], ids=["a"]).colnames


def test_a_file_of_regions_may_be_empty(tmp_path):
    from regions import CirclePixelRegion, PixCoord

    some = regions_file(tmp_path, [CirclePixelRegion(PixCoord(5.0, 5.0), 2.0, meta={"text": "star"})])
    none = tmp_path / "none.reg"
    none.write_text("# Region file format: DS9 version 4.1\nimage\n")
    table = read_boxes([str(none), some], ids=["n", "a"])
    assert table["id"].tolist() == ["a"]
    with pytest.raises(DataError, match=r"none\.reg\) hold no region"):
        read_boxes([str(none)], ids=["n"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "image\npoint(5,5)\n",
            r"a\.reg has a region of the kind 'point'; an object is a circle, an ellipse or a box",
        ),
        ("image\nline(5,5,9,9)\n", r"a\.reg has a region of the kind 'line'"),
        ("image\npolygon(1,1,5,1,5,5)\n", r"a\.reg has a region of the kind 'polygon'; .*draw one of these"),
        ('icrs\nannulus(5,5,2",3")\n', r"a\.reg has a region of the kind 'circle annulus'"),
        ("image\ncircle(5,5,2)\n-circle(9,9,3)\n", r"a\.reg excludes a region \(-circle\).*column 'ignore'"),
        (
            "image\ncircle(5,5,2)\npanda(9,9,0,360,4,3,6,1)\n",
            r"a\.reg: 'panda' is not read; an object is a circle",
        ),
        ("physical\ncircle(5,5,2)\n", r"a\.reg: 'physical' is not read; .* in the coordinates image, icrs"),
        (
            "circle(5,5,2)\n",
            r"a\.reg: A coordinate frame was not found for region: .*circle.* save the regions",
        ),
        ('image\ncircle(5,5,2")\n', r"a\.reg: Cannot parse pixel region size parameters"),
        ('image\ncircle(5,5,2)\nicrs\ncircle(5,5,2")\n', "regions in pixels and others on the sky"),
        ("image\ncircle(5,5\n", r"a\.reg cannot be read as regions of DS9"),
    ],
)
def test_regions_that_are_no_boxes_are_refused(tmp_path, content, message):
    path = tmp_path / "a.reg"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_boxes([str(path)], ids=["a"])


def test_files_of_both_systems_are_refused(tmp_path):
    for name, content in (("a.reg", "image\ncircle(5,5,2)\n"), ("b.reg", 'icrs\ncircle(5,5,2")\n')):
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match="some region files are in pixels and others on the sky"):
        read_boxes([str(tmp_path / name) for name in ("a.reg", "b.reg")], ids=["a", "b"])
