import base64
import io
import re

import numpy as np
from astropy.table import Table
from PIL import Image

from astrocnn.report.gallery import (
    PICTURES,
    binary_galleries,
    draw_galleries,
    kind_galleries,
    multiclass_galleries,
)


def rows_of(galleries):
    return {gallery.key: gallery.rows.tolist() for gallery in galleries}


def of(table):
    p, labels = np.asarray(table["p"]), np.asarray(table["label"])
    return binary_galleries(p, labels, classes=("no", "yes"), threshold=0.5)


def test_binary_galleries_show_the_extremes_in_order():
    p = np.array([0.9, 0.2, 0.8, 0.99, 0.4, 0.6, 0.1, 0.95])
    labels = np.array([1, 1, 0, 1, 1, 0, 0, 0])
    rows = rows_of(binary_galleries(p, labels, classes=("no", "yes"), threshold=0.5))
    assert rows == {"hits": [3, 0], "misses": [1, 4], "alarms": [7, 2, 5]}


def test_at_most_a_page_of_pictures_and_the_right_end():
    p = np.linspace(0, 1, 1001)
    rows = rows_of(binary_galleries(p, np.ones(1001, int), classes=("no", "yes"), threshold=0.5))
    assert rows["hits"] == list(range(1000, 1000 - PICTURES, -1))
    assert rows["misses"] == list(range(PICTURES))
    assert rows["alarms"] == []


def test_kinds_run_from_the_most_to_the_least_deceptive():
    p = np.linspace(0, 1, 101)
    kinds = np.array(["ring"] * 101, dtype="U8")
    kinds[50] = "merger"
    ring, merger = kind_galleries(p, kinds, {"ring": "", "merger": ""})
    assert ring.rows.tolist() == [100, 80, 60, 40, 20, 0]
    assert merger.rows.tolist() == [50]


def test_multiclass_mistakes_are_the_most_confident():
    p = np.array([[0.9, 0.05, 0.05], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7]])
    rows = rows_of(multiclass_galleries(p, np.array([1, 1, 1, 2]), classes=("a", "b", "c")))
    assert rows == {"mistakes": [0, 1], "class-0": [], "class-1": [2], "class-2": [3]}


def test_each_object_has_its_own_picture_and_caption(run):
    galleries = of(run.predictions)
    asked = []

    def shuffled(rows):  # a loader that answers in its own order says so in "index"
        asked.append(rows)
        batch = run.images(rows[::-1].copy())
        batch["image"][:] = batch["image"].clamp(-2, 2)
        for picture, row in zip(batch["image"], batch["index"].tolist(), strict=True):
            picture[:, 12, row % 24] = 1000  # a star whose column tells the row
        return batch

    options = {"bands": None, "classes": ("no", "yes"), "truth": ["theta_E"], "kind": "kind"}
    straight, shape = draw_galleries(galleries, run.predictions, images=run.images, **options)
    turned, _ = draw_galleries(galleries, run.predictions, images=shuffled, **options)
    assert shape == (3, 24, 24)
    assert asked[0].min() >= 1000  # rows of the catalogue, not of the table
    hit = galleries[0].rows[0]
    assert run.predictions["id"][hit] in straight["hits"]
    assert f"{run.predictions['theta_E'][hit]:.2f}″" in straight["hits"]
    assert straight["hits"].count("<img") == len(galleries[0].rows)
    columns = [picture.max(axis=(0, 2)).argmax() for picture in pictures_in(turned["hits"])]
    assert columns == [row % 24 for row in np.asarray(run.predictions["index"])[galleries[0].rows]]


def test_the_first_row_of_the_array_is_at_the_bottom(run):
    galleries = of(run.predictions)
    drawn, _ = draw_galleries(
        galleries, run.predictions, images=run.images, bands=None, classes=("no", "yes")
    )
    picture = pictures_in(drawn["hits"])[0].astype(int)  # no data: rows 0 to 2, columns 0 to 2 of the array
    np.testing.assert_array_equal(picture[-1, 0], picture[-3, 2])
    assert not (picture[0, 0] == picture[-1, 0]).all()


def test_a_masked_truth_is_left_out(run):
    table = Table(run.predictions, masked=True)
    table["theta_E"].mask = True
    galleries = of(table)
    drawn, _ = draw_galleries(
        galleries, table, images=run.images, bands=None, classes=("n", "y"), truth=["theta_E", "snr_arc"]
    )
    assert "″" not in drawn["hits"]
    assert "S/N" in drawn["hits"]


def test_large_images_are_reduced(run):
    galleries = of(run.predictions)
    drawn, _ = draw_galleries(
        galleries,
        run.predictions,
        images=lambda rows: run.images(rows, side=220),
        bands=None,
        classes=("no", "yes"),
    )
    assert pictures_in(drawn["hits"])[0].shape == (160, 160, 3)
    assert len(drawn["hits"]) < PICTURES * 40_000


def pictures_in(text):
    data = re.findall(r"base64,([^\"]+)", text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(part)))) for part in data]
