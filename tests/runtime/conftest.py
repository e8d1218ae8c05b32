"""A small set of FITS cutouts, and the command line called in this process."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hydra.core.global_hydra import GlobalHydra

from astrocnn.runtime import cli

N, SIZE, BANDS = 120, 32, ("g", "r")


def write_cutouts(folder: Path, *, n: int = N, size: int = SIZE, seed: int = 0) -> Path:
    """Noise images, half of them with a red ring: an easy problem of two classes, in nJy."""
    rng = np.random.default_rng(seed)
    (folder / "fits").mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    ring = np.exp(-((np.hypot(x, y) - 6) ** 2) / 2)
    label = rng.permutation(n) % 2
    strength = rng.uniform(1.0, 4.0, n)
    grade = np.where(label == 0, "none", np.where(strength < 2.5, "faint", "bright"))
    for number in range(n):
        image = rng.normal(0, 1, (len(BANDS), size, size))
        image += label[number] * strength[number] * ring * np.array([0.3, 1.0])[:, None, None]
        header = fits.Header({"BUNIT": "nJy", "BAND1": BANDS[0], "BAND2": BANDS[1]})
        header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRPIX1=size / 2 + 0.5, CRPIX2=size / 2 + 0.5)
        header.update(CRVAL1=150.0 + number / 100, CRVAL2=2.0, CDELT1=-0.2 / 3600, CDELT2=0.2 / 3600)
        fits.PrimaryHDU(image.astype(np.float32), header).writeto(folder / "fits" / f"obj{number:03d}.fits")
    names = [f"obj{number:03d}" for number in range(n)]
    Table({"name": names, "is_ring": label, "grade": grade}).write(folder / "labels.csv")
    return folder


@pytest.fixture(scope="session")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cutouts(tmp_path_factory.mktemp("cutouts"))


@pytest.fixture(scope="session")
def small(cutouts: Path) -> list[str]:
    """Overrides of a run that takes seconds."""
    return [
        "data=cutouts", f"data.images={cutouts}/fits/*.fits", f"data.catalog={cutouts}/labels.csv", "data.id=name",
        "data.label=is_ring", "data.batch_size=16", "data.val_fraction=0.2", "model=resnet", "trainer=cpu",
        "optimizer.lr=3e-3", "trainer.max_epochs=2", "trainer.precision=32-true",
        "trainer.log_every_n_steps=1", "evaluation.n_bootstrap=50", "logger=csv",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def command() -> Callable[..., int]:
    """``command('train', *overrides)``: run it here as the terminal would, and give its exit code."""

    def call(name: str, *overrides: str) -> int:
        argv, sys.argv = sys.argv, [f"{name}.py", *overrides]
        GlobalHydra.instance().clear()
        try:
            getattr(cli, name)()
        except SystemExit as stop:
            return int(stop.code or 0)
        finally:
            sys.argv = argv
        return 0

    return call


@pytest.fixture(scope="session")
def run(command: Callable[..., int], small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert command("train", *small, f"run_dir={folder}") == 0
    return folder
