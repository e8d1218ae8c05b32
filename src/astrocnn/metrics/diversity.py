"""How well the samples of a network with latent variables spread, as a metric."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from astrocnn.errors import ConfigError
from astrocnn.functional.diversity import generalised_energy_distance

__all__ = ["GeneralisedEnergyDistance"]


class GeneralisedEnergyDistance(Metric):
    """Mean over images of the squared generalised energy distance of samples and truths.

    See :func:`astrocnn.functional.diversity.generalised_energy_distance`. NaN before the first image.

    Args:
        n_classes: K with the background, at least 2.
        options: those of :class:`torchmetrics.Metric`.

    Raises:
        ConfigError: ``n_classes`` below 2.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    total: Tensor
    n_images: Tensor

    def __init__(self, *, n_classes: int, **options: Any) -> None:
        super().__init__(**options)
        if n_classes < 2:
            raise ConfigError(f"n_classes={n_classes} must be at least 2, the background among them.")
        self.n_classes = n_classes
        self.add_state("total", default=torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("n_images", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, samples: Tensor, class_map: Tensor) -> None:
        """Add sampled class maps (S, B, H, W) and the true ones, (B, H, W) or several (Y, B, H, W), −1 unknown."""
        truths = class_map[None] if class_map.ndim == samples.ndim - 1 else class_map
        distance = generalised_energy_distance(samples, truths, n_classes=self.n_classes)
        self.total += distance.sum()
        self.n_images += len(distance)

    def compute(self) -> Tensor:
        """The mean, a scalar float32."""
        return self.total / self.n_images
