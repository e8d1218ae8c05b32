"""Recalibration against distributions that are known in closed form, numerical integration, and true coverage."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.conformal import conformal_intervals, conformal_reach
from astrocnn.functional.mixtures import GaussianMixture
from astrocnn.functional.pit_maps import BernsteinMap, ChainedMap, ProbitMap, fit_bernstein, fit_temperature
from astrocnn.functional.recalibrated import Recalibrated

MIXTURE = GaussianMixture(
    torch.tensor([[0.3, 0.7], [0.5, 0.5], [1.0, 1e-9]]).double().log(),
    torch.tensor([[0.5, 1.4], [0.4, 0.45], [0.8, 0.8]]).double(),
    torch.tensor([[0.05, 0.1], [0.02, 0.08], [0.1, 0.1]]).double(),
)


def random_map(n_weights=24):
    weights = np.random.default_rng(1).dirichlet(np.full(n_weights, 2.0))
    return BernsteinMap(torch.as_tensor(weights))


def test_bernstein_map_is_the_mixture_of_betas():
    pit_map, u = random_map(), np.linspace(0, 1, 101)
    K = len(pit_map.weights)
    betas = [stats.beta(k, K + 1 - k) for k in range(1, K + 1)]
    cdf = sum(w * beta.cdf(u) for w, beta in zip(pit_map.weights.numpy(), betas, strict=True))
    density = sum(w * beta.pdf(u) for w, beta in zip(pit_map.weights.numpy(), betas, strict=True))
    np.testing.assert_allclose(pit_map.cdf(torch.as_tensor(u)).numpy(), cdf, atol=1e-12)
    np.testing.assert_allclose(pit_map.density(torch.as_tensor(u)).numpy(), density, atol=1e-11)
    inner = torch.as_tensor(u[1:-1])
    np.testing.assert_allclose(pit_map.cdf(pit_map.inverse(inner)).numpy(), inner.numpy(), atol=1e-12)


def test_equal_weights_change_nothing():
    same = Recalibrated(MIXTURE, BernsteinMap(torch.full((24,), 1 / 24).double()))
    z = torch.tensor([0.55, 0.3, 1.0]).double()
    np.testing.assert_allclose(same.log_prob(z), MIXTURE.log_prob(z), rtol=1e-12)
    np.testing.assert_allclose(same.quantile([0.1, 0.9]), MIXTURE.quantile([0.1, 0.9]), atol=1e-9)
    np.testing.assert_allclose(same.crps(z), MIXTURE.crps(z), rtol=5e-3)
    np.testing.assert_allclose(same.mean(), MIXTURE.mean(), rtol=1e-4)
    np.testing.assert_allclose(same.square_integral(), MIXTURE.square_integral(), rtol=1e-3)
    np.testing.assert_allclose(same.mode(), MIXTURE.mode(), atol=1e-6)


def test_temperature_of_a_gaussian_is_another_width():
    mean, sigma, scale = (
        torch.tensor([[0.5], [1.0]]).double(),
        torch.tensor([[0.05], [0.2]]).double(),
        torch.tensor(0.7).double(),
    )
    base = GaussianMixture(torch.zeros(2, 1).double(), mean, sigma)
    wide = Recalibrated(base, ProbitMap(scale))
    other = GaussianMixture(torch.zeros(2, 1).double(), mean, sigma / scale)
    z = torch.tensor([0.62, 0.9]).double()
    for ours, theirs, rtol in (
        (wide.log_prob(z), other.log_prob(z), 1e-9),
        (wide.cdf(z), other.cdf(z), 1e-9),
        (wide.quantile([0.02, 0.5, 0.84]), other.quantile([0.02, 0.5, 0.84]), 1e-8),
        (wide.crps(z), other.crps(z), 2e-3),
        (wide.square_integral(), other.square_integral(), 2e-3),
        (wide.mean(), other.mean(), 1e-6),
    ):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=rtol)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_integrals_are_those_of_numerical_integration(row):
    pdf, z = Recalibrated(MIXTURE, random_map())[[row]], 0.7
    grid = np.linspace(-0.5, 2.5, 200_001)
    density, cdf = pdf.density(torch.as_tensor(grid))[0].numpy(), pdf.cdf_on(torch.as_tensor(grid))[0].numpy()
    assert integrate.trapezoid(density, grid) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(integrate.cumulative_trapezoid(density, grid, initial=0), cdf, atol=1e-6)
    assert pdf.mean().item() == pytest.approx(integrate.trapezoid(grid * density, grid), abs=2e-4)
    assert pdf.square_integral().item() == pytest.approx(integrate.trapezoid(density**2, grid), rel=1e-3)
    crps = integrate.trapezoid((cdf - (grid >= z)) ** 2, grid)
    assert pdf.crps(torch.tensor([z]).double()).item() == pytest.approx(crps, rel=2e-3)
    assert pdf.density(pdf.mode())[0, 0] >= 0.999 * density.max()


def miscalibrated(n, seed, *, width, shift=0.0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(stats.norm.cdf(rng.normal(shift, 1 / width, n)))


@pytest.mark.parametrize(("width", "shift"), [(0.75, 0.0), (1.6, 0.0), (1.0, 0.5)])
def test_a_map_fitted_on_some_objects_makes_others_uniform(width, shift):
    fitted, others = (
        miscalibrated(n, seed, width=width, shift=shift) for n, seed in ((1000, 0), (20_000, 1))
    )
    before = stats.kstest(others, "uniform").statistic
    after = stats.kstest(BernsteinMap(fit_bernstein(fitted, 24)).cdf(others), "uniform").statistic
    assert before > 0.06
    assert after < 0.04
    if shift == 0:
        scale = fit_temperature(fitted)
        assert scale.item() == pytest.approx(width, rel=0.05)
        assert stats.kstest(ProbitMap(scale).cdf(others), "uniform").statistic < 0.03


def test_pits_that_may_be_uniform_are_left_nearly_as_they_are():
    """The map's own distance is a fraction of that of 1000 uniform numbers, 0.027 in the mean."""
    grid = torch.linspace(0, 1, 501).double()
    distances = []
    for seed in range(8):
        pit = torch.as_tensor(np.random.default_rng(seed).random(1000))
        distances.append(float((BernsteinMap(fit_bernstein(pit, 24)).cdf(grid) - grid).abs().max()))
    assert np.mean(distances) < 0.012


