"""What another telescope would have made of the same sky: a wider point-spread function, fewer bands."""

import torch
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.functional.smoothing import gaussian_blur

__all__ = ["blur", "drop_bands"]


def blur(batch: Batch, *, sigma_pix: float) -> Batch:
    """Convolve every band of every image with a Gaussian of its own, of σ from 0 to ``sigma_pix``.

    The noise becomes fainter and correlated, as in images that were brought to a common seeing; the variance stays
    that of the unblurred image.

    Args:
        batch: with (B, C, H, W) ``image`` and ``valid``.
        sigma_pix: greatest σ.
    """
    image = batch["image"]
    sigma = sigma_pix * torch.rand(*image.shape[:2], device=image.device)
    blurred = gaussian_blur(image, batch["valid"], sigma)
    return batch | {"image": torch.where(batch["valid"], blurred, 0)}


def drop_bands(batch: Batch, *, probability: float) -> Batch:
    """Lose whole bands, each with this probability, so that a network does not rely on any; one is always left.

    Args:
        batch: with (B, C, H, W) ``image`` and ``valid``; a band that is lost is not valid.
        probability: from 0 to below 1.
    """
    image = batch["image"]
    chance: Tensor = torch.rand(*image.shape[:2], device=image.device)
    kept = (chance >= probability) | (chance == chance.max(1, keepdim=True).values)  # (B, C)
    kept = kept[:, :, None, None]
    return batch | {"image": image * kept, "valid": batch["valid"] & kept}
