"""The probabilistic U-Net (Kohl+18, arXiv:1806.05034): many plausible maps of an image, each consistent in itself."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.functional.gaussians import Gaussian, begin_with_unit_deviations
from astrocnn.functional.initialise import initialise
from astrocnn.networks.blocks import check_images, convolutions, padded_to_multiple

__all__ = ["ProbabilisticUNet"]

WIDTHS = (1, 2, 4, 6)  # of the scales in units of the first; all deeper ones are as wide as the last


class ProbabilisticUNet(nn.Module):
    """A U-Net whose last layers are told which of the plausible answers to give, by a point of a small latent space.

    A second network, the prior, sees the image and says which points are plausible, as a Gaussian of independent
    variables. In training a third one, the posterior, sees the target too and says which point it is; its divergence
    from the prior is part of the loss. At every scale there are three 3×3 convolutions with ReLU, then 2×2 average
    pooling; on the way up bilinear interpolation; prior and posterior average their deepest map over the image. Three
    1×1 convolutions combine the U-Net's maps with the point, which is repeated at every pixel.

    The paper's network for Cityscapes, ``width=32, depth=6`` with 3 bands and 24 outputs, has 17,954,736 parameters:
    9,231,456 in the U-Net, 4,356,108 and 4,363,020 in prior and posterior, 4,152 in the 1×1 convolutions. The authors'
    code interpolates with ``align_corners=True``, which displaces pixels; here each keeps its place. Theirs draws the
    first standard deviations at random, here they are 1, whatever the image.

    Args:
        in_channels: number of bands.
        n_outputs: number of maps of raw outputs (logits), and of the target's maps.
        depth: number of poolings; 6 in the paper.
        width: channels of the first scale, then 2, 4, 6, 6, ... times as many; 32 in the paper.
        n_latent: dimensions of the latent space.
        init: name of the initialisation (:func:`~astrocnn.functional.initialise.initialise`); the paper's is He's.

    Attributes:
        multiple: pixels of an image that are one of the deepest map, ``2**depth``.
        half_field: None: prior and posterior look at the whole image, so that no window gives exactly what a larger one
            does.

    Raises:
        ConfigError: an option is none of these; images of another number of bands, or with a side below ``2**depth``.
    """

    input_shape = (4, 64, 64)
    per_pixel = True
    variational = True
    half_field = None

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        depth: int = 4,
        width: int = 16,
        n_latent: int = 6,
        init: str = "he",
    ) -> None:
        super().__init__()
        if depth < 1 or width < 1 or n_latent < 1:
            raise ConfigError(
                f"depth={depth}, width={width}, n_latent={n_latent}: a probabilistic U-Net has at least 1 of each."
            )
        self.in_channels, self.n_outputs = in_channels, n_outputs
        self.multiple = self.least_size = int(2**depth)
        widths = [width * WIDTHS[min(scale, len(WIDTHS) - 1)] for scale in range(depth + 1)]
        self.down = _Encoder(in_channels, widths)
        self.up = nn.ModuleList(_three(below + n, n) for below, n in pairwise(reversed(widths)))
        self.prior = _Distribution(in_channels, widths, n_latent)
        self.posterior = _Distribution(in_channels + n_outputs, widths, n_latent)
        self.combine = nn.Sequential(
            nn.Conv2d(width + n_latent, width, 1), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1), nn.ReLU(inplace=True),
            nn.Conv2d(width, n_outputs, 1),
        )  # fmt: skip
        initialise(self, init)
        begin_with_unit_deviations(self.prior.head)
        begin_with_unit_deviations(self.posterior.head)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, n_outputs, H, W) of images (B, C, H, W), at the mean of the prior.

        Sizes that are no multiple of ``2**depth`` are padded with zeros.

        Raises:
            ConfigError: images of another number of bands, or too small.
        """
        padded = self._padded(images)
        return self._combined(images, self._features(padded), self.prior(padded).mean)

    def sample(self, images: Tensor, n: int) -> Tensor:
        """``n`` plausible maps (n, B, n_outputs, H, W) of each image (B, C, H, W), at random points of the prior."""
        padded = self._padded(images)
        features, prior = self._features(padded), self.prior(padded)
        return torch.stack([self._combined(images, features, prior.draw()) for _ in range(n)])

    def training_outputs(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Maps at a random point of the posterior, and how far that is from the prior.

        Args:
            images: (B, C, H, W).
            target: (B, K, H, W) float, one where a pixel is of that class; zeros where it is ignored. Outputs
                beyond the first K, such as those of objects, are not shown to the posterior.

        Returns:
            ``outputs`` (B, n_outputs, H, W) and ``kl`` (B,), in nats.
        """
        padded = self._padded(images)
        shown = padded.new_zeros(len(padded), self.n_outputs, *padded.shape[2:])
        shown[:, : target.shape[1], : target.shape[2], : target.shape[3]] = target
        posterior = self.posterior(torch.cat([padded, shown - 0.5], dim=1))  # ±½ as in the authors' code
        outputs = self._combined(images, self._features(padded), posterior.draw())
        return {"outputs": outputs, "kl": posterior.divergence(self.prior(padded))}

    def _padded(self, images: Tensor) -> Tensor:
        check_images(images, network="ProbabilisticUNet", in_channels=self.in_channels, least=self.least_size)
        return padded_to_multiple(images, self.multiple)

    def _features(self, images: Tensor) -> Tensor:
        """The U-Net's last maps (B, width, H, W)."""
        *skips, x = self.down(images)
        for join in self.up:
            x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
            x = join(torch.cat([x, skips.pop()], dim=1))
        features: Tensor = x
        return features

    def _combined(self, images: Tensor, features: Tensor, point: Tensor) -> Tensor:
        height, width = images.shape[2:]
        everywhere = point.to(features)[:, :, None, None].expand(-1, -1, *features.shape[2:])
        maps: Tensor = self.combine(torch.cat([features, everywhere], dim=1))
        return maps[..., :height, :width]


class _Encoder(nn.Module):
    """Maps of every scale, the finest first: (B, w, H, W), (B, 2w, H/2, W/2), ..."""

    def __init__(self, in_channels: int, widths: list[int]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_three(n_in, n) for n_in, n in pairwise([in_channels, *widths]))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for scale in self.scales:
            maps.append(scale(nn.functional.avg_pool2d(maps[-1], 2) if maps else x))
        return maps


class _Distribution(nn.Module):
    """A Gaussian in the latent space, from all of an image."""

    def __init__(self, in_channels: int, widths: list[int], n_latent: int) -> None:
        super().__init__()
        self.encoder = _Encoder(in_channels, widths)
        self.head = nn.Linear(widths[-1], 2 * n_latent)

    def forward(self, x: Tensor) -> Gaussian:
        return Gaussian.of(self.head(self.encoder(x)[-1].mean(dim=(2, 3))))


def _three(n_in: int, n: int) -> nn.Sequential:
    return convolutions(n_in, n, n, n, batch_norm=False)
