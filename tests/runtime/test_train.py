import json
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table
from omegaconf import OmegaConf
from sklearn.metrics import roc_auc_score

import astrocnn
from astrocnn.io.tables import read_table


def test_a_run_leaves_everything_behind(run: Path) -> None:
    for name in (
        "config.yaml", "run.json", "metrics.json", "report.html", "predictions.fits", "predictions.parquet",
        "checkpoints/best.ckpt", "checkpoints/last.ckpt", "logs/attempt-0/metrics.csv",
    ):  # fmt: skip
        assert (run / name).stat().st_size > 0, name
    record = json.loads((run / "run.json").read_text())
    assert torch.__version__.startswith(record["versions"]["torch"])
    assert sum(record["splits"]["train"].values()) == 72
    config = OmegaConf.load(run / "config.yaml")
    assert config.data.bands == ["g", "r"]
    assert config.data.classes == ["0", "1"]
    assert config.task.n_outputs == 1
    assert config.data.pixel_scale_arcsec == pytest.approx(0.2, rel=1e-6)


def test_figures_equal_scikit_learns_on_the_written_predictions(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    table = Table.read(run / "predictions.fits")
    test = table[np.char.strip(np.asarray(table["split"], str)) == "test"]
    assert len(test) == metrics["splits"]["test"]["n"] == 24
    auroc = roc_auc_score(test["label"], test["p"])
    assert metrics["splits"]["test"]["figures"]["auroc"]["value"] == pytest.approx(auroc, abs=1e-6)
    assert auroc > 0.9
    assert table.meta["PREVAL1"] == pytest.approx(0.5, abs=0.02)
    assert set(np.asarray(table["ra"]) >= 150) == {True}


def test_the_loaded_task_gives_the_written_probabilities(run: Path, cutouts: Path) -> None:
    from astropy.io import fits

    task = astrocnn.load(run)
    table = read_table(run / "predictions.parquet")
    for row in table[:5]:
        image = fits.getdata(cutouts / "fits" / f"{row['id']}.fits")
        p = task(torch.from_numpy(image.astype(np.float32)))
        assert p.item() == pytest.approx(row["p"], abs=1e-5)
    batch = np.stack([image, image])
    batch[1, :, :3] = np.nan  # no data there
    with torch.no_grad():
        p = task(batch)
    assert p.shape == (2,)
    assert p.isfinite().all()


def test_evaluate_recomputes_the_same_figures(run: Path, command, tmp_path: Path) -> None:
    assert command("evaluate", f"run={run}", f"output={tmp_path}", "evaluation.n_bootstrap=50") == 0
    again = json.loads((tmp_path / "metrics.json").read_text())
    first = json.loads((run / "metrics.json").read_text())
    assert again["splits"] == first["splits"]


def test_evaluate_on_another_set(run: Path, small: list[str], command, tmp_path: Path) -> None:
    data = [word for word in small if word.startswith("data") and "fraction" not in word]
    options = [f"output={tmp_path}", "evaluation.n_bootstrap=20", "prevalence=0.01"]
    assert command("evaluate", f"run={run}", *data, *options) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["splits"]["all"]["n"] == 120
    table = read_table(tmp_path / "predictions_all.parquet")
    assert np.median(table["p"]) < 0.2  # one in a hundred is a ring now


@pytest.mark.parametrize("suffix", ["fits", "parquet", "csv"])
def test_predict_writes_a_catalogue(run: Path, cutouts: Path, command, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"catalog.{suffix}"
    words = [f"run={run}", "data=cutouts", f"data.images={cutouts}/fits/obj00*.fits", f"output={output}"]
    assert command("predict", *words) == 0
    table = read_table(output)
    assert table.colnames == ["id", "ra", "dec", "p", "valid_fraction"]
    assert len(table) == 10
    known = read_table(run / "predictions.parquet")
    known = dict(zip(known["id"], known["p"], strict=True))
    for row in table:
        name = str(row["id"]) if str(row["id"]).startswith("obj") else f"obj00{row['id']}"
        if name in known:
            assert row["p"] == pytest.approx(known[name], abs=1e-5)
    assert table["ra"][3] == pytest.approx(150.03, abs=1e-6)
    assert command("predict", *words) == 1  # the output exists


def test_a_folder_in_use_is_not_touched(run: Path, small: list[str], command, capsys) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert command("train", *small, f"run_dir={run}") == 1
    assert "exists and is not empty; continue that run with resume=true" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=resnett"], "Could not find 'model/resnett'"),
        (["data=lense"], "Could not find 'data/lense'"),
        (["data.catalog=nowhere.csv"], "nowhere.csv"),
        (["data.label=is_rong"], "is_ring"),
        (["data.bands=[u,v]"], "u"),
        (["data.test_fraction=0"], "test"),
        (["task.n_outputs=7"], "task.n_outputs=7, but these data need 1"),
        (["resume=true"], "no run to continue"),
        (["model.depth=35"], "depth"),
        (["trainer=gpu"], "trainer=gpu cannot run here"),
    ],
)
def test_bad_input_gets_one_sentence(words, message, small, command, capsys, tmp_path) -> None:
    if words == ["trainer=gpu"] and torch.cuda.is_available():
        pytest.skip("there is an accelerator")
    assert command("train", *small, f"run_dir={tmp_path / 'run'}", *words) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_class_weights_are_balanced_from_the_training_split(small, command, tmp_path: Path) -> None:
    words = ["loss.class_weights=balanced", "trainer.max_epochs=1", f"run_dir={tmp_path / 'run'}"]
    assert command("train", *small, *words) == 0
    weights = OmegaConf.load(tmp_path / "run/config.yaml").loss.class_weights
    assert list(weights) == pytest.approx([1.0, 1.0], abs=0.05)


def test_a_sweep_runs_every_point(small, command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["-m", "seed=1,2", "model=simple_cnn,resnet"]
    small = [word for word in small if not word.startswith("model")] + ["trainer.max_epochs=1"]
    assert command("train", *words, *small) == 0
    configs = [OmegaConf.load(path) for path in (tmp_path / "multirun").rglob("config.yaml")]
    assert sorted((c.seed, c.model._target_.rsplit(".")[-1]) for c in configs) == [
        (1, "ResNet"), (1, "SimpleCNN"), (2, "ResNet"), (2, "SimpleCNN"),
    ]  # fmt: skip
    assert len(list((tmp_path / "multirun").rglob("metrics.json"))) == 4
