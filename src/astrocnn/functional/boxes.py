"""Boxes of objects: how they move with the pixels, what a frame leaves of them, which are those of one object.

A box is (x0, y0, x1, y1) in pixels, the centre of the first pixel being (0, 0): that of the pixels from a to b along an
axis goes from a - 1/2 to b + 1/2. In a batch they are (B, N, 4), padded with NaN behind the last one of each image.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor, nn

__all__ = [
    "box_centres",
    "clip_boxes",
    "from_centres",
    "kept_by_distance",
    "labels_of_boxes",
    "labels_seen",
    "move_boxes",
    "paired_iou",
    "pixels_within",
    "reach_of",
    "seen_share",
    "visible_fraction",
]

PIXELS_AT_ONCE = 2**21  # of boxes


def box_centres(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Centres (..., 2) as x, y, and widths and heights (..., 2) of boxes (..., 4)."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) / 2, high - low


def from_centres(centres: Tensor, sizes: Tensor) -> Tensor:
    """Boxes (..., 4) of centres and sizes (..., 2)."""
    return torch.cat([centres - sizes / 2, centres + sizes / 2], -1)


def move_boxes(boxes: Tensor, matrix: Tensor, *, before: tuple[int, int], after: tuple[int, int]) -> Tensor:
    """The bounds of boxes whose image is resampled.

    Args:
        boxes: (B, N, 4).
        matrix: (B, 2, 3) or (2, 3); from an output position to the input position that it is read from, both as
            offsets from the centre of their image (:func:`astrocnn.functional.affine.affine_matrix`).
        before: rows and columns of the input.
        after: those of the output.

    Returns:
        (B, N, 4): the least box around the moved corners.
    """
    matrix = matrix.to(boxes.dtype).expand(len(boxes), 2, 3)
    middle, new = (
        boxes.new_tensor([(side - 1) / 2 for side in reversed(shape)]) for shape in (before, after)
    )
    x0, y0, x1, y1 = boxes.unbind(-1)
    corners = torch.stack([torch.stack(pair, -1) for pair in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))], -2)
    offsets = corners - middle - matrix[:, None, None, :, 2]  # (B, N, 4, 2)
    moved = offsets @ torch.linalg.inv(matrix[..., :2]).transpose(-1, -2)[:, None] + new
    return torch.cat([moved.amin(-2), moved.amax(-2)], -1)


def clip_boxes(boxes: Tensor, shape: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) cut at the edges of a frame of ``shape`` rows and columns."""
    height, width = shape
    low = boxes.new_tensor([-0.5, -0.5, -0.5, -0.5])
    return boxes.maximum(low).minimum(boxes.new_tensor([width, height, width, height]) - 0.5)


def visible_fraction(boxes: Tensor, shape: tuple[int, int]) -> Tensor:
    """The share (...) of the area of boxes (..., 4) that lies within a frame of ``shape`` rows and columns."""
    _, whole = box_centres(boxes)
    _, seen = box_centres(clip_boxes(boxes, shape))
    return seen.clamp_min(0).prod(-1) / whole.prod(-1)


