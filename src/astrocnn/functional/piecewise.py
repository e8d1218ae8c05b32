"""Densities that are constant between knots: bins of redshift, and quantiles."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

from astrocnn.errors import ConfigError
from astrocnn.functional.pdf import PDF, alike

__all__ = ["Histogram", "PiecewiseConstant", "Quantiles", "checked_edges", "checked_levels"]

LEAST_GAP = 1e-6  # between quantiles, so that the density stays a number


class PiecewiseConstant(PDF):
    """Densities with a cumulative distribution F that is linear between knots.

    Probability outside the knots falls off exponentially, as steeply as continues the density of the outermost piece.
    """

    @property
    @abstractmethod
    def knots(self) -> Tensor:
        """(N, Q) growing redshifts."""

    @property
    @abstractmethod
    def levels(self) -> Tensor:
        """(N, Q) of F at the knots."""

    @property
    def values_a_point(self) -> int:
        """1: a point is looked up in the knots."""
        return 1

    def _tails(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Probability below the first and above the last knot, and the e-folding lengths of both (N, 1); 0 for none."""
        x, F = self.knots, self.levels
        low, high = F[:, :1], 1 - F[:, -1:]
        first = (x[:, 1:2] - x[:, :1]) * low / (F[:, 1:2] - F[:, :1]).clamp(min=1e-30)
        last = (x[:, -1:] - x[:, -2:-1]) * high / (F[:, -1:] - F[:, -2:-1]).clamp(min=1e-30)
        return low, high, first, last

    def _piece(self, points: Tensor) -> Tensor:
        """Number of the piece (N, G) in which points (N, G) are."""
        x = self.knots.contiguous()
        return (torch.searchsorted(x, points.contiguous(), right=True) - 1).clamp(0, x.shape[1] - 2)

    def log_prob(self, z: Tensor) -> Tensor:
        """As of :class:`PDF`."""
        points = z.reshape(len(z), -1)
        x, F = self.knots, self.levels
        low, high, first, last = self._tails()
        piece = self._piece(points.detach())
        inner = (F.diff(dim=1).log() - x.diff(dim=1).log()).gather(1, piece)
        below = _log_tail(low, first) + (points - x[:, :1]) / _positive(first)
        above = _log_tail(high, last) + (x[:, -1:] - points) / _positive(last)
        found = torch.where(points < x[:, :1], below, torch.where(points > x[:, -1:], above, inner))
        return found.view(z.shape)

    def cdf(self, z: Tensor) -> Tensor:
        """As of :class:`PDF`."""
        points = z.reshape(len(z), -1)
        x, F = self.knots, self.levels
        low, high, first, last = self._tails()
        piece = self._piece(points.detach())
        share = (points - x.gather(1, piece)) / x.diff(dim=1).gather(1, piece)
        inner = F.gather(1, piece) + share * F.diff(dim=1).gather(1, piece)
        below = low * torch.exp(-(x[:, :1] - points).clamp(min=0) / _positive(first))
        above = 1 - high * torch.exp(-(points - x[:, -1:]).clamp(min=0) / _positive(last))
        found = torch.where(points < x[:, :1], below, torch.where(points > x[:, -1:], above, inner))
        return found.view(z.shape)

    def _quantile(self, p: Tensor) -> Tensor:
        x, F = self.knots, self.levels
        low, high, first, last = self._tails()
        wanted = p.expand(len(self), -1).contiguous()
        piece = (torch.searchsorted(F.contiguous(), wanted) - 1).clamp(0, F.shape[1] - 2)
        share = (wanted - F.gather(1, piece)) / _positive(F.diff(dim=1).gather(1, piece))
        inner = x.gather(1, piece) + share.clamp(0, 1) * x.diff(dim=1).gather(1, piece)
        below = x[:, :1] + first * torch.log(wanted / _positive(low)).clamp(max=0)
        above = x[:, -1:] - last * torch.log((1 - wanted) / _positive(high)).clamp(max=0)
        return torch.where(wanted < F[:, :1], below, torch.where(wanted > F[:, -1:], above, inner))

    def mean(self) -> Tensor:
        """As of :class:`PDF`."""
        x, F = self.knots, self.levels
        low, high, first, last = self._tails()
        inner = (F.diff(dim=1) * (x[:, 1:] + x[:, :-1]) / 2).sum(1, keepdim=True)
        return (inner + low * (x[:, :1] - first) + high * (x[:, -1:] + last))[:, 0]

    def _mode(self) -> Tensor:
        """The middle of the piece with the highest density."""
        x, F = self.knots, self.levels
        best = (F.diff(dim=1) / x.diff(dim=1)).argmax(1, keepdim=True)
        return ((x[:, 1:] + x[:, :-1]) / 2).gather(1, best)[:, 0]

    def _crps(self, z: Tensor) -> Tensor:
        x, F = self.knots, self.levels
        z = z[:, None]
        low, high, first, last = self._tails()
        split = torch.minimum(torch.maximum(z, x[:, :-1]), x[:, 1:])  # (N, pieces): z where it is inside
        at = F[:, :-1] + (F.diff(dim=1) / x.diff(dim=1)) * (split - x[:, :-1])
        below = (split - x[:, :-1]) * _square(F[:, :-1], at) + (x[:, 1:] - split) * _square(
            1 - at, 1 - F[:, 1:]
        )
        tails = (first * low.square() + last * high.square()) / 2
        left, right = (x[:, :1] - z).clamp(min=0), (z - x[:, -1:]).clamp(min=0)  # how far z is outside
        outside = left + right
        outside = outside + 2 * first * low * torch.expm1(-left / _positive(first))
        outside = outside + 2 * last * high * torch.expm1(-right / _positive(last))
        return below.sum(1) + (tails + outside)[:, 0]

    def _square_integral(self) -> Tensor:
        x, F = self.knots, self.levels
        low, high, first, last = self._tails()
        tails = low.square() / (2 * _positive(first)) + high.square() / (2 * _positive(last))
        return (F.diff(dim=1).square() / x.diff(dim=1)).sum(1) + tails[:, 0]


