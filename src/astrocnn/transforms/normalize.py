"""From flux to what a network likes: sky at zero, noise of order one, bright cores compressed."""

import torch
from torch import Tensor, nn

from astrocnn.errors import DataError, choose
from astrocnn.functional.stretch import STRETCHES

__all__ = ["Normalize"]

MAD_TO_SIGMA = 1.4826  # of a normal distribution


class Normalize(nn.Module):
    """Per-band normalisation, fitted once on the training split and stored in the checkpoint.

    y = (s((x − sky) / (softening · noise)) − mean) / std, band by band, where *sky* is the median of the valid
    pixels, *noise* 1.4826 times their median absolute deviation, *s* the stretch, and *mean* and *std* those of
    the stretched training pixels. Everything scales with the data: no absolute constant is added, so that
    images in units of 1e-11 keep their contrast. A pixel without data becomes sky.

    Args:
        n_bands: number of bands, C.
        stretch: 'asinh' (Lupton+99), 'log', 'sqrt' or 'linear'.
        softening: where the stretch turns from linear to compressed, in units of the noise.

    Raises:
        ConfigError: the stretch is not known.
    """

    sky: Tensor
    noise: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, *, n_bands: int, stretch: str = "asinh", softening: float = 5.0) -> None:
        super().__init__()
        self.stretch = choose("normalize.stretch", stretch, STRETCHES)
        self.softening = softening
        for name, value in (("sky", 0.0), ("noise", 1.0), ("mean", 0.0), ("std", 1.0)):
            self.register_buffer(name, torch.full((n_bands,), value))

    @torch.no_grad()
    def fit(self, image: Tensor, valid: Tensor, *, bands: tuple[str, ...] = ()) -> None:
        """Measure sky, noise, mean and deviation of every band.

        Args:
            image: (N, C, H, W) flux of training images.
            valid: (N, C, H, W) bool.
            bands: names, for messages.

        Raises:
            DataError: a band has no valid pixel, or all its valid pixels have one value.
        """
        for band in range(image.shape[1]):
            name = bands[band] if band < len(bands) else str(band)
            pixels = image[:, band][valid[:, band]].double()
            if pixels.numel() == 0:
                raise DataError(
                    f"band {name} has no valid pixel in the training images; drop it (data.bands=...)."
                )
            sky = pixels.median()
            noise = MAD_TO_SIGMA * (pixels - sky).abs().median()
            if noise == 0:  # more than half of the pixels hold one value, as in images cut out by a mask
                noise = pixels.std(correction=0)
            if noise == 0:
                raise DataError(f"band {name} is constant in the training images; drop it (data.bands=...).")
            stretched = self.stretch((pixels - sky) / (self.softening * noise))
            self.sky[band], self.noise[band] = sky, noise
            self.mean[band], self.std[band] = stretched.mean(), stretched.std(correction=0)

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Normalised pixels, (B, C, H, W) float32, of flux and validity of that shape."""
        shape = (-1, *[1] * (image.ndim - 2))  # (C, 1, 1)
        sky, noise = self.sky.view(shape), self.noise.view(shape)
        scaled = torch.where(valid, image - sky, 0) / (self.softening * noise)
        normalized: Tensor = (self.stretch(scaled) - self.mean.view(shape)) / self.std.view(shape)
        return normalized
