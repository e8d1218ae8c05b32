"""Morpheus (Hausen & Robertson 2020, ApJS 248, 20): a narrow U-Net that classifies every pixel of an image."""

import torch
from torch import Tensor, nn

from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, padded_to_multiple
from astrocnn.networks.field import BICUBIC, CONV3, POOL, half_field

__all__ = ["Morpheus"]

WIDTHS = (8, 16, 32)  # of the levels, and again of those on the way up, in this order


class Morpheus(nn.Module):
    """Three levels of four blocks down, one block of 16 channels in the middle, three levels of two blocks up.

    A block normalises its input over the batch, then convolves it by 3×3, with ReLU and dropout. On the way up the
    map is enlarged by bicubic interpolation and joined to the one of its level. With 4 bands and 5 outputs
    75,421 parameters and 760 running statistics, as the paper's network.

    The paper enlarges with ``align_corners=True``: the first and last pixels of both maps stand on one another, and
    those between are displaced by up to half a coarse pixel, by an amount that depends on the size of the image.
    Windows of an image then do not give what the whole image does; by default every pixel keeps its place.

    Args:
        in_channels: number of bands.
        n_outputs: number of maps of raw outputs (logits), of the image's size.
        dropout: probability of dropping a value, in every block.
        align_corners: enlarge as the paper does.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`).

    Attributes:
        multiple: pixels of an image that are one of the deepest map.
        half_field: how far beyond a window an input can change what comes out in it, in pixels, when the window begins
            and ends at multiples of ``multiple``; None with ``align_corners``, for no distance is enough.

    Raises:
        ConfigError: another ``init``; images of another number of bands, or smaller than 8×8 pixels.
    """

    input_shape = (4, 40, 40)
    per_pixel = True
    multiple = 2 ** len(WIDTHS)
    least_size = multiple  # one pixel in the middle

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        dropout: float = 0.5,
        align_corners: bool = False,
        init: str = "glorot",
    ) -> None:
        super().__init__()
        self.in_channels, self.align_corners = in_channels, align_corners
        widths = (in_channels, *WIDTHS)
        self.down = nn.ModuleList(
            _blocks(n_in, n, 4, dropout) for n_in, n in zip(widths, WIDTHS, strict=False)
        )
        self.middle = _blocks(WIDTHS[-1], 16, 1, dropout)
        of_skips = WIDTHS[::-1]
        self.up = nn.ModuleList(
            _blocks(n_in + skip, n, 2, dropout)
            for n_in, skip, n in zip((16, *WIDTHS), of_skips, WIDTHS, strict=False)
        )
        self.head = nn.Conv2d(WIDTHS[-1], n_outputs, 3, padding=1)
        path = (*3 * (*4 * (CONV3,), POOL), CONV3, *3 * (BICUBIC, CONV3, CONV3), CONV3)
        self.half_field = None if align_corners else half_field(path, self.multiple)
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, n_outputs, H, W) of images (B, C, H, W); sizes that are no multiple of 8 are padded with zeros.

        Raises:
            ConfigError: images of another number of bands, or too small.
        """
        check_images(images, network="Morpheus", in_channels=self.in_channels, least=self.least_size)
        height, width = images.shape[2:]
        x, skips = padded_to_multiple(images, self.multiple), []
        for level in self.down:
            x = level(x)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.middle(x)  # (B, 16, H/8, W/8)
        for level in self.up:
            x = nn.functional.interpolate(x, scale_factor=2, mode="bicubic", align_corners=self.align_corners)
            x = level(torch.cat([skips.pop(), x], dim=1))
        maps: Tensor = self.head(x)
        return maps[..., :height, :width]


def _blocks(n_in: int, n: int, how_many: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (n_in, *[n] * (how_many - 1)):
        layers += [nn.BatchNorm2d(channels), nn.Conv2d(channels, n, 3, padding=1), nn.ReLU(inplace=True)]
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)
