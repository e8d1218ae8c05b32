"""The 3-D U-Net (Çiçek+16, arXiv:1606.06650): raw outputs for every voxel of a volume, at its own resolution."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, convolutions, padded_to_multiple
from astrocnn.networks.field import CONV3, COPIES, POOL, half_field

__all__ = ["UNet3d"]


class UNet3d(nn.Module):
    """Two 3×3×3 convolutions a level, of which the second doubles the width, max pooling; the same way up again.

    On the way up a transposed convolution of 2×2×2 keeps the width, the finer map of the level is joined, and two
    convolutions have that map's width. They are padded, so that the maps have the volume's size; the paper's are not,
    and give 44×44×28 voxels of 132×132×116.

    The paper counts 19,069,955 parameters with 3 bands and 3 outputs: 19,067,424 weights of convolutions and transposed
    ones, 195 numbers of the last convolution, and one number for each of the 2,336 maps of the 3×3×3 convolutions.
    That is this network with ``width=32, batch_norm=False``, where the number is the bias. With batch normalisation a
    map has a scale and a shift instead: 19,069,955 + 2,336 = 19,072,291.

    Args:
        in_channels: number of fields of the volume.
        n_outputs: number of maps of raw outputs (fluxes, logits).
        depth: number of poolings.
        width: channels of the first convolution; 32 in the paper.
        batch_norm: normalise each convolution's output (Ioffe & Szegedy 15), as in the paper.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`).

    Attributes:
        multiple: voxels of a side that are one of the deepest map, ``2**depth``.
        half_field: how far beyond a window an input can change what comes out in it, in voxels, when the window begins
            and ends at multiples of ``multiple``.

    Raises:
        ConfigError: an option is none of these; volumes of another number of bands, or with a side below ``2**depth``.
    """

    input_shape = (1, 24, 24, 24)
    per_pixel = True

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        depth: int = 3,
        width: int = 8,
        batch_norm: bool = True,
        init: str = "he",
    ) -> None:
        super().__init__()
        if depth < 1 or width < 1:
            raise ConfigError(f"depth={depth} and width={width}: a U-Net has at least 1 of each.")
        self.in_channels = in_channels
        widths = [2 * width * 2**level for level in range(depth + 1)]  # of the levels' second convolutions
        self.down = nn.ModuleList(
            convolutions(n_in, n // 2, n, batch_norm=batch_norm, dimensions=3)
            for n_in, n in pairwise([in_channels, *widths])
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(n, n, 2, stride=2, bias=False) for n in reversed(widths[1:])
        )
        self.join = nn.ModuleList(
            convolutions(n + 2 * n, n, n, batch_norm=batch_norm, dimensions=3) for n in reversed(widths[:-1])
        )
        self.head = nn.Conv3d(widths[0], n_outputs, 1)
        pair = (CONV3, CONV3)
        self.multiple = self.least_size = int(2**depth)
        self.half_field = half_field((*pair, *depth * (POOL, *pair), *depth * (COPIES, *pair)), self.multiple)
        initialise(self, init)

    def forward(self, volumes: Tensor) -> Tensor:
        """Maps (B, n_outputs, D, H, W) of volumes (B, C, D, H, W); sides are padded with zeros to a ``multiple``.

        Raises:
            ConfigError: volumes of another number of bands, or too small.
        """
        check_images(
            volumes, network="UNet3d", in_channels=self.in_channels, least=self.least_size, dimensions=3
        )
        depth, height, width = volumes.shape[2:]
        x, skips = self.down[0](padded_to_multiple(volumes, self.multiple)), []
        for level in self.down[1:]:
            skips.append(x)
            x = level(nn.functional.max_pool3d(x, 2))  # (B, 2w, D/2, H/2, W/2)
        for enlarge, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([skips.pop(), enlarge(x)], dim=1))  # (B, w/2, 2D, 2H, 2W)
        maps: Tensor = self.head(x)
        return maps[..., :depth, :height, :width]
