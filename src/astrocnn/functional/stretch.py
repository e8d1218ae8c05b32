"""Stretches: monotonic maps that compress the range of flux, in units of the noise."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["STRETCHES"]


def linear(x: Tensor) -> Tensor:
    """The identity."""
    return x


def signed_log(x: Tensor) -> Tensor:
    """sign(x)·log(1 + |x|): linear below the noise, logarithmic above, defined for negative flux."""
    return x.sign() * x.abs().log1p()


def signed_sqrt(x: Tensor) -> Tensor:
    """sign(x)·√|x|."""
    return x.sign() * x.abs().sqrt()


STRETCHES: dict[str, Callable[[Tensor], Tensor]] = {
    "asinh": torch.asinh,  # Lupton, Gunn & Szalay 1999, AJ 118, 1406
    "linear": linear,
    "log": signed_log,
    "sqrt": signed_sqrt,
}
