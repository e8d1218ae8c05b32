"""Cross-entropy of every pixel."""

from torch import Tensor

from astrocnn.errors import ConfigError
from astrocnn.losses.cross_entropy import CrossEntropy, check_labels

__all__ = ["PixelCrossEntropy", "check_maps"]


class PixelCrossEntropy(CrossEntropy):
    """Mean cross-entropy over all labelled pixels of a batch: that of :class:`CrossEntropy`, a pixel an object.

    An image that holds more labelled pixels counts for more. ``class_weights`` that balance the classes' pixels
    ('balanced' in the configuration) raise the recall of rare classes and spoil the probabilities.

    Args:
        options: ``class_weights`` and ``label_smoothing`` of :class:`CrossEntropy`.
    """

    reads = "class_map"

    def forward(self, logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean loss, a scalar float32; 0, with gradients of 0, where no pixel has a label.

        Args:
            logits: (B, K, H, W), or (B, K, D, H, W) of volumes, any floating dtype; computed in float32.
            label: (B, H, W) int64 class map, −1 where unknown.
            weight: (B,) sample weights, or None for equal ones.

        Raises:
            ConfigError: as :func:`check_maps` and :class:`CrossEntropy`.
        """
        check_maps(logits, label)
        check_labels(label, logits.shape[1], self.class_weights)
        return self.mean(logits.float(), label, weight)


def check_maps(logits: Tensor, label: Tensor) -> None:
    """Logits (B, K, ...) and class maps (B, ...) must have one shape but for the K ≥ 2 classes.

    Raises:
        ConfigError: they do not.
    """
    if logits.ndim < 3 or logits.shape[1] < 2 or logits.shape[:1] + logits.shape[2:] != label.shape:
        raise ConfigError(
            f"logits of maps are (B, K, H, W) with K ≥ 2 and class maps (B, H, W); these are "
            f"{tuple(logits.shape)} and {tuple(label.shape)}. Choose a network of maps (model=unet) and a loss of "
            f"pixels (loss=pixel_cross_entropy)."
        )
