"""Mending probabilities: for another mixture of classes, and by an affine map of the logits. Float64."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import ConfigError, DataError

__all__ = ["fit_affine_calibration", "reweight_prevalence"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_SCALE = 1e-3


def reweight_prevalence(
    probabilities: ArrayLike, train_prevalence: ArrayLike, prevalence: ArrayLike
) -> Floats:
    """Probabilities for another mixture of classes than the training set's (Saerens+02, Neural Comput. 14, 21).

    p_k′ ∝ p_k π_k′ / π_k: the odds of a class change by the ratio of its prior odds. Holds where the images
    of each class are distributed as in the training set.

    Args:
        probabilities: (N,) of the positive class, or (N, K).
        train_prevalence: fraction of positives in training, or (K,) fractions.
        prevalence: the same for the population that the probabilities shall hold for.

    Returns:
        Float64 of the shape of ``probabilities``.

    Raises:
        ConfigError: fractions outside (0, 1) in training or [0, 1] after, not summing to 1, or not K of them.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    old, new = (
        _mixture("the training set's prevalence", train_prevalence, p),
        _mixture("prevalence", prevalence, p),
    )
    if (old == 0).any():
        raise ConfigError(
            f"the training set's prevalence {old.tolist()} lacks a class, which cannot be reweighted."
        )
    both = np.stack([1 - p, p], -1) if p.ndim == 1 else p  # (N, K)
    weighted = both * (new / old)
    weighted = weighted / weighted.sum(-1, keepdims=True)
    return np.asarray(weighted[..., 1] if p.ndim == 1 else weighted)


def _mixture(name: str, given: ArrayLike, p: Floats) -> Floats:
    values = np.asarray(given, dtype=np.float64)
    n_classes = 2 if p.ndim == 1 else p.shape[1]
    if values.ndim == 0 and p.ndim == 1:
        values = np.array([1 - values, values])
    if values.shape != (n_classes,) or not (values >= 0).all() or abs(values.sum() - 1) > 1e-6:
        raise ConfigError(
            f"{name}={np.asarray(given).tolist()} is no mixture of {n_classes} classes; give "
            f"{'one fraction between 0 and 1' if p.ndim == 1 else 'one fraction per class, summing to 1'}."
        )
    return values


def fit_affine_calibration(
    logits: ArrayLike, labels: ArrayLike, *, ridge: float = 0.1
) -> tuple[float, Floats]:
    """Scale and bias of logits · scale + bias that make the labels likeliest.

    One logit: Platt 1999's sigmoid; K logits: one temperature and K biases (Guo+17, arXiv:1706.04599). Minimises
    Σᵢ −ln p(yᵢ) + ½ ridge [(scale − 1)² + |bias|²] by Newton's method. The ridge keeps separable or few data
    from infinite certainty, and is worth less than one object. The scale stays positive, so that the ranking
    of one logit is kept.

    Args:
        logits: (N,), (N, 1) or (N, K).
        labels: (N,) class numbers; −1 is left out.
        ridge: strength of the pull to the identity, above 0.

    Returns:
        The scale, and the biases (1,) or (K,), which sum to 0.

    Raises:
        DataError: no labelled object, one class only, or logits that are not finite.
    """
    x, y = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise DataError(f"calibration needs logits (N, K) and labels (N,) and got {x.shape} and {y.shape}.")
    x, y = x[y >= 0], y[y >= 0]
    if not np.isfinite(x).all():
        raise DataError("a logit is not finite; look for objects without a valid pixel, or train again.")
    if len(np.unique(y)) < 2:
        raise DataError(
            f"calibration needs labelled objects of two classes or more and got classes {np.unique(y).tolist()}; "
            f"enlarge the validation split (data.val_fraction) or choose another data.split_seed."
        )
    single = x.shape[1] == 1
    if single:
        x = np.hstack([np.zeros_like(x), x])  # one logit is the softmax of (0, x)
    if y.max() >= x.shape[1]:
        raise DataError(f"label {int(y.max())} has no logit among {x.shape[1]} classes; check data.classes.")
    truth = np.eye(x.shape[1])[y]
    biases = np.arange(1, x.shape[1] + 1)[single:]  # places of the free biases among (scale, bias_0, ...)
    theta = _newton(x, truth, np.concatenate([[0], biases]), ridge, _identity(x.shape[1]))
    if theta[0] < LEAST_SCALE:
        start = _identity(x.shape[1])
        start[0] = LEAST_SCALE
        theta = _newton(x, truth, biases, ridge, start)
    return float(theta[0]), theta[biases]


def _identity(n_classes: int) -> Floats:
    return np.concatenate([[1.0], np.zeros(n_classes)])


def _newton(x: Floats, truth: Floats, free: Ints, ridge: float, start: Floats) -> Floats:
    """Minimise over the ``free`` entries of theta = (scale, biases); convex, with steps halved as needed."""
    centre = _identity(x.shape[1])

    def objective(theta: Floats) -> tuple[float, Floats]:
        z = theta[0] * x + theta[1:]
        z = z - z.max(1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
        penalty = ridge * ((theta - centre) ** 2)[free].sum() / 2
        return float(-(truth * log_p).sum() + penalty), np.exp(log_p)

    theta = start.copy()
    value, p = objective(theta)
    for _ in range(100):
        mean = (p * x).sum(1, keepdims=True)  # (N, 1)
        residual = p - truth
        gradient = np.concatenate([[(residual * x).sum()], residual.sum(0)]) + ridge * (theta - centre)
        cross = (p * (x - mean)).sum(0)
        hessian = np.block(
            [
                [np.full((1, 1), (p * (x - mean) ** 2).sum()), cross[None]],
                [cross[:, None], np.diag(p.sum(0)) - p.T @ p],
            ]
        )
        hessian += ridge * np.eye(len(theta))
        step = np.zeros_like(theta)
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        decrease = float(gradient @ step)
        if decrease < 1e-12 * (1 + abs(value)):
            break
        length = 1.0
        while length > 1e-10:
            new_value, new_p = objective(theta - length * step)
            if new_value <= value - 1e-4 * length * decrease:
                break
            length /= 2
        else:
            break  # no step of any length helps: rounding has been reached
        theta, value, p = theta - length * step, new_value, new_p
    return theta
