"""Anybody's pairs of images, from the command to the page."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from sklearn.metrics import r2_score, root_mean_squared_error

import astrocnn
from astrocnn.io.tables import read_table

Command = Callable[..., int]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy blobs in two bands, and their heights on a map in another unit, unknown in a corner."""
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    y, x = np.mgrid[:16, :16] - 7.5
    for name in ("images", "maps"):
        (folder / name).mkdir()
    for number in range(40):
        height, width = rng.uniform(2, 20), rng.uniform(1.5, 3)
        blob = height * np.exp(-(x**2 + y**2) / 2 / width**2)
        image = blob * np.array([0.5, 1.0])[:, None, None] + rng.normal(0, 0.3, (2, 16, 16))
        header = fits.Header({"BUNIT": "nJy", "BAND1": "g", "BAND2": "r"})
        fits.writeto(folder / "images" / f"{number:03d}.fits", image.astype(np.float32), header)
        height_map = 1e9 * (1 + blob)
        height_map[:3, :3] = np.nan
        hdu = fits.ImageHDU(height_map, fits.Header({"BUNIT": "Msun"}), name="MASS")
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(folder / "maps" / f"{number:03d}.fits")
    return folder


@pytest.fixture(scope="module")
def small(pairs: Path) -> list[str]:
    return [
        "data=image_pairs", f"data.images={pairs}/images/*.fits", f"data.target.files={pairs}/maps/*.fits",
        "data.target.hdu=[MASS]", "data.batch_size=8", "model=unet", "model.depth=1", "model.width=4",
        "trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=12", "optimizer.lr=1e-2",
        "task.target_scale.stretch=log10", "evaluation.n_bootstrap=50", "logger=csv",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(command: Command, small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "pairs"
    assert command("train", *small, f"run_dir={folder}") == 0
    return folder


def test_sources_are_not_listed_of_images(
    run: Path, pairs: Path, command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = sorted((pairs / "images").glob("*.fits"))[0]
    words = [f"run={run}", "data=mosaic", f"data.images={image}", f"output={tmp_path}/maps"]
    assert command("predict", *words, "instances=true") == 0
    assert "instances and catalog have no effect: the run predicts images" in capsys.readouterr().err
    assert command("predict", *words, "overwrite=true") == 0
    assert "no effect" not in capsys.readouterr().err


def test_the_figures_are_those_of_the_loaded_tasks_predictions(run: Path, pairs: Path) -> None:
    summary = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    assert summary["planes"] == ["MASS"]
    assert summary["units"] == ["Msun"]
    table = read_table(run / "images.parquet")
    table = table[np.char.strip(np.asarray(table["split"], str)) == "test"]
    task = astrocnn.load(run)
    said, true = [], []
    for row in table:
        name = f"{int(row['id']):03d}"
        mass = fits.getdata(pairs / "maps" / f"{name}.fits", "MASS")
        found = task(fits.getdata(pairs / "images" / f"{name}.fits").astype(np.float32)).detach().numpy()[0]
        known = np.isfinite(mass)
        said.append(found[known])
        true.append(mass[known])
        assert row["rmse_MASS"] == pytest.approx(root_mean_squared_error(mass[known], found[known]), rel=1e-3)
        assert row["true_sum_MASS"] == pytest.approx(mass[known].sum(), rel=1e-6)
    figures = summary["figures"]["MASS"]
    said_all, true_all = np.concatenate(said), np.concatenate(true)
    assert figures["rmse"]["value"] == pytest.approx(root_mean_squared_error(true_all, said_all), rel=1e-3)
    assert figures["r2"]["value"] == pytest.approx(r2_score(true_all, said_all), abs=1e-3)
    assert figures["r2"]["value"] > 0.5
    assert summary["gain"]["mean"]["MASS"]["rmse"]["high"] < 1
    assert (run / "report.html").stat().st_size > 0


def test_evaluate_recomputes_the_same_figures(run: Path, command: Command, tmp_path: Path) -> None:
    assert command("evaluate", f"run={run}", f"output={tmp_path}", "evaluation.n_bootstrap=50") == 0
    first, again = (json.loads((folder / "metrics.json").read_text()) for folder in (run, tmp_path))
    assert again["splits"] == first["splits"]


def test_a_network_without_padding_predicts_whole_images(
    small: list[str], pairs: Path, command: Command, tmp_path: Path
) -> None:
    words = ["model.padding=valid", "trainer.max_epochs=1", "evaluation.n_bootstrap=0"]
    assert command("train", *small, *words, f"run_dir={tmp_path}") == 0
    image = fits.getdata(pairs / "images" / "000.fits").astype(np.float32)
    assert astrocnn.load(tmp_path)(image[:, :, :13]).shape == (1, 16, 13)
    n_pixels = json.loads((tmp_path / "metrics.json").read_text())["splits"]["test"]["density"]["MASS"]
    assert np.sum(n_pixels["counts"]) == 8 * (16 * 16 - 3 * 3)
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["loss=binary_cross_entropy"], "needs task.target_scale.bounded=true"),
        (["task.residual=true"], "the target has MASS and the image g, r"),
        (["task.target_scale.stretch=[log10,linear]"], "one for each of the target's 1 planes"),
        (["data.target.files=null", "data.target.hdu=null"], "no target images given"),
        (["data.target.hdu=AGE"], "has no HDU 'AGE'"),
        (["model=simple_cnn"], "gives 1 number for an object of 2×16×16, the task needs 1 map of 16×16"),
        (["model=simple_cnn"], "choose a network with outputs for every pixel, such as model=unet."),
        (
            ["model.upscale=2"],
            "set model.upscale=1, as what is to come out has 1 pixel along one of the image.",
        ),
        (["loss=dice"], "Dice is no loss of ImageToImageTask with UNet; choose loss=l1, l2, huber or"),
        (["loss=focal_dice"], "Focal is no loss of ImageToImageTask with UNet; choose loss=l1"),
    ],
)
def test_what_does_not_go_together_is_told(
    words: list[str],
    told: str,
    small: list[str],
    command: Command,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
) -> None:
    if words[0].startswith("model="):
        small = [word for word in small if not word.startswith("model")]
        words = words[:1]
    assert command("train", *small, *words, f"run_dir={tmp_path / 'run'}") == 1
    assert told in " ".join(capsys.readouterr().err.split())
