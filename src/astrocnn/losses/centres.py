"""Loss of the centres of objects, and of each pixel's way to its own."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.functional.instances import instance_targets

__all__ = ["CentreLoss"]

IGNORED = -1


class CentreLoss(nn.Module):
    """Focal loss of a heat map with a peak at every object, and mean distance of the offsets inside objects.

    The heat map's is equation 1 of CenterNet (Zhou+19, arXiv:1904.07850, α = 2, β = 4): a pixel is a centre or is not,
    and one that is nearly so counts little. Both are means over objects and pixels, so that they do not depend on how
    crowded an image is. Here a centre lies anywhere in its pixel, and the one to four pixels around it are centres.

    Args:
        sigma_pix: of the Gaussian around each centre.
        centre_weight: of the heat map.
        offset_weight: of the offsets, for each pixel of distance.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self, *, sigma_pix: float = 1.5, centre_weight: float = 0.2, offset_weight: float = 0.05
    ) -> None:
        super().__init__()
        if sigma_pix <= 0 or centre_weight < 0 or offset_weight < 0:
            raise ConfigError(
                f"sigma_pix={sigma_pix}, centre_weight={centre_weight} and offset_weight={offset_weight}: above 0, at "
                "least 0 and at least 0."
            )
        self.sigma_pix, self.centre_weight, self.offset_weight = sigma_pix, centre_weight, offset_weight
        self._at_centre = 0.9999 * math.exp(
            -0.25 / sigma_pix**2
        )  # in the corner of a pixel, √½ from its middle

    def forward(self, heat: Tensor, offset: Tensor, instances: Tensor) -> dict[str, Tensor]:
        """The two terms.

        Args:
            heat: (B, H, W) logits.
            offset: (B, 2, H, W) to the centre, (dy, dx) in pixels.
            instances: (B, H, W) int64, 0 background, −1 ignored.
        """
        wanted, way, inside = instance_targets(instances, sigma_pix=self.sigma_pix)
        heat, offset = heat.float(), offset.float()
        counts = instances != IGNORED
        peak = wanted >= self._at_centre
        at_peak = F.logsigmoid(heat) * heat.sigmoid().neg().add(1).square()
        elsewhere = F.logsigmoid(-heat) * heat.sigmoid().square() * (1 - wanted).pow(4)
        focal = -torch.where(peak, at_peak, elsewhere)[counts].sum() / (peak & counts).sum().clamp_min(1)
        distance = (offset - way).abs().sum(1)[inside].sum() / inside.sum().clamp_min(1)
        return {"centre": self.centre_weight * focal, "offset": self.offset_weight * distance}
