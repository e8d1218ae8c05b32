"""From flux to what a network likes: sky at zero, noise of order one, bright cores compressed."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError, DataError, choose
from astrocnn.functional.difference import without_last
from astrocnn.functional.smoothing import gaussian_smooth, reach_pix
from astrocnn.functional.stretch import STRETCHES

__all__ = ["Normalize"]

MAD_TO_SIGMA = 1.4826  # of a normal distribution


class Normalize(nn.Module):
    """Per-band normalisation, fitted once on the training split and stored in the checkpoint.

    s = stretch((x − sky) / (softening · noise)) and y = (s + sharpen · (s − G∗s) − mean) / std, band by band,
    where *sky* is the median of the valid pixels, *noise* 1.4826 times their median absolute deviation, G a
    Gaussian, and *mean* and *std* those of the training pixels before that last step. The middle term is an
    unsharp mask (Malin 1977, AAS Photo-Bulletin 16, 10): arcs, shells and arms stand out against the light of
    the galaxy that they lie in. With ``difference_radius_pix``, the last band is first taken off every other one,
    scaled so that the galaxy in the image's centre goes (:func:`~astrocnn.functional.difference.without_last`).
    Everything scales with the data: no absolute constant is added, so that images in units of 1e-11 keep their
    contrast. A pixel without data becomes sky.

    Spectra and light curves (B, C, L) are normalised channel by channel and features of tables (B, F) feature by
    feature in the same way, without the unsharp mask.

    Args:
        n_bands: number of bands, C (or of features, F).
        stretch: 'asinh' (Lupton+99), 'log', 'sqrt' or 'linear'.
        softening: where the stretch turns from linear to compressed, in units of the noise.
        sharpen: weight of the unsharp mask; 0 leaves each pixel to itself. Images only.
        sharpen_sigma_pix: σ of its Gaussian.
        difference_radius_pix: radius in which the last band is matched to the others; 0 leaves them as they are.

    Raises:
        ConfigError: the stretch is not known, or a number is out of range.
    """

    sky: Tensor
    noise: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        n_bands: int,
        stretch: str = "asinh",
        softening: float = 5.0,
        sharpen: float = 6.0,
        sharpen_sigma_pix: float = 3.0,
        difference_radius_pix: float = 0.0,
    ) -> None:
        super().__init__()
        if softening <= 0 or sharpen < 0 or sharpen_sigma_pix <= 0 or difference_radius_pix < 0:
            raise ConfigError(
                f"normalize.softening={softening}, normalize.sharpen={sharpen}, "
                f"normalize.sharpen_sigma_pix={sharpen_sigma_pix} and "
                f"normalize.difference_radius_pix={difference_radius_pix}: "
                "above 0, at least 0, above 0 and at least 0."
            )
        self.stretch = choose("normalize.stretch", stretch, STRETCHES)
        self.softening, self.sharpen, self.sharpen_sigma_pix = softening, sharpen, sharpen_sigma_pix
        self.difference_radius_pix = difference_radius_pix
        for name, value in (("sky", 0.0), ("noise", 1.0), ("mean", 0.0), ("std", 1.0)):
            self.register_buffer(name, torch.full((n_bands,), value))

    @torch.no_grad()
    def fit(self, image: Tensor, valid: Tensor, *, bands: tuple[str, ...] = ()) -> None:
        """Measure sky, noise, mean and deviation of every band.

        Args:
            image: (N, C, H, W) flux of training images; (N, C, L) or (N, F) of other data.
            valid: bool, of that shape.
            bands: names, for messages.

        Raises:
            DataError: a band has no valid pixel, or all its valid pixels have one value.
            ConfigError: data that are no images are to be sharpened.
        """
        self._check(image)
        self.measure(image, valid, bands=bands, what="training images")
        contrast = self._contrast(image, valid)
        for band in range(image.shape[1]):
            pixels = contrast[:, band][valid[:, band]].double()
            self.mean[band], self.std[band] = pixels.mean(), pixels.std(correction=0)

    @torch.no_grad()
    def measure(
        self,
        image: Tensor,
        valid: Tensor,
        *,
        bands: tuple[str, ...] = (),
        only: Collection[str] | None = None,
        what: str = "images",
    ) -> None:
        """Take sky level and noise from these images and leave the rest: for other depths and other units.

        Args:
            image: (N, C, H, W) flux; (N, C, L) or (N, F) of other data.
            valid: bool, of that shape.
            bands: names, for messages.
            only: the bands to measure; None for all.
            what: names the images in messages.

        Raises:
            DataError: a band has no valid pixel, or all its valid pixels have one value.
        """
        for band in range(image.shape[1]):
            name = bands[band] if band < len(bands) else str(band)
            if only is not None and name not in only:
                continue
            pixels = image[:, band][valid[:, band]].double()
            if pixels.numel() == 0:
                raise DataError(f"band {name} has no valid pixel in the {what}; drop it (data.bands=...).")
            sky = pixels.median()
            noise = MAD_TO_SIGMA * (pixels - sky).abs().median()
            if noise == 0:  # more than half of the pixels hold one value, as in images cut out by a mask
                noise = pixels.std(correction=0)
            if noise == 0:
                raise DataError(f"band {name} is constant in the {what}; drop it (data.bands=...).")
            self.sky[band], self.noise[band] = sky, noise

    @property
    def reach(self) -> int | None:
        """How far away a pixel can change what becomes of another, in pixels; None where there is no bound."""
        if self.difference_radius_pix:  # bands are matched in the centre of the image, wherever that is
            return None
        return reach_pix(self.sharpen_sigma_pix) if self.sharpen else 0

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Normalised pixels, (B, C, H, W) float32, of flux and validity of that shape; (B, C, L) and (B, F) alike."""
        self._check(image)
        contrast = self._contrast(image, valid)
        return (contrast - _by_band(self.mean, image)).div_(_by_band(self.std, image))

    def _check(self, image: Tensor) -> None:
        if (self.sharpen or self.difference_radius_pix) and image.ndim != 4:
            raise ConfigError(
                f"normalize.sharpen={self.sharpen:g} and normalize.difference_radius_pix="
                f"{self.difference_radius_pix:g} are for images, but these data are "
                f"{' × '.join(map(str, image.shape[1:]))} an object; choose normalize=linear, or set both to 0."
            )

    def _contrast(self, image: Tensor, valid: Tensor) -> Tensor:
        """Stretched and sharpened pixels, as ``image``, before they are brought to mean 0 and deviation 1."""
        scaled = torch.where(valid, image - _by_band(self.sky, image), 0).div_(_by_band(self.noise, image))
        if self.difference_radius_pix:
            scaled = without_last(scaled, valid, self.difference_radius_pix)
        stretched = self.stretch(scaled.div_(self.softening))
        if not self.sharpen:
            return stretched
        # The difference of like numbers needs all digits.
        with torch.autocast(image.device.type, enabled=False):
            smooth = gaussian_smooth(stretched, valid, self.sharpen_sigma_pix)
        return stretched + self.sharpen * torch.where(valid, stretched - smooth, 0)


def _by_band(values: Tensor, image: Tensor) -> Tensor:
    return values.view(-1, *[1] * (image.ndim - 2))  # (C, 1, 1), (C, 1) or (F,)
