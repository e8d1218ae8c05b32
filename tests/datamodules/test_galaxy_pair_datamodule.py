"""Simulated blends are made once for each choice of options, then read with their targets."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.galaxy_pairs import GalaxyPairDataModule
from astrocnn.simulate import pairs


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A stand-in for the simulation that writes tiny sets and notes how it was called."""
    made: list[dict[str, Any]] = []
    real = inspect.signature(pairs.simulate_pairs)

    def simulate(folder: Path, **options: Any) -> Path:
        real.bind(folder, **options)
        if not folder.exists():
            made.append(options)
            ids = [f"{i:06d}" for i in range(options["n_images"])]
            for name, factor in (("images", 1), ("targets", 10)):
                (folder / name).mkdir(parents=True)
                for i, key in enumerate(ids):
                    header = fits.Header({f"BAND{k + 1}": band for k, band in enumerate(options["bands"])})
                    cube = np.full((len(options["bands"]), 4, 4), factor * i, np.float32)
                    fits.PrimaryHDU(cube, header).writeto(folder / name / f"{key}.fits")
            split = np.where(np.arange(len(ids)) % 4 == 0, "test", "train")
            split[1] = "val"
            Table({"id": ids, "split": split, "blended": np.ones(len(ids), bool)}).write(
                folder / "catalog.fits"
            )
        return folder

    monkeypatch.setattr(pairs, "simulate_pairs", simulate)
    return made


def test_made_once_then_read_with_the_targets(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    for _ in range(2):
        data = GalaxyPairDataModule(root=str(tmp_path), n_images=12, bands=["g", "i"], max_neighbours=2)
        spec = data.probe()
        assert (spec.bands, spec.target_bands, spec.maps["target_image"]) == (
            ("g", "i"),
            ("g", "i"),
            (2, 4, 4),
        )
        data.setup()
        assert data.rows("test").tolist() == [0, 4, 8]
        batch = data.gather(np.array([7]))
        assert (batch["image"].mean(), batch["target_image"].mean()) == (7, 70)
        assert data.catalog["blended"].all()
    options = {
        "n_images": 12,
        "size": 64,
        "depth": "year10",
        "bands": ("g", "i"),
        "max_neighbours": 2,
        "seed": 0,
    }
    assert calls == [{**options, "n_workers": None}]


@pytest.mark.parametrize(
    "change",
    [
        {"n_images": 8},
        {"size": 48},
        {"depth": "year1"},
        {"bands": ("r",)},
        {"max_neighbours": 0},
        {"sim_seed": 1},
    ],
)
def test_other_options_never_reuse_a_set(tmp_path: Path, change: dict[str, Any]) -> None:
    plain = GalaxyPairDataModule(root=str(tmp_path))
    other = GalaxyPairDataModule(root=str(tmp_path), **change)
    assert plain.folder != other.folder
    assert plain.folder.name.startswith("year10_griz_12000_")
    assert GalaxyPairDataModule(root=str(tmp_path), seed=3, batch_size=8, n_workers=1).folder == plain.folder
