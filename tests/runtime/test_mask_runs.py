"""Runs of the detector that learns pixels: what its data have to give comes of itself, or is asked for."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.table import Table
from omegaconf import OmegaConf

pytest.importorskip("galsim", reason="simulating needs galsim: pip install 'astrocnn[sim]'")

SCENES = ["data=scenes_detection", "data.n_scenes=6", "data.size=64", "data.density=60", "data.n_workers=1"]
QUICK = [
    "model=mask_rcnn", "model.mask_layers=[8]", "model.most=40", "trainer=cpu", "trainer.precision=32-true",
    "trainer.max_epochs=1", "evaluation.n_bootstrap=20", "logger=csv", "task.threshold=0.02",
]  # fmt: skip


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASTROCNN_DATA", str(tmp_path / "data"))
    return tmp_path


def test_scenes_come_with_their_masks(scenes: Path, command: Callable[..., int]) -> None:
    """Train, evaluate on data of other options, and list the objects of a mosaic."""
    run = scenes / "run"
    assert command("train", *QUICK, *SCENES, f"run_dir={run}") == 0
    assert OmegaConf.load(run / "config.yaml").data.masks is True
    figures = json.loads((run / "metrics.json").read_text())["splits"]["test"]["figures"]
    assert 0 <= figures["instance_iou"]["value"] < 1
    other = [*SCENES, "data.sim_seed=1"]
    assert (
        command("evaluate", f"run={run}", *other, f"output={scenes / 'other'}", "evaluation.n_bootstrap=20")
        == 0
    )
    figures = json.loads((scenes / "other/metrics.json").read_text())["splits"]["all"]["figures"]
    assert "instance_iou" in figures
    image = next((scenes / "data/scenes").glob("*/images/000005.fits"))
    assert (
        command("predict", f"run={run}", "data=mosaic", f"data.images={image}", f"output={scenes / 'found'}")
        == 0
    )
    table = Table.read(scenes / "found/000005_catalog.fits")
    assert len(table) > 0
    assert {"area_pix", "flux_i", "score"} <= set(table.colnames)


def test_masks_that_are_not_given_are_asked_for(
    scenes: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("train", *QUICK, *SCENES, "data.masks=false", f"run_dir={scenes / 'run'}") != 0
    said = capsys.readouterr()
    assert "MaskRCNN learns the pixels of each object, and the data have none" in said.out + said.err
    assert "data.masks=true" in said.out + said.err
