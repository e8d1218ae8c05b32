"""Losses of maps, pixel by pixel: only pixels whose target is valid count."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from astrocnn.errors import ConfigError

__all__ = ["ImageBCE", "ImageHuber", "ImageL1", "ImageL2", "ImageLoss"]


class ImageLoss(nn.Module):
    """Mean of a pixel's loss over the valid pixels of a batch: L = Σ w p v ℓ / Σ w p v.

    v is 1 where the target is valid, p the weight of the plane and w that of the image.

    Args:
        plane_weights: one weight a plane of the target, or None for equal ones.

    Attributes:
        bounded: whether the outputs are logits of values from 0 to 1.

    Raises:
        ConfigError: weights that are negative or not finite.
    """

    reads: ClassVar[str] = "target_image"
    bounded: ClassVar[bool] = False
    plane_weights: Tensor | None

    def __init__(self, *, plane_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = None if plane_weights is None else torch.as_tensor(plane_weights, dtype=torch.float32)
        if weights is not None and not bool(((weights >= 0) & weights.isfinite()).all()):
            raise ConfigError(f"loss.plane_weights={plane_weights} must be one number ≥ 0 a plane.")
        # The options say the weights, so that the checkpoint need not.
        self.register_buffer("plane_weights", weights, persistent=False)

    @abstractmethod
    def of_pixels(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss of each pixel, of float32 tensors of one shape."""

    def forward(self, outputs: Tensor, target: Tensor, valid: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean loss, a scalar float32; 0, with gradients of 0, where no pixel is valid.

        Args:
            outputs: (B, K, ...), any floating dtype; computed in float32.
            target: of that shape, in the scale of the outputs; what it holds where it is not valid does not matter.
            valid: bool, of that shape.
            weight: (B,) weights of the images, or None for equal ones.

        Raises:
            ConfigError: shapes, or a number of plane weights, that do not go together.
        """
        if not outputs.shape == target.shape == valid.shape:
            raise ConfigError(
                f"outputs {tuple(outputs.shape)}, target {tuple(target.shape)} and its validity "
                f"{tuple(valid.shape)} must have one shape."
            )
        losses = self.of_pixels(outputs.float(), torch.where(valid, target.float(), 0))
        share = valid.float()
        if self.plane_weights is not None:
            if len(self.plane_weights) != outputs.shape[1]:
                raise ConfigError(
                    f"loss.plane_weights has {len(self.plane_weights)} numbers for {outputs.shape[1]} planes; give "
                    "one a plane."
                )
            share = share * self.plane_weights.view(-1, *[1] * (outputs.ndim - 2))
        if weight is not None:
            share = share * weight.view(-1, *[1] * (outputs.ndim - 1))
        total = share.sum()
        return (losses * share).sum() / torch.where(total > 0, total, 1.0)


class ImageL1(ImageLoss):
    """|y − t|: the network predicts the median."""

    def of_pixels(self, outputs: Tensor, target: Tensor) -> Tensor:
        """As of :class:`ImageLoss`."""
        return (outputs - target).abs()


class ImageL2(ImageLoss):
    """(y − t)²: the network predicts the mean."""

    def of_pixels(self, outputs: Tensor, target: Tensor) -> Tensor:
        """As of :class:`ImageLoss`."""
        return (outputs - target).square()


class ImageHuber(ImageLoss):
    """(y − t)²/2 up to |y − t| = δ and δ (|y − t| − δ/2) beyond (Huber 1964, doi:10.1214/aoms/1177703732).

    Args:
        delta: δ, in deviations of the scaled target.
        plane_weights: see :class:`ImageLoss`.

    Raises:
        ConfigError: δ is not above 0.
    """

    def __init__(self, *, delta: float = 1.0, plane_weights: Sequence[float] | None = None) -> None:
        super().__init__(plane_weights=plane_weights)
        if delta <= 0:
            raise ConfigError(f"loss.delta={delta} must be above 0.")
        self.delta = delta

    def of_pixels(self, outputs: Tensor, target: Tensor) -> Tensor:
        """As of :class:`ImageLoss`."""
        return F.huber_loss(outputs, target, reduction="none", delta=self.delta)


class ImageBCE(ImageLoss):
    """−t log p − (1 − t) log(1 − p), p the sigmoid of the output, for targets from 0 to 1.

    The negative log-likelihood of Bernoulli pixels, the reconstruction term of the deblender of Arcelin+21
    (arXiv:2005.12039); needs ``task.target_scale.bounded=true``.
    """

    bounded = True

    def of_pixels(self, outputs: Tensor, target: Tensor) -> Tensor:
        """As of :class:`ImageLoss`."""
        return F.binary_cross_entropy_with_logits(outputs, target, reduction="none")
