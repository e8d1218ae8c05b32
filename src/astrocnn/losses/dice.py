"""Soft Dice coefficients as a loss."""

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.losses.cross_entropy import IGNORED, check_labels
from astrocnn.losses.pixel_cross_entropy import check_maps

__all__ = ["Dice"]


class Dice(nn.Module):
    """1 − the mean over classes of the soft Dice coefficient (Milletari+16, V-Net, arXiv:1606.04797).

    D_k = (2 Σ v p_k g_k + s) / (Σ v p_k² + Σ v g_k² + s)

    with p the softmax, g the one-hot truth and v the sample weights. The sums are over all labelled pixels of
    the batch, not of an image, in which a class may be absent. A class that the whole batch lacks has
    D = s / (Σ v p² + s): what is taken for it still costs.

    Args:
        background: whether class 0 counts among the classes.
        smooth_pix: s, above 0.

    Raises:
        ConfigError: ``smooth_pix`` not above 0.
    """

    reads = "class_map"

    def __init__(self, *, background: bool = True, smooth_pix: float = 1.0) -> None:
        super().__init__()
        if not smooth_pix > 0:
            raise ConfigError(f"smooth_pix={smooth_pix} must be above 0; 1 pixel serves most images.")
        self.first = 0 if background else 1
        self.smooth_pix = smooth_pix

    def forward(self, logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
        """The loss, a scalar float32 in [0, 1]; 0, with gradients of 0, where no pixel has a label.

        Args:
            logits: (B, K, H, W), or (B, K, D, H, W) of volumes, any floating dtype; computed in float32.
            label: (B, H, W) int64 class map, −1 where unknown.
            weight: (B,) sample weights, or None for equal ones.

        Raises:
            ConfigError: as :func:`astrocnn.losses.pixel_cross_entropy.check_maps`, or labels beyond the classes.
        """
        check_maps(logits, label)
        check_labels(label, logits.shape[1], None)
        classes = torch.arange(logits.shape[1], device=label.device)
        label = label.flatten(1)[:, None]  # (B, 1, P)
        of_class = label == classes[:, None]  # (B, K, P)
        p = torch.softmax(logits.float(), 1).flatten(2)
        p = torch.where(label != IGNORED, p, 0)
        overlap = torch.where(of_class, p, 0).sum(2)  # (B, K)
        sizes = p.square().sum(2) + of_class.sum(2)
        if weight is not None:
            overlap, sizes = overlap * weight[:, None], sizes * weight[:, None]
        dice = (2 * overlap.sum(0) + self.smooth_pix) / (sizes.sum(0) + self.smooth_pix)  # (K,)
        return 1 - dice[self.first :].mean()
