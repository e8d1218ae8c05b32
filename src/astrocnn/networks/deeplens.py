"""CMU DeepLens, the residual network that led the strong-lens finding challenge (Lanusse+18)."""

from torch import Tensor, nn

from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images

__all__ = ["DeepLens"]

STAGES = ((16, 32), (32, 64), (64, 128), (128, 256), (256, 512))  # inner and outer channels
BLOCKS_PER_STAGE = 3


class PreActivationBottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions, each after batch normalisation and ELU, beside a shortcut.

    (B, in_channels, H, W) → (B, outer, H/stride, W/stride). Convolutions that a normalisation follows carry
    no bias. Where the shape changes, the shortcut is a 1×1 convolution of the pre-activated input.

    Args:
        in_channels: channels of the input.
        inner: channels of the bottleneck.
        outer: channels of the output.
        stride: of the first 1×1 convolution and of the shortcut.
        preactivated: the input has already been normalised and activated.
    """

    def __init__(self, in_channels: int, inner: int, outer: int, *, stride: int, preactivated: bool) -> None:
        super().__init__()
        self.preactivation: nn.Module = nn.Identity() if preactivated else _norm_elu(in_channels)
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, inner, 1, stride, bias=False), *_norm_elu(inner),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False), *_norm_elu(inner),
            nn.Conv2d(inner, outer, 1),
        )  # fmt: skip
        changes_shape = stride != 1 or in_channels != outer
        self.projection = nn.Conv2d(in_channels, outer, 1, stride) if changes_shape else None

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        activated = self.preactivation(x)
        shortcut = x if self.projection is None else self.projection(activated)
        out: Tensor = shortcut + self.residual(activated)
        return out


class DeepLens(nn.Module):
    """CMU DeepLens (Lanusse+18, MNRAS 473, 3895): 46 layers of pre-activation bottleneck blocks.

    Five stages of three blocks; stages 2 to 5 halve the image. 3,508,545 parameters with one band and
    3,513,249 with four, for one output; ``input_shape`` is that of the challenge's ground-based images.

    Args:
        in_channels: number of bands.
        n_outputs: number of raw outputs (logits).
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`); He's by
            default.

    Raises:
        ConfigError: an unknown ``init``; images below 16×16 pixels.
    """

    input_shape = (4, 101, 101)
    least_size = 16  # one whole pixel in the last feature map

    def __init__(self, *, in_channels: int, n_outputs: int, init: str = "he") -> None:
        super().__init__()
        self.in_channels = in_channels
        self.stem = nn.Sequential(nn.Conv2d(in_channels, 32, 7, padding=3, bias=False), *_norm_elu(32))
        self.stages = nn.Sequential()
        channels = 32
        for stage, (inner, outer) in enumerate(STAGES):
            for block in range(BLOCKS_PER_STAGE):
                first = block == 0
                self.stages.append(
                    PreActivationBottleneck(
                        channels,
                        inner,
                        outer,
                        stride=2 if first and stage > 0 else 1,
                        preactivated=first and stage == 0,
                    )
                )
                channels = outer
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, n_outputs)
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, n_outputs) of images (B, C, H, W).

        Raises:
            ConfigError: images of another number of bands, or below 16×16 pixels.
        """
        check_images(images, network="DeepLens", in_channels=self.in_channels, least=self.least_size)
        x = self.stem(images)  # (B, 32, H, W)
        x = self.stages(x)  # (B, 512, H/16, W/16), rounded up
        logits: Tensor = self.head(self.pool(x).flatten(1))  # (B, n_outputs)
        return logits


def _norm_elu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ELU())
