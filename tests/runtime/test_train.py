import json
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
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
    splits = record["splits"]
    assert [splits[part]["n"] for part in ("train", "val", "test", "none")] == [72, 24, 24, 0]
    assert splits["train"]["classes"] == {"0": 36, "1": 36}
    assert splits["train"]["share"] == 0.6
    assert splits["rule"] == "at random (data.split_seed=0)"
    assert splits["duplicates"]["rows"] == 0
    assert not (run / "duplicates.csv").exists()
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


def test_a_run_that_classifies_images_maps_no_mosaics(run: Path, cutouts: Path, command, capsys) -> None:
    image = cutouts / "fits" / "obj000.fits"
    assert command("predict", f"run={run}", "data=mosaic", f"data.images={image}", "output=none.fits") == 1
    said = capsys.readouterr().err
    assert "data=mosaic is for runs that give maps or detect; name cutouts with data=cutouts" in said
    assert len(said.splitlines()) == 1


def test_data_in_another_unit_or_order_of_bands_are_refused(run, cutouts, command, capsys, tmp_path) -> None:
    """A network that was trained on nJy would take milli-Jansky for the faintest of skies."""
    for path in sorted((cutouts / "fits").glob("obj00*.fits")):
        with fits.open(path) as hdus:
            hdus[0].header["BUNIT"] = "mJy"
            hdus[0].data = hdus[0].data * np.float32(1e-6)
            hdus.writeto(tmp_path / path.name)
    assert json.loads((run / "run.json").read_text())["units"] == {"g": "nJy", "r": "nJy"}
    words = ["data=cutouts", f"data.images={tmp_path}/*.fits", f"run={run}", f"output={tmp_path}/p.csv"]
    assert command("predict", *words) == 1
    said = capsys.readouterr().err
    assert "trained on band g in nJy, and the data have it in mJy; bring them to that unit" in said
    assert command("predict", *words, "data.bands=[r,g]") == 1
    assert "trained on bands ['g', 'r'], in this order" in capsys.readouterr().err
    assert command("predict", *words, "data.flux_unit=nJy") == 0
    brought = read_table(tmp_path / "p.csv")
    own = [f"data.images={cutouts}/fits/obj00*.fits", f"output={tmp_path}/own.csv", "data=cutouts"]
    assert command("predict", f"run={run}", *own) == 0
    np.testing.assert_allclose(brought["p"], read_table(tmp_path / "own.csv")["p"], rtol=1e-3)


def test_the_unit_that_a_run_asked_for_is_asked_of_other_data(small, cutouts, command, tmp_path) -> None:
    options = ["data.flux_unit=uJy", "trainer.max_epochs=1", f"run_dir={tmp_path}/run"]
    assert command("train", *small, *options) == 0
    words = ["data=cutouts", f"data.images={cutouts}/fits/obj00*.fits", f"run={tmp_path}/run"]
    assert command("predict", *words, f"output={tmp_path}/a.csv") == 0
    assert command("predict", *words, f"output={tmp_path}/b.csv", "data.flux_unit=uJy") == 0
    np.testing.assert_array_equal(read_table(tmp_path / "a.csv")["p"], read_table(tmp_path / "b.csv")["p"])
    assert command("predict", *words, f"output={tmp_path}/c.csv", "data.flux_unit=nJy") == 1


def test_a_folder_in_use_is_not_touched(run: Path, small: list[str], command, capsys) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert command("train", *small, f"run_dir={run}") == 1
    assert "exists and is not empty; continue that run with resume=true" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=resnett"], "model=resnett is not known; choose from"),
        (["data=lense"], "data=lense is not known; choose from"),
        (["data.catalog=nowhere.csv"], "nowhere.csv"),
        (["data.label=is_rong"], "is_ring"),
        (["data.label=null"], "training and testing need labels"),
        (["data.bands=[u,v]"], "u"),
        (["data.test_fraction=0"], "test"),
        (["task.n_outputs=7"], "task.n_outputs=7, but these data need 1"),
        (["resume=true"], "no run to continue"),
        (["seed=-1"], "seed=-1: a seed is a whole number, 0 or more"),
        (["seed=x"], "seed=x takes a whole number"),
        (["data.split_seed=-1"], "data.split_seed=-1"),
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


