"""Real and community files through the commands that a user types."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import astrocnn
from astrocnn.io.tables import read_table

BANDS = {
    "R": "Band1/imageSDSS_R-*",
    "I": "Band2/imageSDSS_I-*",
    "G": "Band3/imageSDSS_G-*",
    "U": "Band4/imageSDSS_U-*",
}
QUICK = [
    "trainer=cpu",
    "trainer.max_epochs=2",
    "evaluation.n_bootstrap=20",
    "logger=csv",
]


def labels(folder: Path, pattern: str, path: Path) -> Path:
    """A catalogue by the folders' names, split so that every part has both classes."""
    rows = []
    for label, name in enumerate(("nolens", "lens")):
        files = sorted((folder / name).glob(pattern))
        for number, file in enumerate(files):
            part = "test" if number < 2 else "val" if number < 4 else "train"
            rows.append((file.stem.rsplit("-", 1)[1], label, part))
    Table(rows=rows, names=("number", "lens", "split")).write(path)
    return path


@pytest.mark.parametrize("kind", ["ground_based", "space_based"])
def test_strong_lens_challenge(kind: str, realdata, command, tmp_path: Path) -> None:
    """Single-band folders, 101×101 pixels, values near 1e-11 that an absolute constant would destroy."""
    folder = realdata("lens_challenge") / kind
    if kind == "ground_based":
        pattern = "Band1/*.fits"
        images = "{" + ",".join(f"{band}: '{folder}/*/{glob}.fits'" for band, glob in BANDS.items()) + "}"
    else:
        pattern, images = "*.fits", f"'{folder}/*/imageEUC_VIS-*.fits'"
    catalog = labels(folder, pattern, tmp_path / "labels.csv")
    data = ["data=cutouts", f"data.images={images}", f"data.catalog={catalog}", "data.id=number"]
    run = tmp_path / "run"
    words = [
        *data,
        "data.label=lens",
        "data.batch_size=4",
        "model=resnet",
        "trainer.log_every_n_steps=1",
        *QUICK,
    ]
    assert command("train", *words, f"run_dir={run}") == 0

    output = tmp_path / "candidates.fits"
    assert command("predict", f"run={run}", "data=cutouts", f"data.images={images}", f"output={output}") == 0
    table = read_table(output)
    assert len(table) == (12 if kind == "ground_based" else 16)
    assert np.ptp(table["p"]) > 0  # the images were told apart
    assert set(table["valid_fraction"]) == {1.0}

    task = astrocnn.load(run)
    file = next(iter((folder / "lens").glob(pattern)))
    pixels = fits.getdata(file)
    assert np.abs(pixels).max() < 1e-8
    noise = float(task.normalize.noise[0])
    assert 1e-14 < noise < 1e-9
    assert noise == pytest.approx(np.std(pixels[:15, :15]), rel=2)
