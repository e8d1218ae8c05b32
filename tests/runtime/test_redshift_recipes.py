"""Redshifts from simulated images, small: simulated, looked at, trained with and without spectra, predicted."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from astrocnn.io.tables import read_table

pytest.importorskip("galsim", reason="simulating needs galsim: pip install 'astrocnn[sim]'")

Command = Callable[..., int]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [
        "data=photoz",
        f"data.root={tmp_path_factory.mktemp('photoz')}",
        "data.n_images=160",
        "data.n_workers=1",
    ]


def test_simulated_and_looked_at(
    data: list[str], command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("simulate", *data) == 0
    folder = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("simulated data in "))
    assert len(list((folder / "images").glob("*.fits"))) == 160
    assert command("inspect_data", *data, f"output={tmp_path / 'page'}") == 0
    assert "160 objects of 6 × 32 × 32 pixels" in capsys.readouterr().out
    assert (tmp_path / "page" / "data.html").exists()


def test_recipe_trains_on_the_galaxies_with_spectra_and_tests_on_all(
    data: list[str], command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    options = [
        "experiment=photoz_lsst", *data, f"run_dir={run}", "data.train_where=in_spec", "data.reweight='mag_*'",
        "data.scalars=[ebv,seeing_r]", "trainer=cpu", "trainer.max_epochs=3", "trainer.precision=32-true",
        "data.batch_size=8", "data.val_fraction=0.2", "evaluation.n_bootstrap=50", "logger=csv",
    ]  # fmt: skip
    assert command("train", *options) == 0
    out = capsys.readouterr().out
    assert "where 'in_spec' is true; weighted to be like all objects" in out
    said = read_table(run / "predictions.parquet")
    test = said[np.asarray(said["split"]).astype(str) == "test"] if "split" in said.colnames else said
    assert len(test) == 32
    assert not np.asarray(test["in_spec"]).all()
    assert np.isfinite(np.asarray(test["z_median"])).all()
    assert "sigma_nmad" in json.dumps(json.loads((run / "metrics.json").read_text()))
