"""Every family of densities against numerical integration, scipy.stats and draws."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.bounded_mixtures import LogitNormalMixture, LogNormalMixture
from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.pdf import PDF
from astrocnn.functional.pdf_families import FAMILIES, read_pdf
from astrocnn.functional.piecewise import Histogram, Quantiles

N, K = 6, 3
LEVELS = [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98]


def made(family: str, n: int = N, k: int = K, seed: int = 0) -> PDF:
    """Densities of n objects, some of them narrow, some with two peaks."""
    r = np.random.default_rng(seed)
    weight, mean = torch.from_numpy(r.normal(size=(n, k))), torch.from_numpy(r.uniform(0.3, 1.4, (n, k)))
    sigma = torch.from_numpy(10 ** r.uniform(-2, -0.5, (n, k)))
    match family:
        case "gaussians":
            return GaussianMixture(weight, mean, sigma)
        case "lognormal":
            return LogNormalMixture(weight, mean.log(), sigma)
        case "logitnormal":
            return LogitNormalMixture(weight, 3 * (mean - 0.8), 4 * sigma, range=[0.1, 2.0])
        case "bins":
            edges = np.sort(np.concatenate([[0.0, 2.0], r.uniform(0, 2, 12)])).tolist()
            return Histogram(torch.from_numpy(2 * r.normal(size=(n, 13))), edges=edges)
        case _:
            z = np.sort(r.uniform(0.2, 1.8, (n, len(LEVELS))), axis=1)
            return Quantiles(torch.from_numpy(z), levels=LEVELS)


def knots_of(pdf: PDF, i: int) -> list[float]:
    """Where integration of object i is split."""
    if isinstance(pdf, GaussianMixture | LogNormalMixture | LogitNormalMixture):
        steps = torch.linspace(-9, 9, 19, dtype=torch.double)
        t = (pdf.component_mean[i][:, None] + pdf.sigma[i][:, None] * steps).flatten()
        z = pdf.to_z(t).tolist()
    else:
        x, low, high = pdf.knots[i], *pdf._tails()[2:]
        tails = np.arange(1, 45)
        z = [
            *x.tolist(),
            *(float(x[0]) - tails * float(low[i])),
            *(float(x[-1]) + tails * float(high[i])),
        ]
    return sorted(set(z))


def integral(function, knots: list[float], more: list[float] = ()) -> float:
    """Sum of scipy's adaptive integrals between the knots."""
    ends = sorted({*knots, *more})
    return sum(integrate.quad(function, a, b, epsabs=1e-12)[0] for a, b in pairwise(ends))


def at(pdf: PDF, i: int, name: str):
    """A method of object i as a function of a number."""
    one = pdf[i]
    return lambda z: float(getattr(one, name)(torch.tensor([z], dtype=torch.double))[0])


@pytest.fixture(params=sorted(FAMILIES))
def pdf(request) -> PDF:
    return made(request.param)


def test_densities_integrate_to_their_cumulative_distributions(pdf) -> None:
    for i in range(N):
        knots, p, cdf = knots_of(pdf, i), lambda z, i=i: at(pdf, i, "log_prob")(z), at(pdf, i, "cdf")
        density = lambda z, p=p: math.exp(p(z))  # noqa: E731
        assert integral(density, knots) == pytest.approx(1, abs=1e-6)
        for z in (0.5, 0.9, 1.3):
            below = [knot for knot in knots if knot < z]
            assert integral(density, [*below, z]) == pytest.approx(cdf(z), abs=1e-6)


def test_crps_is_its_integral(pdf) -> None:
    truth = torch.linspace(0.15, 2.4, N, dtype=torch.double)  # within and beyond
    score = pdf.crps(truth)
    for i in range(N):
        z, cdf = float(truth[i]), at(pdf, i, "cdf")
        expected = integral(lambda x, z=z, cdf=cdf: (cdf(x) - (x >= z)) ** 2, knots_of(pdf, i), [z])
        assert score[i].item() == pytest.approx(expected, abs=1e-7)


def test_square_integral_mean_and_mode(pdf) -> None:
    square, mean, mode = pdf.square_integral(), pdf.mean(), pdf.mode()
    highest = pdf.log_prob(mode)
    grid = torch.linspace(0.0, 2.0, 4001, dtype=torch.double)
    assert (highest[:, None].exp() >= pdf.density(grid) * (1 - 1e-9)).all()
    for i in range(N):
        knots, log_p = knots_of(pdf, i), at(pdf, i, "log_prob")
        assert square[i].item() == pytest.approx(
            integral(lambda z, p=log_p: math.exp(2 * p(z)), knots), rel=1e-6
        )
        assert mean[i].item() == pytest.approx(
            integral(lambda z, p=log_p: z * math.exp(p(z)), knots), abs=1e-6
        )


