"""Mixtures of K Gaussians, of the redshift itself or of a function of it that keeps it within bounds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from astrocnn.errors import ConfigError
from astrocnn.functional.pdf import MOST_CANDIDATES, PDF, alike

__all__ = ["GaussianMixture", "TransformedMixture"]

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
MOST_STEPS = 100  # of the search for a quantile; halving alone needs 60


class TransformedMixture(PDF):
    """p(z) = Σ w_k N(t(z); μ_k, σ_k) |dt/dz|, with a growing function t of the redshift.

    Args:
        log_weight: (N, K) logarithms of the weights; what they sum to is divided out.
        mean: (N, K) μ, in units of t.
        sigma: (N, K) σ above 0, in units of t.

    Raises:
        ConfigError: shapes that differ.
    """

    transform: ClassVar[str]  # name of t, for columns; '' where t is the redshift

    def __init__(self, log_weight: Tensor, mean: Tensor, sigma: Tensor) -> None:
        if not log_weight.shape == mean.shape == sigma.shape or mean.ndim != 2:
            raise ConfigError(
                f"a mixture takes weights, means and sigmas of one shape (N, K) and got {tuple(log_weight.shape)}, "
                f"{tuple(mean.shape)} and {tuple(sigma.shape)}."
            )
        self.log_weight, self.component_mean, self.sigma = log_weight.log_softmax(1), mean, sigma

    @property
    def parts(self) -> dict[str, Tensor]:
        """Logarithms of the weights, means and sigmas, (N, K) each."""
        return {"log_weight": self.log_weight, "mean": self.component_mean, "sigma": self.sigma}

    def like(self, parts: Mapping[str, Tensor]) -> Self:
        """As of :class:`PDF`."""
        return type(self)(**parts, **self.options)

    def columns(self) -> dict[str, Tensor]:
        """``pdf_weight``, ``pdf_mean`` and ``pdf_sigma`` (N, K); the last two in units of t."""
        t = f"{self.transform}_" if self.transform else ""
        return {
            "pdf_weight": self.log_weight.exp(),
            f"pdf_{t}mean": self.component_mean,
            f"pdf_{t}sigma": self.sigma,
        }

    @classmethod
    def from_columns(cls, columns: Mapping[str, Tensor], **options: Any) -> Self:
        """As of :class:`PDF`."""
        t = f"{cls.transform}_" if cls.transform else ""
        return cls(columns["pdf_weight"].log(), columns[f"pdf_{t}mean"], columns[f"pdf_{t}sigma"], **options)

    @classmethod
    def mixed(cls, members: Sequence[Self]) -> Self:
        """All components of all members (N, M K), their weights divided by M."""
        first = alike(members)
        names = first.parts
        return first.like({name: torch.cat([each.parts[name] for each in members], dim=1) for name in names})

    @property
    def values_a_point(self) -> int:
        """K."""
        return self.component_mean.shape[1]

    def to_t(self, z: Tensor) -> Tensor:
        """The function t of redshifts inside the support."""
        return z

    def to_z(self, t: Tensor) -> Tensor:
        """Redshifts of t."""
        return t

    def log_slope(self, t: Tensor) -> Tensor:
        """The logarithm of |dt/dz| at t."""
        return torch.zeros_like(t)

    def log_prob(self, z: Tensor) -> Tensor:
        """As of :class:`PDF`."""
        inside = self.inside(z)
        t = self.to_t(torch.where(inside, z, self._within(z)))
        found = self._log_prob_t(t) + self.log_slope(t)
        return torch.where(inside, found, -torch.inf)

    def cdf(self, z: Tensor) -> Tensor:
        """As of :class:`PDF`."""
        inside = self.inside(z)
        found = self._cdf_t(self.to_t(torch.where(inside, z, self._within(z))))
        return torch.where(inside, found, (z > self.support[0]).to(found.dtype))

    def inside(self, z: Tensor) -> Tensor:
        """Whether redshifts lie between the ends of the support, where the density is 0."""
        return (z > self.support[0]) & (z < self.support[1])

    def _within(self, z: Tensor) -> Tensor:
        """Any redshift inside the support, of which nothing is used."""
        return self.to_z(torch.zeros((), dtype=self.dtype, device=z.device))

    def _log_prob_t(self, t: Tensor) -> Tensor:
        """Logarithm of the density of t, at t (N,) or (N, G)."""
        along = (slice(None), *[None] * (t.ndim - 1))
        x = (t[..., None] - self.component_mean[along]) / self.sigma[along]  # (N, [G,] K)
        of_component = self.log_weight[along] - 0.5 * x.square() - self.sigma.log()[along] - HALF_LOG_TWO_PI
        found: Tensor = of_component.logsumexp(-1)
        return found

    def _cdf_t(self, t: Tensor) -> Tensor:
        along = (slice(None), *[None] * (t.ndim - 1))
        x = (t[..., None] - self.component_mean[along]) / self.sigma[along]
        found: Tensor = (self.log_weight.exp()[along] * torch.special.ndtr(x)).sum(-1)
        return found

    @torch.no_grad()
    def _quantile(self, p: Tensor) -> Tensor:
        """Newton's steps where they stay between bounds and halve, else halving of the bounds, which begin as the
        components' own quantiles.
        """
        of_each = self.component_mean[:, None] + self.sigma[:, None] * torch.special.ndtri(p)[:, None]
        low, high = of_each.amin(2).flatten(), of_each.amax(2).flatten()  # (N P,)
        found, before = (low + high) / 2, high - low  # and the last step
        wanted = p.repeat(len(self))
        rows = torch.arange(len(self), device=p.device).repeat_interleave(len(p))
        left = torch.arange(len(rows), device=p.device)  # what is not found yet
        resolution = 4 * torch.finfo(p.dtype).eps
        for _ in range(MOST_STEPS):
            part, t = self[rows[left]], found[left]
            excess = part._cdf_t(t) - wanted[left]
            low[left] = torch.where(excess < 0, t, low[left])
            high[left] = torch.where(excess >= 0, t, high[left])
            newton = t - excess * torch.exp(-part._log_prob_t(t))
            nearest = resolution * (1 + t.abs())
            near = ((newton - t).abs() <= nearest) | (high[left] - low[left] <= nearest)
            going = (excess.abs() > resolution) & ~near
            fits = (newton > low[left]) & (newton < high[left]) & ((newton - t).abs() < before[left] / 2)
            moved = torch.where(fits, newton, (low[left] + high[left]) / 2)
            before[left] = (moved - t).abs()
            found[left] = torch.where(going, moved, t)
            left = left[going]
            if not len(left):
                break
        return self.to_z(found.view(len(self), len(p)))

    @torch.no_grad()
    def _mode(self) -> Tensor:
        """The highest of points around every mean, then golden sections around it."""
        K = self.values_a_point
        n = max(1, MOST_CANDIDATES // K - 1) | 1
        steps = (
            torch.linspace(-4, 4, n, dtype=self.dtype, device=self.device)
            if n > 1
            else self.sigma.new_zeros(1)
        )
        points = (self.component_mean[:, :, None] + self.sigma[:, :, None] * steps).flatten(1)  # (N, K n)
        best = self._height(points).argmax(1, keepdim=True)
        reach = self.sigma.gather(1, best // n) * (8 / (n - 1) if n > 1 else 1)  # (N, 1)
        low, high = points.gather(1, best) - reach, points.gather(1, best) + reach
        golden = (math.sqrt(5) - 1) / 2
        for _ in range(60):
            width = golden * (high - low)
            left, right = high - width, low + width
            falls = self._height(left) > self._height(right)
            low, high = torch.where(falls, low, left), torch.where(falls, right, high)
        return self.to_z((low + high) / 2)[:, 0]

    def _height(self, t: Tensor) -> Tensor:
        return self._log_prob_t(t) + self.log_slope(t)

    def _pairs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of each two components (N, K, K): the product of the weights, μ_i − μ_j and √(σ_i² + σ_j²)."""
        weight = self.log_weight.exp()
        mean, sigma = self.component_mean, self.sigma
        return (
            weight[:, :, None] * weight[:, None],
            mean[:, :, None] - mean[:, None],
            torch.hypot(sigma[:, :, None], sigma[:, None]),
        )


