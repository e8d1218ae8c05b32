"""Mixtures of Gaussians of ln z, and of the logit of a redshift within a range."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from astrocnn.errors import ConfigError
from astrocnn.functional.mixtures import HALF_LOG_TWO_PI, TransformedMixture

__all__ = ["LogNormalMixture", "LogitNormalMixture"]

KNOTS = 33  # of a component, between which is integrated numerically
SIGMAS = 8.25  # a component's reach, beyond which it has 2e-16 of its probability


class LogNormalMixture(TransformedMixture):
    """Σ w_k of log-normal densities: no probability below z = 0.

    Args:
        log_weight: (N, K) logarithms of the weights; what they sum to is divided out.
        mean: (N, K) μ of ln z.
        sigma: (N, K) σ of ln z, above 0.
    """

    family = "lognormal"
    transform = "ln"
    support = (0.0, math.inf)

    def to_t(self, z: Tensor) -> Tensor:
        """The logarithm of z."""
        return z.log()

    def to_z(self, t: Tensor) -> Tensor:
        """e^t."""
        return t.exp()

    def log_slope(self, t: Tensor) -> Tensor:
        """−t."""
        return -t

    def mean(self) -> Tensor:
        """Σ w e^(μ + σ²/2)."""
        return (self.log_weight.exp() * self._means()).sum(1)

    def _means(self) -> Tensor:
        return torch.exp(self.component_mean + 0.5 * self.sigma.square())

    def _crps(self, z: Tensor) -> Tensor:
        """Σ w_i E|X_i − z| − ½ ΣΣ w_i w_j E|X_i − X_j|, of partial expectations E[X; X < z] of log-normal X."""
        inside = z > 0
        t = torch.where(inside, z, 1).log()[:, None]
        mean, mu, sigma = self._means(), self.component_mean, self.sigma  # (N, K)
        below = torch.special.ndtr((t - mu) / sigma)
        part = mean * torch.special.ndtr((t - mu - sigma.square()) / sigma)  # E[X; X < z]
        distance = mean - 2 * part + z[:, None] * (2 * below - 1)
        distance = torch.where(inside[:, None], distance, mean - z[:, None])
        weight, difference, both = self._pairs()
        smaller = mean[:, :, None] * torch.special.ndtr(
            -(difference + sigma.square()[:, :, None]) / both
        )  # E[X_i; X_i < X_j]
        # |X − Y| = X + Y − 2 min(X, Y), and the sum over i and j is symmetric
        pairs = 2 * (weight * (mean[:, :, None] - 2 * smaller)).sum((1, 2))
        score: Tensor = (self.log_weight.exp() * distance).sum(1) - 0.5 * pairs
        return score

    def _square_integral(self) -> Tensor:
        """∫ N_i N_j e^(−t) dt: the product of two Gaussians of t is one of t again."""
        weight, height, mean, variance = _products(self)
        return (weight * torch.exp(height - mean + 0.5 * variance)).sum((1, 2))


class LogitNormalMixture(TransformedMixture):
    """Σ w_k of densities whose t = ln((z − low) / (high − z)) is Gaussian: no probability outside (low, high).

    Expected redshift and CRPS have no closed form: they are sums over points laid where the components are, to about
    1e-8 of the range.

    Args:
        log_weight: (N, K) logarithms of the weights; what they sum to is divided out.
        mean: (N, K) μ of t.
        sigma: (N, K) σ of t, above 0.
        range: low and high.

    Raises:
        ConfigError: a range that is none.
    """

    family = "logitnormal"
    transform = "logit"

    def __init__(self, log_weight: Tensor, mean: Tensor, sigma: Tensor, *, range: Sequence[float]) -> None:
        super().__init__(log_weight, mean, sigma)
        low, high = checked_range(range)
        self.support = (low, high)

    @property
    def options(self) -> dict[str, Any]:
        """``range``."""
        return {"range": list(self.support)}

    @property
    def width(self) -> float:
        """Of the range."""
        return self.support[1] - self.support[0]

    def to_t(self, z: Tensor) -> Tensor:
        """ln((z − low) / (high − z))."""
        return (z - self.support[0]).log() - (self.support[1] - z).log()

    def to_z(self, t: Tensor) -> Tensor:
        """Low + (high − low) / (1 + e^(−t))."""
        return self.support[0] + self.width * t.sigmoid()

    def log_slope(self, t: Tensor) -> Tensor:
        """−ln((high − low) s (1 − s)), s = 1 / (1 + e^(−t))."""
        softplus = torch.nn.functional.softplus
        return softplus(t) + softplus(-t) - math.log(self.width)

    def mean(self) -> Tensor:
        """Low + ∫ (1 − F) dz."""
        points, steps = self._points(self.component_mean.new_empty((len(self), 0)))
        first = self.to_z(points[:, :1])[:, 0]  # nothing lies below
        return first + ((1 - self._cdf_t(points)) * steps).sum(1)

    def _crps(self, z: Tensor) -> Tensor:
        low, high = self.support
        clamped = z.clamp(low, high)
        t = self.to_t(clamped)  # infinite at the ends
        points, steps = self._points(t[:, None])
        above = (points >= t[:, None]).to(points.dtype)
        score = ((self._cdf_t(points) - above).square() * steps).sum(1)
        ends = self.to_z(points[:, [0, -1]])
        beyond = (ends[:, 0] - clamped).clamp(min=0) + (clamped - ends[:, 1]).clamp(min=0)
        return score + beyond + (z - clamped).abs()

    @torch.no_grad()
    def _points(self, more: Tensor) -> tuple[Tensor, Tensor]:
        """Points t (N, M) and their weights dz, by Gauss and Legendre between knots: KNOTS of every component,
        the range's own, and ``more`` (N, m), at which what is integrated may jump.
        """
        steps = torch.linspace(-SIGMAS, SIGMAS, KNOTS, dtype=self.dtype, device=self.device)
        knots = (self.component_mean[:, :, None] + self.sigma[:, :, None] * steps).flatten(1)
        fixed = torch.linspace(-14, 14, 57, dtype=self.dtype, device=self.device).expand(len(self), -1)
        knots = torch.cat([knots, fixed, more], dim=1).clamp(-30, 30).sort(dim=1).values
        nodes, weights = (torch.as_tensor(of, dtype=self.dtype, device=self.device) for of in leggauss(4))
        half = knots.diff(dim=1)[:, :, None] / 2
        points = knots[:, :-1, None] + half * (1 + nodes)  # (N, knots, 4)
        slopes = torch.exp(-self.log_slope(points))
        return points.flatten(1), (half * weights * slopes).flatten(1)

    def _square_integral(self) -> Tensor:
        """∫ N_i N_j dt / ((high − low) s (1 − s)), where 1 / (s (1 − s)) = 2 + e^t + e^(−t)."""
        weight, height, mean, variance = _products(self)
        terms = [torch.exp(height + sign * mean + sign**2 * 0.5 * variance) for sign in (1, -1)]
        return (weight * (2 * torch.exp(height) + terms[0] + terms[1])).sum((1, 2)) / self.width


def _products(mixture: TransformedMixture) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each two components (N, K, K): the weights' product, and N_i N_j as a Gaussian of t: ln of its integral, its
    mean and its variance.
    """
    weight, difference, both = mixture._pairs()
    height = -0.5 * (difference / both).square() - both.log() - HALF_LOG_TWO_PI
    mu, variance = mixture.component_mean, mixture.sigma.square()
    total = both.square()
    mean = (mu[:, :, None] * variance[:, None] + mu[:, None] * variance[:, :, None]) / total
    return weight, height, mean, variance[:, :, None] * variance[:, None] / total


def checked_range(range: Sequence[float]) -> tuple[float, float]:
    """Low and high as given.

    Raises:
        ConfigError: not two growing numbers.
    """
    ends = [float(end) for end in range]
    if len(ends) != 2 or not all(map(math.isfinite, ends)) or ends[0] >= ends[1]:
        raise ConfigError(
            f"pdf.range={list(range)} is no range of redshifts; give [low, high] with low < high."
        )
    return ends[0], ends[1]
