"""The simulated set is made once for each choice of options, then read like anybody's."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.lenses import LensDataModule
from astrocnn.simulate import lenses


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A stand-in for the simulation that writes tiny sets and notes how it was called."""
    made: list[dict[str, Any]] = []
    real = inspect.signature(lenses.simulate_lenses)

    def simulate(folder: Path, **options: Any) -> Path:
        real.bind(folder, **options)
        if not folder.exists():
            made.append(options)
            (folder / "images").mkdir(parents=True)
            n = options["n_images"]
            for i in range(n):
                header = fits.Header({f"BAND{k + 1}": band for k, band in enumerate(options["bands"])})
                cube = np.full((len(options["bands"]), 4, 4), i, np.float32)
                fits.PrimaryHDU(cube, header).writeto(folder / "images" / f"{i:06d}.fits")
            catalog = Table({"id": [f"{i:06d}" for i in range(n)], "label": np.arange(n) % 2})
            catalog["ra"], catalog["dec"], catalog["kind"] = 1.0, 2.0, "spiral"
            catalog.write(folder / "catalog.fits")
        return folder

    monkeypatch.setattr(lenses, "simulate_lenses", simulate)
    return made


def test_made_once_then_reused(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    for _ in range(2):
        data = LensDataModule(root=str(tmp_path), n_images=20, depth="year1", bands=["g", "i"])
        assert data.probe().bands == ("g", "i")
        assert data.probe().classes == ("non-lens", "lens")
        data.setup()
        assert data.gather(np.array([7]))["image"].mean() == 7
        assert data.catalog["label"].tolist() == [0, 1] * 10
        assert data.catalog["kind"][0] == "spiral"
    assert calls == [{"n_images": 20, "depth": "year1", "bands": ("g", "i"), "seed": 0, "n_workers": None}]
    assert data.selections == {"clear": {"theta_E": 1.2, "snr_arc": 20}}
    assert data.strata == ("theta_E", "snr_arc")
    assert data.kind == "kind"


@pytest.mark.parametrize(
    "change", [{"n_images": 8}, {"depth": "year1"}, {"bands": ("r", "g", "i")}, {"sim_seed": 1}]
)
def test_other_options_never_reuse_a_set(tmp_path: Path, change: dict[str, Any]) -> None:
    plain, other = LensDataModule(root=str(tmp_path)), LensDataModule(root=str(tmp_path), **change)
    assert plain.folder != other.folder
    assert plain.folder.parent == tmp_path
    assert plain.folder.name.startswith("year10_gri_12000_")
    assert LensDataModule(root=str(tmp_path), seed=3, batch_size=8, n_workers=1).folder == plain.folder
