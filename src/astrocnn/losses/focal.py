"""The focal loss."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.losses.cross_entropy import check_labels, checked_weights, shares, weighted_mean
from astrocnn.losses.pixel_cross_entropy import check_maps

__all__ = ["Focal"]


class Focal(nn.Module):
    """Mean focal loss over all labelled pixels of a batch (Lin+17, arXiv:1708.02002), of a softmax of K classes.

    L = Σ v w[y] (1 − p[y])^γ (−log p[y]) / Σ v w[y]

    with sample weights v and class weights w (the paper's α). Pixels that are easy, most of the sky, count for
    little. γ = 0 is :class:`astrocnn.losses.pixel_cross_entropy.PixelCrossEntropy`.

    Args:
        gamma: γ, at least 0.
        class_weights: one weight per class, or None for equal ones. 'balanced' in the configuration becomes
            N / (K n_k) of the training split's pixels before this class is made.

    Raises:
        ConfigError: options outside these ranges.
    """

    reads = "class_map"
    class_weights: Tensor | None

    def __init__(self, *, gamma: float = 2.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        if not gamma >= 0:
            raise ConfigError(f"gamma={gamma} must be at least 0, which is plain cross-entropy.")
        self.gamma = gamma
        self.register_buffer("class_weights", checked_weights(class_weights), persistent=False)

    def forward(self, logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean loss, a scalar float32; 0, with gradients of 0, where no pixel has a label.

        Args:
            logits: (B, K, H, W), or (B, K, D, H, W) of volumes, any floating dtype; computed in float32.
            label: (B, H, W) int64 class map, −1 where unknown.
            weight: (B,) sample weights, or None for equal ones.

        Raises:
            ConfigError: as :func:`astrocnn.losses.pixel_cross_entropy.check_maps`; class weights or labels
                beyond the classes.
        """
        check_maps(logits, label)
        check_labels(label, logits.shape[1], self.class_weights)
        log_p = torch.log_softmax(logits.float(), 1)
        log_p = log_p.gather(1, label.clamp(min=0)[:, None])[:, 0]  # (B, H, W), of the true class
        share = shares(label, self.class_weights)
        # expm1 keeps the digits of 1 − p where p is near 1; a power of exactly 0 has no gradient for γ < 1.
        miss = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        losses = miss**self.gamma * -log_p * share
        return weighted_mean(losses, share, weight)
