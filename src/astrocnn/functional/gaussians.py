"""Gaussians of independent variables: draws that gradients pass through, and the divergence of one from another."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Gaussian", "begin_with_unit_deviations"]


class Gaussian(NamedTuple):
    """Means and logarithms of standard deviations, (B, n) each."""

    mean: Tensor
    log_std: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "Gaussian":
        """From (B, 2n): the means, then the logarithms; at least in single precision."""
        mean, log_std = values.to(torch.promote_types(values.dtype, torch.float32)).chunk(2, dim=1)
        return cls(mean, log_std)

    def draw(self) -> Tensor:
        """One value of each variable (B, n), as mean + std · noise (Kingma & Welling 13, arXiv:1312.6114)."""
        return self.mean + self.log_std.exp() * torch.randn_like(self.mean)

    def divergence(self, other: "Gaussian | None" = None) -> Tensor:
        """Kullback–Leibler divergence KL(self ‖ other) of each row (B,), in nats; None is the unit Gaussian.

        ln(s'/s) + (s² + (m − m')²) / (2 s'²) − ½, summed over the variables.
        """
        mean, log_std = other or (self.mean.new_zeros(()), self.log_std.new_zeros(()))
        ratio = self.log_std - log_std  # of the standard deviations, so that neither s² nor s'² can underflow
        distance = (self.mean - mean) * torch.exp(-log_std)
        return (torch.expm1(2 * ratio) / 2 - ratio + distance.square() / 2).sum(dim=1)


@torch.no_grad()
def begin_with_unit_deviations(head: nn.Linear) -> None:
    """Zero the part of a layer that gives the logarithms of :meth:`Gaussian.of`.

    Otherwise a bright image may overflow the exponential of weights that have learned nothing yet.
    """
    half = head.out_features // 2
    head.weight[half:].zero_()
    head.bias[half:].zero_()
