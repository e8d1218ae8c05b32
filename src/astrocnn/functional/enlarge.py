"""Images on a finer grid: what a network that adds detail is measured against."""

import torch.nn.functional as F
from torch import Tensor

__all__ = ["enlarged"]

MODES = {2: "bilinear", 3: "trilinear"}


def enlarged(images: Tensor, factor: int) -> Tensor:
    """Images whose pixels are divided into ``factor`` along each axis, interpolated linearly; flux is conserved.

    Values are flux a pixel, so that each of the smaller pixels has its share, 1/factor² of the interpolated value
    (1/factor³ in a volume).

    Args:
        images: (B, C, H, W), or (B, C, D, H, W).
        factor: 1 or more; 1 gives the images themselves.

    Returns:
        (B, C, factor·H, factor·W), or (B, C, factor·D, factor·H, factor·W).
    """
    if factor == 1:
        return images
    axes = images.ndim - 2
    finer: Tensor = F.interpolate(images, scale_factor=factor, mode=MODES[axes], align_corners=False)
    return finer.div_(float(factor**axes))
