"""Photometric augmentation, in flux units: what differs between observations of the same sky."""

import torch
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.errors import DataError

__all__ = ["add_errors", "add_noise", "scale_bands"]


def add_noise(batch: Batch, *, fraction: float, noise: Tensor) -> Batch:
    """Add white noise of up to ``fraction`` times the bands' noise, a level drawn for each image.

    Args:
        batch: with (B, C, H, W) ``image`` and ``valid``; ``variance``, when there, grows accordingly.
        fraction: greatest added deviation in units of ``noise``.
        noise: (C,) noise of the bands, in flux units.
    """
    image, valid = batch["image"], batch["valid"]
    level = torch.rand(len(image), 1, 1, 1, device=image.device) * fraction
    sigma = level * noise.view(1, -1, 1, 1)  # (B, C, 1, 1)
    noisy = image + sigma * torch.randn_like(image) * valid
    result = batch | {"image": noisy}
    if "variance" in batch:
        result["variance"] = batch["variance"] + sigma.square()
    return result


def add_errors(batch: Batch, *, factor: float) -> Batch:
    """Add normal deviates of ``factor`` times each value's own error: the object, observed once more.

    Args:
        batch: with ``image``, ``valid`` and ``variance`` of one shape, images or rows of a table; the variance stays,
            so that the errors are those that a network will meet.
        factor: 1 for as much noise again as there is.

    Raises:
        DataError: there is no variance.
    """
    if "variance" not in batch:
        raise DataError(
            f"augment.errors={factor} needs the errors of the values; name them (data.errors=... of tables, "
            "data.variance of images), or set augment.errors=0."
        )
    image, valid = batch["image"], batch["valid"]
    noise = factor * batch["variance"].sqrt() * torch.randn_like(image)
    return batch | {"image": torch.where(valid, image + noise, image)}


def scale_bands(batch: Batch, *, zero_point_mag: float) -> Batch:
    """Jitter the zero-point of every band of every image by a normal deviate of that deviation, in magnitudes."""
    image = batch["image"]
    jitter = torch.randn(*image.shape[:2], 1, 1, device=image.device) * zero_point_mag
    factor = torch.pow(10.0, -0.4 * jitter)  # (B, C, 1, 1)
    result = batch | {"image": image * factor}
    if "variance" in batch:
        result["variance"] = batch["variance"] * factor.square()
    return result
