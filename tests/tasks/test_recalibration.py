"""The recalibration as part of a task: identity before the fit, kept by a checkpoint, one sentence for a wrong kind."""

import numpy as np
import pytest
import torch
from scipy import stats

from astrocnn.errors import ConfigError
from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.tasks.recalibration import Recalibration


def narrow(n, seed):
    """Gaussian PDFs of 0.75 times the width that their redshifts have."""
    rng = np.random.default_rng(seed)
    mean = torch.as_tensor(rng.uniform(0.3, 1, n))[:, None]
    z = mean[:, 0] + 0.1 * torch.as_tensor(rng.normal(size=n))
    return GaussianMixture(torch.zeros(n, 1).double(), mean, torch.full((n, 1), 0.075).double()), z


@pytest.mark.parametrize("kind", ["pit", "temperature"])
def test_fitted_on_some_objects_it_mends_the_pdfs_of_others(kind):
    recalibration = Recalibration(kind=kind)
    pdf, z = narrow(2000, 0)
    assert recalibration(pdf) is pdf
    recalibration.fit(pdf.cdf(z))
    again = Recalibration(kind=kind)
    again.load_state_dict(recalibration.state_dict())
    fresh, z = narrow(5000, 1)
    assert stats.kstest(fresh.cdf(z), "uniform").statistic > 0.06
    assert stats.kstest(again(fresh).cdf(z), "uniform").statistic < 0.03
    assert again(fresh).log_prob(z).mean() > fresh.log_prob(z).mean()
    ends = again.intervals(fresh)
    inside = (ends[:, :, 0] <= z[:, None]) & (z[:, None] <= ends[:, :, 1])
    np.testing.assert_allclose(inside.double().mean(0), [0.68, 0.95], atol=0.03)


def test_redshifts_outside_of_the_densities_do_not_bend_the_map():
    """A third of the redshifts has no density in the bins: the others are recalibrated as if these were not there."""
    pdf, z = narrow(900, 0)
    pit = pdf.cdf(z)
    alone, beside = Recalibration(), Recalibration()
    alone.fit(pit)
    beside.fit(torch.cat([pit, torch.ones(450)]), inside=np.arange(1350) < 900)
    torch.testing.assert_close(alone.weights, beside.weights)
    assert alone.scale == beside.scale
    assert beside.reach[1] == 0.5


def test_none_leaves_pdfs_as_they_are_but_has_conformal_intervals():
    recalibration = Recalibration(kind="none")
    pdf, z = narrow(500, 0)
    recalibration.fit(pdf.cdf(z))
    assert recalibration(pdf) is pdf
    assert recalibration.reach[0] > 0.34


def test_another_kind_is_refused():
    with pytest.raises(ConfigError, match="recalibration"):
        Recalibration(kind="isotonic")
