"""Redshift PDFs after a map of their probabilities: F′(z) = R(F(z)), p′(z) = R′(F(z)) p(z)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from astrocnn.errors import ConfigError
from astrocnn.functional.pdf import PDF
from astrocnn.functional.pit_maps import PitMap

__all__ = ["Recalibrated"]

N_QUANTILES = 32
TAILS = (1e-6, 1e-4)
PARTS = 8  # into which the distance of neighbouring quantiles is cut
POINTS = (N_QUANTILES + 2 * len(TAILS) - 1) * PARTS + 1
EDGE = 1e-12


class Recalibrated(PDF):
    """PDFs of any family, recalibrated by one map for all objects.

    Densities, distributions and quantiles are exact. The others are integrals by the trapezoidal rule between 36 of the
    quantiles before the map: the mean moves by ∫ (F − R(F)) dz, the CRPS is ∫ (R(F) − [x ≥ z])² dx,
    ∫ p′² dz = ∫ p′ dR(F).

    Args:
        base: the PDFs before.
        pit_map: R.
    """

    family = "recalibrated"

    def __init__(self, base: PDF, pit_map: PitMap) -> None:
        self.base, self.map = base, pit_map
        self.support = base.support

    @property
    def parts(self) -> dict[str, Tensor]:
        """Those of the base."""
        return self.base.parts

    @property
    def options(self) -> dict[str, Any]:
        """Those of the base."""
        return self.base.options

    def like(self, parts: Mapping[str, Tensor]) -> Self:
        """Other parts of the base under the same map."""
        return type(self)(self.base.like(parts), self.map)

    def columns(self) -> dict[str, Tensor]:
        """Those of the base: the PDFs before the map."""
        return self.base.columns()

    @classmethod
    def from_columns(cls, columns: Mapping[str, Tensor], **options: Any) -> Self:
        """Not possible: the columns are the base's.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "the columns are those of the PDFs before their recalibration, which is no column; make the base from "
            "them with its own from_columns, then Recalibrated(base, pit_map)."
        )

    @classmethod
    def mixed(cls, members: Sequence[Self]) -> Self:
        """The mixture of the bases under the first one's map."""
        first = members[0]
        return cls(type(first.base).mixed([member.base for member in members]), first.map)

    @property
    def values_a_point(self) -> int:
        """Those of the base."""
        return self.base.values_a_point

    def log_prob(self, z: Tensor) -> Tensor:
        """The logarithm of p′(z): ln p(z) + ln R′(F(z))."""
        return self.base.log_prob(z) + self.map.density(self.base.cdf(z)).log()

    def cdf(self, z: Tensor) -> Tensor:
        """R(F(z))."""
        return self.map.cdf(self.base.cdf(z))

    def _quantile(self, p: Tensor) -> Tensor:
        return self.base._quantile(self.map.inverse(p).clamp(EDGE, 1 - EDGE))

    def mean(self) -> Tensor:
        """(N,) expected redshifts."""
        moved = []
        for part in self._portions(POINTS):
            gap = part._u - part._level
            moved.append((part._at.diff() * (gap[:, 1:] + gap[:, :-1]) / 2).sum(1))
        return self.base.mean() + torch.cat(moved)

    def _mode(self) -> Tensor:
        found = []
        for part in self._portions(POINTS):
            candidates = torch.cat([part._at, part.base.mode()[:, None]], dim=1)  # (n, G + 1)
            best = part.log_prob(candidates).argmax(1, keepdim=True)
            found.append(candidates.gather(1, best)[:, 0])
        return torch.cat(found)

    def _crps(self, z: Tensor) -> Tensor:
        found, start = [], 0
        for part in self._portions(POINTS):
            here = z[start : start + len(part)]
            found.append(_crps(part._at, part._level, here, part.cdf(here)))
            start += len(part)
        return torch.cat(found)

    def _square_integral(self) -> Tensor:
        found = []
        for part in self._portions(POINTS):
            density = part.log_prob(part._at).exp()
            found.append((part._level.diff() * (density[:, 1:] + density[:, :-1]) / 2).sum(1))
        return torch.cat(found)

    @cached_property
    def _at(self) -> Tensor:
        """(N, G) growing redshifts, between which all is nearly linear: quantiles, and points between them."""
        inner = (1 - np.cos(np.linspace(0, np.pi, N_QUANTILES + 2)[1:-1])) / 2
        found = self.base.quantile([*TAILS, *inner, *(1 - tail for tail in reversed(TAILS))])
        share = torch.arange(PARTS, dtype=self.dtype, device=self.device) / PARTS
        between = found[:, :-1, None] + share * found.diff()[:, :, None]  # (N, quantiles − 1, parts)
        return torch.cat([between.flatten(1), found[:, -1:]], dim=1)

    @cached_property
    def _u(self) -> Tensor:
        """(N, G) of the distribution before the map at these redshifts."""
        return self.base.cdf(self._at)

    @cached_property
    def _level(self) -> Tensor:
        """(N, G) of the distribution after the map."""
        return self.map.cdf(self._u)


def _crps(at: Tensor, level: Tensor, z: Tensor, level_z: Tensor) -> Tensor:
    """(N,) ∫ (F − [x ≥ z])² dx of distributions that are ``level`` at growing points ``at``, (N, G), by trapezoids.

    ``level_z`` (N,) is the distribution at z: the one interval in which z lies is cut there.
    """
    steps, before, after = at.diff(), level.square(), (1 - level).square()
    below, above = at[:, 1:] <= z[:, None], at[:, :-1] >= z[:, None]
    total = (steps * below * (before[:, 1:] + before[:, :-1]) / 2).sum(1)
    total = total + (steps * above * (after[:, 1:] + after[:, :-1]) / 2).sum(1)
    n_below = (at <= z[:, None]).sum(1, keepdim=True)  # (N, 1) points up to z
    last, following = (n_below - 1).clamp_min(0), n_below.clamp_max(at.shape[1] - 1)
    for place, values, end in ((last, before, level_z), (following, after, 1 - level_z)):
        distance = (z - at.gather(1, place)[:, 0]) * (1 if place is last else -1)
        total = total + distance.clamp_min(0) * (values.gather(1, place)[:, 0] + end.square()) / 2
    return total
