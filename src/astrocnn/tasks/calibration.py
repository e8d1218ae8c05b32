"""Calibration of probabilities, fitted on the validation split and stored in the checkpoint."""

import numpy as np
import torch
from torch import Tensor, nn

from astrocnn.functional.calibration import fit_affine_calibration

__all__ = ["Calibration"]


class Calibration(nn.Module):
    """logits · scale + bias: Platt scaling for one logit, temperature and per-class bias for K.

    Starts as the identity. Platt 1999, *Advances in Large Margin Classifiers*; Guo+17, arXiv:1706.04599.

    Args:
        n_outputs: number of logits.
    """

    scale: Tensor
    bias: Tensor

    def __init__(self, *, n_outputs: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("bias", torch.zeros(n_outputs))

    def fit(self, logits: np.ndarray, labels: np.ndarray) -> None:
        """Minimise the negative log-likelihood of ``labels`` (N,) given ``logits`` (N, n_outputs)."""
        scale, bias = fit_affine_calibration(logits, labels)
        self.scale.fill_(float(scale))
        self.bias.copy_(torch.as_tensor(bias, dtype=self.bias.dtype).reshape(self.bias.shape))

    def forward(self, logits: Tensor) -> Tensor:
        """Calibrated logits, of the shape (B, n_outputs) that came."""
        return logits.float() * self.scale + self.bias
