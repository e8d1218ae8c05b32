"""Differences of bands, in which a galaxy of one colour vanishes and what has another colour stays."""

import torch
from torch import Tensor

__all__ = ["without_last"]


def without_last(image: Tensor, valid: Tensor, radius_pix: float) -> Tensor:
    """Every band but the last less the last one, scaled so that the light in the image's centre goes.

    x_c − α_c·x_last with α_c = Σ x_c·x_last / Σ x_last² over the pixels within ``radius_pix`` of the centre that
    are valid in all bands: the difference images in which RingFinder looks for blue arcs around red galaxies
    (Gavazzi et al. 2014, ApJ 785, 144, section 3.1). Order the bands from blue to red. The PSFs are taken as they
    are: where they differ, a ring of a few per cent of the galaxy is left.

    Args:
        image: (B, C, H, W) float, sky subtracted, 0 where not valid, in units in which squares do not underflow.
        valid: (B, C, H, W) bool.
        radius_pix: radius of the circle in which bands are matched.

    Returns:
        (B, C, H, W): the C − 1 differences, 0 where either band has no data, and the last band as it was. A band
        whose centre holds nothing to match is left as it was.
    """
    height, width = image.shape[-2:]
    row = torch.arange(height, device=image.device) - (height - 1) / 2
    column = torch.arange(width, device=image.device) - (width - 1) / 2
    inside = (row[:, None] ** 2 + column**2 <= radius_pix**2) & valid.all(1, keepdim=True)  # (B, 1, H, W)
    others, last = image[:, :-1].float(), image[:, -1:].float()
    matched = torch.where(inside, last, 0)
    power = (matched * last).sum((-2, -1), keepdim=True)  # (B, 1, 1, 1)
    factor = (others * matched).sum((-2, -1), keepdim=True) / torch.where(
        power > 0, power, 1
    )  # (B, C - 1, 1, 1)
    both = valid[:, :-1] & valid[:, -1:]
    return torch.cat([torch.where(both, others - factor * last, 0), last], 1)
