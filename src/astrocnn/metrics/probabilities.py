"""How true probabilities are, as metrics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError
from astrocnn.functional.probabilities import N_BINS, brier, expected_calibration_error
from astrocnn.metrics.collected import CollectedMetric

__all__ = ["BrierScore", "ExpectedCalibrationError"]


class BrierScore(CollectedMetric):
    """Mean squared error of the probabilities; see :func:`astrocnn.functional.probabilities.brier`."""

    higher_is_better = False

    def measure(self, p: NDArray[np.float32], y: NDArray[np.int64]) -> float:
        """The score: 0 to 1 for two classes, 0 to 2 for more."""
        return brier(p, y)


class ExpectedCalibrationError(CollectedMetric):
    """Mean distance of stated probability and observed fraction, in equal-width bins.

    Of the positive class for two classes, of the likeliest for more; see
    :func:`astrocnn.functional.probabilities.expected_calibration_error`.

    Args:
        n_bins: number of bins, at least 1.
        options: those of :class:`torchmetrics.Metric`.

    Raises:
        ConfigError: ``n_bins`` below 1.
    """

    higher_is_better = False

    def __init__(self, *, n_bins: int = N_BINS, **options: Any) -> None:
        super().__init__(**options)
        if n_bins < 1:
            raise ConfigError(f"n_bins={n_bins} must be at least 1.")
        self.n_bins = n_bins

    def measure(self, p: NDArray[np.float32], y: NDArray[np.int64]) -> float:
        """The error, 0 to 1."""
        return expected_calibration_error(p, y, n_bins=self.n_bins)
