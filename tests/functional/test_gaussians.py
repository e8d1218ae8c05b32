"""Divergences against torch.distributions, draws against their moments."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from astrocnn.functional.gaussians import Gaussian, begin_with_unit_deviations


def test_divergence_is_that_of_torch() -> None:
    torch.manual_seed(0)
    q, p = (Gaussian(*torch.randn(2, 5, 6, dtype=torch.double)) for _ in range(2))
    theirs = [Normal(each.mean, each.log_std.exp()) for each in (q, p)]
    torch.testing.assert_close(q.divergence(p), kl_divergence(*theirs).sum(1))
    unit = Normal(torch.zeros(5, 6).double(), 1.0)
    torch.testing.assert_close(q.divergence(), kl_divergence(theirs[0], unit).sum(1))


def test_divergence_from_itself_is_nothing_and_extremes_are_finite() -> None:
    wide = Gaussian(torch.tensor([[3.0, -2.0]]), torch.tensor([[-60.0, 30.0]]))
    assert wide.divergence(wide).item() == 0
    narrow = Gaussian(
        torch.zeros(1, 1), torch.full((1, 1), -60.0)
    )  # its square is no number of single precision
    assert narrow.divergence().item() == pytest.approx(60 - 0.5)


def test_draws_have_the_moments_and_gradients() -> None:
    torch.manual_seed(0)
    mean, log_std = (
        torch.tensor([[1.0, -2.0]], requires_grad=True),
        torch.tensor([[0.0, 1.0]], requires_grad=True),
    )
    draws = Gaussian(mean.expand(20_000, 2), log_std.expand(20_000, 2)).draw()
    torch.testing.assert_close(draws.mean(0), mean[0], atol=0.1, rtol=0)
    torch.testing.assert_close(draws.std(0), log_std[0].exp(), atol=0, rtol=0.03)
    draws.sum().backward()
    assert mean.grad is not None
    assert log_std.grad is not None


def test_a_layer_begins_with_unit_deviations() -> None:
    head = nn.Linear(3, 8)
    begin_with_unit_deviations(head)
    gaussian = Gaussian.of(head(1e6 * torch.randn(2, 3)))
    assert gaussian.mean.shape == (2, 4)
    assert gaussian.mean.abs().min() > 0
    assert gaussian.log_std.abs().max() == 0


@pytest.mark.parametrize(
    ("given", "kept"), [("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_at_least_in_single_precision(given: str, kept: str) -> None:
    values = torch.zeros(1, 2, dtype=getattr(torch, given))
    assert Gaussian.of(values).log_std.dtype is getattr(torch, kept)
