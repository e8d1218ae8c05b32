"""Affine maps of images about their centre, and resampling that knows which pixels hold data.

Matrices act on pixel offsets from the image's centre, (x to the right, y upward in array order), and map an
output position to the input position that it is read from.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["affine_matrix", "all_true", "nearest", "resample"]

BLOCK = 32  # images that a processor resamples together
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


def all_true(values: Tensor) -> bool:
    """Whether every element of a bool tensor is True; of an expanded one each stored element is looked at once."""
    stored = values[tuple(slice(0, 1 if step == 0 else None) for step in values.stride())]
    return bool(stored.all())


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
    half_size = torch.tensor([[columns / 2], [rows / 2]], device=planes.device, dtype=planes.dtype)
    # to grid_sample's units: ±1 are the outer edges of the outer pixels
    scaled = (matrix.to(planes.dtype) / half_size)[:, :, None]  # (B, 2, 1, 3)
    along_x, along_y = scaled[..., 0] * x, scaled[..., 1] * y + scaled[..., 2]  # (B, 2, W'), (B, 2, H')
    whole = all_true(valid)  # the weights are then those of the frame, the same in every band
    flux = planes.new_empty(*planes.shape[:2], out_rows, out_columns)
    inside = valid.new_empty(len(planes), 1 if whole else planes.shape[1], out_rows, out_columns)
    # memory for a whole batch costs a processor more than what is done with it
    step = BLOCK if planes.device.type == "cpu" else max(1, len(planes))
    for start in range(0, len(planes), step):
        part = slice(start, start + step)
        values, known = planes[part], valid[part]
        if whole:
            known = torch.ones_like(values[:1, :1]).expand(len(values), 1, rows, columns)
        else:
            values = values * known
        # sums of a row and a column: a product of matrices takes several times as long
        grid = torch.stack(
            [along_y[part, i, :, None] + along_x[part, i, None] for i in range(2)], -1
        )  # (b, H', W', 2)
        weights = _sample(known.to(planes.dtype), grid)
        inside[part] = weights >= ENOUGH
        flux[part] = _sample(values, grid).div_(weights.clamp_min_(ENOUGH)).mul_(inside[part])
    return flux, inside.expand_as(flux)


def nearest(numbers: Tensor, matrix: Tensor, fill: int) -> Tensor:
    """Maps of numbers (B, H, W) int64, below 2²⁴, read at mapped positions from the nearest pixel; ``fill`` outside."""
    rows, columns = numbers.shape[-2:]
    half_size = torch.tensor([[columns / 2], [rows / 2]], device=matrix.device, dtype=matrix.dtype)
    grid = F.affine_grid(
        matrix / half_size * torch.tensor([columns / 2, rows / 2, 1.0], device=matrix.device),
        [len(numbers), 1, rows, columns],
        align_corners=False,
    )  # (B, H, W, 2)
    above = (numbers - fill + 1)[:, None].float()  # outside is 0
    found = F.grid_sample(above, grid, mode="nearest", padding_mode="zeros", align_corners=False)[:, 0].long()
    return torch.where(found == 0, fill, found + fill - 1)


def _sample(values: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(values, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
