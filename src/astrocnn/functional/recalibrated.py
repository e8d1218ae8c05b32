"""Redshift PDFs after a map of their probabilities: F′(z) = R(F(z)), p′(z) = R′(F(z)) p(z)."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from astrocnn.functional.pdf import PDF
from astrocnn.functional.pit_maps import PitMap

__all__ = ["Recalibrated"]

NODES = 256
EDGE = 1e-12


class Recalibrated(PDF):
    """PDFs of any family, recalibrated by one map for all objects.

    Densities, distributions and quantiles are exact. The others are integrals by 256 quantiles of the distribution
    before: the mean moves by ∫ (F − R(F)) dz, the CRPS is ∫ (R(F) − [x ≥ z])² dx, and ∫ p′² dz = ∫ p(q(u)) R′(u)² du.

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
        """Not possible: the columns are the base's."""
        raise NotImplementedError("build the base from its columns, then Recalibrated(base, pit_map)")

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
        _, level, _ = self._weights()
        gap = self._u()[0] - level
        moved = [part._at_nodes().diff() @ ((gap[1:] + gap[:-1]) / 2) for part in self._portions(NODES)]
        return self.base.mean() + torch.cat(moved)

    def _mode(self) -> Tensor:
        found = []
        for part in self._portions(NODES):
            candidates = torch.cat([part._at_nodes(), part.base.mode()[:, None]], dim=1)  # (n, 257)
            best = part.log_prob(candidates).argmax(1, keepdim=True)
            found.append(candidates.gather(1, best)[:, 0])
        return torch.cat(found)

    def _crps(self, z: Tensor) -> Tensor:
        _, level, _ = self._weights()
        found, start = [], 0
        for part in self._portions(NODES):
            here = z[start : start + len(part)]
            found.append(_crps(part._at_nodes(), level, here, part.cdf(here)))
            start += len(part)
        return torch.cat(found)

    def _square_integral(self) -> Tensor:
        weight, _, slope = self._weights()
        parts = self._portions(NODES)
        return torch.cat([part.base.log_prob(part._at_nodes()).exp() @ (weight * slope) for part in parts])

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights · R′, R and R′ at the nodes, (256,) each."""
        u, weight = self._u()
        slope = self.map.density(u)
        total = (weight * slope).sum()  # 1 but for rounding
        return weight * slope / total, self.map.cdf(u), slope

    def _at_nodes(self) -> Tensor:
        """(N, 256) quantiles of the base."""
        return self.base.quantile(self._u()[0])

    def _u(self) -> tuple[Tensor, Tensor]:
        x, w = np.polynomial.legendre.leggauss(NODES)
        u, weight = torch.as_tensor((x + 1) / 2), torch.as_tensor(w / 2)
        return u.to(self.device, self.dtype), weight.to(self.device, self.dtype)


def _crps(at: Tensor, level: Tensor, z: Tensor, level_z: Tensor) -> Tensor:
    """(N,) ∫ (F − [x ≥ z])² dx of distributions that are ``level`` (G,) at increasing points (N, G), by trapezoids.

    ``level_z`` (N,) is the distribution at z: the one interval in which z lies is cut there.
    """
    steps, before, after = at.diff(), level.square(), (1 - level).square()
    below, above = at[:, 1:] <= z[:, None], at[:, :-1] >= z[:, None]
    total = (steps * below) @ ((before[1:] + before[:-1]) / 2) + (steps * above) @ (
        (after[1:] + after[:-1]) / 2
    )
    n_below = (at <= z[:, None]).sum(1)  # (N,) points up to z
    last, following = (n_below - 1).clamp_min(0), n_below.clamp_max(at.shape[1] - 1)
    to_z = (z - at.gather(1, last[:, None])[:, 0]).clamp_min(0)
    from_z = (at.gather(1, following[:, None])[:, 0] - z).clamp_min(0)
    total = total + to_z * (before[last] + level_z.square()) / 2
    return total + from_z * (after[following] + (1 - level_z).square()) / 2
