"""The grid of YOLO (Redmon+16, arXiv:1506.02640): S × S cells, each with B boxes and one set of classes.

Of each cell the channels are K of the classes, then for each of its boxes x and y of the centre within the cell (from 0
to 1), the square roots of width and height as shares of the image's, and the confidence. All are numbers as they are,
without a sigmoid, as in the paper, whose last layer is linear.
"""

import torch
from torch import Tensor

from astrocnn.functional.boxes import from_centres

__all__ = ["BOX_CHANNELS", "yolo_boxes", "yolo_cells"]

BOX_CHANNELS = 5


def yolo_boxes(raw: Tensor, *, image_size: tuple[int, int], n_classes: int) -> tuple[Tensor, Tensor]:
    """The boxes (B, S, S, n, 4) in pixels, and their confidence (B, S, S, n).

    Args:
        raw: (B, K + 5n, S, S).
        image_size: rows and columns in pixels.
        n_classes: K.
    """
    rows, columns = raw.shape[-2:]
    height, width = image_size
    each = torch.unflatten(raw[:, n_classes:], 1, (-1, BOX_CHANNELS)).movedim(
        (1, 2), (-2, -1)
    )  # (B, S, S, n, 5)
    y, x = torch.meshgrid(
        torch.arange(rows, device=raw.device), torch.arange(columns, device=raw.device), indexing="ij"
    )
    cell = torch.stack([x, y], -1)[:, :, None]  # (S, S, 1, 2)
    scale = raw.new_tensor([width / columns, height / rows])
    centre = (cell + each[..., :2]) * scale - 0.5
    sizes = each[..., 2:4].clamp_min(0) ** 2 * raw.new_tensor([width, height])
    return from_centres(centre, sizes), each[..., 4]


def yolo_cells(raw: Tensor, *, image_size: tuple[int, int], n_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (B, S, S, n), boxes (B, S, S, n, 4) and classes (B, S, S, n, K) of a grid.

    The score is the confidence times the probability of the likeliest class (equation 1 of the paper), or the
    confidence where there is one class.
    """
    boxes, confidence = yolo_boxes(raw, image_size=image_size, n_classes=n_classes)
    p = raw[:, :n_classes].movedim(1, -1).clamp(0, 1)  # regressed by squares, not a softmax
    best = p.amax(-1) if n_classes > 1 else torch.ones_like(p[..., 0])
    share = p / p.sum(-1, keepdim=True).clamp_min(1e-6)
    score = (confidence * best[..., None]).clamp(0, 1)
    return score, boxes, share[..., None, :].expand(*score.shape, n_classes)
