"""Redshifts from tables and from images: a user's command, from training to predictions and back."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import astrocnn
from astrocnn.functional.pdf_families import read_pdf
from astrocnn.functional.piecewise import Histogram, Quantiles
from astrocnn.io.tables import read_table
from astrocnn.paths import config_dir

Command = Callable[..., int]
QUICK = [
    "trainer=cpu",
    "trainer.precision=32-true",
    "logger=csv",
    "evaluation.n_bootstrap=20",
    "task.recalibration=none",
]
N = 300


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose colours tell the redshift, and stamps of the same objects in one file."""
    folder = tmp_path_factory.mktemp("galaxies")
    rng = np.random.default_rng(0)
    z = rng.uniform(0.05, 1.0, N)
    bright = rng.normal(22, 1, N)
    table = Table({"id": np.arange(N), "z_spec": z, "ebv": rng.uniform(0, 0.1, N)})
    flux = []
    for k, band in enumerate("gri"):
        magnitude = bright - k * z + rng.normal(0, 0.02, N)
        table[f"mag_{band}"], table[f"magerr_{band}"] = magnitude, np.full(N, 0.02)
        flux.append(10 ** (-0.4 * (magnitude - 25)))
    table["mag_g"][:20] = 99.0
    table.write(folder / "galaxies.fits")
    y, x = np.mgrid[-7.5:8, -7.5:8]
    profile = np.exp(-(x**2 + y**2) / 8)
    stamps = np.stack(flux, 1)[:, :, None, None] * profile + rng.normal(0, 0.1, (N, 3, 16, 16))
    np.save(folder / "stamps.npy", stamps.astype(np.float32))
    return folder


def table_of(galaxies: Path) -> list[str]:
    return [
        *QUICK, "model=mdn_table", "model.width=32", "model.depth=2", "data=photoz_table", "data.redshift=z_spec",
        f"data.catalog={galaxies}/galaxies.fits", "data.features=mag_*", "data.errors=magerr_*", "data.batch_size=32",
        "optimizer.lr=1e-2",
    ]  # fmt: skip


