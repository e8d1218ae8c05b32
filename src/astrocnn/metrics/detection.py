"""Completeness and purity of detections, by the distance of their centres."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from astrocnn.functional.matching import match_positions

__all__ = ["DetectionCounts"]


class DetectionCounts(Metric):
    """Completeness, purity and F1 of detections that are paired one to one with the objects within a radius.

    Objects that do not count are paired with what the others leave, and what pairs with them counts neither way.

    Args:
        radius_pix: largest distance of a pair.
    """

    full_state_update = False
    matched: Tensor
    found: Tensor
    true: Tensor

    def __init__(self, *, radius_pix: float, **options: Any) -> None:
        super().__init__(**options)
        self.radius_pix = radius_pix
        for name in ("matched", "found", "true"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, x: NDArray[np.floating], y: NDArray[np.floating], centres: Tensor, counted: Tensor
    ) -> None:
        """Count one image.

        Args:
            x: of the detections, (N,) pixels.
            y: likewise.
            centres: of the objects, (M, 2) pixels.
            counted: (M,) bool, which of them count.
        """
        true, counts = centres.cpu().numpy(), counted.cpu().numpy()
        x_true, y_true = true.T
        mine, _ = match_positions(x, y, x_true[counts], y_true[counts], self.radius_pix)
        left = np.setdiff1d(np.arange(len(x)), mine)
        of_ignored, _ = match_positions(x[left], y[left], x_true[~counts], y_true[~counts], self.radius_pix)
        self.matched += len(mine)
        self.found += len(x) - len(of_ignored)
        self.true += int(counts.sum())

    def compute(self) -> dict[str, Tensor]:
        """``completeness``, ``purity`` and ``f1``; 0 where nothing is found, or nothing is there."""
        completeness, purity = self.matched / self.true.clamp_min(1), self.matched / self.found.clamp_min(1)
        f1 = 2 * self.matched / (self.true + self.found).clamp_min(1)
        return {"completeness": completeness, "purity": purity, "f1": f1}