class GaussianMixture(TransformedMixture):
    """p(z) = Σ w_k N(z; μ_k, σ_k²), in units of redshift.

    Args:
        log_weight: (N, K) logarithms of the weights; what they sum to is divided out.
        mean: (N, K) μ.
        sigma: (N, K) σ above 0.
    """

    family = "gaussians"
    transform = ""

    def mean(self) -> Tensor:
        """As of :class:`PDF`."""
        return (self.log_weight.exp() * self.component_mean).sum(1)

    def _crps(self, z: Tensor) -> Tensor:
        """Σ w_i A(z − μ_i, σ_i) − ½ ΣΣ w_i w_j A(μ_i − μ_j, √(σ_i² + σ_j²)), Grimit+06 (doi:10.1256/qj.05.235)."""
        to_truth = self.log_weight.exp() * mean_distance(z[:, None] - self.component_mean, self.sigma)
        weight, difference, sigma = self._pairs()
        return to_truth.sum(1) - 0.5 * (weight * mean_distance(difference, sigma)).sum((1, 2))

    def _square_integral(self) -> Tensor:
        """ΣΣ w_i w_j N(μ_i − μ_j; 0, σ_i² + σ_j²)."""
        weight, difference, sigma = self._pairs()
        return (weight * torch.exp(-0.5 * (difference / sigma).square() - sigma.log() - HALF_LOG_TWO_PI)).sum(
            (1, 2)
        )


def mean_distance(mean: Tensor, sigma: Tensor) -> Tensor:
    """E|X| of Gaussians N(mean, sigma²): A = 2σ φ(m/σ) + m (2Φ(m/σ) − 1)."""
    x = mean / sigma
    return 2 * sigma * torch.exp(-0.5 * x.square() - HALF_LOG_TWO_PI) + mean * torch.erf(x * math.sqrt(0.5))
