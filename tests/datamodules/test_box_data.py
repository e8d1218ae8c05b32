"""Images with the boxes of their objects: what comes in a batch, and what is refused."""

import json
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS

from astrocnn.datamodules.boxes import BoxDataModule
from astrocnn.errors import AstrocnnWarning, DataError

N, ROWS, COLUMNS = 12, 20, 30  # images and their pixels
SCALE = (0.4, 0.5)  # arcsec a pixel in x and in y


def wcs_of(i: int) -> WCS:
    """A field of its own, turned by 30° an image."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crpix = [(COLUMNS + 1) / 2, (ROWS + 1) / 2]
    wcs.wcs.crval = [359.999 + i, -40.0 + 5 * i]
    cos, sin = np.cos(np.radians(30 * i)), np.sin(np.radians(30 * i))
    wcs.wcs.cd = np.array([[-cos, sin], [sin, cos]]) * SCALE / 3600
    return wcs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``img/c<i>.fits``; the first pixel of image i is i."""
    rng = np.random.default_rng(0)
    (tmp_path / "img").mkdir()
    for i in range(N):
        image = rng.normal(size=(2, ROWS, COLUMNS)).astype(np.float32)
        image[0, 0, 0] = i
        header = wcs_of(i).to_header()
        header.update(BAND1="g", BAND2="r")
        fits.PrimaryHDU(image, header).writeto(tmp_path / "img" / f"c{i:02d}.fits")
    return tmp_path


def objects() -> Table:
    """Image i has i % 4 objects; the last column and row are those of the box's number."""
    of = [(i, k) for i in range(N) for k in range(i % 4)]
    table = Table({"id": [f"c{i:02d}" for i, _ in of], "label": [("galaxy", "star")[k % 2] for _, k in of]})
    table["x0"] = [2.5 + k for _, k in of]
    table["y0"] = [4.5 + i for i, _ in of]
    table["x1"] = [8.5 + 2 * k for _, k in of]
    table["y1"] = [9.5 + i for i, _ in of]
    table["mag"] = [20.0 + i + k / 10 for i, k in of]
    return table


def module(folder: Path, table: Table | None = None, **options: Any) -> BoxDataModule:
    given: dict[str, Any] = {"images": f"{folder}/img/c*.fits", "boxes": f"{folder}/objects.ecsv"}
    if table is not None:
        table.write(folder / "objects.ecsv", overwrite=True)
    data = BoxDataModule(**{**given, **options})
    data.probe()
    return data


def by_image(batch: dict[str, torch.Tensor]) -> dict[int, list[int]]:
    """Image number and row of the batch."""
    return {int(image[0, 0, 0]): row for row, image in enumerate(batch["image"])}


def test_what_is_known_before_any_pixel(folder):
    data = module(folder, objects(), box_values=["mag"])
    assert data.spec.classes == ("galaxy", "star")
    assert data.spec.box_values == ("mag",)
    assert data.spec.truth == ("boxes",)
    assert data.spec.image_shape == (2, ROWS, COLUMNS)
    filled = data.filled()
    assert filled["classes"] == ["galaxy", "star"]
    assert filled["box_values"] == ["mag"]
    assert module(folder, objects()).spec.box_values == ()


def test_batches_have_the_boxes_of_their_images(folder):
    table = objects()
    data = module(folder, table, box_values=["mag"])
    rows = np.array([7, 2, 11, 0, 9])
    batch = data.gather(rows)
    assert batch["boxes"].dtype == batch["box_values"].dtype == torch.float32
    assert batch["box_labels"].dtype == torch.int64
    assert batch["boxes"].shape == (5, 3, 4)
    assert batch["box_values"].shape == (5, 3, 1)
    place = by_image(batch)
    assert len(place) == 5
    for image, row in place.items():
        own = table[table["id"] == f"c{image:02d}"]
        n = len(own)
        expected = np.array([[each[name] for name in ("x0", "y0", "x1", "y1")] for each in own]).reshape(
            -1, 4
        )
        expected[:, 3] = np.minimum(expected[:, 3], ROWS - 0.5)
        np.testing.assert_allclose(batch["boxes"][row, :n], expected)
        assert batch["boxes"][row, n:].isnan().all()
        assert batch["box_labels"][row].tolist() == [0, 1, 0][:n] + [-1] * (3 - n)
        np.testing.assert_allclose(batch["box_values"][row, :n, 0], own["mag"], rtol=1e-6)
        assert batch["box_values"][row, n:].isnan().all()
    at = data.objects_of(int(rows[place[7]]))
    assert at["id"].tolist() == ["c07"] * 3


