"""The loss of Morpheus."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.losses.cross_entropy import IGNORED, check_labels, weighted_mean
from astrocnn.losses.pixel_cross_entropy import check_maps

__all__ = ["Morpheus"]


class Morpheus(nn.Module):
    """Cross-entropy balanced within the batch, and the Dice of the background (Hausen & Robertson 20, ApJS 248, 20).

    L = ⟨H / f[y]⟩ + 1 − ⟨2 Σ g b / Σ (g + b)⟩

    The first mean is over the batch's labelled pixels: H is the cross-entropy, f[y] the mean over the batch of
    the probability of the pixel's dominant class, which for one class a pixel is that class's fraction of the
    pixels. The second is over images: b is the sigmoid of the background's logit, g the true background.

    Args:
        background: number of the background's class.

    Raises:
        ConfigError: ``background`` below 0.
    """

    reads = "class_map"

    def __init__(self, *, background: int = 0) -> None:
        super().__init__()
        if background < 0:
            raise ConfigError(f"background={background} must be the number of a class, 0 or more.")
        self.background = background

    def forward(self, logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
        """The loss, a scalar float32; 0, with gradients of 0, where no pixel has a label.

        Args:
            logits: (B, K, H, W), any floating dtype; computed in float32.
            label: (B, H, W) int64 class map, −1 where unknown.
            weight: (B,) sample weights, or None for equal ones.

        Raises:
            ConfigError: as :func:`astrocnn.losses.pixel_cross_entropy.check_maps`; labels or ``background``
                beyond the classes.
        """
        check_maps(logits, label)
        check_labels(label, n_classes := logits.shape[1], None)
        if self.background >= n_classes:
            raise ConfigError(
                f"background={self.background} is none of {n_classes} classes; choose 0 to {n_classes - 1} "
                f"(loss.background=...)."
            )
        logits = logits.float()
        known = (label != IGNORED).float()
        n_pixels = torch.bincount((label + 1).flatten(), minlength=n_classes + 1)[1:]  # (K,)
        inverse = known.sum() / n_pixels.clamp(min=1)
        losses = F.cross_entropy(logits, label, weight=inverse, ignore_index=IGNORED, reduction="none")
        b = torch.sigmoid(logits[:, self.background]) * known
        g = (label == self.background).float()
        overlap, sizes = (g * b).flatten(1).sum(1), (g + b).flatten(1).sum(1)  # (B,)
        dice = overlap / torch.where(sizes > 0, sizes / 2, 1.0)
        labelled = known.flatten(1).amax(1)
        return weighted_mean(losses, known, weight) + weighted_mean((1 - dice) * labelled, labelled, weight)
