"""Residual networks of 18, 34 and 50 layers, and of 20 for small images (He+16, arXiv:1512.03385)."""

from torch import Tensor, nn

from astrocnn.errors import choose
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images

__all__ = ["BasicBlock", "Bottleneck", "ResNet"]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut: (B, C, H, W) → (B, width, H/stride, W/stride)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu(y + self.downsample(x))
        return out


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions beside a shortcut: (B, C, H, W) → (B, 4·width, H/stride, W/stride).

    The stride sits on the 3×3 convolution, as in torchvision; the paper has it on the first 1×1.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        out: Tensor = self.relu(y + self.downsample(x))
        return out


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """A 1×1 projection where the shape changes, the input itself elsewhere."""
    if stride == 1 and in_channels == out_channels:
        return nn.Sequential()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
    )


Block = type[BasicBlock] | type[Bottleneck]
DEPTHS: dict[str, tuple[Block, tuple[int, ...], tuple[int, ...]]] = {
    "18": (BasicBlock, (64, 128, 256, 512), (2, 2, 2, 2)),
    "34": (BasicBlock, (64, 128, 256, 512), (3, 4, 6, 3)),
    "50": (Bottleneck, (64, 128, 256, 512), (3, 4, 6, 3)),
    "20": (BasicBlock, (16, 32, 64), (3, 3, 3)),
}
"""Block, channels and number of blocks of each stage."""
SMALL = ("20",)  # made for images of 32×32 pixels


class ResNet(nn.Module):
    """A residual network with the layer names of torchvision's, so that its weights can be loaded.

    Parameters with 3 bands and 1000 outputs: 11,689,512 / 21,797,672 / 25,557,032 for depth 18 / 34 / 50. Depth 20 is
    the paper's for images of 32×32 pixels (section 4.2), with projections as shortcuts: three stages of 16, 32 and 64
    channels behind a small stem, 272,474 parameters with 3 bands and 10 outputs.

    Args:
        in_channels: number of bands.
        n_outputs: number of raw outputs (logits).
        depth: 18, 34 or 50 layers, or 20.
        small_stem: begin with a 3×3 convolution of stride 1 and without max pooling, for small images: the
            feature maps are four times as large at every stage, and the network several times as slow. Depth 20
            always does.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`); the paper's
            is He's.

    Raises:
        ConfigError: another ``depth`` or ``init``; images below 32×32 pixels (8×8 with ``small_stem``).
    """

    input_shape = (3, 64, 64)

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        depth: int = 18,
        small_stem: bool = False,
        init: str = "he",
    ) -> None:
        super().__init__()
        block, widths, n_blocks = choose("depth", str(depth), DEPTHS)
        self.in_channels, small_stem = in_channels, small_stem or str(depth) in SMALL
        self.least_size = 8 if small_stem else 32  # one whole pixel in the last feature map
        if small_stem:
            self.conv1 = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
            self.maxpool: nn.Module = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(in_channels, widths[0], 7, stride=2, padding=3, bias=False)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        ins = (widths[0], *(width * block.expansion for width in widths))  # channels into each stage, and out
        self.layer1 = _stage(block, ins[0], widths[0], n_blocks[0], stride=1)
        self.layer2 = _stage(block, ins[1], widths[1], n_blocks[1], stride=2)
        self.layer3 = _stage(block, ins[2], widths[2], n_blocks[2], stride=2)
        self.layer4 = nn.Sequential()
        if len(widths) > 3:
            self.layer4 = _stage(block, ins[3], widths[3], n_blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(ins[-1], n_outputs)
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, n_outputs) of images (B, C, H, W).

        Raises:
            ConfigError: images of another number of bands, or smaller than the least size.
        """
        check_images(images, network="ResNet", in_channels=self.in_channels, least=self.least_size)
        x = self.relu(self.bn1(self.conv1(images)))  # (B, 64, H/2, W/2), rounded up here and below
        x = self.maxpool(x)  # (B, 64, H/4, W/4)
        x = self.layer1(x)  # (B, 64e, H/4, W/4), e = 1, or 4 with bottlenecks
        x = self.layer2(x)  # (B, 128e, H/8, W/8)
        x = self.layer3(x)  # (B, 256e, H/16, W/16)
        x = self.layer4(x)  # (B, 512e, H/32, W/32)
        x = self.avgpool(x).flatten(1)  # (B, 512e), or (B, 64) of depth 20
        logits: Tensor = self.fc(x)  # (B, n_outputs)
        return logits


def _stage(
    block: type[BasicBlock] | type[Bottleneck], in_channels: int, width: int, n_blocks: int, *, stride: int
) -> nn.Sequential:
    """``n_blocks`` blocks; the first changes shape."""
    blocks = [block(in_channels, width, stride)]
    blocks += [block(width * block.expansion, width, 1) for _ in range(n_blocks - 1)]
    return nn.Sequential(*blocks)
