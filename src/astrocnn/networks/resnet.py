"""Residual networks of 18, 34 and 50 layers (He+16, arXiv:1512.03385)."""

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


DEPTHS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    "18": (BasicBlock, (2, 2, 2, 2)),
    "34": (BasicBlock, (3, 4, 6, 3)),
    "50": (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(nn.Module):
    """A residual network with the layer names of torchvision's, so that its weights can be loaded.

    Parameters with 3 bands and 1000 outputs: 11,689,512 / 21,797,672 / 25,557,032 for depth 18 / 34 / 50.

    Args:
        in_channels: number of bands.
        n_outputs: number of raw outputs (logits).
        depth: 18, 34 or 50 layers.
        small_stem: begin with a 3×3 convolution of stride 1 and without max pooling, for small images: the
            feature maps are four times as large at every stage, and the network several times as slow.
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
        block, n_blocks = choose("depth", str(depth), DEPTHS)
        self.in_channels = in_channels
        self.least_size = 8 if small_stem else 32  # one whole pixel in the last feature map
        if small_stem:
            self.conv1 = nn.Conv2d(in_channels, 64, 3, padding=1, bias=False)
            self.maxpool: nn.Module = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        e = block.expansion
        self.layer1 = _stage(block, 64, 64, n_blocks[0], stride=1)
        self.layer2 = _stage(block, 64 * e, 128, n_blocks[1], stride=2)
        self.layer3 = _stage(block, 128 * e, 256, n_blocks[2], stride=2)
        self.layer4 = _stage(block, 256 * e, 512, n_blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * e, n_outputs)
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
        x = self.avgpool(x).flatten(1)  # (B, 512e)
        logits: Tensor = self.fc(x)  # (B, n_outputs)
        return logits


def _stage(
    block: type[BasicBlock] | type[Bottleneck], in_channels: int, width: int, n_blocks: int, *, stride: int
) -> nn.Sequential:
    """``n_blocks`` blocks; the first changes shape."""
    blocks = [block(in_channels, width, stride)]
    blocks += [block(width * block.expansion, width, 1) for _ in range(n_blocks - 1)]
    return nn.Sequential(*blocks)
