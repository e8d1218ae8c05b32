"""Detectors on simulated scenes, small: trained, judged, shown, and put to mosaics."""

import json
from collections.abc import Callable
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

import astrocnn

pytestmark = pytest.mark.slow
SHORT = [
    "data=scenes_detection", "trainer=cpu", "trainer.precision=32-true", "evaluation.n_bootstrap=100", "logger=csv",
    "data.n_scenes=60", "data.size=128", "data.density=60", "data.n_workers=1",
]  # fmt: skip
RUNS = {  # overrides, and the least F1
    "yolo_dense": (["trainer.max_epochs=20", "model.width=32", "model.features=32"], 0.8),
    "values": (
        ["trainer.max_epochs=20", "model.width=32", "model.features=32", "data.box_values=[mag_i,z]"],
        0.8,
    ),
    "yolo": (["trainer.max_epochs=30", "loss=yolo", "model.backbone=resnet", "model.grid=16"], 0.05),
    "fcos": (["trainer.max_epochs=8"], 0.05),
    "mask_rcnn": (["trainer.max_epochs=8", "model.mask_layers=[32,32]", "augment=none"], 0.3),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_detector_is_trained_and_judged(
    name: str, command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTROCNN_DATA", str(tmp_path / "data"))
    overrides, least = RUNS[name]
    run, model = tmp_path / "run", "yolo_dense" if name == "values" else name
    assert command("train", f"model={model}", *SHORT, *overrides, f"run_dir={run}") == 0
    summary = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    assert summary["figures"]["f1"]["value"] > least
    average = "ap_distance" if name == "fcos" else "map_50"  # its boxes take longer than this to be right
    assert 0 < summary["averages"][average] < 1
    page = (run / "report.html").read_text()
    assert "Close pairs" in page
    assert "Boxes: " in page
    if name == "mask_rcnn":
        assert summary["figures"]["instance_iou"]["value"] > 0.3
        assert "Object IoU" in page
    if name == "values":
        assert summary["values"]["mag_i"]["scatter"] < 0.5
    (folder,) = (tmp_path / "data" / "scenes").iterdir()
    check_mosaic(command, run, folder)


def check_mosaic(command: Callable[..., int], run: Path, folder: Path) -> None:
    """What is found in a test image by ``predict.py`` is what the task finds, and lies on the true objects."""
    truth = Table.read(folder / "objects.fits")
    image = max((folder / "images").glob("*.fits"))
    maps = run / "objects"
    assert command("predict", f"run={run}", "data=mosaic", f"data.images={image}", f"output={maps}") == 0
    found = Table.read(maps / f"{image.stem}_catalog.fits")
    task = astrocnn.load(run)
    said = task(np.asarray(fits.getdata(image), np.float32))
    assert len(found) == len(said)
    assert (found["dec_err"] > 0).all()
    np.testing.assert_allclose(np.sort(found["score"]), np.sort(said.scores), atol=1e-4)
    there = truth[np.char.strip(truth["id"].astype(str)) == image.stem]
    places = [SkyCoord(table["ra"], table["dec"], unit="deg") for table in (found, there)]
    _, apart, _ = places[0].match_to_catalog_sky(places[1])
    near = apart.to_value(u.arcsec) / 0.2
    assert len(found) == 0 or np.median(near[near < 4]) < 1.0
    assert sum(
        line.startswith("circle") for line in (maps / f"{image.stem}.reg").read_text().splitlines()
    ) == len(found)
