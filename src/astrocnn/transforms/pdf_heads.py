"""From a network's raw outputs to densities over redshift: any network becomes a mixture-density network by one."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.bounded_mixtures import LogitNormalMixture, LogNormalMixture, checked_range
from astrocnn.functional.mixtures import GaussianMixture, TransformedMixture
from astrocnn.functional.pdf import PDF
from astrocnn.functional.piecewise import Histogram, Quantiles, checked_edges, checked_levels

__all__ = ["BinHead", "GaussianHead", "LogNormalHead", "LogitNormalHead", "PDFHead", "QuantileHead"]

LEAST_SIGMA = (
    1e-3  # of the deviation of the training redshifts, so that no object's likelihood is without bound
)
MOST_SIGMA = 10.0  # of it
LARGEST = 50.0  # of raw outputs that stand for positions, so that half precision cannot overflow
LEVELS = (0.01, 0.025, 0.05, 0.1, 0.16, 0.25, 0.35, 0.5, 0.65, 0.75, 0.84, 0.9, 0.95, 0.975, 0.99)


class PDFHead(nn.Module):
    """Raw outputs (B, n_outputs), of any floating dtype, into one family of densities.

    Attributes:
        n_outputs: how many raw outputs an object needs.
        support: lower and upper end of the redshifts that can have a density.
    """

    n_outputs: int
    support: tuple[float, float] = (-math.inf, math.inf)

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Family and options as primitives; see :attr:`PDF.description`."""

    def fit(self, redshift: Tensor) -> None:
        """Measure on training redshifts (N,) where densities begin.

        Raises:
            DataError: none of the redshifts has a density in this family.
        """
        del redshift

    @abstractmethod
    def forward(self, raw: Tensor) -> PDF:
        """Densities of raw outputs, in float32 at least."""

    def inside(self, redshift: Tensor) -> Tensor:
        """Bool of that shape: whether redshifts, NaN being none, can have a density."""
        low, high = self.support
        return (redshift >= low) & (redshift <= high)


class GaussianHead(PDFHead):
    """3K raw outputs into a mixture of K Gaussians of redshift (Bishop 1994, NCRG/94/004).

    Weights are a softmax; means are z̄ + s x and sigmas s (10⁻³ + softplus), with mean z̄ and deviation s of the
    training redshifts, so that the same network learns redshifts of 0.1 and of 6.

    Args:
        components: K.

    Raises:
        ConfigError: K is below 1.
    """

    family: ClassVar[type[TransformedMixture]] = GaussianMixture
    centre: Tensor
    scale: Tensor

    def __init__(self, *, components: int = 5) -> None:
        super().__init__()
        if components < 1:
            raise ConfigError(f"pdf.components={components}: a mixture has at least one component.")
        self.components, self.n_outputs = components, 3 * components
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    @property
    def options(self) -> dict[str, Any]:
        """What the family needs besides."""
        return {}

    @property
    def description(self) -> dict[str, Any]:
        """As of :class:`PDFHead`."""
        return {"family": self.family.family, **self.options}

    @torch.no_grad()
    def fit(self, redshift: Tensor) -> None:
        """Mean and deviation of the training redshifts, or of what becomes of them (their logarithms, ...)."""
        inside = redshift[self.inside(redshift)].double()
        if not len(inside):
            raise DataError(
                f"no training redshift is within {self.support[0]:g} and {self.support[1]:g}, where pdf has a density; "
                "choose another pdf=..., or another pdf.range."
            )
        t = self.to_t(inside)
        self.centre.fill_(float(t.mean()))
        deviation = float(t.std(correction=0))
        self.scale.fill_(deviation if deviation > 0 else 1.0)

    def to_t(self, redshift: Tensor) -> Tensor:
        """What is Gaussian: the redshift itself, or a function of it."""
        return redshift

    def forward(self, raw: Tensor) -> TransformedMixture:
        """As of :class:`PDFHead`."""
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        weight, x, width = raw.view(len(raw), 3, self.components).unbind(1)  # (B, K) each
        mean = self.centre + self.scale * x.clamp(-LARGEST, LARGEST)
        sigma = self.scale * (LEAST_SIGMA + F.softplus(width)).clamp(max=MOST_SIGMA)
        return self.family(weight.clamp(-LARGEST, LARGEST), mean, sigma, **self.options)


