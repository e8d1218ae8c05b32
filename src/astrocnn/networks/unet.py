"""The U-Net (Ronneberger+15, arXiv:1505.04597): one raw output for every pixel, at the image's own resolution."""

from collections.abc import Callable
from itertools import count, pairwise

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError, choose
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, convolutions, middle_of, padded_to_multiple
from astrocnn.networks.field import BILINEAR, CONV3, COPIES, POOL, Layer, half_field

__all__ = ["UNet"]


class UNet(nn.Module):
    """A contracting path, an expanding path of the same depth, and the finer maps carried across.

    At every level two 3×3 convolutions, then 2×2 max pooling that doubles the width; on the way up the map is
    doubled in size and halved in width, and joined to the one of its level. The paper's network is
    ``width=64, padding='valid', batch_norm=False``: 31,030,658 parameters with 1 band and 2 outputs, 572² pixels to
    388². The default is a quarter as wide.

    Args:
        in_channels: number of bands.
        n_outputs: number of maps of raw outputs (logits, fluxes).
        depth: number of poolings.
        width: channels of the first level.
        padding: 'same' gives maps of the image's size, whatever that is (it is padded with zeros and the maps are
            cropped back); 'valid' uses no padding, so that the maps lose :attr:`border` pixels on each side.
        upsampling: 'transposed' convolution of 2×2; 'nearest', copies followed by a 3×3 convolution, free of its
            checkerboard (Odena+16, doi:10.23915/distill.00003); or 'bilinear' and a 3×3 convolution.
        batch_norm: normalise each convolution's output (Ioffe & Szegedy 15).
        dropout: probability of dropping a whole map, in the two deepest levels.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`); the paper's is He's.
        upscale: pixels of the maps along one of the image: with r above 1 the last layer gives r² channels a map, which
            become its finer pixels (Shi+16, arXiv:1609.05158).

    Attributes:
        border: how many pixels the maps lose on each side, 92 of the paper's network.
        multiple: pixels of an image that are one of the deepest map, ``2**depth``.
        half_field: how far beyond a window an input can change what comes out in it, in pixels, when the window begins
            and ends at multiples of ``multiple``.

    Raises:
        ConfigError: an option is none of these; images of another number of bands, too small, or, with 'valid', of a
            size that does not divide evenly (the message names the nearest that do).
    """

    input_shape = (4, 128, 128)
    per_pixel = True

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        depth: int = 4,
        width: int = 16,
        padding: str = "same",
        upsampling: str = "transposed",
        batch_norm: bool = True,
        dropout: float = 0.0,
        init: str = "he",
        upscale: int = 1,
    ) -> None:
        super().__init__()
        same = choose("padding", padding, {"same": True, "valid": False})
        enlarge, enlarging = choose("upsampling", upsampling, UPSAMPLING)
        if depth < 1 or width < 1:
            raise ConfigError(f"depth={depth} and width={width}: a U-Net has at least 1 of each.")
        if upscale < 1:
            raise ConfigError(f"upscale={upscale} must be a whole number of pixels, 1 or more.")
        self.in_channels, self.depth, self.same = in_channels, depth, same
        self.around = enlarging.count(CONV3)
        widths = [width * 2**level for level in range(depth + 1)]
        pad = 1 if same else 0
        levels = [
            convolutions(n_in, n, n, padding=pad, batch_norm=batch_norm)
            for n_in, n in pairwise([in_channels, *widths])
        ]
        for level in levels[-2:] if dropout else ():
            level.append(nn.Dropout2d(dropout))
        self.down = nn.ModuleList(levels)
        self.up = nn.ModuleList(enlarge(n, pad) for n in reversed(widths[1:]))
        self.join = nn.ModuleList(
            convolutions(2 * n, n, n, padding=pad, batch_norm=batch_norm) for n in reversed(widths[:-1])
        )
        self.head = nn.Conv2d(width, n_outputs * upscale**2, 1)
        self.upscale = upscale
        pair = (CONV3, CONV3)
        self.multiple = int(2**depth)
        self.half_field = half_field(
            (*pair, *depth * (POOL, *pair), *depth * (*enlarging, *pair)), self.multiple
        )
        self.least_size = self.multiple if same else next(n for n in count(1) if self._output_side(n))
        self.border = 0 if same else (self.least_size - self._output_side(self.least_size)) // 2
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, n_outputs, H, W) of images (B, C, H, W), with ``padding='valid'`` (B, n_outputs, H − 2b, W − 2b).

        With ``upscale`` they have so many times as many rows and columns.

        Raises:
            ConfigError: images that the network cannot take.
        """
        check_images(images, network="UNet", in_channels=self.in_channels, least=self.least_size)
        height, width = images.shape[2:]
        if self.same:
            images = padded_to_multiple(images, self.multiple)
        else:
            self._check_valid(height, width)
        x, skips = self.down[0](images), []
        for level in self.down[1:]:
            skips.append(x)
            x = level(nn.functional.max_pool2d(x, 2))  # (B, 2w, H/2, W/2)
        for enlarge, join in zip(self.up, self.join, strict=True):
            x = enlarge(x)  # (B, w/2, 2H, 2W)
            x = join(torch.cat([middle_of(skips.pop(), x.shape[2:]), x], dim=1))
        maps: Tensor = self.head(x)
        maps = maps[..., :height, :width] if self.same else maps
        return nn.functional.pixel_shuffle(maps, self.upscale) if self.upscale > 1 else maps

    def _output_side(self, side: int) -> int:
        """Side of the maps of an image without padding; 0 where it cannot be halved evenly or nothing is left."""
        for _ in range(self.depth):
            side -= 4
            if side <= 0 or side % 2:
                return 0
            side //= 2
        side -= 4
        for _ in range(self.depth):
            side = 2 * side - 2 * self.around - 4
        return max(side, 0)

    def _check_valid(self, height: int, width: int) -> None:
        for side in (height, width):
            if not self._output_side(side):
                below = next(n for n in count(side, -1) if self._output_side(n))
                above = next(n for n in count(side) if self._output_side(n))
                raise ConfigError(
                    f"UNet with padding=valid cannot halve {side} pixels {self.depth} times; the nearest sizes that "
                    f"work are {below} and {above}; or set model.padding=same."
                )


def _transposed(n: int, pad: int) -> nn.Module:
    del pad
    return nn.ConvTranspose2d(n, n // 2, 2, stride=2)


def _copies(n: int, pad: int) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(n, n // 2, 3, padding=pad))


def _bilinear(n: int, pad: int) -> nn.Module:
    enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    return nn.Sequential(enlarge, nn.Conv2d(n, n // 2, 3, padding=pad))


# how to make it, and what it sees
UPSAMPLING: dict[str, tuple[Callable[[int, int], nn.Module], tuple[Layer, ...]]] = {
    "transposed": (_transposed, (COPIES,)),
    "nearest": (_copies, (COPIES, CONV3)),
    "bilinear": (_bilinear, (BILINEAR, CONV3)),
}
