"""Maps of probabilities onto probabilities that make PITs uniform: a recalibrated distribution is R(F(z)).

If PITs u = F(z) of validation objects have the cumulative distribution R, those of R(F(z)) are uniform (Bordoloi+10,
MNRAS 406, 881; Kuleshov+18, arXiv:1807.00263). A map has ``cdf`` R and ``density`` R′ at probabilities of any shape,
and ``inverse`` R⁻¹ at (P,) ones.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from astrocnn.errors import DataError

__all__ = ["BernsteinMap", "ChainedMap", "PitMap", "ProbitMap", "fit_bernstein", "fit_temperature"]

LEAST = 2.0**-40  # a probability closer to 0 or 1 counts as that close
PRIORS = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)  # objects that each of the weights may be worth before
PARTS = 10
STEPS = 100
LEAST_SCALE = 0.72  # below √½, densities that end abruptly would no longer be square-integrable


class PitMap(ABC):
    """A smooth increasing map R of [0, 1] onto itself."""

    @abstractmethod
    def cdf(self, u: Tensor) -> Tensor:
        """R(u)."""

    @abstractmethod
    def density(self, u: Tensor) -> Tensor:
        """R′(u)."""

    @abstractmethod
    def inverse(self, p: Tensor) -> Tensor:
        """R⁻¹(p) for p (P,)."""


class BernsteinMap(PitMap):
    """R(u) = Σ_k w_k I_u(k, K − k + 1): K beta distributions (Vitale 1975); the identity where all w_k agree.

    Args:
        weights: (K,) of 0 or more, of which the sum is divided out.
    """

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights.double() / weights.double().sum()

    def cdf(self, u: Tensor) -> Tensor:
        """R(u), a polynomial of degree K."""
        steps = torch.cat([self.weights.new_zeros(1), self.weights.cumsum(0)])
        return _bernstein(u, steps).clamp(0, 1)

    def density(self, u: Tensor) -> Tensor:
        """R′(u), a polynomial of degree K − 1."""
        return len(self.weights) * _bernstein(u, self.weights)

    def inverse(self, p: Tensor) -> Tensor:
        """R⁻¹(p) by halving."""
        low, high = torch.zeros_like(p), torch.ones_like(p)
        for _ in range(60):
            middle = (low + high) / 2
            above = self.cdf(middle) > p
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (low + high) / 2


class ProbitMap(PitMap):
    """R(u) = Φ(s Φ⁻¹(u)): the tempering p^(1/T) / Z of a Gaussian with T = 1/s², and about the median of any other PDF.

    Args:
        scale: s > 0, below 1 for PDFs that are too narrow; a scalar.
    """

    def __init__(self, scale: Tensor) -> None:
        self.scale = scale.double()

    def cdf(self, u: Tensor) -> Tensor:
        """R(u)."""
        return _probability(self.scale * _probit(u))

    def density(self, u: Tensor) -> Tensor:
        """R′(u)."""
        x = _probit(u)
        return self.scale * torch.exp(x**2 * (1 - self.scale**2) / 2)

    def inverse(self, p: Tensor) -> Tensor:
        """R⁻¹(p)."""
        return _probability(_probit(p) / self.scale)


class ChainedMap(PitMap):
    """R(u) = second(first(u)).

    Args:
        first: which is applied to PITs.
        second: which is applied to what the first one gives.
    """

    def __init__(self, first: PitMap, second: PitMap) -> None:
        self.first, self.second = first, second

    def cdf(self, u: Tensor) -> Tensor:
        """R(u)."""
        return self.second.cdf(self.first.cdf(u))

    def density(self, u: Tensor) -> Tensor:
        """R′(u)."""
        return self.second.density(self.first.cdf(u)) * self.first.density(u)

    def inverse(self, p: Tensor) -> Tensor:
        """R⁻¹(p)."""
        return self.first.inverse(self.second.inverse(p))


def fit_bernstein(pit: Tensor, n_weights: int) -> Tensor:
    """Weights (K,) of the :class:`BernsteinMap` that makes PITs (N,) likeliest.

    Each weight begins with some objects of its own (a Dirichlet prior), which pull the map to the identity; how many is
    chosen by the likelihood of the PITs in ten parts, each under the map of the other nine. So PITs that may be uniform
    are left nearly as they are.

    Raises:
        DataError: no PIT, or one that is not finite.
    """
    u = _checked(pit)
    k = torch.arange(n_weights, dtype=torch.float64)
    logs = (
        _log_binomial(n_weights - 1) + k * u.log()[:, None] + (n_weights - 1 - k) * torch.log1p(-u)[:, None]
    )
    density = n_weights * logs.exp()  # (N, K)
    part = torch.from_numpy(np.random.default_rng(0).permutation(len(u)) % PARTS)

    def held_out(prior: float) -> float:
        likelihood = 0.0
        for number in range(min(PARTS, len(u))):
            weights = _likeliest(density[part != number], prior)
            likelihood += float((density[part == number] @ weights).log().sum())
        return likelihood

    return _likeliest(density, max(PRIORS, key=held_out))


def _likeliest(density: Tensor, prior: float) -> Tensor:
    """Weights (K,) of the mixture of densities (N, K), by expectation and maximisation; the problem is convex."""
    n, n_weights = density.shape
    weights = torch.full((n_weights,), 1 / n_weights, dtype=torch.float64)
    for _ in range(STEPS):
        shares = density * weights
        seen = (shares / shares.sum(1, keepdim=True)).sum(0)
        weights = (seen + prior) / (n + prior * n_weights)
    return weights


def fit_temperature(pit: Tensor) -> Tensor:
    """Scale of the :class:`ProbitMap` that makes PITs (N,) likeliest, 1 / √⟨Φ⁻¹(u)²⟩ but at least 0.72, a scalar.

    Raises:
        DataError: no PIT, or one that is not finite.
    """
    square = _probit(_checked(pit)).square()
    scale = (
        (1 + len(square)) / (1 + square.sum())
    ).sqrt()  # one object of the right width before there are any
    return scale.clamp_min(LEAST_SCALE)


def _checked(pit: Tensor) -> Tensor:
    u = pit.double().cpu()
    if u.ndim != 1 or len(u) == 0 or not bool(u.isfinite().all()):
        raise DataError(
            f"recalibration needs finite PITs (N,) of the validation set and got {tuple(u.shape)}, "
            f"{int((~u.isfinite()).sum())} of them not finite; look at data.redshift and at the validation split."
        )
    return u.clamp(LEAST, 1 - LEAST)


def _probit(u: Tensor) -> Tensor:
    found: Tensor = torch.special.ndtri(u.clamp(LEAST, 1 - LEAST))
    return found


def _probability(x: Tensor) -> Tensor:
    found: Tensor = torch.special.ndtr(x)
    return found


def _log_binomial(degree: int) -> Tensor:
    return torch.tensor([math.log(math.comb(degree, k)) for k in range(degree + 1)], dtype=torch.float64)


def _bernstein(u: Tensor, coefficients: Tensor) -> Tensor:
    """Σ_k c_k C(n, k) u^k (1 − u)^(n−k) at u of any shape, by de Casteljau's steps in Horner's form."""
    u = u.clamp(0, 1)
    coefficients = coefficients.to(u.device, u.dtype)
    degree = len(coefficients) - 1
    # From the nearer end, so that the ratio u / (1 − u) stays at or below 1 and nothing overflows.
    mirrored = u > 0.5
    near = torch.where(mirrored, 1 - u, u)
    ratio = near / (1 - near)
    total = torch.zeros_like(u)
    for k in range(degree, -1, -1):
        here = torch.where(mirrored, coefficients[degree - k], coefficients[k])
        total = total * ratio + math.comb(degree, k) * here
    return total * (1 - near) ** degree