def images_of(galaxies: Path) -> list[str]:
    return [
        *QUICK, "data=cutouts", f"data.images={galaxies}/stamps.npy", f"data.catalog={galaxies}/galaxies.fits",
        "data.redshift=z_spec", "data.scalars=[ebv]", "data.batch_size=16", "task=photoz", "loss=nll",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(galaxies: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photoz") / "first"
    options = ["trainer.max_epochs=15", "model.dropout=0.05", "augment=photometry"]
    assert command("train", *table_of(galaxies), *options, f"run_dir={folder}") == 0
    return folder


def test_a_table_is_learned(run: Path, galaxies: Path) -> None:
    table = read_table(str(run / "predictions.parquet"))
    error = (np.asarray(table["z_median"]) - np.asarray(table["z_spec"])) / (1 + np.asarray(table["z_spec"]))
    assert np.median(np.abs(error)) < 0.05  # redshifts drawn at random are off by 0.2
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["task"] == "photoz"
    assert set(metrics["splits"]) == {"test", "val"}
    assert (run / "report.html").stat().st_size > 1000
    fits = read_table(str(run / "predictions.fits"))
    pdf = read_pdf({name: fits[name] for name in fits.colnames}, json.loads(fits.meta["PDF"]))
    np.testing.assert_allclose(pdf.median(), fits["z_median"], atol=1e-4)
    assert (np.asarray(fits["z_q16"]) < np.asarray(fits["z_q84"])).all()


def test_predictions_are_those_of_the_task_in_a_notebook(
    run: Path, galaxies: Path, command: Command, tmp_path: Path
) -> None:
    output = tmp_path / "z.parquet"
    data = ["data=photoz_table", "data.redshift=null", f"data.catalog={galaxies}/galaxies.fits"]
    assert command("predict", f"run={run}", *data, f"output={output}") == 0
    predicted, table = read_table(str(output)), Table.read(galaxies / "galaxies.fits")
    assert len(predicted) == N
    task = astrocnn.load(run)
    magnitudes = np.stack([table[f"mag_{band}"] for band in "gri"], 1).astype(np.float32)
    errors = torch.full((N, 3), 0.02)
    valid = torch.from_numpy(magnitudes < 90)
    pdf = task(magnitudes, valid, variance=errors.square() * valid)
    np.testing.assert_allclose(pdf.median(), predicted["z_median"], atol=1e-5)
    one = task(magnitudes[30], valid[30], variance=errors[30].square())
    np.testing.assert_allclose(one.median(), predicted["z_median"][30:31], atol=1e-4)


def test_members_and_dropout_are_mixed(run: Path, galaxies: Path, command: Command, tmp_path: Path) -> None:
    other = tmp_path / "other"
    options = ["trainer.max_epochs=2", "seed=1", "augment=none"]
    assert command("train", *table_of(galaxies), *options, f"run_dir={other}") == 0
    magnitudes = torch.tensor([[22.0, 21.5, 21.0], [21.0, 20.9, 20.8]])
    grid = torch.linspace(0, 1.2, 50)
    tasks = [astrocnn.load(folder) for folder in (run, other)]
    for task in tasks:
        task.recalibration.reset()  # which is that of the run's own densities, not of the mixture
    alone = [task(magnitudes).density(grid) for task in tasks]
    both = astrocnn.load(run, ensemble=[other])(magnitudes)
    torch.testing.assert_close(both.density(grid), (alone[0] + alone[1]) / 2)
    dropped = astrocnn.load(run, dropout_samples=4)
    assert dropped(magnitudes).component_mean.shape == (2, 4 * 5)
    torch.testing.assert_close(dropped(magnitudes).mean(), dropped(magnitudes).mean(), rtol=0, atol=0)
    for name in ("predict", "evaluate"):
        words = [f"run={run}", f"ensemble=[{other}]", f"output={tmp_path}/{name}.fits"]
        assert command(name, *words) == 0
        assert (
            command(name, *words, "dropout_samples=2", *(["overwrite=true"] if name == "predict" else []))
            == 1
        )  # the other run has no dropout


def test_members_that_do_not_fit(
    run: Path, galaxies: Path, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bins = tmp_path / "bins"
    options = ["trainer.max_epochs=1", "pdf=bins", "pdf.range=[0,1.5]", "pdf.n_bins=30"]
    assert command("train", *table_of(galaxies), *options, f"run_dir={bins}") == 0
    assert command("predict", f"run={run}", f"ensemble=[{bins}]", f"output={tmp_path}/z.fits") == 1
    assert "not the same kind of densities" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (["model=mdn", "model.options={small_stem: true}", "model.features=16", "model.hidden=16"], None),
        (["model=pasquet", "pdf=bins", "pdf.range=[0,0.8]", "pdf.n_bins=20", "optimizer.lr=1e-4"], Histogram),
        (["model=dcmdn", "pdf=quantiles", "loss=pinball"], Quantiles),
    ],
    ids=["mdn", "bins", "quantiles"],
)
def test_images_with_scalars_are_learned_from(
    options: list[str], kind: type | None, galaxies: Path, command: Command, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = tmp_path / "run"
    steps = ["trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    assert command("train", *images_of(galaxies), *options, *steps, f"run_dir={folder}") == 0
    said = capsys.readouterr().out
    assert ("redshifts are outside 0 to 0.8, where pdf=bins has a density" in said) == (kind is Histogram)
    task = astrocnn.load(folder)
    stamps, table = np.load(galaxies / "stamps.npy"), read_table(str(folder / "predictions.fits"))
    first = int(table["id"][0])
    ebv = np.float32(Table.read(galaxies / "galaxies.fits")["ebv"][first])
    pdf = task(stamps[first], scalars=torch.tensor([ebv]))
    assert kind is None or isinstance(getattr(pdf, "base", pdf), kind)
    np.testing.assert_allclose(pdf.mean(), table["z_mean"][:1], rtol=1e-3, atol=1e-3)
    with pytest.raises(astrocnn.errors.DataError, match=r"takes 1 numbers beside each image|scalars"):
        task(stamps[:2])


def test_who_chooses_the_loss() -> None:
    for words, loss in (
        (["data=photoz_table"], "NLL"),
        (["data=photoz_table", "pdf=quantiles"], "Pinball"),
        (["pdf=quantiles", "data=photoz_table"], "Pinball"),
        (["data=photoz_table", "pdf=quantiles", "loss=crps"], "CRPS"),
        (["experiment=dc2_table", "pdf=quantiles"], "Pinball"),
        (["data=lenses"], "CrossEntropy"),
    ):
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(config_dir()), version_base=None):
            cfg = compose("train", overrides=words)
        assert cfg.loss._target_.endswith(f".{loss}"), words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["data.redshift=z"], "no column 'z'"),
        (["data.redshift=null"], "task=photoz learns redshifts, and these data have none"),
        (["pdf.components=0"], "pdf.components=0: a mixture has at least one component"),
        (["loss=pinball"], "loss=pinball is for pdf=quantiles"),
        (["loss=cross_entropy"], "choose loss=nll, crps, nll_crps or pinball"),
        (["pdf=bins", "pdf.range=[3,1]"], "pdf.range=[3, 1] is no range of redshifts"),
        (["model=resnet"], "do not go together"),
        (["augment=photometry", "data.errors=null"], "augment.errors=0.3 needs the errors of the values"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    options: list[str], message: str, galaxies: Path, command: Command, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = [word for word in table_of(galaxies) if not word.startswith(("model.", "optimizer."))]
    assert command("train", *words, *options, "trainer.max_epochs=1", f"run_dir={tmp_path}/run") == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in said
    assert "Traceback" not in said


def test_redshifts_that_are_none_are_counted(
    galaxies: Path, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table.read(galaxies / "galaxies.fits")
    table["z_spec"][:3], table["z_spec"][3:5] = -0.1, np.nan
    table.write(tmp_path / "bad.fits")
    options = [*table_of(galaxies), f"data.catalog={tmp_path}/bad.fits", "trainer.max_epochs=1"]
    assert command("train", *options, f"run_dir={tmp_path}/run") == 1
    said = capsys.readouterr().err
    assert "5 input(s) cannot be used" in said
    assert "3 × a redshift below 0 in the column 'z_spec'" in said
    assert "2 × no redshift in the column 'z_spec'" in said
    assert command("train", *options, "data.on_bad=skip", f"run_dir={tmp_path}/skip") == 0
    assert len(read_table(str(tmp_path / "skip" / "skipped.csv"))) == 5


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("pasquet_sdss", ["pdf.range=[0,1.2]", "data.redshift=z_spec"]),
        ("disanto_quasar", ["data.redshift=z_spec"]),
    ],
)
def test_recipes_of_images(
    recipe: str, options: list[str], galaxies: Path, command: Command, tmp_path: Path
) -> None:
    data = [
        f"data.images={galaxies}/stamps.npy",
        f"data.catalog={galaxies}/galaxies.fits",
        "data.batch_size=16",
    ]
    steps = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", f"run_dir={tmp_path}/run"]
    assert command("train", f"experiment={recipe}", *QUICK, *data, *options, *steps) == 0


def test_the_recipe_of_tables_on_real_mocks(
    realdata: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    catalog = realdata("photoz/test_dc2_training_9816.hdf5")
    options = ["trainer.max_epochs=3", *QUICK, f"run_dir={tmp_path}/run", "data.limits=error"]
    assert command("train", "experiment=dc2_table", f"data.catalog={catalog}", *options) == 0
