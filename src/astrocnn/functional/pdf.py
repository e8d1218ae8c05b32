"""What every family of probability densities over redshift, one density an object, answers."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor

from astrocnn.errors import ConfigError

__all__ = ["PDF"]

Family = TypeVar("Family", bound="PDF")

MOST_VALUES = 2**22  # numbers in memory at once, per intermediate result
MOST_CANDIDATES = 512  # points of an object among which the highest is looked for


class PDF(ABC):
    """Densities p(z) of N objects, one family, in whatever precision their parameters have.

    Points are z of shape (N,), one an object, or (N, G), G an object; grids of shape (G,) are shared by all. Gradients
    flow from :meth:`log_prob` and :meth:`crps` to the parameters.

    Attributes:
        family: name of the family, as in tables and configurations.
        support: lower and upper end of the redshifts that can have a density.
    """

    family: ClassVar[str]
    support: tuple[float, float] = (-torch.inf, torch.inf)

    @property
    @abstractmethod
    def parts(self) -> dict[str, Tensor]:
        """The tensors (N, ...) that the densities are made of."""

    @property
    def options(self) -> dict[str, Any]:
        """What all objects share besides the family, as primitives: edges, levels, range."""
        return {}

    @abstractmethod
    def like(self, parts: Mapping[str, Tensor]) -> Self:
        """Densities of the same family and options, made of other parts."""

    @abstractmethod
    def columns(self) -> dict[str, Tensor]:
        """What a table keeps of each object, tensors (N, ...) whose names begin with ``pdf_``."""

    @classmethod
    @abstractmethod
    def from_columns(cls, columns: Mapping[str, Tensor], **options: Any) -> Self:
        """The densities that :meth:`columns` and :attr:`options` describe."""

    @classmethod
    @abstractmethod
    def mixed(cls, members: Sequence[Self]) -> Self:
        """The mixture, with equal weights, of several predictions of the same objects."""

    @property
    @abstractmethod
    def values_a_point(self) -> int:
        """Numbers that one evaluation at one point holds in memory."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """The logarithm of p(z), of the shape of ``z``; −inf outside the support."""

    @abstractmethod
    def cdf(self, z: Tensor) -> Tensor:
        """The cumulative distribution at ``z``, of its shape."""

    @abstractmethod
    def _quantile(self, p: Tensor) -> Tensor:
        """(N, P) of probabilities (P,) between 0 and 1."""

    @abstractmethod
    def mean(self) -> Tensor:
        """(N,) expected redshifts."""

    @abstractmethod
    def _mode(self) -> Tensor:
        """(N,) of the densities' highest points."""

    @abstractmethod
    def _crps(self, z: Tensor) -> Tensor:
        """(N,) at points (N,)."""

    @abstractmethod
    def _square_integral(self) -> Tensor:
        """(N,) of ∫ p² dz."""

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    def __getitem__(self, rows: Any) -> Self:
        """The densities of some objects, by slice, numbers or a mask."""
        rows = [rows] if isinstance(rows, int) else rows
        return self.like({name: values[rows] for name, values in self.parts.items()})

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the parameters."""
        return next(iter(self.parts.values())).dtype

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(iter(self.parts.values())).device

    @property
    def description(self) -> dict[str, Any]:
        """Family and options as primitives, for the header of a table."""
        return {"family": self.family, **self.options}

    def double(self) -> Self:
        """The same in double precision, as evaluation wants it."""
        return self.like({name: values.double() for name, values in self.parts.items()})

    @classmethod
    def cat(cls, several: Sequence[Self]) -> Self:
        """The objects of several batches of one family, one after the other.

        Raises:
            ConfigError: no batch, or options that differ.
        """
        first = alike(several)
        names = first.parts
        return first.like({name: torch.cat([each.parts[name] for each in several]) for name in names})

    def density(self, grid: Tensor) -> Tensor:
        """p(z) (N, G) on a grid (G,)."""
        return self._on(grid, lambda part, z: part.log_prob(z).exp())

    def cdf_on(self, grid: Tensor) -> Tensor:
        """The cumulative distribution (N, G) on a grid (G,)."""
        return self._on(grid, lambda part, z: part.cdf(z))

    def quantile(self, p: Tensor | Sequence[float]) -> Tensor:
        """Redshifts (N, P) below which a probability p (P,) lies.

        Raises:
            ConfigError: a probability that is not between 0 and 1.
        """
        p = torch.as_tensor(p, dtype=self.dtype, device=self.device).reshape(-1)
        if not bool(((p > 0) & (p < 1)).all()):
            raise ConfigError(f"quantiles are asked for at {p.tolist()}; give probabilities between 0 and 1.")
        return torch.cat([part._quantile(p) for part in self._portions(len(p))])

    def median(self) -> Tensor:
        """(N,) redshifts with half of the probability on each side."""
        return self.quantile([0.5])[:, 0]

    def mode(self) -> Tensor:
        """(N,) redshifts of the highest density."""
        return torch.cat([part._mode() for part in self._portions(MOST_CANDIDATES)])

    def crps(self, z: Tensor) -> Tensor:
        """Continuous ranked probability score ∫ (F(x) − [x ≥ z])² dx at z (N,), in units of redshift.

        Gneiting & Raftery 2007, doi:10.1198/016214506000001437; smaller is better, |point − z| for a point.
        """
        points = torch.split(z, self._rows_a_portion(self.values_a_point))
        return torch.cat(
            [part._crps(of) for part, of in zip(self._portions(self.values_a_point), points, strict=True)]
        )

    def square_integral(self) -> Tensor:
        """∫ p² dz (N,), for the loss of conditional densities E[∫ p²] − 2 E[p(z)] (Izbicki & Lee 2017, eq. 6)."""
        return torch.cat([part._square_integral() for part in self._portions(self.values_a_point)])

    def inside(self, z: Tensor) -> Tensor:
        """Bool of the shape of ``z``: whether such a redshift is within the support."""
        return (z >= self.support[0]) & (z <= self.support[1])

    @property
    def somewhere(self) -> float:
        """A redshift that has a density."""
        low, high = self.support
        if math.isfinite(low) and math.isfinite(high):
            return (low + high) / 2
        return low + 1 if math.isfinite(low) else 0.0

    def _on(self, grid: Tensor, function: Callable[[Self, Tensor], Tensor]) -> Tensor:
        grid = grid.to(self.device, self.dtype)
        return torch.cat([function(part, grid.expand(len(part), -1)) for part in self._portions(len(grid))])

    def _rows_a_portion(self, points: int) -> int:
        return max(1, MOST_VALUES // max(1, points * self.values_a_point))

    def _portions(self, points: int) -> Iterator[Self]:
        """Objects in portions that fit into memory with so many points each."""
        n, rows = len(self), self._rows_a_portion(points)
        if n <= rows:
            yield self
            return
        for start in range(0, n, rows):
            yield self[start : start + rows]


def alike(several: Sequence[Family]) -> Family:
    """The first of several batches of densities, which must be of one family and share its options.

    Raises:
        ConfigError: there is none, or they differ.
    """
    if not several:
        raise ConfigError("no densities to join; give at least one batch of them.")
    first = several[0]
    for other in several[1:]:
        if type(other) is not type(first) or other.options != first.options:
            raise ConfigError(
                f"densities of two kinds cannot be joined: {first.description} and {other.description}; "
                "use runs of the same pdf=... with the same options."
            )
    return first
