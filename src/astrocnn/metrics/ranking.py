"""Completeness at the pure end of a ranking, the figures by which lens finders are compared."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError
from astrocnn.functional.ranking import tpr_at_fpr, tpr_before
from astrocnn.metrics.collected import CollectedMetric

__all__ = ["TPRAtFPR", "TPRBefore"]


class TPRBefore(CollectedMetric):
    """Largest true-positive rate with fewer than ``false_positives`` false positives (Metcalf+19).

    1 is the lens challenge's TPR0, 10 its TPR10. Equal probabilities enter together. The figure falls as the
    negatives grow in number.

    Args:
        false_positives: the number that ends the count, at least 1.
        options: those of :class:`torchmetrics.Metric`.

    Raises:
        ConfigError: ``false_positives`` below 1.
    """

    higher_is_better = True
    needs_two_classes = True

    def __init__(self, *, false_positives: int = 1, **options: Any) -> None:
        super().__init__(**options)
        if false_positives < 1:
            raise ConfigError(f"false_positives={false_positives} must be at least 1, which is TPR0.")
        self.false_positives = false_positives

    def measure(self, p: NDArray[np.float32], y: NDArray[np.int64]) -> float:
        """The rate, 0 to 1."""
        return tpr_before(p, y, false_positives=self.false_positives)


class TPRAtFPR(CollectedMetric):
    """Largest true-positive rate (completeness) at a false-positive rate of at most ``fpr``.

    Args:
        fpr: from 0 to 1.
        options: those of :class:`torchmetrics.Metric`.

    Raises:
        ConfigError: ``fpr`` outside this range.
    """

    higher_is_better = True
    needs_two_classes = True

    def __init__(self, *, fpr: float = 1e-2, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= fpr <= 1:
            raise ConfigError(f"fpr={fpr} must lie in [0, 1].")
        self.fpr = fpr

    def measure(self, p: NDArray[np.float32], y: NDArray[np.int64]) -> float:
        """The rate, 0 to 1."""
        return tpr_at_fpr(p, y, fpr=self.fpr)
