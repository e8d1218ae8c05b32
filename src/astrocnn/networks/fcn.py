"""The fully convolutional network (Long, Shelhamer & Darrell 15, arXiv:1411.4038): VGG-16 that scores every pixel."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, convolutions, padded_to_multiple
from astrocnn.networks.field import CONV3, POOL, Layer, bilinear, half_field

__all__ = ["FCN", "make_bilinear"]

LEVELS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))  # of VGG-16: width in units of the first, 3×3 convolutions
SKIPS = {32: 0, 16: 1, 8: 2}  # finer maps that are scored too


class FCN(nn.Module):
    """Five levels of convolutions and pooling, VGG's dense layers as convolutions, scores enlarged to the image.

    At 1/32 of the image's size every pixel is scored. FCN-32s enlarges these scores at once; FCN-16s doubles them by a
    transposed convolution that begins as bilinear interpolation and adds scores of the fourth level; FCN-8s once more
    with the third. The last enlargement is bilinear interpolation, which is fixed in the paper too.

    The paper's networks are ``width=64, batch_norm=False`` with 3 bands and 21 outputs. VGG-16 without its classifier
    has 14,714,688 + 102,764,544 + 16,781,312 = 134,260,544 parameters, the scores of 1/32, 1/16 and 1/8 have 86,037,
    10,773 and 5,397, a transposed convolution 21·21·4² = 7,056. That gives 134,346,581 for 32s, 134,364,410 for 16s and
    134,376,863 for 8s, beside which the authors' file of 8s has the 21·21·16² = 112,896 numbers of its interpolation.
    Theirs begins with VGG's trained weights and scores of zero, and pads images by 100 pixels; here they are padded to
    a multiple of 32.

    Args:
        in_channels: number of bands.
        n_outputs: number of maps of raw outputs (logits), of the image's size.
        stride: pixels per score that is enlarged at last: 32, 16 or 8.
        width: channels of the first level; the dense layers have 64 times as many.
        batch_norm: normalise each level's convolutions (Ioffe & Szegedy 15), to train from scratch.
        dropout: probability of dropping a value after each dense layer.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`), but for the transposed
            convolutions.

    Attributes:
        multiple: pixels of an image that are one of the deepest map.
        half_field: how far beyond a window an input can change what comes out in it, in pixels, when the window begins
            and ends at multiples of ``multiple``.

    Raises:
        ConfigError: another ``stride`` or ``init``; images of another number of bands, or smaller than 32×32 pixels.
    """

    input_shape = (4, 64, 64)
    per_pixel = True
    multiple = 2 ** len(LEVELS)
    least_size = multiple

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        stride: int = 8,
        width: int = 16,
        batch_norm: bool = True,
        dropout: float = 0.5,
        init: str = "he",
    ) -> None:
        super().__init__()
        if stride not in SKIPS:
            raise ConfigError(f"stride={stride} is not one of FCN's; choose 32, 16 or 8 (model.stride=8).")
        if width < 1:
            raise ConfigError(f"width={width}: an FCN has at least 1 channel (model.width=16).")
        self.in_channels, self.stride = in_channels, stride
        widths = [width * times for times, _ in LEVELS]
        self.levels = nn.ModuleList(
            convolutions(n_in, *n_convolutions * (n,), batch_norm=batch_norm)
            for (n_in, n), (_, n_convolutions) in zip(pairwise([in_channels, *widths]), LEVELS, strict=True)
        )
        self.dense = nn.Sequential(
            nn.Conv2d(widths[-1], 64 * width, 7, padding=3), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Conv2d(64 * width, 64 * width, 1), nn.ReLU(inplace=True), nn.Dropout(dropout),
        )  # fmt: skip
        self.score = nn.Conv2d(64 * width, n_outputs, 1)
        finer = widths[-2::-1][: SKIPS[stride]]  # the fourth level's, the third's
        self.score_finer = nn.ModuleList(nn.Conv2d(n, n_outputs, 1) for n in finer)
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(n_outputs, n_outputs, 4, stride=2, padding=1, bias=False) for _ in finer
        )
        initialise(self, init)
        for weight in self.enlarge.parameters():
            make_bilinear(weight)
        down = [layer for _, n in LEVELS for layer in (*n * (CONV3,), POOL)]
        up = (*len(finer) * (bilinear(2),), bilinear(stride))
        self.half_field = half_field((*down, Layer(7, padding=3), *up), self.multiple)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, n_outputs, H, W) of images (B, C, H, W); sizes that are no multiple of 32 are padded with zeros.

        Raises:
            ConfigError: images of another number of bands, or too small.
        """
        check_images(images, network="FCN", in_channels=self.in_channels, least=self.least_size)
        height, width = images.shape[2:]
        x, pooled = padded_to_multiple(images, self.multiple), []
        for level in self.levels:
            x = nn.functional.max_pool2d(level(x), 2)
            pooled.append(x)  # (B, w, H/2, W/2) to (B, 8w, H/32, W/32)
        maps = self.score(self.dense(x))  # (B, n_outputs, H/32, W/32)
        for enlarge, score, finer in zip(self.enlarge, self.score_finer, pooled[-2::-1], strict=False):
            maps = enlarge(maps) + score(finer)  # (B, n_outputs, H/16, W/16), then of 1/8
        maps = nn.functional.interpolate(maps, scale_factor=self.stride, mode="bilinear")
        return maps[..., :height, :width]


@torch.no_grad()
def make_bilinear(weight: Tensor) -> None:
    """Fill the weight (n, n, 2f, 2f) of a transposed convolution of stride f and padding f/2 with interpolation.

    Each map is enlarged for itself, as by ``interpolate(mode='bilinear', align_corners=False)``, but at the image's
    edge, beyond which a convolution sees zeros.
    """
    n, _, kernel, _ = weight.shape
    offset = (torch.arange(kernel, device=weight.device) - (kernel - 1) / 2) / (
        kernel / 2
    )  # in coarse pixels
    ramp = (1 - offset.abs()).to(weight)
    weight.copy_(torch.eye(n).to(weight)[:, :, None, None] * ramp[:, None] * ramp)
