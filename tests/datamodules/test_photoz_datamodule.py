"""Simulated galaxies are made once for each choice of options, then read with their redshifts."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.photoz import PhotozDataModule
from astrocnn.simulate import photoz


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A stand-in for the simulation that writes tiny sets and notes how it was called."""
    made: list[dict[str, Any]] = []
    real = inspect.signature(photoz.simulate_photoz)

    def simulate(folder: Path, **options: Any) -> Path:
        real.bind(folder, **options)
        if not folder.exists():
            made.append(options)
            (folder / "images").mkdir(parents=True)
            n = options["n_images"]
            ids = [f"{i:06d}" for i in range(n)]
            for i, key in enumerate(ids):
                header = fits.Header({f"BAND{k + 1}": band for k, band in enumerate(options["bands"])})
                cube = np.full((len(options["bands"]), 4, 4), i, np.float32)
                fits.PrimaryHDU(cube, header).writeto(folder / "images" / f"{key}.fits")
            table = {"id": ids, "redshift": np.arange(n) / n, "in_spec": np.arange(n) % 3 == 0}
            table |= {f"mag_{band}": 20 + np.arange(n) / n for band in options["bands"]}
            Table(table).write(folder / "catalog.fits")
        return folder

    monkeypatch.setattr(photoz, "simulate_photoz", simulate)
    return made


def test_made_once_then_read_with_redshifts(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    for _ in range(2):
        data = PhotozDataModule(root=str(tmp_path), n_images=40, bands=["g", "i"], size=32, depth="year1")
        spec = data.probe()
        assert (spec.bands, spec.image_shape, spec.classes) == (("g", "i"), (2, 4, 4), ())
        data.setup()
        assert [len(data.rows(split)) for split in ("train", "val", "test")] == [28, 4, 8]
        batch = data.gather(np.array([7, 30]))
        assert batch["image"].mean(dim=(1, 2, 3)).tolist() == [7, 30]
        assert batch["redshift"].tolist() == pytest.approx([7 / 40, 30 / 40])
    assert calls == [
        {"n_images": 40, "size": 32, "depth": "year1", "bands": ("g", "i"), "seed": 0, "n_workers": None}
    ]


def test_galaxies_with_spectra_train_with_weights(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    data = PhotozDataModule(
        root=str(tmp_path), n_images=60, bands=["g", "i"], train_where="in_spec", reweight="mag_*"
    )
    assert len(calls) == 0
    rows = data.rows("train")
    assert (rows % 3 == 0).all()
    assert len(rows) < 42
    assert not (data.rows("test") % 3 == 0).all()
    assert data.gather(rows)["weight"].mean() == pytest.approx(1.0, abs=0.2)