def test_quantiles_invert_the_cumulative_distribution(pdf) -> None:
    p = torch.tensor([1e-6, 0.01, 0.16, 0.5, 0.84, 0.999], dtype=torch.double)
    z = pdf.quantile(p)
    torch.testing.assert_close(pdf.cdf(z), p.expand(N, -1), rtol=0, atol=1e-9)
    torch.testing.assert_close(pdf.median(), z[:, 3])


def test_grids_rows_and_joining(pdf) -> None:
    grid = torch.linspace(0.2, 1.9, 7, dtype=torch.double)
    for k, z in enumerate(grid):
        torch.testing.assert_close(pdf.density(grid)[:, k], pdf.log_prob(z.expand(N)).exp())
        torch.testing.assert_close(pdf.cdf_on(grid)[:, k], pdf.cdf(z.expand(N)))
    again = type(pdf).cat([pdf[:2], pdf[2], pdf[torch.tensor([3, 4, 5])]])
    assert len(again) == N
    torch.testing.assert_close(again.density(grid), pdf.density(grid))
    assert len(pdf[torch.arange(N) > 3]) == N - 4


def test_columns_bring_the_densities_back(pdf) -> None:
    grid = torch.linspace(0.2, 1.9, 7, dtype=torch.double)
    columns = {name: values.float().numpy() for name, values in pdf.columns().items()}
    back = read_pdf(columns | {"z_mean": np.zeros(N)}, pdf.description)
    assert back.dtype is torch.double
    torch.testing.assert_close(back.density(grid), pdf.density(grid), rtol=2e-3, atol=1e-6)
    with pytest.raises(DataError, match="need the column 'pdf_"):
        read_pdf({}, pdf.description)


def test_the_mixture_of_members_has_the_mean_density(pdf) -> None:
    family = type(pdf)
    other = pdf[torch.arange(N - 1, -1, -1)]
    both = family.mixed([pdf, other])
    if family is Quantiles:  # the quantiles of the mean distribution
        cdf = (pdf.cdf(both.z) + other.cdf(both.z)) / 2
        torch.testing.assert_close(cdf, torch.tensor(LEVELS).double().expand(N, -1))
        return
    grid = torch.linspace(0.2, 1.9, 50, dtype=torch.double)
    torch.testing.assert_close(both.density(grid), (pdf.density(grid) + other.density(grid)) / 2)


def test_portions_do_not_change_anything(pdf, monkeypatch) -> None:
    z, p = torch.linspace(0.3, 1.7, N, dtype=torch.double), [0.2, 0.5]
    whole = [pdf.crps(z), pdf.square_integral(), pdf.mode(), pdf.quantile(p), pdf.density(z)]
    monkeypatch.setattr("astrocnn.functional.pdf.MOST_VALUES", 1)
    parts = [pdf.crps(z), pdf.square_integral(), pdf.mode(), pdf.quantile(p), pdf.density(z)]
    for one, many in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, many)


def test_gradients_of_crps_and_likelihood(pdf) -> None:
    family, options, columns = type(pdf), pdf.options, pdf.columns()
    z = torch.linspace(0.35, 1.7, N, dtype=torch.double)
    for score in ("crps", "log_prob"):
        leaves = {name: values.clone().requires_grad_() for name, values in columns.items()}
        names = list(leaves)

        def summed(*values, score=score, names=names):
            made = family.from_columns(dict(zip(names, values, strict=True)), **options)
            return getattr(made, score)(z).sum()

        assert torch.autograd.gradcheck(summed, tuple(leaves.values()), atol=1e-5, eps=1e-7)


def test_one_gaussian_is_that_of_scipy() -> None:
    pdf = GaussianMixture(torch.zeros(1, 1), torch.tensor([[0.7]]), torch.tensor([[0.2]])).double()
    theirs, z = stats.norm(pdf.component_mean.item(), pdf.sigma.item()), torch.tensor([0.95]).double()
    assert pdf.log_prob(z).item() == pytest.approx(theirs.logpdf(z.item()))
    assert pdf.quantile([0.16])[0, 0].item() == pytest.approx(theirs.ppf(0.16))
    x = (z.item() - 0.7) / 0.2  # Gneiting & Raftery 2007, eq. 21
    crps = 0.2 * (x * (2 * special.ndtr(x) - 1) + 2 * stats.norm.pdf(x) - 1 / math.sqrt(math.pi))
    assert pdf.crps(z).item() == pytest.approx(crps, rel=1e-6)
    assert pdf.square_integral().item() == pytest.approx(1 / (2 * 0.2 * math.sqrt(math.pi)), rel=1e-6)