class Histogram(PiecewiseConstant):
    """Probabilities of bins of redshift, none outside of them (Pasquet+19, arXiv:1806.06607: 180 bins up to 0.4).

    Args:
        log_p: (N, K) logarithms of the bins' probabilities; what they sum to is divided out.
        edges: K + 1 growing redshifts.

    Raises:
        ConfigError: edges that do not grow, or of another number.
    """

    family = "bins"

    def __init__(self, log_p: Tensor, *, edges: Sequence[float]) -> None:
        self.edges = checked_edges(edges)
        if log_p.ndim != 2 or log_p.shape[1] != len(self.edges) - 1:
            raise ConfigError(
                f"{len(self.edges)} edges are those of {len(self.edges) - 1} bins, and the probabilities have the "
                f"shape {tuple(log_p.shape)}."
            )
        self.log_p = log_p.log_softmax(1)
        self.support = (self.edges[0], self.edges[-1])

    @property
    def parts(self) -> dict[str, Tensor]:
        """Logarithms of the probabilities (N, K)."""
        return {"log_p": self.log_p}

    @property
    def options(self) -> dict[str, Any]:
        """``edges``."""
        return {"edges": self.edges}

    def like(self, parts: Mapping[str, Tensor]) -> Self:
        """As of :class:`PDF`."""
        return type(self)(parts["log_p"], edges=self.edges)

    def columns(self) -> dict[str, Tensor]:
        """``pdf_p`` (N, K): the probabilities of the bins."""
        return {"pdf_p": self.log_p.exp()}

    @classmethod
    def from_columns(cls, columns: Mapping[str, Tensor], **options: Any) -> Self:
        """As of :class:`PDF`."""
        return cls(columns["pdf_p"].log(), **options)

    @classmethod
    def mixed(cls, members: Sequence[Self]) -> Self:
        """The mean probability of each bin."""
        first = alike(members)
        return first.like({"log_p": torch.stack([each.log_p for each in members]).logsumexp(0)})

    @property
    def knots(self) -> Tensor:
        """The edges, for each object."""
        edges = torch.tensor(self.edges, dtype=self.dtype, device=self.device)
        return edges.expand(len(self), -1)

    @property
    def levels(self) -> Tensor:
        """The probability below each edge."""
        inner = self.log_p.exp().cumsum(1)[:, :-1].clamp(max=1)
        return torch.cat([inner.new_zeros(len(self), 1), inner, inner.new_ones(len(self), 1)], dim=1)

    def log_prob(self, z: Tensor) -> Tensor:
        """ln(p_k / width) of the bin in which z lies; −inf outside."""
        points = z.reshape(len(z), -1)
        piece = self._piece(points)
        widths = self.knots.diff(dim=1)
        found = (self.log_p - widths.log()).gather(1, piece)
        return torch.where(self.inside(points), found, -torch.inf).view(z.shape)


