"""Ensembles as qp reads them, against our own densities and, where RAIL installs, by its metrics."""

import numpy as np
import pytest
import torch

from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.piecewise import Histogram
from astrocnn.functional.pit_maps import ProbitMap
from astrocnn.functional.qp_parameters import qp_parameters
from astrocnn.functional.recalibrated import Recalibrated
from astrocnn.functional.redshift_pdfs import PdfFigures, pdf_scores
from astrocnn.io.qp_file import write_qp

qp = pytest.importorskip("qp")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")


def mixture(n):
    rng = np.random.default_rng(0)
    weight = torch.as_tensor(rng.dirichlet([1, 1, 1], n)).log()
    mean, sigma = (torch.as_tensor(rng.uniform(*between, (n, 3))) for between in ((0.2, 1.5), (0.03, 0.3)))
    return GaussianMixture(weight, mean, sigma)


def histogram(n):
    rng = np.random.default_rng(1)
    return Histogram(torch.as_tensor(rng.normal(size=(n, 40))), edges=np.linspace(0, 2, 41).tolist())


def written(pdf, path, z):
    write_qp(
        path, **qp_parameters(pdf), ancil={"id": np.array([f"{i:03d}" for i in range(len(pdf))]), "z_spec": z}
    )
    return qp.read(str(path))


@pytest.mark.parametrize(
    ("pdf", "kind", "tolerance"),
    [
        (mixture(20), "mixmod", 1e-10),
        (histogram(20), "hist", 1e-10),
        (Recalibrated(mixture(20), ProbitMap(torch.tensor(0.8).double())), "interp", 5e-3),
    ],
)
def test_qp_reads_the_same_distributions(tmp_path, pdf, kind, tolerance):
    z = np.linspace(0.2, 1.4, 20)
    ensemble = written(pdf, tmp_path / "pdfs.hdf5", z)
    grid = np.linspace(0.011, 1.89, 400)  # away from edges of bins
    density = pdf.density(torch.as_tensor(grid)).numpy()
    assert ensemble.metadata["pdf_name"][0].decode() == kind
    error = np.abs(ensemble.pdf(grid) - density).max(1) / density.max(1)
    assert np.median(error) < tolerance
    np.testing.assert_allclose(ensemble.cdf(grid), pdf.cdf_on(torch.as_tensor(grid)), atol=tolerance)
    assert ensemble.ancil["id"][3] in ("003", b"003")
    np.testing.assert_array_equal(ensemble.ancil["z_spec"], z)


def test_metrics_of_qp_and_rail_agree_with_ours(tmp_path):
    from qp.metrics.pit import PIT

    pdf = mixture(600)
    z = np.array([np.interp(u, c, np.linspace(-1, 3, 4001)) for u, c in zip(
        np.random.default_rng(2).beta(1.3, 1, 600), pdf.cdf_on(torch.linspace(-1, 3, 4001)).numpy(), strict=True
    )])  # fmt: skip
    ensemble = written(pdf, tmp_path / "pdfs.hdf5", z)
    figures = PdfFigures(pdf_scores(pdf, z))
    ours = dict(zip(figures.names, figures(np.ones((1, 600)))[0], strict=True))
    theirs = PIT(ensemble, z)
    assert theirs.evaluate_PIT_KS().statistic == pytest.approx(ours["pit_ks"], abs=1e-9)
    assert theirs.evaluate_PIT_CvM().statistic == pytest.approx(ours["pit_cvm"], rel=1e-6)
    cde = pytest.importorskip("rail.evaluation.metrics.cdeloss")
    loss = cde.CDELoss(ensemble, np.linspace(-1, 3, 8001), z).evaluate()
    assert loss.statistic == pytest.approx(ours["cde_loss"], rel=2e-3)
    points = pytest.importorskip("rail.evaluation.metrics.pointestimates")
    from astrocnn.functional.redshift_points import PointFigures

    median = pdf.median().numpy()
    of_points = PointFigures(median, np.abs(z))
    value = dict(zip(of_points.names, of_points(np.ones((1, 600)))[0], strict=True))
    assert points.PointSigmaMAD(median, np.abs(z)).evaluate() == pytest.approx(value["sigma_nmad"])
    assert points.PointBias(median, np.abs(z)).evaluate() == pytest.approx(value["bias_median"])
