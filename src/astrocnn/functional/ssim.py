"""Structural similarity of images in which pixels may be missing."""

import torch
from torch import Tensor

from astrocnn.functional.smoothing import gaussian_smooth

__all__ = ["ssim"]

SIGMA_PIX = 1.5
REACH_PIX = 5  # the window is 11 pixels wide
K1, K2 = 0.01, 0.03


def ssim(prediction: Tensor, target: Tensor, valid: Tensor, data_range: Tensor) -> Tensor:
    """Mean structural similarity index of each image and plane (Wang+04, doi:10.1109/TIP.2003.819861, eq. 13).

    Means, variances and covariance are those of a Gaussian window of σ = 1.5 pixels, 11 pixels wide, over its valid
    pixels; the index is averaged over the valid pixels whose window lies inside the image. C₁ = (0.01 L)² and
    C₂ = (0.03 L)², L being the range of the data.

    Args:
        prediction: (B, K, H, W); of a volume (B, K, D, H, W) the planes along its first axis are the images.
        target: of that shape.
        valid: bool, of that shape.
        data_range: (B, K) range L of each image and plane.

    Returns:
        (B, K) float64, NaN where no pixel counts or the range is 0.
    """
    if target.ndim == 5:
        prediction, target, valid = (
            maps.flatten(1, 2) for maps in (prediction, target, valid)
        )  # (B, K*D, H, W)
        depth = target.shape[1] // data_range.shape[1]
        slices, weight = _of_planes(prediction, target, valid, data_range.repeat_interleave(depth, 1))
        slices, weight = (values.view(len(values), -1, depth) for values in (slices, weight))  # (B, K, D)
        total = weight.sum(2)
        mean = torch.where(weight > 0, slices * weight, 0).sum(2) / total
        return torch.where(total > 0, mean, torch.nan)
    return _of_planes(prediction, target, valid, data_range)[0]


def _of_planes(
    prediction: Tensor, target: Tensor, valid: Tensor, data_range: Tensor
) -> tuple[Tensor, Tensor]:
    """The mean index (B, K), and from how many pixels."""
    x, y = (torch.where(valid, maps.double(), 0) for maps in (prediction, target))
    # float64: a variance is the small difference of large squares
    mean_x, mean_y, xx, yy, xy = (
        gaussian_smooth(maps, valid, SIGMA_PIX) for maps in (x, y, x * x, y * y, x * y)
    )
    c1, c2 = ((k * data_range.double()).square()[..., None, None] for k in (K1, K2))
    variances = (xx - mean_x**2) + (yy - mean_y**2)
    index = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
    index = index / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))
    counted = valid.clone()
    counted[..., :REACH_PIX, :] = counted[..., -REACH_PIX:, :] = False
    counted[..., :, :REACH_PIX] = counted[..., :, -REACH_PIX:] = False
    n = counted.sum((-2, -1))
    mean = torch.where(counted, index, 0).sum((-2, -1)) / n
    return torch.where((n > 0) & (data_range > 0), mean, torch.nan), n