class LogNormalHead(GaussianHead):
    """3K raw outputs into a mixture of K log-normal densities: no redshift below 0. As :class:`GaussianHead`, of ln z.

    Args:
        components: K.
    """

    family = LogNormalMixture
    support = (0.0, math.inf)

    def inside(self, redshift: Tensor) -> Tensor:
        """Bool: above 0."""
        return (redshift > 0) & redshift.isfinite()

    def to_t(self, redshift: Tensor) -> Tensor:
        """The logarithm."""
        return redshift.log()


class LogitNormalHead(GaussianHead):
    """3K raw outputs into a mixture of K logit-normal densities: no redshift outside a range. As :class:`GaussianHead`,
    of ln((z − low) / (high − z)).

    Args:
        components: K.
        range: low and high, with every redshift between them.

    Raises:
        ConfigError: a range that is none.
    """

    family = LogitNormalMixture

    def __init__(self, *, components: int = 5, range: Sequence[float] = (0.0, 3.0)) -> None:
        super().__init__(components=components)
        self.support = checked_range(range)

    @property
    def options(self) -> dict[str, Any]:
        """``range``."""
        return {"range": list(self.support)}

    def inside(self, redshift: Tensor) -> Tensor:
        """Bool: between the ends of the range."""
        return (redshift > self.support[0]) & (redshift < self.support[1])

    def to_t(self, redshift: Tensor) -> Tensor:
        """The logit."""
        low, high = self.support
        return (redshift - low).log() - (high - redshift).log()


class BinHead(PDFHead):
    """Raw outputs into the probabilities of bins of redshift, by a softmax (Pasquet+19, arXiv:1806.06607).

    Args:
        range: lowest and highest redshift of the bins.
        n_bins: bins of equal width in it; the paper's are 180 up to 0.4.
        edges: n + 1 growing redshifts in their place, for bins of other widths; None takes equal ones.

    Raises:
        ConfigError: bins that are none.
    """

    def __init__(
        self,
        *,
        range: Sequence[float] = (0.0, 3.0),
        n_bins: int = 180,
        edges: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        low, high = checked_range(range)
        if n_bins < 2:
            raise ConfigError(f"pdf.n_bins={n_bins}: give at least two.")
        equal = torch.linspace(low, high, n_bins + 1, dtype=torch.double).tolist()
        self.edges = checked_edges(equal if edges is None else edges)
        self.n_outputs, self.support = len(self.edges) - 1, (self.edges[0], self.edges[-1])

    @property
    def description(self) -> dict[str, Any]:
        """As of :class:`PDFHead`."""
        return {"family": Histogram.family, "edges": self.edges}

    def forward(self, raw: Tensor) -> Histogram:
        """As of :class:`PDFHead`."""
        return Histogram(raw.to(torch.promote_types(raw.dtype, torch.float32)), edges=self.edges)


class QuantileHead(PDFHead):
    """Q raw outputs into the quantiles of the redshift at Q levels: the first one, and the growing steps above it.

    Args:
        levels: Q growing probabilities between 0 and 1.

    Raises:
        ConfigError: levels that are none.
    """

    first: Tensor
    steps: Tensor

    def __init__(self, *, levels: Sequence[float] = LEVELS) -> None:
        super().__init__()
        self.levels = checked_levels(levels)
        self.n_outputs = len(self.levels)
        self.register_buffer("first", torch.zeros(()))
        self.register_buffer("steps", torch.ones(len(self.levels) - 1))

    @property
    def description(self) -> dict[str, Any]:
        """As of :class:`PDFHead`."""
        return {"family": Quantiles.family, "levels": self.levels}

    @torch.no_grad()
    def fit(self, redshift: Tensor) -> None:
        """The quantiles of the training redshifts, with which a network begins that gives 0."""
        known = redshift[redshift.isfinite()].double()
        if not len(known):
            raise DataError(
                "no training redshift is a number; choose another column (data.redshift=<column>)."
            )
        quantiles = known.quantile(torch.tensor(self.levels, dtype=torch.double, device=known.device))
        self.first.fill_(float(quantiles[0]))
        self.steps.copy_(quantiles.diff().clamp(min=1e-4))

    def forward(self, raw: Tensor) -> Quantiles:
        """As of :class:`PDFHead`."""
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32)).clamp(-LARGEST, LARGEST)
        first = self.first + self.steps.sum() * raw[:, :1]
        steps = self.steps * F.softplus(raw[:, 1:] + math.log(math.e - 1))  # softplus(ln(e − 1)) = 1
        return Quantiles(torch.cat([first, steps], dim=1).cumsum(1), levels=self.levels)
