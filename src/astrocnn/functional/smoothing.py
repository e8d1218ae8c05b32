"""Smoothing of images in which pixels may be missing."""

import math

import torch
from torch import Tensor

__all__ = ["gaussian_blur", "gaussian_smooth", "reach_pix"]

REACH = 3.0  # where the kernel is cut off, in units of its σ


def reach_pix(sigma_pix: float) -> int:
    """How far away a pixel still counts, in pixels."""
    return math.ceil(REACH * sigma_pix)


def gaussian_smooth(image: Tensor, valid: Tensor, sigma_pix: float) -> Tensor:
    """Mean of the valid pixels around each pixel, weighted by a Gaussian: G∗(image·valid) / G∗valid.

    Missing pixels and what lies outside the image have no weight (the normalised convolution of Knutsson &
    Westin 1993), so that a constant image stays constant up to its edges.

    Args:
        image: (B, C, H, W) float; pixels that are not valid are ignored, whatever they hold.
        valid: (B, C, H, W) bool.
        sigma_pix: σ of the Gaussian; it is cut off at 3σ.

    Returns:
        (B, C, H, W) float, 0 where no valid pixel is within reach.
    """
    near = reach_pix(sigma_pix)
    rows, columns = (_weights(size, image.new_tensor(sigma_pix), near) for size in image.shape[-2:])
    # Products of matrices: for cutouts many times as fast on a CPU as two convolutions of few channels.
    weight = rows @ valid.to(image.dtype) @ columns
    return rows @ torch.where(valid, image, 0) @ columns / torch.where(weight > 0, weight, 1)


def gaussian_blur(image: Tensor, valid: Tensor, sigma_pix: Tensor) -> Tensor:
    """:func:`gaussian_smooth` with a σ for each band of each image, (B, C) pixels; 0 leaves a band as it is."""
    least = 0.05  # of whose Gaussian nothing reaches the next pixel
    sigma = sigma_pix.clamp_min(least)[:, :, None, None]
    near = reach_pix(float(sigma.max()))
    rows, columns = (_weights(size, sigma, near) for size in image.shape[-2:])  # (B, C, size, size)
    weight = rows @ valid.to(image.dtype) @ columns
    return rows @ torch.where(valid, image, 0) @ columns / torch.where(weight > 0, weight, 1)


def _weights(size: int, sigma_pix: Tensor, near: int) -> Tensor:
    """The Gaussian between all pairs of pixels on a line that are at most ``near`` apart, (..., size, size)."""
    pixel = torch.arange(size, dtype=sigma_pix.dtype, device=sigma_pix.device)
    distance = (pixel[:, None] - pixel).abs()
    return torch.where(distance <= near, (-0.5 * (distance / sigma_pix) ** 2).exp(), 0)
