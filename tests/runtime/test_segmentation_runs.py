"""A run that segments, from label maps to its report."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table
from omegaconf import OmegaConf
from sklearn.metrics import confusion_matrix, jaccard_score

import astrocnn
from astrocnn.io.tables import read_table

N, SIZE = 24, 40
CLASSES = ["sky", "star", "galaxy"]


def write_scenes(folder: Path) -> Path:
    """Noise with a few narrow and broad Gaussians, and which pixel is of which."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    y, x = np.mgrid[:SIZE, :SIZE]
    for n in range(N):
        image = rng.normal(0, 1, (2, SIZE, SIZE))
        light = np.zeros((5, SIZE, SIZE))
        kinds = rng.integers(1, 3, 4)
        for number, kind in enumerate(kinds, start=1):
            at = rng.uniform(4, SIZE - 4, 2)
            light[number] = (40, 25)[kind - 1] * np.exp(
                -(np.hypot(x - at[0], y - at[1]) ** 2) / (2 * (1.2, 3.0)[kind - 1] ** 2)
            )
        image += light.sum(0) * np.array([1.0, 0.6])[:, None, None]
        numbers = np.where(light.max(0) > 2, light.argmax(0), 0)
        classes = np.concatenate([[0], kinds])[numbers]
        image[:, 5, 5], classes[0, 0] = np.nan, -1
        header = fits.Header({"BUNIT": "nJy", "BAND1": "r", "BAND2": "i"})
        header.update(
            CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRPIX1=1.0, CRPIX2=1.0, CRVAL1=10.0 + n, CRVAL2=2.0
        )
        header.update(CDELT1=-0.2 / 3600, CDELT2=0.2 / 3600)
        fits.writeto(folder / f"images/{n}.fits", image.astype(np.float32), header)
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(classes.astype(np.int16), header, "CLASS")]
        hdus.append(fits.ImageHDU(numbers.astype(np.int32), header, "NUMBER"))
        fits.HDUList(hdus).writeto(folder / f"labels/{n}.fits")
    return folder


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def options(scenes: Path) -> list[str]:
    return [
        "data=segmentation_maps", f"data.images={scenes}/images/*.fits", f"data.class_map.files={scenes}/labels/*.fits",
        "data.class_map.hdu=CLASS", f"data.instances.files={scenes}/labels/*.fits", "data.instances.hdu=NUMBER",
        f"data.classes=[{','.join(CLASSES)}]", "model=unet", "model.depth=2", "model.width=8", "augment.crop_pix=32",
        "trainer=cpu", "trainer.max_epochs=8", "trainer.precision=32-true", "optimizer.lr=1e-2", "logger=csv",
        "evaluation.n_bootstrap=50", "data.val_fraction=0.2", "loss=cross_entropy_dice",
        "loss.losses.cross_entropy.class_weights=balanced",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def finished(command, options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "maps"
    assert command("train", *options, f"run_dir={folder}") == 0
    return folder


def test_a_run_leaves_figures_tables_and_a_page(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    assert (metrics["task"], metrics["classes"]) == ("segmentation", CLASSES)
    figures = metrics["splits"]["test"]["figures"]
    assert figures["foreground_iou"]["value"] > 0.5
    assert figures["completeness"]["value"] > 0.2
    assert (finished / "report.html").stat().st_size > 10_000
    sources = read_table(finished / "sources.parquet")
    assert {"id", "x", "y", "flux_r", "label", "p_1", "true_number", "split"} <= set(sources.colnames)
    assert np.isfinite(sources["x_err"]).all()
    n_scenes = sum(metrics["splits"][split]["n_scenes"] for split in ("test", "val"))
    assert len(Table.read(finished / "images.fits")) == n_scenes


def test_balanced_classes_are_weighted_by_their_training_pixels(finished: Path, scenes: Path) -> None:
    config = OmegaConf.load(finished / "config.yaml")
    weights = np.array(config.loss.losses.cross_entropy.class_weights)
    record = json.loads((finished / "run.json").read_text())["splits"]
    assert record["train"]["n"] == 14
    # background has the most pixels and the least weight; the mean weight of a training pixel is 1
    assert weights.argmin() == 0
    assert weights[0] == pytest.approx(1 / 3 / 0.9, rel=0.15)


def test_figures_of_pixels_equal_scikit_learns(finished: Path, scenes: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())["splits"]["test"]
    images = Table.read(finished / "images.fits")
    ids = [str(row["id"]).strip() for row in images if str(row["split"]).strip() == "test"]
    task = astrocnn.load(finished)
    true, called = [], []
    for name in ids:
        image = fits.getdata(scenes / f"images/{name}.fits").astype(np.float32)
        with torch.inference_mode():
            p = task(image)
        classes = fits.getdata(scenes / f"labels/{name}.fits", "CLASS").astype(int)
        known = (classes >= 0) & np.isfinite(image).any(0)
        true.append(classes[known])
        called.append(p.argmax(0).numpy()[known])
    true, called = np.concatenate(true), np.concatenate(called)
    iou = jaccard_score(true, called, average=None)
    assert metrics["figures"]["mean_iou"]["value"] == pytest.approx(iou.mean(), abs=1e-3)
    np.testing.assert_allclose(metrics["confusion"], confusion_matrix(true, called), atol=3)


def test_a_run_is_evaluated_again_and_on_other_maps(finished: Path, command, options: list[str]) -> None:
    assert command("evaluate", f"run={finished}", "evaluation.n_bootstrap=20") == 0
    again = json.loads((finished / "evaluation" / "metrics.json").read_text())
    first = json.loads((finished / "metrics.json").read_text())
    value = first["splits"]["test"]["figures"]["mean_iou"]["value"]
    assert again["splits"]["test"]["figures"]["mean_iou"]["value"] == pytest.approx(value, abs=1e-5)
    data = [option for option in options if option.startswith("data") and "fraction" not in option]
    assert command("evaluate", f"run={finished}", *data, "evaluation.n_bootstrap=20") == 0
    other = json.loads((finished / "evaluation_other" / "metrics.json").read_text())
    assert other["splits"]["all"]["n_scenes"] == N


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("task=classification", "have a class for each pixel"),
        ("augment.crop_pix=64", "augment.crop_pix=64 is larger than the images of 40 × 40 pixels"),
        ("data.classes=[sky,source]", "holds 2, but the classes are numbered 0 to 1"),
        ("data.class_map.hdu=CLASSES", "no HDU"),
        (
            "data.classes=[sky,star,galaxy,comet]",
            "nothing in the training split is of class comet; leave it out",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_sentence(
    command, options: list[str], tmp_path: Path, capsys, override: str, sentence: str
) -> None:
    assert command("train", *options, override, f"run_dir={tmp_path}/run") == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["loss=l1", "model=unet"],
            "ImageL1 is no loss of SegmentationTask with UNet; choose loss=pixel_cross_entropy, focal, dice,",
        ),
        (["loss=cross_entropy", "model=unet"], "CrossEntropy is no loss of SegmentationTask"),
        (
            ["model=resnet"],
            "the task needs 6 maps of 40×40; choose a network with outputs for every pixel, such as model=unet.",
        ),
        (
            ["model=vae_deblender", "augment.crop_pix=32"],
            "the images of 40×40 pixels, but not the parts of 32×32 on which augment.crop_pix=32 trains it; train on "
            "whole images with augment=default",
        ),
    ],
)
def test_networks_and_losses_that_do_not_go_with_maps_are_refused(
    command, options: list[str], tmp_path: Path, capsys, overrides: list[str], sentence: str
) -> None:
    data = [option for option in options if option.startswith("data")]
    assert command("train", *data, *overrides, f"run_dir={tmp_path}/run") == 1
    told = capsys.readouterr().err
    assert sentence in told
    assert len(told.strip().splitlines()) == 1


def test_a_loss_is_refused_before_scenes_are_made(
    command, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTROCNN_DATA", str(tmp_path / "data"))
    words = ["model=unet", "data=scenes_segmentation", "loss=l1"]
    assert command("train", *words, f"run_dir={tmp_path}/run") == 1
    assert "is no loss of" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_network_without_padding_is_trained_and_judged_on_whole_images(
    command, options: list[str], scenes: Path, tmp_path: Path
) -> None:
    words = ["model.padding=valid", "trainer.max_epochs=1", "evaluation.n_bootstrap=0"]
    assert command("train", *options, *words, f"run_dir={tmp_path}") == 0
    n_pixels = Table.read(tmp_path / "images.fits")["n_pixels"]
    assert set(n_pixels) <= {SIZE**2 - 1, SIZE**2 - 2}  # but for the two without data and class
    assert (tmp_path / "report.html").is_file()