def test_one_lognormal_is_that_of_scipy() -> None:
    pdf = LogNormalMixture(torch.zeros(1, 1), torch.tensor([[-0.3]]), torch.tensor([[0.4]])).double()
    theirs = stats.lognorm(s=pdf.sigma.item(), scale=math.exp(pdf.component_mean.item()))
    z = torch.tensor([0.95]).double()
    assert pdf.log_prob(z).item() == pytest.approx(theirs.logpdf(z.item()))
    assert pdf.mean().item() == pytest.approx(theirs.mean())
    assert pdf.mode().item() == pytest.approx(math.exp(-0.3 - 0.16), rel=1e-6)
    assert pdf.cdf(torch.tensor([-1.0]).double()).item() == 0
    assert pdf.log_prob(torch.tensor([0.0]).double()).item() == -math.inf


def test_crps_is_the_expected_distance_less_half_the_spread() -> None:
    """Of draws: E|X − z| − ½ E|X − X'|."""
    for family in sorted(FAMILIES):
        pdf = made(family, n=2, seed=5)
        draws = pdf.quantile(torch.linspace(0, 1, 20_002, dtype=torch.double)[1:-1])  # (2, 20000)
        z = torch.tensor([0.4, 1.1]).double()
        ranks = torch.linspace(-1, 1, draws.shape[1], dtype=torch.double)
        expected = (draws - z[:, None]).abs().mean(1) - (draws * ranks).mean(1)
        torch.testing.assert_close(pdf.crps(z), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("family", ["gaussians", "lognormal", "logitnormal"])
def test_extremes_are_numbers_with_gradients(family) -> None:
    """Widths of nothing and far outliers, in single precision."""
    kind = FAMILIES[family]
    options = {"range": [0.0, 4.0]} if family == "logitnormal" else {}
    raw = torch.tensor([[0.0, -80.0], [30.0, 0.0]], requires_grad=True)
    mean = torch.tensor([[0.5, -1.0], [0.1, 2.0]], requires_grad=True)
    sigma = torch.tensor([[1e-6, 1e-3], [3.0, 1e-5]], requires_grad=True)
    pdf = kind(raw, mean, sigma, **options)
    z = torch.tensor([3.9, 1e-3])
    for score in (pdf.crps(z), pdf.log_prob(z)):
        assert score.isfinite().all()
        for gradient in torch.autograd.grad(score.sum(), [raw, mean, sigma], retain_graph=True):
            assert gradient.isfinite().all()


def test_bins_outside_and_on_the_edges() -> None:
    pdf = Histogram(torch.zeros(4, 2).double(), edges=[0.0, 0.1, 0.4])
    z = torch.tensor([-0.1, 0.0, 0.4, 0.5], dtype=torch.double)
    assert pdf.log_prob(z).exp().tolist() == pytest.approx([0, 5, 0.5 / 0.3, 0])
    assert pdf.inside(z).tolist() == [False, True, True, False]
    assert pdf.cdf(z).tolist() == pytest.approx([0, 0, 1, 1])
    beyond = pdf.crps(z)
    assert (beyond[[0, 3]] - beyond[[1, 2]]).tolist() == pytest.approx([0.1, 0.1])


def test_equal_quantiles_are_parted() -> None:
    pdf = Quantiles(torch.tensor([[0.5, 0.5, 0.4]]).double(), levels=[0.16, 0.5, 0.84])
    assert (pdf.z.diff(dim=1) >= 1e-6 * (1 - 1e-9)).all()
    assert pdf.log_prob(torch.tensor([0.6]).double()).isfinite().all()


def test_what_does_not_fit_is_refused() -> None:
    one = torch.zeros(1, 2)
    with pytest.raises(ConfigError, match=r"one shape \(N, K\)"):
        GaussianMixture(one, one, torch.ones(1, 3))
    with pytest.raises(ConfigError, match="no range"):
        LogitNormalMixture(one, one, one + 1, range=[1.0, 0.5])
    with pytest.raises(ConfigError, match="three redshifts"):
        Histogram(one, edges=[0.0, 1.0])
    with pytest.raises(ConfigError, match="3 edges are those of 2 bins"):
        Histogram(torch.zeros(1, 5), edges=[0.0, 1.0, 2.0])
    with pytest.raises(ConfigError, match="between 0 and 1 that grow"):
        Quantiles(one, levels=[0.5, 0.5])
    with pytest.raises(ConfigError, match="between 0 and 1"):
        made("gaussians").quantile([0.0])
    with pytest.raises(ConfigError, match="two kinds"):
        Histogram.mixed([Histogram(one, edges=[0.0, 1.0, 2.0]), Histogram(one, edges=[0.0, 1.0, 3.0])])
    with pytest.raises(ConfigError, match="'gaussian' is not known"):
        read_pdf({}, {"family": "gaussian"})
