"""Every recipe of image to image, small: simulated, trained, judged, and ahead of what needs no network."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import astrocnn

pytestmark = pytest.mark.slow
SHORT = [
    "trainer=cpu",
    "trainer.precision=32-true",
    "evaluation.n_bootstrap=200",
    "logger=csv",
    "data.n_workers=1",
]
NETWORK = ["model.width=8", "model.depth=2"]
GALAXIES = ["data.n_images=300", "data.size=48", "trainer.max_epochs=20", "data.batch_size=16", *NETWORK]
COARSE = [*GALAXIES, "data.n_images=600", "trainer.max_epochs=40"]  # a quarter of the pixels to compute
VOLUMES = ["data.n_volumes=60", "data.cells=16", "trainer.max_epochs=60", "data.batch_size=4", *NETWORK]
RECIPES = {  # overrides, and of which planes the network must be ahead of which trivial prediction
    "buck_maps": (GALAXIES, ["mean"], ["log_mass", "log_sfr", "log_age", "log_metallicity"]),
    "denoise": (GALAXIES, ["mean", "input"], ["g", "r", "i"]),
    "super_resolution": (COARSE, ["mean", "input"], ["g", "r", "i"]),
    "harrington_baryons": (VOLUMES, ["mean"], ["gas_density", "temperature", "gas_vx", "gas_vy", "gas_vz"]),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_beats_what_needs_no_network(
    recipe: str, command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTROCNN_DATA", str(tmp_path / "data"))
    overrides, predictors, planes = RECIPES[recipe]
    run = tmp_path / "run"
    assert command("train", f"experiment={recipe}", f"run_dir={run}", *SHORT, *overrides) == 0
    summary = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    assert summary["planes"] == planes
    assert set(summary["gain"]) == set(predictors)
    for name in predictors:
        for plane in planes:
            assert summary["gain"][name][plane]["rmse"]["high"] < 1, (name, plane)
    page = (run / "report.html").read_text()
    assert re.findall(r'href="#(\w+)"', page) == ["figures", "values", "galleries", "training", "run"]
    task = astrocnn.load(run)
    assert task.planes == tuple(planes)
    assert (
        command("evaluate", f"run={run}", f"output={tmp_path / 'again'}", "evaluation.n_bootstrap=200") == 0
    )
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())["splits"]["test"]
    assert again["figures"] == summary["figures"]
    if len(summary["planes"]) == 3:
        check_maps(command, run, *(tmp_path / "data").glob("*/*"))


def check_maps(command: Callable[..., int], run: Path, folder: Path) -> None:
    """An image mapped by ``predict.py`` has the pixels of its target, at the target's place of the sky."""
    image = min((folder / "images").glob("*.fits"))
    target = fits.getheader(folder / "targets" / image.name)
    assert (
        command("predict", f"run={run}", "data=mosaic", f"data.images={image}", f"output={run / 'maps'}") == 0
    )
    with fits.open(run / "maps" / f"{image.stem}_maps.fits") as hdus:
        assert hdus["R"].shape == (target["NAXIS2"], target["NAXIS1"])
        corners = np.array([[-0.5, -0.5], [target["NAXIS1"] - 0.5, target["NAXIS2"] - 0.5]])
        sky = [WCS(header).celestial.all_pix2world(corners, 0) for header in (hdus["R"].header, target)]
    np.testing.assert_allclose(*sky, rtol=0, atol=1e-8)