def test_three_classes_from_training_to_prediction(small, cutouts, command, tmp_path: Path) -> None:
    words = ["data.label=grade", "data.classes=[none,faint,bright]", "loss.class_weights=balanced"]
    run = tmp_path / "run"
    assert command("train", *small, *words, f"run_dir={run}") == 0
    figures = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    assert figures["classes"] == ["none", "faint", "bright"]
    assert np.sum(figures["confusion"]) == figures["n"]
    data = ["data=cutouts", f"data.images={cutouts}/fits/*.fits", f"output={tmp_path}/p.parquet"]
    assert command("predict", f"run={run}", *data, "prevalence=[0.98,0.01,0.01]") == 0
    table = read_table(tmp_path / "p.parquet")
    p = np.stack([table[f"p_{number}"] for number in range(3)], 1)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(np.array(["none", "faint", "bright"])[p.argmax(1)], table["predicted"])
    assert p[:, 0].mean() > 0.8


@pytest.mark.parametrize(
    "words",
    [
        [
            "optimizer=sgd",
            "scheduler=plateau",
            "callbacks=early_stopping",
            "augment=strong",
            "normalize=linear",
        ],
        ["optimizer=adam", "scheduler=cosine", "augment=none", "task.l1=1e-6", "loss.label_smoothing=0.1"],
        ["model=deeplens", "scheduler=step", "task.channels_last=false", "trainer.accumulate_grad_batches=2"],
        [
            "model=simple_cnn",
            "scheduler=constant",
            "model.init=lecun",
            "trainer.precision=bf16-mixed",
            "data.num_workers=1",
        ],
        pytest.param(["task.compile=true"], marks=pytest.mark.slow),
    ],
    ids=lambda words: words[0],
)
def test_options_train(words, small, command, tmp_path: Path) -> None:
    small = [word for word in small if not word.startswith(("model", "optimizer"))]
    assert command("train", *small, *words, "trainer.max_epochs=1", f"run_dir={tmp_path / 'run'}") == 0
    assert (tmp_path / "run/report.html").exists()
    astrocnn.load(tmp_path / "run")


def test_bad_images_are_skipped_and_listed(small, cutouts, command, capsys, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for file in (cutouts / "fits").iterdir():
        (folder / file.name).symlink_to(file)
    for name, content in (
        ("obj003", b"not FITS"),
        ("obj005", (cutouts / "fits/obj005.fits").read_bytes()[:4000]),
    ):
        (folder / f"{name}.fits").unlink()
        (folder / f"{name}.fits").write_bytes(content)
    words = [word for word in small if not word.startswith("data.images")] + [f"data.images={folder}/*.fits"]
    run = tmp_path / "run"
    assert command("train", *words, f"run_dir={run}") == 1
    error = capsys.readouterr().err
    assert "obj003" in error
    assert "data.on_bad=skip" in error
    assert command("train", *words, f"run_dir={run}2", "data.on_bad=skip", "trainer.max_epochs=1") == 0
    skipped = read_table(tmp_path / "run2/skipped.csv")
    assert sorted(skipped["id"]) == ["obj003", "obj005"]


def test_a_run_starts_from_the_weights_of_another(command, small, run: Path, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "second"
    frozen = [
        "freeze=[layer1,layer2]",
        f"start_from={run}",
        "trainer.max_epochs=1",
        "task.channels_last=false",
    ]
    assert command("train", *small, *frozen, f"run_dir={folder}") == 0
    said = capsys.readouterr().out
    before, after = (
        torch.load(path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for path in (run, folder)
    )
    n = sum(name.startswith("network.") for name in before)
    assert f"weights of {run}: {n} of {n} tensors" in said
    network = astrocnn.load(folder).network
    n_all = sum(of.numel() for of in network.parameters())
    n_trained = n_all - sum(
        of.numel() for part in (network.layer1, network.layer2) for of in part.parameters()
    )
    assert f"ResNet, {n_all:,} parameters, {n_trained:,} of them trained" in said
    assert command("evaluate", f"run={folder}", "evaluation.n_bootstrap=0") == 0
    narrow = "\u202f"
    lead = f"{n_all:,} parameters, {n_trained:,} of them trained".replace(",", narrow).replace(
        f"s{narrow}", "s,"
    )
    for page in (folder / "report.html", folder / "evaluation" / "report.html"):
        assert lead in page.read_text()
    for name in before:
        if name.startswith(("network.layer1.", "network.layer2.")):
            assert torch.equal(before[name], after[name]), name
    assert not torch.equal(before["network.layer3.0.conv1.weight"], after["network.layer3.0.conv1.weight"])


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("freeze=[encoder]", "ResNet has no part 'encoder'; its parts are"),
        ("start_from=nowhere", "nowhere has no checkpoint yet"),
    ],
)
def test_parts_and_weights_that_are_not_there_are_refused(
    command, small, tmp_path: Path, capsys, override: str, sentence: str
) -> None:
    assert command("train", *small, override, f"run_dir={tmp_path}/run") == 1
    assert sentence in capsys.readouterr().err
