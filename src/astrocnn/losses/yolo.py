"""The loss of YOLO (Redmon+16, arXiv:1506.02640, equation 3), term by term."""

import torch
from torch import Tensor, nn

from astrocnn.functional.boxes import box_centres, paired_iou
from astrocnn.functional.yolo import BOX_CHANNELS, yolo_boxes

__all__ = ["YoloLoss"]


class YoloLoss(nn.Module):
    """Five sums of squares: centres, sizes, confidence with and without an object, classes.

    The cell that holds the centre of an object is responsible for it, and in it the box that overlaps the object most
    as the network is now. The confidence of that box is to be its IoU, that of all others 0. The classes of a cell are
    those of its first object; further ones take its other boxes, as many as there are.

    Args:
        coord: λ_coord, of centres and sizes.
        noobj: λ_noobj, of the confidence of boxes without an object.
    """

    reads = "yolo"

    def __init__(self, *, coord: float = 5.0, noobj: float = 0.5) -> None:
        super().__init__()
        self.coord, self.noobj = coord, noobj

    def forward(
        self,
        raw: Tensor,
        boxes: Tensor,
        labels: Tensor,
        values: Tensor | None = None,
        *,
        image_size: tuple[int, int],
        n_classes: int,
        stride: int,
        valid: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The five terms, sums over cells and objects, means over the images.

        Args:
            raw: (B, K + 5n, S, S); see :mod:`astrocnn.functional.yolo`.
            boxes: (B, N, 4) in pixels, NaN where there is none.
            labels: (B, N) int64; −1 counts neither way: boxes of the cell with its centre are not held to be empty.
            values: not learnt by this grid.
            image_size: rows and columns in pixels.
            n_classes: K.
            stride: not looked at: there are as many cells for images of any size.
            valid: (B, C, H, W) bool; not looked at: a cell is a large part of an image.
        """
        del values, valid, stride
        raw = raw.float()
        n_images, (rows, columns) = len(raw), raw.shape[-2:]
        size = raw.new_tensor([image_size[1], image_size[0]])  # width, height
        grid = raw.new_tensor([columns, rows])
        found, confidence = yolo_boxes(raw, image_size=image_size, n_classes=n_classes)
        there = boxes.isfinite().all(-1)
        image, number = there.nonzero(as_tuple=True)
        own, label = boxes[image, number], labels[image, number]
        centre, sides = box_centres(own)
        place = (centre + 0.5) / size * grid  # in cells
        column, row = (place[:, axis].long().clamp(0, last - 1) for axis, last in ((0, columns), (1, rows)))
        empty = torch.ones_like(confidence, dtype=torch.bool)
        empty[image[label < 0], row[label < 0], column[label < 0]] = False
        taken = torch.zeros_like(empty)
        cell = (image * rows + row) * columns + column
        turn = _turn_in_cell(cell, label >= 0)
        terms = dict.fromkeys(("centres", "sizes", "confidence", "empty", "classes"), raw.new_zeros(()))
        each = torch.unflatten(raw[:, n_classes:], 1, (-1, BOX_CHANNELS))  # (B, n, 5, S, S)
        for k in range(confidence.shape[-1]):
            now = turn == k
            at = (image[now], row[now], column[now])
            iou = paired_iou(found[at].detach(), own[now][:, None].expand(-1, found.shape[-2], -1))  # (P, n)
            best = iou.masked_fill(taken[at], -1.0).argmax(1)
            taken[(*at, best)] = True
            said = each[at[0], best, :, at[1], at[2]]  # (P, 5)
            wanted = place[now] - torch.stack([at[2], at[1]], -1)
            terms["centres"] = terms["centres"] + self.coord * (said[:, :2] - wanted).square().sum()
            terms["sizes"] = (
                terms["sizes"] + self.coord * (said[:, 2:4] - (sides[now] / size).sqrt()).square().sum()
            )
            overlap = iou.gather(1, best[:, None])[:, 0]
            terms["confidence"] = terms["confidence"] + (said[:, 4] - overlap).square().sum()
            if k == 0 and n_classes > 1:
                hot = nn.functional.one_hot(label[now], n_classes)
                terms["classes"] = (raw[at[0], :n_classes, at[1], at[2]] - hot).square().sum()
        terms["empty"] = self.noobj * (confidence.square() * (empty & ~taken)).sum()
        return {name: value / n_images for name, value in terms.items()}


def _turn_in_cell(cell: Tensor, counted: Tensor) -> Tensor:
    """How many counted objects of the same cell come before each, (P,); −1 for those that do not count."""
    own = cell[counted]
    order = own.argsort(stable=True)
    sorted_cells = own[order]
    turn = torch.full_like(cell, -1)
    places = counted.nonzero()[:, 0][order]
    turn[places] = torch.arange(len(own), device=cell.device) - torch.searchsorted(sorted_cells, sorted_cells)
    return turn
