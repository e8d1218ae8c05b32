"""A detector of a user's own images and boxes: empty scenes, gaps, a crowd, and boxes that are none."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from omegaconf import OmegaConf
from scipy.ndimage import maximum_filter, minimum_filter

from astrocnn.batch import DataSpec
from astrocnn.runtime.build import tell_of_masks

SIZE, N = 64, 12
GAP = slice(20, 40)  # columns without data
EMPTY, CROWDED, BROKEN = 3, 4, 5  # numbers of images
QUICK = [
    "model=yolo_dense", "model.width=8", "model.features=8", "model.blocks=[1]", "trainer=cpu", "logger=csv",
    "trainer.precision=32-true", "evaluation.n_bootstrap=20", "data=detection_boxes",
]  # fmt: skip


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of Gaussians in noise, their boxes in objects.csv, the split beside the images."""
    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    rows = []
    for number in range(N):
        image = rng.normal(size=(SIZE, SIZE))
        n = {EMPTY: 0, CROWDED: 3000}.get(number, 6)
        for x0, y0 in rng.uniform(4, SIZE - 5, (n, 2)):
            if number == BROKEN:  # three in the gap, three beside it
                x0 = [30.0, 55.0][len(rows) % 2]
            image += 40 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 4.5)
            rows.append((f"f{number:02d}", x0 - 4, y0 - 4, x0 + 4, y0 + 4, "star", 20.0, len(rows) + 1))
        if number == BROKEN:
            image[:, GAP] = np.nan
        fits.writeto(folder / f"f{number:02d}.fits", image.astype(np.float32))
    Table(rows=rows, names=["id", "x0", "y0", "x1", "y1", "label", "mag", "number"]).write(
        folder / "objects.csv"
    )
    split = ["train"] * 3 + ["test", "train", "test"] + ["val", "test"] + ["train"] * (N - 8)
    Table({"id": [f"f{k:02d}" for k in range(N)], "split": split}).write(folder / "images.csv")
    return folder


def write_maps(sky: Path, folder: Path) -> int:
    """``lab/f*.fits``: 3 × 3 pixels of each object, the later on top; how many of those that count touch another."""
    (folder / "lab").mkdir()
    table, n = Table.read(sky / "objects.csv"), 0
    for number in range(N):
        labels = np.zeros((SIZE, SIZE), np.int32)
        own = table[table["id"] == f"f{number:02d}"]
        for each in own:
            x, y = round(each["x0"] + 4), round(each["y0"] + 4)
            labels[y - 1 : y + 2, x - 1 : x + 2] = each["number"]
        fits.writeto(folder / "lab" / f"f{number:02d}.fits", labels)
        most = maximum_filter(labels, 3)
        least = minimum_filter(np.where(labels > 0, labels, len(table) + 1), 3)
        touching = set(labels[(labels > 0) & ((most != labels) | (least != labels))].tolist())
        hidden = (own["x0"] > GAP.start) & (own["x1"] < GAP.stop) & (number == BROKEN)
        n += sum(each in touching for each in own["number"][~hidden].tolist())
    return n


def given(sky: Path, **other: str) -> list[str]:
    options = {"images": f"{sky}/f*.fits", "boxes": f"{sky}/objects.csv", "catalog": f"{sky}/images.csv"}
    return [f"data.{name}={value}" for name, value in (options | other).items()]