def test_every_image_is_in_a_split_with_objects_or_without(folder):
    data = module(folder, objects(), batch_size=5)
    rows = {split: data.rows(split) for split in ("train", "val", "test")}
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(N))
    seen = {}
    for batch in data.loader(data.rows("all")):
        for image, row in by_image(batch).items():
            seen[image] = int(batch["boxes"][row].isfinite().all(-1).sum())
    assert seen == {i: i % 4 for i in range(N)}


def test_the_objects_of_each_class_are_counted(folder):
    data = module(folder, objects())
    data.setup()
    rows = np.array([1, 2, 4, 7])  # of the catalogue; image i has i % 4 objects, by turns galaxies and stars
    numbers = [int(str(name).removeprefix("c")) for name in data.catalog["id"][rows]]
    assert data.class_counts(rows) == {
        "galaxy": sum((i % 4 + 1) // 2 for i in numbers),
        "star": sum(i % 4 // 2 for i in numbers),
    }
    assert sum(data.class_counts(data.rows("all")).values()) == len(objects())


def test_images_without_any_object(folder):
    data = module(folder, objects())
    without = [row for row in range(N) if len(data.objects_of(row)) == 0]
    batch = data.gather(np.array(without))
    assert len(without) == 3
    assert batch["boxes"].shape == (3, 0, 4)
    assert batch["box_labels"].shape == (3, 0)
    assert "box_values" not in batch


def test_objects_that_count_neither_way(folder):
    """Those that are to be ignored, and those whose class is not known."""
    table = objects()
    table["ignore"] = table["id"] == "c03"
    table["label"] = MaskedColumn(table["label"], mask=table["id"] == "c02")
    data = module(folder, table)
    assert data.spec.classes == ("galaxy", "star")
    batch = data.gather(data.rows("all"))
    place = by_image(batch)
    assert batch["box_labels"][place[3]].tolist() == [-1, -1, -1]
    assert batch["box_labels"][place[2]].tolist() == [-1, -1, -1]
    assert batch["boxes"][place[3]].isfinite().all()
    assert batch["box_labels"][place[7]].tolist() == [0, 1, 0]


def test_an_object_of_which_no_pixel_holds_data_does_not_count(folder):
    path = folder / "img" / "c02.fits"  # whose boxes go from 2.5 to 8.5 and from 3.5 to 10.5 in x
    pixels, header = fits.getdata(path), fits.getheader(path)
    for last, labels in ((7, [0, 1]), (8, [-1, 1]), (10, [-1, -1])):
        pixels[:, 7:12, 3 : last + 1] = np.nan
        fits.writeto(path, pixels, header, overwrite=True)
        data = module(folder, objects())
        batch = data.gather(data.rows("all"))
        assert batch["box_labels"][by_image(batch)[2]].tolist()[:2] == labels


def test_values_that_are_not_known_are_nan(folder):
    table = objects()
    table["mag"] = MaskedColumn(table["mag"], mask=table["id"] == "c01")
    table["n"] = np.arange(len(table))
    data = module(folder, table, box_values=["n", "mag"])
    batch = data.gather(data.rows("all"))
    place = by_image(batch)
    assert batch["box_values"][place[1], 0].isnan().tolist() == [False, True]
    assert batch["box_values"][place[2], 1, 0] == 2


def test_objects_without_a_class_are_objects(folder):
    table = objects()
    table.remove_column("label")
    data = module(folder, table)
    assert data.spec.classes == ("object",)
    assert data.gather(data.rows("all"))["box_labels"].max() == 0
    assert module(folder, table, classes=["galaxy"]).spec.classes == ("galaxy",)
    with pytest.raises(DataError, match=r"data\.box_label"):
        module(folder, table, classes=["galaxy", "star"])


def test_classes_in_the_order_that_is_named(folder):
    data = module(folder, objects(), classes=["star", "galaxy"])
    assert data.spec.classes == ("star", "galaxy")
    batch = data.gather(data.rows("all"))
    assert batch["box_labels"][by_image(batch)[3]].tolist() == [1, 0, 1]


@pytest.mark.parametrize("of", ["id", "stem", "name"])
def test_objects_find_their_image_by_any_name(folder, of):
    table = objects()
    table["id"] = [{"id": key[1:], "stem": key, "name": f"{key}.fits"}[of] for key in table["id"]]
    data = module(folder, table)
    assert len(data.objects()) == len(table)
    batch = data.gather(data.rows("all"))
    assert batch["boxes"][by_image(batch)[7], 0, 1] == 11.5


@pytest.mark.parametrize(
    ("dec", "message"),
    [
        (
            2.0,
            r"outside of the image of 20 × 30 pixels \(c03: ra 2\.9.*, dec \+2\.00000, 2\.4″ × 1\.2″, 27° from the",
        ),
        (
            -24.9,
            r"outside of the image .*, dec -24\.90000, .*, 6(\.\d*)?′ from the centre .* or the column 'id'",
        ),
        (65.0, r"outside of the image .*, dec \+65\.00000, .*, 90° from the centre"),  # beyond the projection
        (
            95.0,
            r"with a declination beyond ±90 degrees \(c03: ra 2\.9.*, dec \+95\.00000, 2\.4″ × 1\.2″\); mend",
        ),
        (np.nan, r"without numbers \(NaN\) for a box \(c03: ra 2\.9.*, dec \+nan"),
    ],
)
def test_positions_outside_of_their_image_are_said_with_where_they_lie(folder, dec, message):
    """The image of c03 is around (2.999, −25)."""
    table, _ = on_the_sky()
    table["dec"][3] = dec
    with pytest.raises(DataError, match=f"1 object {message}"):
        module(folder, table)


@pytest.mark.parametrize("name", ["ignore", "scored", "blended", "mag", "snr", "x"])
def test_columns_of_the_evaluation_hold_numbers_or_flags(folder, name):
    table = objects()
    table[name] = np.full(len(table), "maybe")
    with pytest.raises(
        DataError, match=rf"objects\.ecsv: the column '{name}' holds .*'maybe'.*; (give true|mend it)"
    ):
        module(folder, table)


def test_objects_of_other_images_are_left_out(folder):
    table = objects()
    table["id"][table["id"] == "c07"] = "z07"
    with pytest.warns(AstrocnnWarning, match=r"3 objects of images beyond data\.images \(z07\), left out"):
        data = module(folder, table)
    assert len(data.objects()) == len(table) - 3
    table["id"] = "z"
    with pytest.raises(
        DataError, match=r"column 'id' of .*objects\.ecsv: no id .* ids like z, images like 00"
    ):
        module(folder, table)


def on_the_sky() -> tuple[Table, dict[str, np.ndarray]]:
    """Boxes of 2.4″ × 1.2″ along right ascension and declination, and, by astropy, their corners in pixels."""
    rows, corners = [], {}
    for i in range(N):
        wcs = wcs_of(i)
        middle = wcs.pixel_to_world(12.3 + i / 4, 9.1)
        rows.append((f"c{i:02d}", middle.ra.deg, middle.dec.deg, 2.4, 1.2))
        around = [
            middle.spherical_offsets_by(dx * 1.2 * u.arcsec, dy * 0.6 * u.arcsec)
            for dx in (-1, 1)
            for dy in (-1, 1)
        ]
        corners[f"c{i:02d}"] = np.array([wcs.world_to_pixel(SkyCoord(corner)) for corner in around])
    return Table(rows=rows, names=["id", "ra", "dec", "width_arcsec", "height_arcsec"]), corners


def test_boxes_on_the_sky_land_on_their_pixels(folder):
    table, corners = on_the_sky()
    data = module(folder, table)
    batch = data.gather(data.rows("all"))
    for i, row in by_image(batch).items():
        around = corners[f"c{i:02d}"]
        expected = [*around.min(0), *around.max(0)]
        np.testing.assert_allclose(batch["boxes"][row, 0], expected, atol=2e-3)
    x0, y0, x1, y1 = batch["boxes"][by_image(batch)[0], 0].tolist()
    assert (x1 - x0, y1 - y0) == pytest.approx((6.0, 2.4), abs=1e-3)
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((12.3, 9.1), abs=1e-3)


def test_one_size_on_the_sky_is_that_of_a_round_object(folder):
    """As large in images that are turned."""
    table, _ = on_the_sky()
    table.remove_columns(["width_arcsec", "height_arcsec"])
    table["size_arcsec"] = 2.0
    data = module(folder, table)
    boxes = data.gather(data.rows("all"))["boxes"][:, 0]
    sizes = (boxes[:, 2:] - boxes[:, :2]).numpy()
    np.testing.assert_allclose(
        sizes, np.broadcast_to([2.0 / SCALE[0], 2.0 / SCALE[1]], sizes.shape), rtol=2e-3
    )
    table["size_arcsec"][3] = -2.0
    with pytest.raises(DataError, match=r"1 object without width or height \(c03: ra 2\.9.*, -2″ × -2″"):
        module(folder, table)


def test_boxes_on_the_sky_need_a_wcs(folder):
    table, _ = on_the_sky()
    fits.PrimaryHDU(np.ones((2, ROWS, COLUMNS), np.float32)).writeto(folder / "img/c05.fits", overwrite=True)
    with pytest.raises(
        DataError, match=r"c05\.fits has no WCS, but the boxes of .*objects\.ecsv are on the sky"
    ):
        module(folder, table)


def test_coco_and_regions_are_the_table(folder):
    table = objects()
    expected = module(folder, table)
    whole = expected.gather(expected.rows("all"))
    rows = [
        {
            "image_id": each["id"],
            "category_id": each["label"],
            "bbox": [each["x0"] + 0.5, each["y0"] + 0.5, each["x1"] - each["x0"], each["y1"] - each["y0"]],
        }
        for each in table
    ]
    images = [{"id": f"c{i:02d}", "file_name": f"img/c{i:02d}.fits"} for i in range(N)]
    categories = [{"id": name, "name": name} for name in ("star", "galaxy")]
    (folder / "objects.json").write_text(
        json.dumps(
            {
                "images": images,
                "categories": categories,
                "annotations": [{k: v if k == "bbox" else str(v) for k, v in row.items()} for row in rows],
            }
        )
    )
    (folder / "reg").mkdir()
    for key in sorted(set(table["id"])):  # images without objects have no file
        lines = [
            f"box({(each['x0'] + each['x1']) / 2 + 1},{(each['y0'] + each['y1']) / 2 + 1},{each['x1'] - each['x0']},"
            f"{each['y1'] - each['y0']},0) # text={{{each['label']}}}"
            for each in table[table["id"] == key]
        ]
        (folder / "reg" / f"{key}.reg").write_text(
            "\n".join(["# Region file format: DS9 version 4.1", "image", *lines])
        )
    for boxes in ("objects.json", "reg/*.reg", "reg/c*.reg"):
        data = module(folder, boxes=f"{folder}/{boxes}")
        assert data.spec.classes == ("galaxy", "star")
        batch = data.gather(data.rows("all"))
        for key in ("boxes", "box_labels"):
            torch.testing.assert_close(batch[key], whole[key], equal_nan=True)


def with_instances(folder: Path, table: Table) -> Table:
    """``lab/<id>.fits``: the pixels of each object hold 10 times its place in its image; the later one wins."""
    (folder / "lab").mkdir()
    table["number"] = [
        10 * (1 + int(np.sum(table["id"][:row] == key))) for row, key in enumerate(table["id"])
    ]
    for i in range(N):
        labels = np.zeros((ROWS, COLUMNS), np.int32)
        for each in table[table["id"] == f"c{i:02d}"]:
            x0, y0, x1, y1 = (int(each[name] + 0.5) for name in ("x0", "y0", "x1", "y1"))
            labels[y0:y1, x0:x1] = each["number"]
        labels[0, 0] = -1
        fits.PrimaryHDU(labels).writeto(folder / f"lab/c{i:02d}.fits")
    return table


def test_instance_maps_come_with_the_boxes(folder):
    table = with_instances(folder, objects())
    table = table[np.argsort(table["id"], kind="stable")[::-1]]  # not in the order of the images
    data = module(folder, table, instances={"files": f"{folder}/lab/c*.fits"})
    assert data.spec.maps == {"instances": (ROWS, COLUMNS)}
    assert data.spec.truth == ("instances", "boxes")
    batch = data.gather(np.array([7, 2, 11, 0, 9]))
    assert "class_map" not in batch
    assert batch["instances"].dtype == batch["box_numbers"].dtype == torch.int64
    for image, row in by_image(batch).items():
        n = image % 4
        assert batch["box_numbers"][row].tolist() == [10, 20, 30][:n][::-1] + [0] * (3 - n)
        assert batch["instances"][row, 0, 0] == -1
        for k in range(n):
            y, x = np.nonzero(batch["instances"][row].numpy() == 10 * (n - k))
            x0, _, _, y1 = batch["boxes"][row, k].tolist()
            assert y.max() + 0.5 == y1  # the last one is whole
            assert x.min() - 0.5 == x0 or k > 0
    assert "instances" not in module(folder, table).gather(np.array([3]))  # who asks for none gets none


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (None, r"data\.instances"),
        (0, r"1 object without a whole number from 1 on in the column 'number' \(c03: 0\.0\)"),
        (1.5, r"1 object without a whole number from 1 on in the column 'number' \(c03: 1\.5\)"),
        (np.nan, r"1 object without a whole number from 1 on in the column 'number' \(c03: nan\)"),
    ],
)
def test_objects_need_their_number_in_the_maps(folder, number, message):
    table = with_instances(folder, objects())
    row = int(np.flatnonzero(table["id"] == "c03")[1])
    if number is None:
        table.remove_column("number")
    else:
        table["number"] = table["number"].astype(float)
        table["number"][row] = number
    with pytest.raises(DataError, match=message):
        module(folder, table, instances={"files": f"{folder}/lab/c*.fits"})
    if number is not None:  # what counts neither way needs none
        table["ignore"] = np.arange(len(table)) == row
        data = module(folder, table, instances={"files": f"{folder}/lab/c*.fits"})
        batch = data.gather(data.rows("all"))
        assert batch["box_numbers"][by_image(batch)[3]].tolist() == [10, 0, 30]