def pixels_within(boxes: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """First pixel (..., 2) and the one behind the last, along x and y, of boxes (..., 4) in an image of ``shape``.

    The pixels of a box are those whose centre is in it, and the one at its own centre; of one outside of the image
    (or of NaN) both are the same.
    """
    middle = box_centres(boxes)[0].round()
    first = boxes[..., :2].ceil().minimum(middle)
    last = boxes[..., 2:].floor().maximum(middle)
    sides = torch.tensor([shape[1], shape[0]], device=boxes.device)  # along x, along y
    first, end = (of.nan_to_num(0.0).long().clamp_min(0).minimum(sides) for of in (first, last + 1))
    return first, end


def seen_share(boxes: Tensor, known: Tensor) -> Tensor:
    """The share of the pixels of boxes that hold data, of those within the image; NaN where there is no box.

    Args:
        boxes: (B, N, 4); their pixels are those of :func:`pixels_within`.
        known: (B, H, W) bool.

    Returns:
        (B, N) from 0 to 1; 0 of boxes outside of the image.
    """
    first, end = pixels_within(boxes, (known.shape[1], known.shape[2]))
    total = known.cumsum(2, dtype=torch.int32).cumsum(1, dtype=torch.int32)
    total = nn.functional.pad(total, (1, 0, 1, 0))  # (B, H + 1, W + 1)
    image = torch.arange(len(boxes), device=boxes.device)[:, None]
    (x0, y0), (x1, y1) = first.unbind(-1), end.unbind(-1)
    seen = total[image, y1, x1] - total[image, y0, x1] - total[image, y1, x0] + total[image, y0, x0]
    share = seen / (end - first).prod(-1).clamp_min(1)
    return share.masked_fill(boxes.isnan().any(-1), torch.nan)


def labels_seen(boxes: Tensor, labels: Tensor, known: Tensor, *, least: float = 0.0) -> Tensor:
    """Class numbers (B, N) with −1, which counts neither way, where too little of an object is seen.

    Args:
        boxes: (B, N, 4), NaN where there is none.
        labels: (B, N) int64.
        known: (B, H, W) bool, the pixels that hold data.
        least: of the pixels of a box, the share that hold data; where none does, the object never counts.
    """
    share = seen_share(boxes, known)
    return labels.where((share > 0) & (share >= least), -1)


def paired_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union (...) of boxes (..., 4) with others, one by one."""
    low, high = boxes[..., :2].maximum(others[..., :2]), boxes[..., 2:].minimum(others[..., 2:])
    both = (high - low).clamp_min(0).prod(-1)
    areas = [(of[..., 2:] - of[..., :2]).clamp_min(0).prod(-1) for of in (boxes, others)]
    return both / (areas[0] + areas[1] - both).clamp_min(1e-9)


def reach_of(boxes: NDArray[np.floating], radius_pix: float, radius_share: float) -> NDArray[np.float64]:
    """The radius (N,) around each of the boxes (N, 4): ``radius_pix``, or a share of its size where that is more."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    reach: NDArray[np.float64] = np.maximum(radius_pix, radius_share * np.sqrt(sides.prod(1)))
    return reach


def kept_by_distance(
    centres: NDArray[np.floating], scores: NDArray[np.floating], radius: NDArray[np.floating] | float
) -> NDArray[np.int64]:
    """Of detections nearer to each other than a radius the one of the best score; of equal scores the first.

    What is left out drops no others, as in greedy non-maximum suppression, with the distance of centres in place of the
    overlap of boxes: of sources hardly larger than the seeing boxes overlap by most of their area.

    Args:
        centres: (N, 2).
        scores: (N,).
        radius: of all, or of each (N,); of two detections that of the better one counts.

    Returns:
        Rows that are kept, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    reach = np.broadcast_to(np.asarray(radius, dtype=np.float64), scores.shape)[order]
    if not len(order):
        return order
    places = np.asarray(centres, dtype=np.float64)[order]
    tree, kept = cKDTree(places), np.ones(len(order), dtype=bool)
    nearest = tree.query(places, k=[2], distance_upper_bound=float(reach.max()))[0][:, 0]
    for best in np.flatnonzero(np.isfinite(nearest)).tolist():  # others have no neighbour
        if kept[best]:
            near = np.array(tree.query_ball_point(places[best], reach[best]))
            apart = np.hypot(*(places[near] - places[best]).T)
            kept[near[(apart < reach[best]) & (near > best)]] = False
    return order[kept]


def labels_of_boxes(boxes: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.int32]:
    """An instance map (H, W): which pixels lie in the ellipse that fills each box, 0 none, 1 the first.

    A pixel in several goes to the one of whose half axes it is the fewest away from the centre. The pixel at an
    object's centre is its own, unless another is centred on it too.

    Args:
        boxes: (N, 4).
        shape: rows and columns.
    """
    edges = np.asarray(boxes, np.float64).reshape(-1, 4)
    centre = (edges[:, :2] + edges[:, 2:]) / 2
    half = np.maximum((edges[:, 2:] - edges[:, :2]) / 2, 0.5)
    sides = np.array([shape[1], shape[0]])
    first = np.clip(np.floor(centre - half), 0, sides).astype(np.int64)
    size = np.clip(np.ceil(centre + half) + 1, first, sides).astype(np.int64) - first  # (N, 2) along x, y
    n_pix = size.prod(1)
    labels, nearest = np.zeros(shape, np.int32).ravel(), np.full(shape, np.inf, np.float32).ravel()
    groups = np.searchsorted(np.cumsum(n_pix), np.arange(PIXELS_AT_ONCE, n_pix.sum(), PIXELS_AT_ONCE)) + 1
    for some in np.split(np.arange(len(edges)), np.unique(groups)):
        number = np.repeat(some, n_pix[some])
        before = np.cumsum(n_pix[some]) - n_pix[some]
        place = np.arange(len(number)) - np.repeat(before, n_pix[some])
        row, column = np.divmod(place, size[number, 0])
        row, column = row + first[number, 1], column + first[number, 0]
        (x, y), (a, b) = centre[number].T, half[number].T
        away = (((row - y) / b) ** 2 + ((column - x) / a) ** 2).astype(np.float32)
        middle = (row == y.round()) & (column == x.round())
        away[middle] = np.minimum(away[middle], np.float32(1e-3))
        place = row * shape[1] + column
        own = (away <= 1) & (away < nearest[place])
        number, place, away = number[own], place[own], away[own]
        np.minimum.at(nearest, place, away)
        best = np.flatnonzero(away == nearest[place])[
            ::-1
        ]  # of what is written twice the last stays: the first box
        labels[place[best]] = number[best] + 1
    return labels.reshape(shape)