def test_empty_scenes_gaps_and_crowds_go_through(
    sky: Path, command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scene of no object trains and counts; 3,000 objects in 64² pixels train; what lies in a gap does not count."""
    run = tmp_path / "run"
    options = [*given(sky), "data.box_values=[mag]"]  # of which nothing is known while nothing is found
    assert command("train", *QUICK, *options, "trainer.max_epochs=2", f"run_dir={run}") == 0
    summary = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    assert summary["counts"]["n_scenes"] == 3  # one of them empty
    assert (summary["counts"]["n_true"], summary["counts"]["n_ignored"]) == (9, 3)
    assert summary["per_image"]["true"].count(0) == 1
    assert summary["counts"]["n_blended"] is None  # since nobody says so
    page = (run / "report.html").read_text()
    assert re.search(r"Of 9 true objects \d+ were found", page)
    assert "Stars against galaxies" not in page  # there are no galaxies
    expected = write_maps(sky, tmp_path)
    options = [*given(sky), f"data.instances.files={tmp_path}/lab/f*.fits", f"output={tmp_path / 'other'}"]
    assert command("evaluate", f"run={run}", "data=detection_boxes", *options) == 0
    counts = json.loads((tmp_path / "other" / "metrics.json").read_text())["splits"]["all"]["counts"]
    assert counts["n_blended"] == expected > 0
    image = sky / f"f{BROKEN:02d}.fits"
    found = tmp_path / "found"
    assert (
        command(
            "predict",
            f"run={run}",
            "data=mosaic",
            f"data.images={image}",
            f"output={found}",
            "threshold=0.001",
        )
        == 0
    )
    assert re.search(r"objects in .*: [\d.]+ unique Mpix/s", capsys.readouterr().out)
    assert command("predict", f"run={run}", "data=cutouts", f"data.images={image}") == 1
    assert "detects objects in images; name these with data=mosaic data.images=...; data=cutouts came." in (
        capsys.readouterr().err
    )
    table = Table.read(next(found.glob("*_catalog.fits")))
    assert len(table) > 0
    assert table["score"].min() < 0.3
    assert ((table["x0"] <= GAP.start - 1) | (table["x1"] >= GAP.stop)).all()  # pixels of data in every box


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model=unet"],
            "UNet gives no boxes, which detection needs; choose model=yolo_dense, yolo, faster_rcnn",
        ),
        (["model=resnet"], "ResNet gives no boxes, which detection needs"),
        (
            ["model=fcos", "loss=yolo"],
            "loss=yolo would change nothing: FCOS has losses of its own; leave it out",
        ),
        (
            ["model=faster_rcnn", "loss.visible=0.1"],
            "loss.visible=0.1 would change nothing: FasterRCNN has losses",
        ),
        (["model=yolo"], "DenseBoxLoss is no loss of DetectionTask with Yolo; choose loss=yolo."),
    ],
)
def test_words_that_do_not_go_together_are_refused_before_any_file_is_looked_for(
    words: list[str],
    message: str,
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    options = ["data=detection_boxes", "data.images=nowhere/*.fits", "data.boxes=nowhere.csv", "trainer=cpu"]
    assert command("train", *words, *options, f"run_dir={tmp_path / 'run'}") == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_an_option_of_the_task_of_another_kind_is_refused_before_anything_is_packed(
    sky: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command("train", *QUICK, *given(sky), "task.threshold=high", f"run_dir={tmp_path / 'run'}") == 1
    said = capsys.readouterr()
    assert "task.threshold=high takes a number" in said.err
    assert "split" not in said.out


def test_maps_that_are_not_learnt_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    spec = DataSpec(("g",), (1, 64, 64), ("star",), box_values=(), maps={"instances": (64, 64)})
    networks = {
        "yolo_dense.YoloDense": True,
        "torchvision_detectors.FasterRCNN": True,
        "torchvision_detectors.MaskRCNN": False,
    }
    for name, told in networks.items():
        tell_of_masks(OmegaConf.create({"model": {"_target_": f"astrocnn.networks.{name}"}}), spec)
        assert ("serve the evaluation alone (instance_iou)" in capsys.readouterr().err) == told, name


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("x1", -50.0, "1 object without width or height"),
        ("x0", np.nan, "1 object without numbers (NaN) for a box"),
        ("shift", 500.0, "1 object outside of the image of 64 × 64 pixels"),
        ("label", "comet", "1 object of a class beyond star"),
    ],
)
def test_boxes_that_are_none_end_the_run_with_one_sentence(
    column: str,
    value: float,
    message: str,
    sky: Path,
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    table = Table.read(sky / "objects.csv")
    table["label"] = table["label"].astype("U8")
    for name in ("x0", "x1") if column == "shift" else (column,):
        table[name][2] = value if column != "shift" else table[name][2] + value
    table.write(tmp_path / "objects.csv")
    options = given(sky, boxes=str(tmp_path / "objects.csv"), classes="[star]")
    assert command("train", *QUICK, *options, f"run_dir={tmp_path / 'run'}") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert "Traceback" not in said
