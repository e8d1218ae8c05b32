"""YOLO, the first (Redmon+16, arXiv:1506.02640): a coarse grid, each cell with some boxes and one set of classes."""

from collections.abc import Sequence

from torch import Tensor, nn

from astrocnn.errors import ConfigError, choose
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, check_size, sides, sides_of_at_least
from astrocnn.networks.resnet import ResNet

__all__ = ["Yolo"]

SLOPE = 0.1  # of the leaky ReLU, section 2.2
HIDDEN = 4096
# figure 3: (kernel, channels, stride), or M for max pooling of 2 × 2
PAPER: tuple[tuple[int, int, int] | str, ...] = (
    (7, 64, 2), "M",
    (3, 192, 1), "M",
    (1, 128, 1), (3, 256, 1), (1, 256, 1), (3, 512, 1), "M",
    *4 * ((1, 256, 1), (3, 512, 1)), (1, 512, 1), (3, 1024, 1), "M",
    *2 * ((1, 512, 1), (3, 1024, 1)), (3, 1024, 1), (3, 1024, 2),
    (3, 1024, 1), (3, 1024, 1),
)  # fmt: skip
LEAST = 64  # pixels: one of the last map
BACKBONES = ("paper", "resnet")


class Yolo(nn.Module):
    """The network of the paper, or its grid on a residual one.

    Parameters with 3 bands, 20 classes, 448² pixels: 271,703,550, or 271,716,734 with ``batch_norm``.

    Args:
        in_channels: number of bands.
        n_outputs: channels of a cell with one box: 5, and one for each class.
        image_size: rows and columns of the images, for which the paper's last layers are built.
        grid: cells along a side, S; the paper's trunk gives as many as ⌈side / 64⌉.
        boxes: of a cell, B.
        backbone: 'paper' (24 convolutions and two full layers) or 'resnet' (ResNet-18, averaged over the cells).
        batch_norm: of the paper's convolutions; it has none, and trained from scratch it needs them.
        dropout: after the first full layer of the paper's.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`).

    Raises:
        ConfigError: another backbone, images of fewer pixels than the cells need, or of another size than the network
            was built for.
    """

    input_shape = (3, 448, 448)
    reads = "yolo"

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        image_size: int | Sequence[int],
        grid: int = 7,
        boxes: int = 2,
        backbone: str = "paper",
        batch_norm: bool = True,
        dropout: float = 0.5,
        init: str = "he",
    ) -> None:
        super().__init__()
        choose("model.backbone", backbone, dict.fromkeys(BACKBONES))
        if grid < 1 or boxes < 1:
            raise ConfigError(f"model.grid={grid} and model.boxes={boxes}: at least 1 each.")
        self.in_channels, self.grid, self.backbone = in_channels, grid, backbone
        self.size = sides(image_size)
        self.n_channels = n_outputs + 5 * (boxes - 1)
        if backbone == "resnet":
            trunk = ResNet(in_channels=in_channels, n_outputs=1, init=init)
            self.least_size = trunk.least_size
            self.trunk = nn.Sequential(
                trunk.conv1,
                trunk.bn1,
                trunk.relu,
                trunk.maxpool,
                trunk.layer1,
                trunk.layer2,
                trunk.layer3,
                trunk.layer4,
            )
            self.head: nn.Module = nn.Sequential(
                nn.AdaptiveAvgPool2d(grid), nn.Conv2d(512, 1024, 3, padding=1), nn.LeakyReLU(SLOPE),
                nn.Conv2d(1024, self.n_channels, 1),
            )  # fmt: skip
            initialise(self.head, init)
            return
        self.least_size = max(LEAST * (grid - 1) + 1, LEAST)
        sides_of_at_least(self.least_size, image_size, network=f"Yolo of {grid} × {grid} cells")
        last = tuple(-(-side // LEAST) for side in self.size)
        if last != (grid, grid):
            raise ConfigError(
                f"model.grid={grid}: the paper's network makes {last[0]} × {last[1]} cells of "
                f"{self.size[0]} × {self.size[1]} pixels; give model.grid={last[0]}, or model.backbone=resnet, which "
                "makes any."
            )
        self.trunk = _trunk(in_channels, batch_norm=batch_norm)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(1024 * grid * grid, HIDDEN), nn.LeakyReLU(SLOPE), nn.Dropout(dropout),
            nn.Linear(HIDDEN, self.n_channels * grid * grid), nn.Unflatten(1, (self.n_channels, grid, grid)),
        )  # fmt: skip
        initialise(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """The grid (B, K + 5·boxes, S, S) of images (B, C, H, W); :mod:`astrocnn.functional.yolo` says what it holds.

        Raises:
            ConfigError: images of another number of bands, or of another size.
        """
        check_images(images, network="Yolo", in_channels=self.in_channels, least=self.least_size)
        if self.backbone == "paper":
            check_size(images, self.size, network="Yolo")
        found: Tensor = self.head(self.trunk(images))
        return found


def _trunk(in_channels: int, *, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = in_channels
    for layer in PAPER:
        if isinstance(layer, str):
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            continue
        kernel, width, stride = layer
        layers.append(nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=not batch_norm))
        layers += [nn.BatchNorm2d(width)] if batch_norm else []
        layers.append(nn.LeakyReLU(SLOPE))
        channels = width
    return nn.Sequential(*layers)
