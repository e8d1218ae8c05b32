"""Affine maps of images about their centre, and resampling that knows which pixels hold data.

Matrices act on pixel offsets from the image's centre, (x to the right, y upward in array order), and map an
output position to the input position that it is read from.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["affine_matrix", "resample"]

ENOUGH = 0.5  # share of an output pixel's bilinear weight that must come from valid pixels


def affine_matrix(angle_rad: Tensor, zoom: Tensor, shift_pix: Tensor, mirror: Tensor) -> Tensor:
    """Maps that rotate, magnify, mirror and shift a picture.

    Args:
        angle_rad: (B,) turn of the picture, from +x towards +y.
        zoom: (B,) magnification; 2 doubles every distance.
        shift_pix: (B, 2) shift of the picture in x and y, in output pixels.
        mirror: (B,) bool; True mirrors x before turning.

    Returns:
        (B, 2, 3) float32: the last column is the translation, in input pixels.
    """
    cos, sin = angle_rad.cos() / zoom, angle_rad.sin() / zoom
    sign = 1 - 2 * mirror.to(cos.dtype)
    inverse = torch.stack([torch.stack([sign * cos, sign * sin], -1), torch.stack([-sin, cos], -1)], -2)
    return torch.cat([inverse, -inverse @ shift_pix[..., None]], -1)  # (B, 2, 3)


def resample(
    planes: Tensor, valid: Tensor, matrix: Tensor, *, shape: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Read images at mapped positions, bilinearly, from valid pixels only. Surface brightness is conserved.

    A pixel without data has no weight, so that no flux comes from it; an output pixel is valid where at least
    half of its weight is. Outside the image there is no data.

    Args:
        planes: (B, C, H, W) float32.
        valid: (B, C, H, W) bool.
        matrix: (B, 2, 3), from :func:`affine_matrix`.
        shape: rows and columns of the output; None keeps those of the input.

    Returns:
        The resampled planes and their validity, (B, C, H', W') float32 and bool; invalid pixels are 0.
    """
    rows, columns = planes.shape[-2:]
    out_rows, out_columns = shape or (rows, columns)
    x = torch.arange(out_columns, device=planes.device, dtype=planes.dtype) - (out_columns - 1) / 2
    y = torch.arange(out_rows, device=planes.device, dtype=planes.dtype) - (out_rows - 1) / 2
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    output = torch.stack([grid_x, grid_y, torch.ones_like(grid_x)], -1)  # (H', W', 3)
    half_size = torch.tensor([[columns / 2], [rows / 2]], device=planes.device, dtype=planes.dtype)
    scaled = (
        matrix.to(planes.dtype) / half_size
    )  # to grid_sample's units: ±1 are the outer edges of the outer pixels
    grid = torch.einsum("bij,hwj->bhwi", scaled, output)  # (B, H', W', 2)

    def sample(values: Tensor) -> Tensor:
        return F.grid_sample(values, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    if valid.all():  # the weights are then those of the frame, the same in every band
        weights = sample(torch.ones_like(planes[:1, :1]).expand(len(planes), 1, rows, columns))
        flux = sample(planes)
    else:
        weights = sample(valid.to(planes.dtype))
        flux = sample(planes * valid)
    inside = weights >= ENOUGH
    # in place, since memory for another batch costs more than what is done with it
    return flux.div_(weights.clamp_min_(ENOUGH)).mul_(inside), inside.expand_as(flux)
