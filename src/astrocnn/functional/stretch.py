"""Stretches: monotonic maps that compress the range of flux, in units of the noise."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["STRETCHES", "asinh"]


def asinh(x: Tensor) -> Tensor:
    """The inverse hyperbolic sine; without a gradient on a CPU from log1p, which there takes many numbers at a time.

    With t = 1 / |x| it is sign(x)·log(1 + |x| + |x| / (t + √(t² + 1))), to two units in the last place of float32.
    """
    if x.device.type != "cpu" or x.requires_grad or not x.is_floating_point():
        return torch.asinh(x)
    size = x.abs()
    t = size.reciprocal()
    rest = size / (t * t).add_(1).sqrt_().add_(t)
    return rest.add_(size).log1p_().copysign_(x)


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
    "asinh": asinh,  # Lupton, Gunn & Szalay 1999, AJ 118, 1406
    "linear": linear,
    "log": signed_log,
    "sqrt": signed_sqrt,
}
