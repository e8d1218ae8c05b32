"""The inception network for photometric redshifts of Pasquet et al. 2019."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, check_size, sides_of_at_least, with_scalars

__all__ = ["Inception", "Pasquet"]

HIDDEN = 1096  # units of each dense layer
BIAS = 0.1  # of every layer at the beginning


class Inception(nn.Module):
    """Four branches side by side: 1×1; 1×1 and 5×5; 1×1 and 3×3; 1×1 and a mean of 2×2 pixels.

    (B, C, H, W) → (B, 3 wide + narrow, H, W), without the branch of 5×5 (B, 2 wide + narrow, H, W). Each convolution
    is followed by a PReLU with a slope for each channel.

    Args:
        in_channels: C.
        narrow: channels of the 1×1 convolutions before another layer.
        wide: channels of the others.
        five: whether there is the branch of 5×5.
    """

    def __init__(self, in_channels: int, narrow: int, wide: int, *, five: bool = True) -> None:
        super().__init__()
        self.one = _convolution(in_channels, wide, 1)
        self.five = (
            nn.Sequential(_convolution(in_channels, narrow, 1), _convolution(narrow, wide, 5))
            if five
            else None
        )
        self.three = nn.Sequential(_convolution(in_channels, narrow, 1), _convolution(narrow, wide, 3))
        self.mean = _convolution(in_channels, narrow, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The branches, joined along the channels."""
        # Copies of the last row and column leave the mean of the pixels that are there.
        mean = F.avg_pool2d(F.pad(self.mean(x), (0, 1, 0, 1), mode="replicate"), 2, stride=1)
        branches = [self.one(x), *([] if self.five is None else [self.five(x)]), self.three(x), mean]
        return torch.cat(branches, dim=1)


class Pasquet(nn.Module):
    """Inception network for redshifts (Pasquet+19, A&A 621, A26, arXiv:1806.06607).

    A convolution of 5×5, five inception modules between means of 2×2 pixels that halve the image three times, and two
    dense layers, before which further numbers of each object, in the paper E(B−V), join. 27,596,372 parameters with 5
    bands, 64×64 pixels, one scalar and 180 outputs.

    Args:
        in_channels: number of bands.
        n_outputs: number of raw outputs.
        image_size: rows and columns in pixels.
        n_scalars: further numbers of each object.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`); the paper's is Glorot's,
            with all biases 0.1.

    Raises:
        ConfigError: images of another number of bands or another size; no scalars where they are needed.
    """

    input_shape = (5, 64, 64)
    takes = ("scalars",)
    least_size = 8

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        image_size: int | Sequence[int] = 64,
        n_scalars: int = 0,
        init: str = "glorot",
    ) -> None:
        super().__init__()
        self.in_channels, self.n_scalars = in_channels, n_scalars
        self.size = sides_of_at_least(self.least_size, image_size, network="Pasquet")
        self.layers = nn.Sequential(
            _convolution(in_channels, 64, 5),
            _halve(),
            Inception(64, 48, 64),
            Inception(240, 64, 92),
            _halve(),
            Inception(340, 92, 128),
            Inception(476, 92, 128),
            _halve(),
            Inception(476, 92, 128, five=False),
        )
        height, width = (-(-side // 8) for side in self.size)
        self.dense = nn.Sequential(
            nn.Linear(348 * height * width + n_scalars, HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, n_outputs),
        )  # fmt: skip
        initialise(self, init)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
                nn.init.constant_(layer.bias, BIAS)

    def forward(self, images: Tensor, scalars: Tensor | None = None) -> Tensor:
        """Raw outputs (B, n_outputs) of images (B, C, H, W) and scalars (B, S), both normalised."""
        check_images(images, network="Pasquet", in_channels=self.in_channels, least=self.least_size)
        check_size(images, self.size, network="Pasquet")
        x = self.layers(images).flatten(1)  # (B, 348 · H/8 · W/8)
        raw: Tensor = self.dense(with_scalars(x, scalars, self.n_scalars, network="Pasquet"))
        return raw


def _convolution(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2), nn.PReLU(out_channels)
    )


def _halve() -> nn.AvgPool2d:
    """The mean of 2×2 pixels, of those that there are at the edge."""
    return nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
