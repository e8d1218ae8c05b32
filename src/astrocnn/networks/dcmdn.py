"""The deep convolutional mixture-density network of D'Isanto & Polsterer 2018."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, check_size, sides_of_at_least, with_scalars

__all__ = ["DCMDN"]


class DCMDN(nn.Module):
    """Three convolutions and two dense layers on bands and their pairwise differences (arXiv:1706.02467).

    The C bands and their C (C − 1) / 2 differences are the channels of the first convolution. 4,757,907 parameters with
    5 bands of 16×16 pixels and 15 outputs (5 Gaussians), as for quasars.

    Args:
        in_channels: number of bands.
        n_outputs: number of raw outputs.
        image_size: rows and columns in pixels.
        n_scalars: further numbers of each object, which join before the dense layers (the paper has none).
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`).

    Raises:
        ConfigError: images of another number of bands or another size; no scalars where they are needed.
    """

    input_shape = (5, 28, 28)
    takes = ("scalars",)
    least_size = 12

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        image_size: int | Sequence[int] = 28,
        n_scalars: int = 0,
        init: str = "glorot",
    ) -> None:
        super().__init__()
        self.in_channels, self.n_scalars = in_channels, n_scalars
        self.size = sides_of_at_least(self.least_size, image_size, network="DCMDN")
        pairs = list(combinations(range(in_channels), 2))
        self.first, self.second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels + len(pairs), 256, 3), nn.Tanh(), nn.MaxPool2d(2),
            nn.Conv2d(256, 512, 2), nn.Tanh(), nn.MaxPool2d(2),
            nn.Conv2d(512, 1024, 2), nn.ReLU(),
        )  # fmt: skip
        height, width = ((((side - 2) // 2) - 1) // 2 - 1 for side in self.size)
        self.dense = nn.Sequential(
            nn.Linear(1024 * height * width + n_scalars, 500), nn.ReLU(),
            nn.Linear(500, 100), nn.ReLU(),
            nn.Linear(100, n_outputs),
        )  # fmt: skip
        initialise(self, init)

    def forward(self, images: Tensor, scalars: Tensor | None = None) -> Tensor:
        """Raw outputs (B, n_outputs) of images (B, C, H, W) and scalars (B, S), both normalised."""
        check_images(images, network="DCMDN", in_channels=self.in_channels, least=self.least_size)
        check_size(images, self.size, network="DCMDN")
        differences = images[:, self.first] - images[:, self.second]  # (B, C (C − 1) / 2, H, W)
        x = self.layers(torch.cat([images, differences], dim=1)).flatten(1)  # (B, 1024 · height · width)
        raw: Tensor = self.dense(with_scalars(x, scalars, self.n_scalars, network="DCMDN"))
        return raw
