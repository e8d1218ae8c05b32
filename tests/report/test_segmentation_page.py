"""The page and the table of a segmentation: what they say is what the metrics hold, and nothing is fetched."""

import base64
import copy
import io
import json
import re

import numpy as np
import pytest
from html_page import Page
from PIL import Image
from rich.console import Console

from astrocnn.errors import DataError
from astrocnn.functional.segmentation import join_summaries, pixel_counts, summarise_pixels
from astrocnn.functional.source_scores import summarise_objects
from astrocnn.report.lupton import NO_DATA
from astrocnn.report.scene_pictures import class_colors, outlines, scene_gallery
from astrocnn.report.segmentation_page import write_segmentation_report
from astrocnn.report.segmentation_terminal import print_segmentation

CLASSES = ["background", "star", "<i>disc</i>"]
SIDE = 40


def scene(seed):
    """An image of two sources, what is true of it and what a mediocre network says."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIDE, SIDE))
    instances = np.zeros((SIDE, SIDE), dtype=np.int64)
    flux = rng.normal(size=(3, SIDE, SIDE)).astype(np.float32)
    positions = rng.uniform(5, SIDE - 5, (2, 2))
    for number, (a, b) in enumerate(positions, start=1):
        distance2 = (y - a) ** 2 + (x - b) ** 2
        flux += 40 * np.exp(-distance2 / 8)
        instances[distance2 < 16] = number
    class_map = instances.copy()
    class_map[:4, :6] = -1
    valid = np.ones(flux.shape, dtype=bool)
    valid[:, -3:, -5:] = False
    logits = rng.normal(size=(3, SIDE, SIDE)) + 3 * (np.maximum(class_map, 0) == np.arange(3)[:, None, None])
    p = (np.exp(logits) / np.exp(logits).sum(0)).astype(np.float32)
    objects = {
        "x": positions[:, 1],
        "y": positions[:, 0],
        "label": np.array([1, 2]),
        "snr": np.array([30.0, 40.0]),
    }
    objects |= {
        "mag": rng.uniform(22.1, 22.4, 2),
        "blended": np.array([False, True]),
        "iou": np.array([0.8, 0.7]),
    }
    return {
        "id": f"s{seed}",
        "score": 0.9 - seed / 50,
        **{
            "image": flux,
            "valid": valid,
            "class_map": class_map,
            "p": p,
            "instances": instances,
            "found": instances,
        },
        "objects": objects,
    }


@pytest.fixture(scope="module")
def made():
    """Twelve scenes and the metrics of a run on them."""
    scenes = [scene(seed) for seed in range(12)]
    pixels = summarise_pixels(
        pixel_counts(np.stack([s["p"] for s in scenes]), np.stack([s["class_map"] for s in scenes])),
        CLASSES,
        n_bootstrap=50,
    )
    rng = np.random.default_rng(0)
    measured = [
        {
            **{key: s["objects"][key] for key in ("label", "mag", "blended")},
            "x": s["objects"]["x"] + rng.normal(0, 0.3, 2),
            "y": s["objects"]["y"] + rng.normal(0, 0.3, 2),
            "p_star": rng.uniform(0, 1, 2),
            "snr": s["objects"]["snr"] * [1.8, 2.6],
        }
        for s in scenes
    ]
    objects = summarise_objects(measured, [s["objects"] for s in scenes], classes=CLASSES, n_bootstrap=50)
    return scenes, json.loads(json.dumps({"splits": {"test": join_summaries(pixels, objects)}}))


@pytest.fixture
def metrics(made):
    return copy.deepcopy(made[1])


@pytest.fixture(scope="module")
def text(made, tmp_path_factory):
    """The page of the run."""
    scenes, metrics = made
    steps = np.arange(50)
    path = write_segmentation_report(
        tmp_path_factory.mktemp("page") / "report.html",
        title="A map maker",
        metrics=metrics,
        examples=scenes[:6],
        history={"train/loss": (steps, np.exp(-steps / 30)), "val/mean_iou": (steps[9::10], np.ones(5))},
        run_info={"model": "unet", "n_parameters": 1934567, "training_seconds": 252},
        bands=("g", "r", "i"),
        pixel_scale_arcsec=0.2,
        classes=CLASSES,
    )
    return path.read_text(encoding="utf-8")


def pictures(text):
    """The page's pictures as arrays, their first row at the top."""
    found = re.findall(r'src="data:image/(?:png|jpeg);base64,([^"]+)"', text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")) for data in found]


def test_every_section_is_there_and_nothing_is_fetched(text):
    page = Page(text)
    expected = {"Figures of merit", "Classes", "Objects", "Galleries", "Training", "The run"}
    expected |= {
        "Confusion of pixels",
        "Reliability of pixels",
        "Completeness",
        "Purity",
        "Classes of objects",
    }
    expected |= {"Stars against galaxies", "Stars by label", "Positions", "Best", "Typical", "Worst"}
    assert expected <= set(page.headings)
    expected |= {"Completeness and S/N", "Purity and S/N", "Close pairs"}
    assert expected <= set(page.headings)
    assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
    assert "http" not in text
    assert "<script" not in text
    assert "<i>disc</i>" not in text
    assert len(set(page.ids)) == len(page.ids)


def test_figures_are_those_of_the_metrics(text, metrics):
    summary = metrics["splits"]["test"]
    for key in ("mean_iou", "completeness", "blended_completeness", "star_auroc", "isolated_instance_iou"):
        assert f"{summary['figures'][key]['value']:.3f}" in text, key
    for part in summary["per_class"].values():
        assert f"{part['iou']['value']:.3f}" in text
    assert "12 images, 24 objects" in text
    assert f"{summary['figures']['position_median_pix']['value']:.3f} pix" in text


def test_rates_by_s_n_are_shown_in_wide_bins(text):
    """12 objects of a true S/N of 30 and 12 of 40; measured 54 and 104; all are found."""
    told = Page(text).text
    table = told[told.index("by measured S/N") :]
    rows = table[: table.index("Galleries")]
    assert "20 to 50" in rows
    assert "50 to 100" in rows
    assert "above 100" in rows
    assert "5 to 10" not in rows
    assert "24 objects" in rows  # of a true S/N from 20 to 50, of which the second ones are blended
    assert rows.count("12 objects") == 1 + 3  # and by measured S/N each alone
    assert "0.758–1.000" in rows  # Wilson's interval of 12 of 12


def test_objects_found_are_those_with_a_true_partner(metrics, tmp_path):
    counts = metrics["splits"]["test"]["counts"]
    counts |= {"n_true": 1034, "n_blended": 515, "n_matched": 658, "n_measured": 711}
    path = write_segmentation_report(tmp_path / "r.html", title="", metrics=metrics, classes=list(CLASSES))
    told = Page(path.read_text()).text.replace("\u202f", "")
    assert (
        "Of 1034 true objects 515 touch another; 658 were found, among 711 that are said to be there." in told
    )


def test_a_run_that_tells_no_objects_apart_has_a_page_of_its_pixels(metrics, tmp_path):
    summary = metrics["splits"]["test"]
    kept = ("n_scenes", "n_pixels", "classes", "intervals", "per_class", "confusion", "reliability")
    summary = {key: summary[key] for key in kept} | {"figures": {"mean_iou": {"value": 0.5}}}
    path = write_segmentation_report(
        tmp_path / "a" / "b.html", title="x", metrics={"splits": {"val": summary}}
    )
    text = path.read_text(encoding="utf-8")
    headings = Page(text).headings
    assert "Objects" not in headings
    assert "Galleries" not in headings
    assert "validation set of 12 images." in text


def test_pictures_show_the_maps(text, made):
    drawn = pictures(text)
    assert len(drawn) == 6 * 4
    first = made[0][0]
    true, predicted = (picture[::-1] for picture in drawn[1:3])  # FITS has the first row at the bottom
    colors = class_colors(3)
    seen = first["valid"].all(0)
    np.testing.assert_array_equal(true[seen], colors[first["class_map"]][seen])
    np.testing.assert_array_equal(predicted[seen], colors[first["p"].argmax(0)][seen])
    assert (true[~seen] == NO_DATA).all()
    assert drawn[3].shape == (2 * SIDE, 2 * SIDE, 3)  # the outlines are drawn at twice the size


def test_what_an_example_lacks_is_left_out(made):
    bare = {key: made[0][0][key] for key in ("image", "valid", "class_map", "p")}
    options = {"classes": CLASSES, "bands": None, "pixel_scale_arcsec": None}
    text = scene_gallery([bare], **options)
    assert len(pictures(text)) == 4
    assert "probability of source" in text
    assert "Best" not in text
    spread = scene_gallery([bare | {"spread": np.ones((SIDE, SIDE))}], **options)
    assert "variance of the samples" in spread
    assert 'class="strip columns-5"' in spread
    nan = scene_gallery([bare | {"p": np.where(bare["valid"][:1], bare["p"], np.nan)}], **options)
    assert len(pictures(nan)) == 4


def test_images_of_several_sizes_go_on_one_page(made):
    smaller = {
        key: made[0][1][key][..., :20, :30]
        for key in ("image", "valid", "class_map", "p", "instances", "found")
    }
    text = scene_gallery([made[0][0], smaller], classes=CLASSES, bands=None, pixel_scale_arcsec=0.2)
    assert pictures(text)[5].shape[:2] == (20, 30)


def test_outlines_lie_on_both_sides_of_a_border():
    labels = np.zeros((5, 6), dtype=int)
    labels[1:4, 1:3], labels[1:4, 3:5], labels[0, 0] = 1, 2, -1
    found = outlines(labels)
    assert found[1:4, 1:5].all()  # two columns each: all of their pixels are borders
    assert found[2, 0]
    assert found[0, 1]
    assert not found[0, 0]
    assert not outlines(np.ones((4, 4), dtype=int)).any()


def test_many_classes_have_colours():
    colors = class_colors(12)
    assert colors.shape == (13, 3)
    assert len(np.unique(colors[:9], axis=0)) == 9


def test_the_table_says_what_the_page_says(metrics):
    console = Console(width=100, file=io.StringIO())
    print_segmentation(metrics, "/runs/[x]/report.html", console=console)
    text = console.file.getvalue()
    figures = metrics["splits"]["test"]["figures"]
    iou = figures["mean_iou"]
    assert f"{iou['value']:.3f} [{iou['low']:.3f}–{iou['high']:.3f}]" in text
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if "Completeness" in line)
    assert [line.split()[1] for line in lines[at + 1 : at + 3]] == ["isolated", "blended"]
    assert f"{figures['blended_completeness']['value']:.3f}" in lines[at + 2]
    assert "<i>disc</i>" in text
    assert "test set, 12 images, 24 objects" in text
    assert "/runs/[x]/report.html" in text
    with pytest.raises(DataError, match="no split"):
        print_segmentation({"splits": {}})
