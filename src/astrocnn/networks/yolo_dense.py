"""A one-stage detector for crowded fields: YOLO's idea on a fine grid without anchors."""

from typing import cast

from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, padded_to_multiple
from astrocnn.networks.field import CONV3, COPIES, Layer, half_field
from astrocnn.networks.resnet import BasicBlock

__all__ = ["YoloDense"]

STRIDES = (2, 4, 8)
DEEPEST = 32
FEW_OBJECTS = -4.6  # logit of 1 %, with which a training begins (Lin+17, arXiv:1708.02002, section 4.1)


class YoloDense(nn.Module):
    """A residual trunk whose maps are joined from the deepest to the grid's, and one prediction a cell.

    As in YOLO (Redmon+16, arXiv:1506.02640) every cell says in one pass whether an object has its centre there, what
    box and what class it has; the grid is finer, of cells of 2 to 8 pixels, boxes need no anchors (Tian+19,
    arXiv:1904.01355; Zhou+19, arXiv:1904.07850), and coarse maps are joined to fine ones (Lin+17, arXiv:1612.03144).

    Args:
        in_channels: number of bands.
        n_outputs: channels of the grid (:mod:`astrocnn.functional.dense_boxes`).
        stride: pixels a cell: 2, 4 or 8.
        width: channels of the map of stride 4; doubled at each halving after.
        blocks: residual blocks of the maps of stride 4, 8, 16 and 32.
        features: channels of the joined maps.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`).

    Attributes:
        stride: pixels a cell.
        multiple: sides are padded to multiples of it, and windows of a mosaic begin at them.
        half_field: how far beyond a window an input can change what comes out in it, in pixels, when the window begins
            and ends at multiples of ``multiple``.

    Raises:
        ConfigError: another stride, other blocks, or images of another number of bands or below one pixel of the
            deepest map.
    """

    input_shape = (3, 64, 64)
    reads = "dense"  # how its outputs are read
    window_pix = 1536  # of mosaics: of what it is shown in larger windows, less is shown twice

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        stride: int = 2,
        width: int = 64,
        blocks: tuple[int, ...] = (2, 2, 2),
        features: int = 64,
        init: str = "he",
    ) -> None:
        super().__init__()
        if stride not in STRIDES:
            raise ConfigError(f"model.stride={stride}: a cell is 2, 4 or 8 pixels wide.")
        blocks = tuple(blocks)
        if not 1 <= len(blocks) <= 4 or min(blocks) < 1:
            raise ConfigError(f"model.blocks={list(blocks)}: one to four numbers of blocks, each at least 1.")
        self.in_channels, self.stride = in_channels, stride
        half = width // 2
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, half, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
        )
        stages, channels, made = [], half, [half]
        for level, n_blocks in enumerate(blocks):
            own = width * 2**level
            made.append(own)
            first = [BasicBlock(channels, own, 2)]
            stages.append(nn.Sequential(*first, *(BasicBlock(own, own, 1) for _ in range(n_blocks - 1))))
            channels = own
        self.stages = nn.ModuleList(stages)
        finest = STRIDES.index(stride)
        self._joined = range(finest, len(made))  # levels from that of the grid to the deepest
        if not len(self._joined):
            raise ConfigError(f"model.stride={stride} is that of no map; give model.blocks more numbers.")
        self.lateral = nn.ModuleList([nn.Conv2d(made[level], features, 1) for level in self._joined])
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.smooth = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1, bias=False), nn.BatchNorm2d(features), nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, padding=1, bias=False), nn.BatchNorm2d(features), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.head = nn.Conv2d(features, n_outputs, 1)
        self.multiple = 2 ** (len(blocks) + 1)
        self.least_size = self.multiple
        stem, block, halving = Layer(3, 2, 1), (CONV3, CONV3), (Layer(3, 2, 1), CONV3)
        down = [stem, *(layer for n in blocks for layer in (*halving, *(n - 1) * block))]
        up = (*(len(self._joined) - 1) * (COPIES,), CONV3, CONV3, *(finest + 1) * (COPIES,))
        self.half_field = half_field((*down, *up), self.multiple)  # as if a cell were its pixels
        initialise(self, init)
        nn.init.constant_(cast(Tensor, self.head.bias)[0], FEW_OBJECTS)

    def forward(self, images: Tensor) -> Tensor:
        """Raw outputs (B, n_outputs, ⌈H/stride⌉, ⌈W/stride⌉) of images (B, C, H, W).

        Raises:
            ConfigError: images of another number of bands, or too small.
        """
        check_images(images, network="YoloDense", in_channels=self.in_channels, least=self.least_size)
        height, width = (-(-side // self.stride) for side in images.shape[2:])
        x = self.stem(padded_to_multiple(images, self.multiple))  # (B, width/2, H/2, W/2)
        maps = [x]
        for stage in self.stages:
            x = stage(x)  # (B, width·2^level, H/2^(level+2), ...)
            maps.append(x)
        joined = None
        for lateral, level in reversed(list(zip(self.lateral, self._joined, strict=True))):
            own = lateral(maps[level])
            joined = own if joined is None else own + self.upsample(joined)
        found: Tensor = self.head(self.smooth(joined))[..., :height, :width]
        return found