class Quantiles(PiecewiseConstant):
    """Redshifts at given levels of the cumulative distribution.

    Args:
        z: (N, Q) growing redshifts; those nearer than 1e-6 are parted.
        levels: Q growing probabilities between 0 and 1.

    Raises:
        ConfigError: levels that do not grow, or of another number.
    """

    family = "quantiles"

    def __init__(self, z: Tensor, *, levels: Sequence[float]) -> None:
        self.taus = checked_levels(levels)
        if z.ndim != 2 or z.shape[1] != len(self.taus):
            raise ConfigError(
                f"there are {len(self.taus)} levels, and the quantiles have the shape {tuple(z.shape)}."
            )
        rounding = 8 * torch.finfo(z.dtype).eps * z.detach().abs().amax(1, keepdim=True)
        least, gaps = rounding.clamp(min=LEAST_GAP), z.diff(dim=1)
        if not bool((gaps >= least).all()):
            z = torch.cat([z[:, :1], torch.maximum(gaps, least)], dim=1).cumsum(1)
        self.z = z

    @property
    def parts(self) -> dict[str, Tensor]:
        """The redshifts (N, Q)."""
        return {"z": self.z}

    @property
    def options(self) -> dict[str, Any]:
        """``levels``."""
        return {"levels": self.taus}

    def like(self, parts: Mapping[str, Tensor]) -> Self:
        """As of :class:`PDF`."""
        return type(self)(parts["z"], levels=self.taus)

    def columns(self) -> dict[str, Tensor]:
        """``pdf_quantile`` (N, Q)."""
        return {"pdf_quantile": self.z}

    @classmethod
    def from_columns(cls, columns: Mapping[str, Tensor], **options: Any) -> Self:
        """As of :class:`PDF`."""
        return cls(columns["pdf_quantile"], **options)

    @classmethod
    @torch.no_grad()
    def mixed(cls, members: Sequence[Self]) -> Self:
        """The quantiles, at the same levels, of the mean of the cumulative distributions."""
        first = alike(members)
        wanted = torch.tensor(first.taus, dtype=first.dtype, device=first.device)
        all_z = torch.stack([each.z for each in members])  # (M, N, Q)
        low, high = all_z.amin(0), all_z.amax(0)
        for _ in range(60):
            middle = (low + high) / 2
            short = sum(each.cdf(middle) for each in members) / len(members) < wanted
            low, high = torch.where(short, middle, low), torch.where(short, high, middle)
        return first.like({"z": (low + high) / 2})

    @property
    def knots(self) -> Tensor:
        """The quantiles."""
        return self.z

    @property
    def levels(self) -> Tensor:
        """The same for each object."""
        return torch.tensor(self.taus, dtype=self.dtype, device=self.device).expand(len(self), -1)


def _positive(values: Tensor) -> Tensor:
    """What is not above 0 replaced by 1, where it is not used."""
    return torch.where(values > 0, values, 1)


def _log_tail(probability: Tensor, length: Tensor) -> Tensor:
    """Logarithm of a tail's density at its knot; −inf where it has none."""
    some = (probability > 0) & (length > 0)
    return torch.where(some, _positive(probability).log() - _positive(length).log(), -torch.inf)


def _square(a: Tensor, b: Tensor) -> Tensor:
    """Mean of the square of what goes from a to b along a line."""
    return (a.square() + a * b + b.square()) / 3


def checked_edges(edges: Sequence[float]) -> list[float]:
    """Edges of bins.

    Raises:
        ConfigError: they do not grow, or are no numbers.
    """
    found = [float(edge) for edge in edges]
    if len(found) < 3 or not all(a < b for a, b in pairwise(found)):
        raise ConfigError(f"edges={found[:6]}…: give at least three redshifts that grow.")
    return found


def checked_levels(levels: Sequence[float]) -> list[float]:
    """Levels of quantiles.

    Raises:
        ConfigError: they do not grow, or are not between 0 and 1.
    """
    found = [float(level) for level in levels]
    grow = all(a < b for a, b in pairwise(found))
    if len(found) < 2 or not grow or not (found[0] > 0 and found[-1] < 1):
        raise ConfigError(f"pdf.levels={found}: give at least two probabilities between 0 and 1 that grow.")
    return found