def spoilt(name: str, value: float, row: int = 4) -> Table:
    table = objects()
    table[name][row] = value
    return table


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (
            spoilt("x1", 2.5),
            {},
            r"1 object without width or height \(c03: \(3\.5, 7\.5, 2\.5, 12\.5\)\)",
        ),
        (
            spoilt("y1", 7.5),
            {},
            r"1 object without width or height \(c03: \(3\.5, 7\.5, 10\.5, 7\.5\)\)",
        ),
        (
            spoilt("x0", np.nan),
            {},
            r"1 object without numbers \(NaN\) for a box \(c03: \(nan, 7\.5, 10\.5, 12\.5\)\)",
        ),
        (spoilt("x1", np.inf), {}, r"1 object without numbers .*; mend or remove this row\."),
        (
            Table({"id": ["c01"], "xmin": [5], "ymin": [5], "xmax": [4], "ymax": [9]}),
            {},
            r"1 object without width or height \(c01",
        ),
        (objects(), {"box_label": "type"}, r"objects\.ecsv has no column 'type'; .*data\.box_label=<column>"),
        (
            Table(
                [*objects().columns.values(), np.full(len(objects()), "no")],
                names=[*objects().colnames, "ignore"],
            ),
            {},
            r"objects\.ecsv: the column 'ignore' holds .*no.*, which is neither true nor false",
        ),
        (
            Table({"x0": [1.0], "y0": [1.0], "x1": [4.0], "y1": [4.0]}),
            {},
            r"objects\.ecsv has no column 'id'; .* the image of each box",
        ),
        (
            Table(
                {"id": ["c01", "c02"], "x0": [5.0, 29.5], "x1": [9.0, 35.0], "y0": [1.0] * 2, "y1": [9.0] * 2}
            ),
            {},
            r"1 object outside of the image of 20 × 30 pixels \(c02: \(29\.5, 1, 35, 9\)\)",
        ),
        (
            objects(),
            {"classes": ["galaxy"]},
            r"\d+ objects of a class beyond galaxy \(c02: star, c03: star, ",
        ),
        (
            objects(),
            {"classes": ["cat", "dog"]},
            r"data\.classes=\['cat', 'dog'\] are not the values of the column",
        ),
        (objects(), {"box_values": ["flux"]}, r"data\.box_values"),
        (
            objects(),
            {"box_values": ["id"]},
            r"data\.box_values: the column 'id' of .*objects\.ecsv holds no numbers",
        ),
        (objects(), {"boxes": None}, r"no boxes given; name them with data\.boxes="),
        (objects(), {"boxes": "nowhere/*.reg"}, r"no file matches data\.boxes="),
    ],
)
def test_boxes_that_are_none_are_refused(folder, table, options, message):
    with pytest.raises(DataError, match=message) as error:
        module(folder, table, **options)
    assert "objects.ecsv" in str(error.value) or set(options) & {"boxes", "classes"}


def test_a_column_without_any_class_is_refused(folder):
    table = objects()
    table["label"] = MaskedColumn(table["label"], mask=True)
    with pytest.raises(DataError, match=r"objects\.ecsv: no object has a class in the column 'label'"):
        module(folder, table)
