"""Segmentation of simulated scenes by every network that can, and by the recipe, small: all beat a guess."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

pytestmark = pytest.mark.slow
SHORT = [
    "trainer=cpu", "trainer.precision=32-true", "evaluation.n_bootstrap=100", "logger=csv", "data.n_scenes=45",
    "data.size=128", "data.density=60", "data.n_workers=1",
]  # fmt: skip
CROPS = ["augment.crop_pix=64", "augment.crops=2", "data.batch_size=4"]
RUNS = {
    "morpheus": ["experiment=morpheus", "trainer.max_epochs=30", "data.batch_size=6"],
    "fcn": ["model=fcn", "model.width=8", "trainer.max_epochs=25", *CROPS],
    "probabilistic_unet": ["model=probabilistic_unet", "model.width=8", "trainer.max_epochs=20", *CROPS],
    "unet_timm": ["model=unet_timm", "trainer.max_epochs=6", *CROPS],
    "unet_valid": [
        "model=unet",
        "model.padding=valid",
        "model.depth=2",
        "model.width=8",
        "trainer.max_epochs=20",
        *CROPS,
    ],
}


def guess(folder: Path) -> float:
    """Mean IoU over the classes of calling every pixel background."""
    counts = np.zeros(5)
    for path in (folder / "labels").glob("*.fits"):
        classes = fits.getdata(path, "CLASS")
        counts += np.bincount(classes[classes >= 0], minlength=5)
    return float(counts[0] / counts.sum() / 5)


@pytest.mark.parametrize("name", RUNS)
def test_a_network_beats_calling_everything_background(
    name: str, command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTROCNN_DATA", str(tmp_path / "data"))
    run = tmp_path / "run"
    data = [] if "experiment" in RUNS[name][0] else ["data=scenes_segmentation"]
    assert command("train", *data, *RUNS[name], *SHORT, f"run_dir={run}") == 0
    figures = json.loads((run / "metrics.json").read_text())["splits"]["test"]["figures"]
    (folder,) = (tmp_path / "data" / "scenes").iterdir()
    assert figures["mean_iou"]["low"] > guess(folder)
    assert figures["foreground_iou"]["low"] > 0.5
    assert figures["completeness"]["value"] > 0.3
    assert (run / "report.html").is_file()
