"""Grids of predictions, one a cell, into boxes and back: which cell has which object, where a cell's box is.

A cell is ``stride`` pixels wide. Of each the channels are: the logit that an object has its centre there, the way
(dx, dy) from the cell's centre to the object's in cells, the logarithms of the box's width and height in cells, K
logits of the classes and, for V further values, their means and the logarithms of their deviations.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from astrocnn.functional.boxes import box_centres, from_centres

__all__ = ["AT_ONCE", "CELL", "LOG_DEVIATION", "Assigned", "assign", "decode", "heat_of", "peaks", "upright"]

CELL = 5  # channels before those of the classes
LOG_SIZE = (-4.0, 8.0)  # of a box, in cells
LOG_DEVIATION = (-7.0, 7.0)  # of a value, in units of its scatter
AT_ONCE = 2**21  # values of what is drawn together
REACH = 6  # deviations; farther out a Gaussian is less than the precision of float32
LEAST_REACH = 4  # cells


@dataclass(frozen=True)
class Assigned:
    """Objects and their cells.

    Attributes:
        image, row, column: of the cell of each object (P,).
        boxes: (P, 4).
        object: (P,) which of its image's objects it is.
    """

    image: Tensor
    row: Tensor
    column: Tensor
    boxes: Tensor
    object: Tensor


def _cells(boxes: Tensor, stride: int) -> Tensor:
    """Centres (..., 2) in cells from the outer corner of the first."""
    return (box_centres(boxes)[0] + 0.5) / stride


def assign(boxes: Tensor, counted: Tensor, *, stride: int, shape: tuple[int, int]) -> Assigned:
    """The cell that holds the centre of each object; of several in one cell the smallest.

    Args:
        boxes: (B, N, 4), NaN where there is none.
        counted: (B, N) bool, whose that are to be found.
        stride: pixels a cell.
        shape: rows and columns of cells.
    """
    height, width = shape
    centre = _cells(boxes, stride).nan_to_num(-1.0)
    column, row = centre.floor().long().unbind(-1)
    inside = counted & (column >= 0) & (row >= 0) & (column < width) & (row < height)
    image, number = inside.nonzero(as_tuple=True)
    own = boxes[image, number]
    area = box_centres(own)[1].prod(-1)
    order = area.argsort(stable=True)
    place = ((image * height + row[image, number]) * width + column[image, number])[order]
    rank = torch.arange(len(order), device=boxes.device)
    first = torch.full((len(boxes) * height * width,), len(order), device=boxes.device)
    first = first.scatter_reduce(0, place, rank, "amin")
    kept = order[first[place] == rank]
    return Assigned(
        image[kept], row[image, number][kept], column[image, number][kept], own[kept], number[kept]
    )


def heat_of(boxes: Tensor, *, stride: int, shape: tuple[int, int], share: float, least: float) -> Tensor:
    """How near each cell is to a centre, (B, h, w) from 0 to 1: the greatest of Gaussians around them.

    Args:
        boxes: (B, N, 4), NaN where there is none.
        stride: pixels a cell.
        shape: rows and columns of cells.
        share: deviation of a Gaussian, of the geometric mean of width and height.
        least: the least deviation, in cells.
    """
    centre, sizes = _cells(boxes, stride), box_centres(boxes)[1]
    deviation = (share * sizes.prod(-1).sqrt() / stride).clamp_min(least)  # (B, N)
    needed = REACH * deviation
    heat = boxes.new_zeros(len(boxes), *shape)
    near, far = 0, LEAST_REACH  # cells that are drawn around a centre: more for large objects
    while near < max(shape):
        last = far >= max(shape)
        image, number = ((needed > near) & ((needed <= far) | last)).nonzero(as_tuple=True)
        at_once = max(1, AT_ONCE // (2 * far + 1) ** 2)
        for of in zip(torch.split(image, at_once), torch.split(number, at_once), strict=True):
            _draw(heat, of[0], centre[of], deviation[of], min(far, max(shape)))
        near, far = far, 2 * far
    return heat


def _draw(heat: Tensor, image: Tensor, centre: Tensor, deviation: Tensor, reach: int) -> None:
    """Raise ``heat`` (B, h, w) to Gaussians, as far as ``reach`` from the cells of their centres (P, 2)."""
    around = torch.arange(-reach, reach + 1, device=heat.device)
    places, weights = [], []
    for axis, side in ((1, heat.shape[1]), (0, heat.shape[2])):  # rows, columns
        cell = centre[:, axis, None].floor().long() + around  # (P, n)
        away = (cell + 0.5 - centre[:, axis, None]) / deviation[:, None]
        weights.append(torch.exp(-(away**2) / 2) * ((cell >= 0) & (cell < side)))
        places.append(cell.clamp(0, side - 1))
    place = (image[:, None] * heat.shape[1] + places[0])[:, :, None] * heat.shape[2] + places[1][:, None]
    drawn = weights[0][:, :, None] * weights[1][:, None]  # (P, n, n)
    heat.view(-1).scatter_reduce_(0, place.flatten(), drawn.flatten(), "amax")


def decode(raw: Tensor, row: Tensor, column: Tensor, *, stride: int) -> Tensor:
    """The boxes (P, 4) in pixels of cells, from their raw outputs (P, 5 + ...), their rows and their columns (P,)."""
    centre = (torch.stack([column, row], -1) + 0.5 + raw[:, 1:3].float()) * stride - 0.5
    return from_centres(centre, raw[:, 3:CELL].float().clamp(*LOG_SIZE).exp() * stride)


def peaks(score: Tensor, *, threshold: float) -> Tensor:
    """Where scores (B, h, w) are at least ``threshold`` and as high as every neighbour's, (B, h, w) bool."""
    highest = nn.functional.max_pool2d(score[:, None], 3, stride=1, padding=1)[:, 0]
    return (score >= threshold) & (score == highest)


def upright(raw: Tensor, *, turns: int, mirrored: bool) -> Tensor:
    """What a grid says of an image as it stood, from the grid (B, 5 + ..., h, w) of the image after ``turns`` quarter
    turns as of :func:`torch.rot90`, ``mirrored`` along its rows before them.
    """
    raw = torch.rot90(raw, -turns, (-2, -1))
    dx, dy, width, height = raw[:, 1:CELL].unbind(1)
    for _ in range(turns % 4):
        dx, dy, width, height = -dy, dx, height, width
    if mirrored:
        raw, dx, dy, width, height = (of.flip(-1) for of in (raw, -dx, dy, width, height))
    return torch.cat([raw[:, :1], torch.stack([dx, dy, width, height], 1), raw[:, CELL:]], 1)
