"""The summary of redshift PDFs against scipy's distributions and against what true PDFs must give."""

import json

import numpy as np
import pytest
import torch
from scipy import stats

from astrocnn.errors import DataError
from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.redshift_pdfs import PdfFigures, pdf_scores
from astrocnn.functional.redshift_summary import summarise_redshifts


def gaussians(mean, sigma):
    mean, sigma = (torch.as_tensor(np.asarray(of, float))[:, None] for of in (mean, sigma))
    return GaussianMixture(torch.zeros_like(mean), mean, sigma)


def drawn(n, *, width=1.0, shift=0.0, seed=0):
    """Gaussian PDFs and redshifts drawn from them, with their means shifted and their widths changed."""
    rng = np.random.default_rng(seed)
    centre, sigma = rng.uniform(0.3, 1.5, n), rng.uniform(0.02, 0.08, n)
    z = np.abs(rng.normal(centre, sigma))
    return gaussians(centre + shift, sigma * width), z, centre + shift, sigma * width


def test_scores_are_those_of_normal_distributions():
    pdf, z, mean, sigma = drawn(50)
    scores = pdf_scores(pdf, z)
    normal = stats.norm(mean, sigma)
    np.testing.assert_allclose(scores.pit, normal.cdf(z), atol=1e-12)
    np.testing.assert_allclose(scores.density, normal.pdf(z), rtol=1e-10)
    np.testing.assert_allclose(scores.log_density, normal.logpdf(z), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scores.square_integral, 1 / (2 * np.sqrt(np.pi) * sigma), rtol=1e-10)
    u = (z - mean) / sigma  # Gneiting & Raftery 2007, equation 21
    crps = sigma * (u * (2 * stats.norm.cdf(u) - 1) + 2 * stats.norm.pdf(u) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(scores.crps, crps, rtol=1e-9)
    figures = PdfFigures(scores)
    value = dict(zip(figures.names, figures(np.ones((1, 50)))[0], strict=True))
    assert value["cde_loss"] == pytest.approx(
        np.mean(1 / (2 * np.sqrt(np.pi) * sigma)) - 2 * normal.pdf(z).mean(), rel=1e-9
    )
    low, high = normal.interval(0.68)
    assert value["coverage_68"] == pytest.approx(np.mean((z > low) & (z < high)))
    assert value["pit_ks"] == pytest.approx(stats.kstest(normal.cdf(z), "uniform").statistic)


def test_true_pdfs_pass_and_narrow_ones_do_not():
    for width, passes in ((1.0, True), (0.5, False)):
        pdf, z, mean, _ = drawn(3000, width=width)
        found = summarise_redshifts(pdf_scores(pdf, z), {"median": mean}, z, n_bootstrap=200)
        figures, perfect = found["figures"], found["perfect"]
        assert (figures["pit_ks"]["value"] < perfect["pit_ks"]["q95"]) == passes
        assert (figures["coverage_68"]["low"] < 0.68 < figures["coverage_68"]["high"]) == passes
        expected = stats.norm.cdf(np.array([-1, 1]) * stats.norm.ppf(0.84) * width)
        assert figures["coverage_68"]["value"] == pytest.approx(np.ptp(expected), abs=0.025)
        assert (figures["pit_ks"]["low"] < figures["pit_ks"]["value"] < figures["pit_ks"]["high"]) or passes


def test_a_density_of_zero_is_a_low_number_and_no_infinity():
    scores = pdf_scores(gaussians([0.5, 0.5], [0.001, 0.1]), [5.0, 0.5])
    assert scores.density[0] == 0
    assert scores.log_density[0] == pytest.approx(-23 * np.log(2))


def test_bins_hold_all_objects_and_leave_pits_out_where_the_truth_picks():
    pdf, z, mean, _ = drawn(1000)
    magnitude = np.where(np.arange(1000) % 10 == 0, np.nan, 20 + z)
    found = summarise_redshifts(
        pdf_scores(pdf, z), {"median": mean, "mean": mean}, z, against={"mag_i": magnitude}, n_bootstrap=20
    )
    assert set(found["bins"]) == {"z_spec", "z_phot", "mag_i"}
    for name, bins in found["bins"].items():
        assert sum(bins["n"]) + bins["n_unknown"] == 1000
        assert len(bins["edges"]) == len(bins["n"]) + 1 == len(bins["figures"]) + 1
        assert ("pit_ks" in bins["figures"][0]) == (name != "z_spec")
        assert {"sigma_nmad", "crps"} <= set(bins["figures"][0])
    assert found["bins"]["mag_i"]["n_unknown"] == 100
    place = np.digitize(z, found["bins"]["z_spec"]["edges"][1:-1]) == 2
    dz = (mean - z)[place] / (1 + z[place])
    assert found["bins"]["z_spec"]["figures"][2]["bias"]["value"] == pytest.approx(dz.mean())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_one_object_and_equal_objects_are_measured():
    found = summarise_redshifts(
        pdf_scores(gaussians([0.5], [0.1]), [0.6]), {"median": [0.5]}, [0.6], n_bootstrap=10
    )
    assert found["n"] == 1
    assert found["points"]["median"]["sigma_nmad"]["value"] == 0
    assert found["bins"] == {}
    same = summarise_redshifts(
        pdf_scores(gaussians([0.5] * 9, [0.1] * 9), [0.6] * 9),
        {"median": [0.5] * 9},
        [0.6] * 9,
        n_bootstrap=10,
    )
    assert same["points"]["median"]["bias"]["value"] == pytest.approx(-0.1 / 1.6)


def test_pdfs_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="1 of 2 redshift PDFs are not finite"):
        pdf_scores(gaussians([0.5, np.nan], [0.1, 0.1]), [0.5, 0.5])
