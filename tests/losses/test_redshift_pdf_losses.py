"""Losses of densities against scipy and scikit-learn, on what counts, and at the ends of the numbers."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from sklearn.metrics import mean_pinball_loss

from astrocnn.errors import ConfigError
from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.piecewise import Histogram, Quantiles
from astrocnn.losses.redshift_pdfs import CRPS, NLL, Pinball
from astrocnn.transforms.pdf_heads import (
    BinHead,
    GaussianHead,
    LogitNormalHead,
    LogNormalHead,
    QuantileHead,
)

HEADS = {
    "gaussians": GaussianHead(components=4),
    "one": GaussianHead(components=1),
    "lognormal": LogNormalHead(components=4),
    "logitnormal": LogitNormalHead(components=4, range=[0.0, 6.0]),
    "bins": BinHead(range=[0.0, 6.0], n_bins=30),
    "quantiles": QuantileHead(levels=[0.1, 0.5, 0.9]),
}


def two_gaussians(n: int = 5) -> tuple[GaussianMixture, torch.Tensor]:
    r = np.random.default_rng(1)
    parts = (torch.from_numpy(values) for values in (r.normal(size=(n, 2)), r.normal(1, 0.3, (n, 2))))
    sigma = torch.from_numpy(r.uniform(0.05, 0.3, (n, 2)))
    return GaussianMixture(*parts, sigma), torch.from_numpy(r.normal(1, 0.5, n))


def test_likelihood_and_crps_of_mixtures() -> None:
    pdf, z = two_gaussians()
    weights, means, sigmas = pdf.log_weight.exp().numpy(), pdf.component_mean.numpy(), pdf.sigma.numpy()
    logs, scores = [], []
    for i, truth in enumerate(z.numpy()):
        density = (weights[i] * stats.norm.pdf(truth, means[i], sigmas[i])).sum()
        logs.append(-math.log(density))

        def off(x, i=i, truth=truth):
            return ((weights[i] * stats.norm.cdf(x, means[i], sigmas[i])).sum() - (x >= truth)) ** 2

        scores.append(integrate.quad(off, -6, 8, points=[truth, *means[i]], limit=400)[0])
    assert NLL()(pdf, z).item() == pytest.approx(np.mean(logs))
    assert CRPS()(pdf, z).item() == pytest.approx(np.mean(scores), abs=1e-6)


def test_pinball_is_that_of_scikit_learn() -> None:
    levels = [0.1, 0.5, 0.9]
    z = torch.rand(20).double()
    quantiles = torch.rand(20, 3).double().cumsum(1)
    expected = np.mean([mean_pinball_loss(z, quantiles[:, k], alpha=tau) for k, tau in enumerate(levels)])
    assert Pinball()(Quantiles(quantiles, levels=levels), z).item() == pytest.approx(expected)
    with pytest.raises(ConfigError, match="loss=pinball is for pdf=quantiles"):
        Pinball()(*two_gaussians())


def test_weights_and_what_does_not_count() -> None:
    pdf = Histogram(torch.randn(4, 3, requires_grad=True).double(), edges=[0.0, 0.5, 1.0, 2.0])
    z = torch.tensor([0.2, 0.7, math.nan, 5.0]).double()  # unknown, and beyond the bins
    weight = torch.tensor([1.0, 3.0, 7.0, 7.0]).double()
    for loss in (NLL(), CRPS()):
        two = [loss(pdf[i : i + 1], z[i : i + 1]) for i in range(2)]
        torch.testing.assert_close(loss(pdf, z), (two[0] + two[1]) / 2)
        torch.testing.assert_close(loss(pdf, z, weight=weight), (two[0] + 3 * two[1]) / 4)
        assert loss(pdf[2:], z[2:]).item() == 0
    with pytest.raises(ConfigError, match="one redshift each"):
        NLL()(pdf, z[:2])


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("size", [0.0, 1.0, 60.0, 6e4])
def test_losses_of_any_outputs_are_numbers_with_gradients(name, dtype, size) -> None:
    """Sigmas near 0, outliers, and raw outputs at the end of half precision."""
    head = HEADS[name]
    head.fit(torch.linspace(0.1, 3, 50))
    generator = torch.Generator().manual_seed(0)
    raw = (
        (size * torch.randn(64, head.n_outputs, generator=generator).clamp(-1, 1)).to(dtype).requires_grad_()
    )
    z = torch.linspace(0.001, 5.999, 64)
    z[5] = math.nan
    for loss in (NLL(), CRPS(), *([Pinball()] if name == "quantiles" else [])):
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(head(raw), z)
        assert value.dtype is torch.float32
        assert value.isfinite()
        (gradient,) = torch.autograd.grad(value, raw)
        assert (
            dtype is torch.float16 or gradient.isfinite().all()
        )  # those of outliers overflow: the step is skipped
