"""What metrics share that need all probabilities at once."""

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

__all__ = ["CollectedMetric"]


class CollectedMetric(Metric):
    """Keeps probabilities and labels of all updates and processes, and measures them together.

    A subclass says :meth:`measure`. Objects labelled −1 are left out. Where the figure is not defined yet (no
    object, or one class only where two are needed) the result is NaN, so that a short validation goes on.

    Args:
        options: those of :class:`torchmetrics.Metric`.
    """

    is_differentiable = False
    full_state_update = False
    needs_two_classes = False

    probabilities: list[Tensor]
    labels: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("probabilities", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        """Add probabilities (B,) of the positive class, or (B, K), and labels (B,), −1 where unknown."""
        known = labels != -1
        self.probabilities.append(probabilities.detach()[known].float())
        self.labels.append(labels.detach()[known])

    def compute(self) -> Tensor:
        """The figure, a scalar float32 on the metric's device.

        Raises:
            DataError: probabilities that are NaN or outside [0, 1].
        """
        # Lists before the processes' states are joined, tensors afterwards; a list may be empty.
        y = dim_zero_cat(self.labels).cpu().numpy() if len(self.labels) else np.empty(0, np.int64)
        if len(np.unique(y)) < (2 if self.needs_two_classes else 1):
            return torch.tensor(torch.nan, device=self.device)
        p = dim_zero_cat(self.probabilities).cpu().numpy()
        return torch.tensor(self.measure(p, y), dtype=torch.float32, device=self.device)

    @abstractmethod
    def measure(self, p: NDArray[np.float32], y: NDArray[np.int64]) -> float:
        """The figure of probabilities (N,) or (N, K) and labels (N,)."""