def test_few_objects_leave_a_map_near_the_identity():
    weights = fit_bernstein(torch.tensor([0.01, 0.02]), 24)
    assert weights.sum().item() == pytest.approx(1)
    assert weights.max() < 0.12
    assert 0.5 < fit_temperature(torch.tensor([0.02])) < 1


def test_a_validation_set_without_pits_is_refused():
    with pytest.raises(DataError, match="needs finite PITs"):
        fit_bernstein(torch.tensor([0.5, torch.nan]), 24)


def test_conformal_intervals_cover_what_they_promise_of_wrong_pdfs():
    """Chernozhukov+21, eq. 4: with n scores the expected coverage is ⌈(n + 1) level⌉ / (n + 1)."""
    rng, n, levels = np.random.default_rng(0), 50, (0.68, 0.95)
    covered = []
    for _ in range(400):
        reach = conformal_reach(stats.norm.cdf(rng.normal(0.2, 2, n)), levels)
        fresh = stats.norm.cdf(rng.normal(0.2, 2, 200))
        covered.append([(np.abs(fresh - 0.5) <= each).mean() for each in reach])
    expected = [np.ceil(51 * level) / 51 for level in levels]
    np.testing.assert_allclose(np.mean(covered, axis=0), expected, atol=0.012)


def test_conformal_intervals_are_quantiles_and_too_few_objects_give_the_whole_line():
    reach = conformal_reach([0.4, 0.55, 0.3], (0.5, 0.95))
    np.testing.assert_allclose(reach, [0.1, 0.5])
    ends = conformal_intervals(MIXTURE, torch.as_tensor(reach))
    np.testing.assert_allclose(ends[:, 0], MIXTURE.quantile([0.4, 0.6]), atol=1e-9)
    assert ends[:, 1].tolist() == [[-np.inf, np.inf]] * 3


def test_a_chain_is_one_map_after_the_other():
    first, second = ProbitMap(torch.tensor(0.6).double()), random_map()
    chain, u = ChainedMap(first, second), torch.linspace(0.01, 0.99, 50).double()
    np.testing.assert_allclose(chain.cdf(u), second.cdf(first.cdf(u)))
    slope = (chain.cdf(u + 1e-6) - chain.cdf(u - 1e-6)) / 2e-6
    np.testing.assert_allclose(chain.density(u), slope, rtol=1e-6)
    np.testing.assert_allclose(chain.cdf(chain.inverse(u)), u, atol=1e-10)


def test_columns_alone_do_not_make_recalibrated_pdfs() -> None:
    columns = Recalibrated(MIXTURE, random_map()).columns()
    torch.testing.assert_close(columns["pdf_mean"], MIXTURE.component_mean)
    with pytest.raises(ConfigError, match=r"before their recalibration.* make the base .* then Recalibrated"):
        Recalibrated.from_columns(columns)
