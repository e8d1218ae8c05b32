"""The page of redshifts: it stands alone, says the figures, and leaves out what is not there."""

import re

import numpy as np
import pytest
import torch
from astropy.table import Table
from rich.console import Console

from astrocnn.errors import DataError
from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.redshift_pdfs import pdf_scores
from astrocnn.functional.redshift_summary import summarise_redshifts
from astrocnn.functional.tomography import tomographic_bins
from astrocnn.report.redshift_page import write_redshift_report
from astrocnn.report.redshift_tables import print_redshift_summary
from astrocnn.report.redshift_words import figure_text, interval_text


def judged(n=400, n_bootstrap=20):
    rng = np.random.default_rng(0)
    centre, sigma = rng.uniform(0.2, 1.2, n), rng.uniform(0.02, 0.1, n)
    z = np.abs(rng.normal(centre, sigma))
    mean = torch.as_tensor(centre)[:, None]
    pdf = GaussianMixture(torch.zeros_like(mean), mean, torch.as_tensor(sigma)[:, None])
    summary = summarise_redshifts(
        pdf_scores(pdf, z),
        {"mean": centre, "median": centre},
        z,
        against={"mag_i": 20 + z},
        n_bootstrap=n_bootstrap,
    )
    summary["tomography"] = tomographic_bins(pdf, centre, z, n_bootstrap=n_bootstrap)
    return {"splits": {"test": summary}}, Table({"z_spec": z, "z_median": centre})


EXAMPLE = {
    "id": "<a&b>",
    "title": "Worst",
    "z_spec": 0.5,
    "z_phot": 0.7,
    "interval": (0.6, 0.8),
    "pit": 0.02,
    "grid": np.linspace(0.3, 1, 50),
    "density": np.exp(-0.5 * ((np.linspace(0.3, 1, 50) - 0.7) / 0.1) ** 2),
}


def test_the_page_stands_alone_and_says_the_figures(tmp_path):
    metrics, table = judged()
    path = write_redshift_report(
        tmp_path / "report.html", title="a < b", metrics=metrics, predictions=table, examples=[EXAMPLE]
    )
    page = path.read_text()
    summary = metrics["splits"]["test"]
    for key in ("sigma_nmad", "outliers_015"):
        assert figure_text(key, summary["points"]["median"][key]["value"]) in page
    for key in ("cde_loss", "crps", "pit_ks", "coverage_68"):
        assert figure_text(key, summary["figures"][key]["value"]) in page
    assert figure_text("pit_ks", summary["perfect"]["pit_ks"]["mean"]) in page
    assert "&lt;a&amp;b&gt;" in page
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for anchor in ("figures", "points", "pdfs", "nz", "examples"):
        assert f'<section id="{anchor}">' in page
    assert '<section id="training">' not in page


def test_a_single_object_has_a_page_without_bins(tmp_path):
    metrics, table = judged(1, n_bootstrap=0)
    page = write_redshift_report(
        tmp_path / "report.html", title="one", metrics=metrics, predictions=table
    ).read_text()
    assert "1 object of known redshift" in page
    assert '<section id="nz">' not in page


def test_redshifts_outside_of_the_bins_are_counted_and_named(tmp_path):
    metrics, table = judged(100)
    metrics["splits"]["test"] |= {"n_outside": 12, "support": [0.0, 0.4], "n_unknown": 3}
    few = {"coverage": {"value": 1.0, "low": 0.9, "high": 1.0}, "width": None}
    metrics["splits"]["test"]["conformal"] = {"0.95": few}
    page = write_redshift_report(
        tmp_path / "report.html", title="bins", metrics=metrics, predictions=table
    ).read_text()
    assert "12 true redshifts outside of the densities’ range, 0 to 0.4" in page
    assert "median width unbounded" in page
    assert "3 objects without a true redshift" in page


def test_a_table_of_something_else_is_refused(tmp_path):
    metrics, _ = judged(50)
    with pytest.raises(DataError, match="lack the columns z_median"):
        write_redshift_report(
            tmp_path / "report.html", title="t", metrics=metrics, predictions=Table({"z_spec": [1.0]})
        )


def test_the_terminal_shows_figures_and_what_true_pdfs_give(capsys):
    metrics, _ = judged()
    print_redshift_summary(metrics, "x/report.html", console=Console(width=100))
    text = capsys.readouterr().out
    summary = metrics["splits"]["test"]
    assert figure_text("sigma_nmad", summary["points"]["median"]["sigma_nmad"]["value"]) in text
    assert figure_text("pit_ks", summary["perfect"]["pit_ks"]["q95"]) in text
    assert "x/report.html" in text


def test_numbers_are_printed_with_their_digits():
    assert figure_text("outliers_015", 0.0293) == "2.9\u00a0%"
    assert figure_text("bias", -0.00123) == "−0.0012"
    assert figure_text("crps", None) == "–"
    assert interval_text("outliers_015", {"low": 0.02, "high": 0.031}) == "2.0–3.1\u00a0%"
    assert interval_text("bias", {"low": -0.01, "high": 0.02}) == "−0.0100 to 0.0200"
