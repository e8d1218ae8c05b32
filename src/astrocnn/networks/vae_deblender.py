"""The variational deblender (Arcelin+21, MNRAS 500, 531): from a blend to the galaxy in its middle, by few numbers."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.functional.gaussians import Gaussian, begin_with_unit_deviations
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, check_size, middle_of, sides_of_at_least

__all__ = ["VAEDeblender"]


class VAEDeblender(nn.Module):
    """An encoder into a latent space of 32 dimensions, and its mirror image, the decoder.

    Encoder: batch normalisation of the images; at each level a 3×3 convolution and one of stride 2; a dense layer; mean
    and standard deviation of a Gaussian. Decoder: two dense layers; at each level a transposed 3×3 convolution of
    stride 2 and one of stride 1; a convolution. PReLU follows each layer but the last.

    The paper trains in two steps: encoder and decoder on isolated galaxies, then, with the decoder kept as it is
    (``network.decoder.requires_grad_(False)``), a new encoder on blends, so that whatever it sees it can only answer
    with a galaxy. 5,065,170 parameters with 6 bands of 64×64 pixels. The authors' code differs in that PReLU has a
    slope for each pixel of a map (here one for the map), that standard deviations are softplus (here exponentials that
    begin at 1), and that a sigmoid ends it (here outputs are raw).

    Args:
        in_channels: number of bands.
        n_outputs: number of bands of the galaxy.
        image_size: pixels of a side, or (height, width); 64 in the paper.
        widths: channels of the levels, each of which halves the image.
        hidden: units of the dense layers around the latent space.
        n_latent: dimensions of the latent space.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`); He's was made for PReLU.

    Attributes:
        encoder: images to a :class:`~astrocnn.functional.gaussians.Gaussian` of (B, n_latent).
        decoder: points (B, n_latent) to maps (B, n_outputs, H, W).
        half_field: None: each pixel depends on the whole image, and windows of a larger one cannot be joined.

    Raises:
        ConfigError: an option is none of these; an image with a side below 2 to the number of levels; images of another
            size or number of bands than the network was built for.
    """

    input_shape = (4, 64, 64)
    per_pixel = True
    variational = True
    half_field = None
    multiple = 1

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        image_size: int | Sequence[int],
        widths: Sequence[int] = (32, 64, 128, 256),
        hidden: int = 256,
        n_latent: int = 32,
        init: str = "he",
    ) -> None:
        super().__init__()
        if not widths or min(*widths, hidden, n_latent) < 1:
            raise ConfigError(
                f"widths={list(widths)}, hidden={hidden}, n_latent={n_latent}: the deblender has at least one level, "
                f"and at least 1 of each."
            )
        self.in_channels = in_channels
        self.least_size = 2 ** len(widths)
        self.image_size = sides_of_at_least(self.least_size, image_size, network="VAEDeblender")
        self.encoder = _Encoder(in_channels, self.image_size, widths, hidden, n_latent)
        self.decoder = _Decoder(n_outputs, self.image_size, widths, hidden, n_latent)
        initialise(self, init)
        begin_with_unit_deviations(self.encoder.head)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, n_outputs, H, W) of images (B, C, H, W), at the mean of the latent distribution.

        Raises:
            ConfigError: images of another size or number of bands than the network was built for.
        """
        maps: Tensor = self.decoder(self._latent(images).mean)
        return maps

    def sample(self, images: Tensor, n: int) -> Tensor:
        """``n`` maps (n, B, n_outputs, H, W) of each image (B, C, H, W), at random points of its distribution."""
        latent = self._latent(images)
        return torch.stack([self.decoder(latent.draw()) for _ in range(n)])

    def training_outputs(self, images: Tensor, target: Tensor | None = None) -> dict[str, Tensor]:
        """Maps at a random point of the latent distribution, and how far that is from the unit Gaussian.

        Args:
            images: (B, C, H, W).
            target: not used: the encoder sees the blend.

        Returns:
            ``outputs`` (B, n_outputs, H, W) and ``kl`` (B,), in nats.
        """
        latent = self._latent(images)
        return {"outputs": self.decoder(latent.draw()), "kl": latent.divergence()}

    def _latent(self, images: Tensor) -> Gaussian:
        check_images(images, network="VAEDeblender", in_channels=self.in_channels, least=self.least_size)
        check_size(images, self.image_size, network="VAEDeblender")
        latent: Gaussian = self.encoder(images)
        return latent


class _Encoder(nn.Module):
    def __init__(
        self, in_channels: int, size: tuple[int, int], widths: Sequence[int], hidden: int, n_latent: int
    ) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(in_channels)
        self.levels = nn.Sequential()
        for n_in, n in pairwise((in_channels, *widths)):
            self.levels += nn.Sequential(
                nn.Conv2d(n_in, n, 3, padding=1), nn.PReLU(n),
                nn.Conv2d(n, n, 3, stride=2, padding=1), nn.PReLU(n),
            )  # fmt: skip
        self.dense = nn.Sequential(nn.Linear(prod(_deepest(size, widths)), hidden), nn.PReLU(hidden))
        self.head = nn.Linear(hidden, 2 * n_latent)

    def forward(self, images: Tensor) -> Gaussian:
        x = self.levels(self.normalise(images))  # (B, 256, H/16, W/16), rounded up
        return Gaussian.of(self.head(self.dense(x.flatten(1))))


class _Decoder(nn.Module):
    def __init__(
        self, n_outputs: int, size: tuple[int, int], widths: Sequence[int], hidden: int, n_latent: int
    ) -> None:
        super().__init__()
        self.size = size
        deepest = _deepest(size, widths)
        self.dense = nn.Sequential(
            nn.Linear(n_latent, hidden), nn.PReLU(hidden),
            nn.Linear(hidden, prod(deepest)), nn.Unflatten(1, deepest), nn.PReLU(deepest[0]),
        )  # fmt: skip
        self.levels = nn.Sequential()
        for n_in, n in pairwise((widths[-1], *reversed(widths))):
            self.levels += nn.Sequential(
                nn.ConvTranspose2d(n_in, n, 3, stride=2, padding=1, output_padding=1), nn.PReLU(n),
                nn.ConvTranspose2d(n, n, 3, padding=1), nn.PReLU(n),
            )  # fmt: skip
        self.head = nn.Conv2d(widths[0], n_outputs, 3, padding=1)

    def forward(self, points: Tensor) -> Tensor:
        x = self.levels(
            self.dense(points.to(self.head.weight))
        )  # (B, 32, H, W), rounded up to a multiple of 16
        image: Tensor = self.head(x)
        return middle_of(image, self.size)


def _deepest(size: tuple[int, int], widths: Sequence[int]) -> tuple[int, int, int]:
    """Shape of the deepest map: every level halves, rounded up."""
    height, width = (-(-side // 2 ** len(widths)) for side in size)
    return widths[-1], height, width
