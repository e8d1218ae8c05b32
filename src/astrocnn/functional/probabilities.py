"""How true probabilities are: proper scores, reliability, calibration error. Float64.

A probability is (N,), that of the positive class of two, or (N, K), rows summing to 1.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import ConfigError, DataError

__all__ = [
    "Reliability",
    "bin_numbers",
    "brier",
    "check_probabilities",
    "confidence",
    "expected_calibration_error",
    "log_losses",
    "negative_log_likelihood",
    "reliability",
    "squared_errors",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_BINS = 15
LEAST_P = 2.0**-23  # a float32 probability closer to 0 or 1 is rounding, not knowledge


def check_probabilities(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Ints]:
    """Probabilities (N,) or (N, K) as float64 and labels (N,) as int64.

    Raises:
        DataError: no object, shapes that do not go together, NaN, values outside [0, 1], rows that do not sum
            to 1, or labels that are no class.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim not in (1, 2) or y.shape != p.shape[:1] or (p.ndim == 2 and p.shape[1] < 2):
        raise DataError(f"probabilities are (N,) or (N, K), labels (N,); these are {p.shape} and {y.shape}.")
    if len(p) == 0:
        raise DataError("there is no labelled object to measure; check data.label and the split.")
    if n_bad := int(np.isnan(p).reshape(len(p), -1).any(1).sum()):
        raise DataError(
            f"{n_bad} of {len(p)} objects have NaN for a probability; look for their images (all pixels invalid?) "
            f"and leave them out, or train again if the network itself gives NaN."
        )
    if p.min() < 0 or p.max() > 1:
        raise DataError(
            f"probabilities lie in [0, 1] and these reach from {p.min():.4g} to {p.max():.4g}; "
            f"pass them through a sigmoid or softmax."
        )
    if p.ndim == 2 and np.abs(p.sum(1) - 1).max() > 1e-3:
        raise DataError("a row of probabilities does not sum to 1; pass the logits through a softmax.")
    n_classes = 2 if p.ndim == 1 else p.shape[1]
    if not np.isin(y, np.arange(n_classes)).all():
        raise DataError(
            f"labels of {n_classes} classes are 0 to {n_classes - 1} and these are "
            f"{np.unique(y)[:5].tolist()}; leave out objects without label (−1)."
        )
    return p, y.astype(np.int64)


def _mean(values: Floats, weight: ArrayLike | None) -> float:
    return float(np.average(values, weights=None if weight is None else np.asarray(weight, np.float64)))


def squared_errors(p: Floats, y: Ints) -> Floats:
    """(N,) squared errors: (p − y)² of two classes, Σ_k (p_k − [y = k])² of many."""
    if p.ndim == 1:
        return np.asarray((p - y) ** 2)
    return np.asarray(((p - np.eye(p.shape[1])[y]) ** 2).sum(1))


def log_losses(p: Floats, y: Ints) -> Floats:
    """(N,) −ln of the probability of the true class, which is cut off at 2⁻²³ (16 nat)."""
    of_truth = np.where(y == 1, p, 1 - p) if p.ndim == 1 else np.take_along_axis(p, y[:, None], 1)[:, 0]
    return np.asarray(-np.log(np.clip(of_truth, LEAST_P, 1.0)))


def brier(probabilities: ArrayLike, labels: ArrayLike, *, weight: ArrayLike | None = None) -> float:
    """Brier score (Brier 1950): mean (p − y)² of two classes, of many the sum over classes (0 to 2)."""
    return _mean(squared_errors(*check_probabilities(probabilities, labels)), weight)


def negative_log_likelihood(
    probabilities: ArrayLike, labels: ArrayLike, *, weight: ArrayLike | None = None
) -> float:
    """Mean −ln p of the true class, in nat; see :func:`log_losses`."""
    return _mean(log_losses(*check_probabilities(probabilities, labels)), weight)


def confidence(p: Floats, y: Ints) -> tuple[Floats, Floats]:
    """What a reliability diagram compares: (N,) probability stated, (N,) 1 where it came true.

    Two classes: the positive class, p and y. Many: the likeliest class, max_k p_k and whether it is the true
    one.
    """
    if p.ndim == 1:
        return p, y.astype(np.float64)
    return p.max(1), (p.argmax(1) == y).astype(np.float64)


def bin_numbers(stated: Floats, n_bins: int) -> Ints:
    """(N,) number of the equal-width bin [k/n, (k+1)/n) of each probability; 1 is in the last."""
    edges = np.linspace(0, 1, n_bins + 1)
    return np.clip(np.searchsorted(edges, stated, side="right") - 1, 0, n_bins - 1).astype(np.int64)


class Reliability:
    """A reliability diagram: ``edges`` (n_bins + 1,), and per bin (n_bins,) ``mean_p``, ``fraction``, ``n``.

    ``n`` is the sum of weights. In an empty bin ``mean_p`` and ``fraction`` are NaN.
    """

    def __init__(
        self, stated: Floats, came_true: Floats, *, n_bins: int, weight: Floats | None = None
    ) -> None:
        number = bin_numbers(stated, n_bins)
        weight = np.ones_like(stated) if weight is None else weight
        self.edges = np.linspace(0, 1, n_bins + 1)
        self.n = np.bincount(number, weight, n_bins)
        share = np.where(self.n > 0, self.n, np.nan)
        self.mean_p = np.bincount(number, weight * stated, n_bins) / share
        self.fraction = np.bincount(number, weight * came_true, n_bins) / share

    @property
    def error(self) -> float:
        """Σ n |mean p − fraction| / Σ n."""
        return float(np.nansum(self.n * np.abs(self.mean_p - self.fraction)) / self.n.sum())


def reliability(
    probabilities: ArrayLike, labels: ArrayLike, *, n_bins: int = N_BINS, weight: ArrayLike | None = None
) -> Reliability:
    """Stated probability against observed fraction in equal-width bins; see :func:`confidence`.

    Raises:
        ConfigError: ``n_bins`` below 1.
        DataError: as :func:`check_probabilities`.
    """
    if n_bins < 1:
        raise ConfigError(f"n_bins={n_bins} must be at least 1.")
    stated, came_true = confidence(*check_probabilities(probabilities, labels))
    weights = None if weight is None else np.asarray(weight, np.float64)
    return Reliability(stated, came_true, n_bins=n_bins, weight=weights)


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, *, n_bins: int = N_BINS, weight: ArrayLike | None = None
) -> float:
    """Expected calibration error Σ_b (n_b / N) |mean p − fraction| in equal-width bins.

    Of the positive class for two classes (N,), of the likeliest class for many (N, K) (Guo+17,
    arXiv:1706.04599). Its expectation is above 0 for perfect probabilities too, by about √(n_bins / N) / 3.
    """
    return reliability(probabilities, labels, n_bins=n_bins, weight=weight).error
