"""A small labelled set, as a user would have it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.cutouts import CutoutDataModule


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``img/c<i>.fits``, 40 of them; the mean of image i is i."""
    monkeypatch.setenv("ASTROCNN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "img").mkdir()
    header = fits.Header(
        {"BAND1": "g", "BAND2": "r", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 3.0}
    )
    header.update(CRPIX2=3.0, CDELT1=-1e-4, CDELT2=1e-4, CRVAL2=2.0)
    for i in range(40):
        header["CRVAL1"] = float(i)
        fits.PrimaryHDU(np.full((2, 5, 5), i, np.float32), header).writeto(
            tmp_path / "img" / f"c{i:02d}.fits"
        )
    return tmp_path


@pytest.fixture
def table() -> Table:
    """name, is_lens (every fourth), field (of five), snr."""
    i = np.arange(40)
    return Table({"name": [f"c{k:02d}" for k in i], "is_lens": i % 4 == 0, "field": i // 8, "snr": i * 1.5})


@pytest.fixture
def make(folder: Path, table: Table) -> Callable[..., CutoutDataModule]:
    """``make(**options)``: the datamodule of the set; ``table=`` takes another table."""

    def call(*, table: Table = table, **options: object) -> CutoutDataModule:
        table.write(folder / "labels.csv", overwrite=True)
        given: dict[str, object] = {"images": f"{folder}/img/c*.fits", "catalog": f"{folder}/labels.csv"}
        given |= {"id": "name", "label": "is_lens", "batch_size": 4}
        return CutoutDataModule(**(given | options))  # type: ignore[arg-type]

    return call
