"""What a run of redshifts says of itself, against the figures computed again from its own tables by numpy and scipy."""

import json

import h5py
import numpy as np
import pytest
import torch
from astropy.table import Table
from scipy import stats

import astrocnn
from astrocnn.functional.pdf_families import read_pdf
from astrocnn.io.tables import read_table


def write_photometry(path, n, *, seed, shift=0.0):
    """Four magnitudes that follow a redshift, with noise."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.1, 1.0, n)
    table = Table({"name": [f"g{i:04d}" for i in range(n)], "z_spec": z + shift})
    mag = rng.uniform(20, 24, n)
    for number, band in enumerate("griz"):
        table[f"mag_{band}"] = mag - (2 - number) * z + rng.normal(0, 0.1, n)
        table[f"err_{band}"] = 0.1
    table["z_spec"][:5] = np.nan
    table.write(path, overwrite=True)
    return [
        "data=photoz_table", f"data.catalog={path}", "data.features=mag_*", "data.errors=err_*", "data.id=name",
        "data.redshift=z_spec",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def redshifts(tmp_path_factory):
    return write_photometry(tmp_path_factory.mktemp("photometry") / "galaxies.fits", 900, seed=0)


@pytest.fixture(scope="module")
def trained(command, redshifts, tmp_path_factory):
    def call(seed):
        folder = tmp_path_factory.mktemp("redshift_runs") / f"run{seed}"
        assert command(
            "train", *redshifts, "model=mdn_table", "model.width=32", "data.on_bad=skip", "trainer=cpu",
            "trainer.max_epochs=4", "trainer.precision=32-true", "evaluation.n_bootstrap=20", "logger=csv",
            "optimizer.lr=1e-2", "data.batch_size=64", f"seed={seed}", f"run_dir={folder}",
        ) == 0  # fmt: skip
        return folder

    return [call(0), call(1)]


def figures(folder, split="test"):
    return json.loads((folder / "metrics.json").read_text())["splits"][split]


def test_the_figures_are_those_of_the_table(trained):
    table, summary = read_table(trained[0] / "predictions.fits"), figures(trained[0])
    table = table[np.asarray(table["split"]) == "test"]
    z = np.asarray(table["z_spec"])
    dz = (np.asarray(table["z_median"]) - z) / (1 + z)
    median = summary["points"]["median"]
    assert summary["n"] == len(z)
    assert median["bias"]["value"] == pytest.approx(dz.mean(), abs=1e-6)
    assert median["sigma_nmad"]["value"] == pytest.approx(
        1.4826 * np.median(np.abs(dz - np.median(dz))), rel=1e-4
    )
    assert median["outliers_005"]["value"] == pytest.approx((np.abs(dz) > 0.05).mean())
    assert median["bias"]["low"] < median["bias"]["value"] < median["bias"]["high"]
    assert summary["figures"]["pit_ks"]["value"] == pytest.approx(
        stats.kstest(table["pit"], "uniform").statistic
    )
    inside = (np.asarray(table["z_low68"]) <= z) & (z <= np.asarray(table["z_high68"]))
    assert summary["conformal"]["0.68"]["coverage"]["value"] == pytest.approx(inside.mean())
    assert set(summary["bins"]) == {"z_spec", "z_phot", "mag_i", "g − i"}
    assert len(summary["tomography"]["bins"]) == 5


def test_the_table_holds_the_densities_before_recalibration(trained):
    table = read_table(trained[0] / "predictions.parquet")
    pdf = read_pdf({name: table[name] for name in table.colnames}, json.loads(table.meta["PDF"]))
    known = np.isfinite(table["z_spec"])
    z = torch.as_tensor(np.asarray(table["z_spec"])[known])
    pit = pdf[torch.as_tensor(known)].cdf(z).numpy()
    before = table["pit_before"] if "pit_before" in table.colnames else table["pit"]
    np.testing.assert_allclose(pit, np.asarray(before)[known], atol=1e-5)


def test_the_recalibration_stays_with_the_run(trained, redshifts):
    task = astrocnn.load(trained[0])
    table = read_table(trained[0] / "predictions.fits")
    columns = ["mag_g", "mag_r", "mag_i", "mag_z"]
    values = np.stack([np.asarray(table[name], np.float32) for name in columns], 1)[:20]
    errors = torch.full((20, 4), 0.01)
    pdf = task(values, variance=errors)
    np.testing.assert_allclose(pdf.median().numpy(), np.asarray(table["z_median"])[:20], atol=1e-4)
    val = figures(trained[0], "val")
    if task.recalibration.fitted:
        assert (
            val["figures"]["log_likelihood"]["value"]
            >= val["before_recalibration"]["log_likelihood"]["value"] - 0.02
        )


def test_the_page_and_the_file_for_qp_are_there(trained):
    page = (trained[0] / "report.html").read_text()
    assert "of known redshift" in page
    assert "Least expected" in page
    with h5py.File(trained[0] / "pdfs.hdf5") as file:
        n = len(file["ancil/id"])
        assert n == figures(trained[0])["n"]
        assert len(file["data"][next(iter(file["data"]))]) == n
        assert file["ancil/z_spec"][:].min() > 0


def test_other_redshifts_are_judged_as_a_whole(trained, command, tmp_path):
    """Redshifts that lie 0.1 higher than those of the training."""
    other = write_photometry(tmp_path / "other.fits", 200, seed=9, shift=0.1)
    arguments = [f"run={trained[0]}", *other, "data.on_bad=skip", "evaluation.n_bootstrap=20", "device=cpu"]
    assert command("evaluate", *arguments, f"output={tmp_path}/judged") == 0
    found, own = figures(tmp_path / "judged", "all"), figures(trained[0])
    assert found["n"] == 195
    shift = (
        found["points"]["median"]["bias_median"]["value"] - own["points"]["median"]["bias_median"]["value"]
    )
    assert -0.1 < shift < -0.04
    assert found["figures"]["pit_ks"]["value"] > own["figures"]["pit_ks"]["value"]


def test_an_ensemble_is_recalibrated_anew_and_its_densities_are_written(
    trained, command, redshifts, tmp_path
):
    more = [f"run={trained[0]}", f"ensemble=[{trained[1]}]", "device=cpu"]
    assert command("evaluate", *more, "evaluation.n_bootstrap=20", f"output={tmp_path}/both") == 0
    both, one = figures(tmp_path / "both"), figures(trained[0])
    assert both["figures"]["log_likelihood"]["value"] > one["figures"]["log_likelihood"]["value"] - 0.1
    assert astrocnn.load(trained[0], ensemble=[trained[1]]).recalibration.fitted is False
    data = [*redshifts[:-1], "data.redshift=null"]
    files = [f"output={tmp_path}/z.fits", f"qp={tmp_path}/z.hdf5"]
    assert command("predict", *more, *data, *files) == 0
    judged, said = read_table(tmp_path / "both" / "predictions.fits"), read_table(tmp_path / "z.fits")
    place = {str(name): row for row, name in enumerate(said["id"])}
    rows = [place[str(name)] for name in judged["id"]]
    np.testing.assert_allclose(said["z_median"][rows], judged["z_median"], atol=1e-5)
    with h5py.File(tmp_path / "z.hdf5") as file:
        assert len(file["ancil/id"]) == len(said) == 900
    assert command("predict", *more, *data, f"output={tmp_path}/z2.fits", f"qp={tmp_path}/z.hdf5") == 1


def test_columns_to_bin_in_can_be_named(trained, command, tmp_path):
    arguments = ["evaluation.n_bootstrap=0", "device=cpu", f"output={tmp_path}/judged"]
    other = write_photometry(tmp_path / "other.fits", 300, seed=5)
    more = ["data.on_bad=skip", "data.strata=[mag_z]"]
    assert command("evaluate", f"run={trained[0]}", *other, *more, *arguments) == 0
    assert set(figures(tmp_path / "judged", "all")["bins"]) == {"z_spec", "z_phot", "mag_z"}


def test_densities_for_qp_are_of_redshifts_only(run, command, cutouts, tmp_path, capsys):
    data = ["data=cutouts", f"data.images={cutouts}/fits/*.fits"]
    assert command("predict", f"run={run}", *data, f"output={tmp_path}/p.fits", f"qp={tmp_path}/p.hdf5") == 1
    assert "is for densities over redshift" in capsys.readouterr().err
