"""The page and the short table of an image-to-image run: what they state, and that they stand alone."""

import copy
import io
import json

import numpy as np
import pytest
import torch
from html_page import Page
from rich.console import Console

from astrocnn.functional.image_summary import summarise_images
from astrocnn.functional.images import image_sums, typical_and_worst
from astrocnn.report.image_gallery import _span
from astrocnn.report.image_page import write_image_report
from astrocnn.report.image_tables import print_image_summary

PLANES, UNITS = ("mass", "<b>age & $x$</b>"), ("dex(Msun)", "Gyr")
SHAPES = {"maps": (20, 20), "volumes": (8, 8, 8)}


def made(sides: tuple[int, ...], *, finer: int = 1):
    """Metrics and examples of predictions that are nearly right, an edge of the targets being unknown."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(12, 2, *[finer * side for side in sides], generator=generator) + 1
    said = target + 0.1 * torch.randn(target.shape, generator=generator)
    valid = torch.ones_like(target, dtype=torch.bool)
    valid[:4, ..., :3] = False
    edges = torch.linspace(1, 2, 9).expand(2, 9)
    sums = image_sums(said, target, valid, edges=edges)
    trivial = {"mean": image_sums(torch.full_like(target, 1.5), target, valid)}
    noun = "volume" if len(sides) == 3 else "image"
    summary = summarise_images(
        sums, planes=PLANES, units=UNITS, trivial=trivial, edges=edges.numpy(), noun=noun, n_bootstrap=20
    )
    typical, worst = typical_and_worst(sums, 2)
    image = torch.randn(12, 3, *sides, generator=generator).numpy()
    examples = [
        {
            "id": f"<{row}>",
            "title": title,
            "image": image[row],
            "valid": np.ones_like(image[row], dtype=bool),
            "target": target[row].numpy(),
            "target_valid": valid[row].numpy(),
            "prediction": said[row].numpy(),
        }
        for title, rows in (("Typical", typical), ("Worst", worst))
        for row in rows
    ]
    return json.loads(json.dumps({"splits": {"test": summary}})), examples


@pytest.fixture(scope="module")
def maps():
    return made(SHAPES["maps"])


def page(path, metrics, examples, **options) -> tuple[str, Page]:
    write_image_report(path, title="<run>", metrics=metrics, examples=examples, **options)
    text = path.read_text()
    return text, Page(text)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_page_stands_alone_and_is_well_formed(kind, tmp_path):
    metrics, examples = made(SHAPES[kind])
    text, found = page(
        tmp_path / "report.html", metrics, examples, bands=["g", "r", "i"], pixel_scale_arcsec=0.2
    )
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert len(found.ids) == len(set(found.ids))
    assert {f"#{name}" for name in ("figures", "values", "galleries")} <= set(found.addresses)
    assert "<b>age" not in text
    assert text.count('class="strip"') == 4
    assert text.count('src="data:image') == 4 * (1 + 2 * 3)
    assert text.count("<image ") == 2  # the tables of values
    noun, other = ("images", "volumes") if kind == "maps" else ("volumes", "images")
    assert f"Judged on the test set of 12 {noun}." in found.text
    assert f"mean over the {noun}" in found.text
    assert f"12 {other}" not in found.text
    assert f"over the {other}" not in found.text


def test_the_table_states_the_figures_and_what_needs_no_network(maps, tmp_path):
    _, found = page(tmp_path / "report.html", *maps, bands=["g", "r", "i"])
    figures = maps[0]["splits"]["test"]["figures"]["mass"]
    assert f"{figures['r2']['value']:.3f}" in found.text
    assert f"{figures['rmse']['value']:.3f}" in found.text
    gain = maps[0]["splits"]["test"]["gain"]["mean"]["mass"]["rmse"]
    assert f"{gain['value']:.3f}" in found.text
    assert "RMSE over that of the training mean" in found.text
    assert "Flux, predicted over true" in found.text  # of the second plane, whose sum means something


@pytest.mark.parametrize("finer", [1, 2])
def test_planes_that_are_bands_are_shown_in_colour(finer, tmp_path):
    metrics, examples = made((16, 16), finer=finer)
    summary = metrics["splits"]["test"]
    renamed = json.loads(json.dumps(summary).replace("mass", "g").replace("<b>age & $x$</b>", "r"))
    text, found = page(
        tmp_path / "report.html", {"splits": {"test": renamed}}, examples, bands=["g", "r", "i"]
    )
    assert text.count('class="strip"') == 4
    assert found.texts.count("predicted − true") == 4  # one row of four pictures an example


def test_what_is_not_there_is_left_out(maps, tmp_path):
    metrics = copy.deepcopy(maps[0])
    metrics["splits"]["test"] |= {"power": {}, "density": {}, "trivial": {}, "gain": {}}
    _, found = page(tmp_path / "report.html", metrics, [])
    assert not {"#values", "#galleries", "#training", "#run"} & set(found.addresses)


def test_the_short_table(maps):
    console = Console(width=240, file=io.StringIO())
    print_image_summary(maps[0], "/runs/[x]/report.html", console=console)
    text = console.file.getvalue()
    figure = maps[0]["splits"]["test"]["figures"]["mass"]["ssim"]
    assert f"{figure['value']:.3f}" in text
    assert f"[{figure['low']:.3f}–{figure['high']:.3f}]" in text
    assert "<b>age & $x$</b> (Gyr)" in text
    assert "/runs/[x]/report.html" in text


def test_figures_of_a_bad_fit_are_powers_of_ten(maps, tmp_path):
    metrics = copy.deepcopy(maps[0])
    figures = metrics["splits"]["test"]["figures"][PLANES[1]]
    figures["r2"] = {"value": -1.5994611948e43, "low": -2e43, "high": -1e43}
    figures["flux_error"] = {"value": 5.99383186e30, "low": 1.0, "high": 7e30}
    _, found = page(tmp_path / "report.html", metrics, [])
    console = Console(width=200, file=io.StringIO())
    print_image_summary(metrics, console=console)
    for text in (found.text, console.file.getvalue()):
        assert "−1.60×10⁴³" in text
        assert "0000000" not in text
    assert "5.99×10³²\u00a0%" in found.text


def test_the_worst_residual_does_not_wash_out_the_others(maps):
    examples = copy.deepcopy(maps[1])
    for example in examples[-2:]:
        example["prediction"] = example["prediction"] * 1e4
    residuals = np.stack([example["prediction"][0] - example["target"][0] for example in examples])
    typical = np.abs(residuals[:2])
    assert typical.max() / 3 < _span(residuals) <= typical.max()
    assert _span(np.full((3, 4, 4), np.nan)) == _span(np.zeros((3, 4, 4))) == 1.0
