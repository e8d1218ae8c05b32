"""Recalibration of redshift PDFs and conformal intervals, fitted on the validation split, stored in the checkpoint."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from astrocnn.errors import choose
from astrocnn.functional.conformal import conformal_intervals, conformal_reach
from astrocnn.functional.pdf import PDF
from astrocnn.functional.pit_maps import BernsteinMap, ChainedMap, ProbitMap, fit_bernstein, fit_temperature
from astrocnn.functional.recalibrated import Recalibrated

__all__ = ["CONFORMAL_LEVELS", "Recalibration"]

CONFORMAL_LEVELS = (0.68, 0.95)
N_WEIGHTS = 24
KINDS = ("pit", "temperature", "none")


class Recalibration(nn.Module):
    """A map of probabilities that makes the PITs of the validation objects uniform. Starts as the identity.

    'temperature' fits one width (for a Gaussian p^(1/T) / Z, about the median of any other PDF); 'pit' does that and
    fits what is left of the PITs' distribution by 24 beta distributions (Bordoloi+10; Kuleshov+18, arXiv:1807.00263);
    'none' leaves PDFs as they are. The conformal intervals are those of the PDFs before.

    Args:
        kind: 'pit', 'temperature' or 'none'.

    Raises:
        ConfigError: another kind.
    """

    weights: Tensor
    scale: Tensor
    reach: Tensor

    def __init__(self, *, kind: str = "pit") -> None:
        super().__init__()
        self.kind = choose("task.recalibration", kind, {name: name for name in KINDS})
        self.register_buffer("weights", torch.full((N_WEIGHTS,), 1 / N_WEIGHTS, dtype=torch.float64))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("reach", torch.tensor(CONFORMAL_LEVELS, dtype=torch.float64) / 2)

    @torch.no_grad()
    def reset(self) -> None:
        """Back to the identity, and to intervals of equal tails."""
        self.weights.fill_(1 / N_WEIGHTS)
        self.scale.fill_(1)
        self.reach.copy_(torch.tensor(CONFORMAL_LEVELS, dtype=torch.float64) / 2)

    def fit(self, pit: ArrayLike, *, inside: ArrayLike | None = None) -> None:
        """Fit map and conformal intervals to the PITs (N,) of validation objects before any map.

        Args:
            pit: of the densities before.
            inside: (N,) whether each redshift can have a density. Those that cannot count in the intervals only: no
                map gives them one. None takes all.

        Raises:
            DataError: no PIT, or one that is not finite.
        """
        values = torch.as_tensor(np.asarray(pit, np.float64))
        self.reach.copy_(torch.as_tensor(conformal_reach(values.numpy(), CONFORMAL_LEVELS)))
        if inside is not None:
            values = values[torch.as_tensor(np.asarray(inside, bool))]
        if self.kind == "none" or not len(values):
            return
        self.scale.copy_(fit_temperature(values))
        if self.kind == "pit":
            rest = ProbitMap(self.scale.cpu()).cdf(values)
            self.weights.copy_(fit_bernstein(rest, N_WEIGHTS))

    @property
    def fitted(self) -> bool:
        """Whether the map is another one than the identity."""
        return bool((self.weights != self.weights[0]).any() or self.scale != 1)

    @property
    def description(self) -> dict[str, float]:
        """The map as keywords of a table's header: RECSCALE, RECW00, RECW01, ...; nothing if it is the identity."""
        if not self.fitted:
            return {}
        weights = {f"RECW{number:02d}": float(weight) for number, weight in enumerate(self.weights)}
        return {"RECSCALE": float(self.scale), **weights}

    def forward(self, pdf: PDF) -> PDF:
        """The recalibrated PDFs."""
        if not self.fitted:
            return pdf
        return Recalibrated(pdf, ChainedMap(ProbitMap(self.scale), BernsteinMap(self.weights)))

    def intervals(self, pdf: PDF) -> Tensor:
        """(N, 2, 2) lower and upper ends of the conformal intervals of 68 and 95 % of PDFs before the map."""
        return conformal_intervals(pdf, self.reach)
