"""Loss of a grid of boxes without anchors: one cell an object, easy background without weight."""

import torch
from torch import Tensor, nn
from torchvision.ops import complete_box_iou_loss

from astrocnn.errors import ConfigError
from astrocnn.functional.boxes import labels_seen, paired_iou
from astrocnn.functional.dense_boxes import AT_ONCE, CELL, LOG_DEVIATION, assign, decode, heat_of

__all__ = ["DenseBoxLoss"]


class DenseBoxLoss(nn.Module):
    """Focal loss of the centres, CIoU of the boxes, cross-entropy of the classes, likelihood of the values.

    The cell that holds an object's centre is positive. Easy background, most of all cells, has hardly any weight, and
    cells next to a centre less the nearer they are (Law & Deng 18, arXiv:1808.01244, equation 1; Zhou+19,
    arXiv:1904.07850). Boxes are compared by complete IoU (Zheng+20, arXiv:1911.08287), values, with their deviations,
    by the Gaussian likelihood. Objects whose label is −1 count neither way: no cell within their box is held to be
    empty. So do those that lie in a gap between chips or under a mask but for a small part. An object of which more is
    seen is to be found, with its whole box, though its very centre be hidden, as is that of a saturated star.

    Args:
        gamma: power of (1 − p) of the positive cells, and of p of the others.
        near: power by which cells next to a centre lose weight.
        share: width of "next to": deviation of a Gaussian, of the geometric mean of the box's sides.
        least: the least deviation, in cells.
        quality: whether the score to be learned is the IoU of the predicted box (quality focal loss, Li+20,
            arXiv:2006.04388) in place of 1.
        visible: least share of the pixels of a box, within the image, that hold data in any band; objects of which less
            is seen count neither way.
        box_weight, class_weight, value_weight: of the other terms.
    """

    reads = "dense"

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        near: float = 4.0,
        share: float = 0.1,
        least: float = 0.5,
        quality: bool = False,
        visible: float = 0.3,
        box_weight: float = 2.0,
        class_weight: float = 1.0,
        value_weight: float = 0.5,
    ) -> None:
        super().__init__()
        if not 0 <= visible <= 1:
            raise ConfigError(f"loss.visible={visible} is no share; give a number from 0 to 1.")
        self.visible = visible
        self.gamma, self.near, self.share, self.least, self.quality = gamma, near, share, least, quality
        self.box_weight, self.class_weight, self.value_weight = box_weight, class_weight, value_weight

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
        """Terms of the loss, scalars, each a mean over the objects.

        Args:
            raw: (B, 5 + K + 2V, h, w); see :mod:`astrocnn.functional.dense_boxes`.
            boxes: (B, N, 4) in pixels, NaN where there is none.
            labels: (B, N) int64, −1 counts neither way.
            values: (B, N, V), NaN where unknown.
            image_size: rows and columns in pixels.
            n_classes: K.
            stride: pixels a cell.
            valid: (B, C, H, W) bool; a cell without any valid pixel does not count, unless it lies in the box of an
                object that does. None takes all.
        """
        raw = raw.float()
        shape = (raw.shape[-2], raw.shape[-1])
        del image_size  # a cell has its size whatever the image's is
        there = boxes.isfinite().all(-1)
        if valid is not None:
            labels = labels_seen(boxes, labels, valid.any(1), least=self.visible)
        counted = there & (labels >= 0)
        found = assign(boxes, counted, stride=stride, shape=shape)
        at = (found.image, slice(None), found.row, found.column)
        own = raw[at]  # (P, channels)
        said = decode(own, found.row, found.column, stride=stride)
        apart = complete_box_iou_loss(said, found.boxes) if len(own) else own.new_zeros(0)
        n = max(1, len(own))
        weight = torch.ones_like(raw[:, 0])
        if valid is not None:
            weight = weight * (_seen(valid, stride) | _covered(boxes, counted, stride=stride, shape=shape))
        weight = weight * ~_covered(boxes, there & ~counted, stride=stride, shape=shape)
        heat = heat_of(
            boxes.where(counted[..., None], torch.nan), stride=stride, shape=shape,
            share=self.share, least=self.least,
        )  # fmt: skip
        iou = paired_iou(said, found.boxes).detach()
        objects = self._centres(raw[:, 0], heat, weight, found.image, found.row, found.column, iou)
        terms = {"objects": objects / n, "boxes": self.box_weight * apart.sum() / n}
        if n_classes > 1:
            of_class = nn.functional.cross_entropy(
                own[:, CELL : CELL + n_classes], labels[found.image, found.object], reduction="sum"
            )
            terms["classes"] = self.class_weight * of_class / n
        if values is not None and values.shape[-1]:
            mean, log_deviation = own[:, CELL + n_classes :].chunk(2, 1)
            terms["values"] = self.value_weight * self._values(
                mean, log_deviation, values[found.image, found.object]
            )
        return terms

    def _centres(
        self,
        logit: Tensor,
        heat: Tensor,
        weight: Tensor,
        image: Tensor,
        row: Tensor,
        column: Tensor,
        iou: Tensor,
    ) -> Tensor:
        """Focal loss of the cells with objects, and of the others by their weight."""
        p = logit.sigmoid()
        positive = torch.zeros_like(weight)
        positive[image, row, column] = 1
        background = (
            nn.functional.softplus(logit) * p**self.gamma * (1 - heat) ** self.near * weight * (1 - positive)
        )
        own = logit[image, row, column]
        target = iou.clamp(0, 1) if self.quality else torch.ones_like(own)
        each = nn.functional.binary_cross_entropy_with_logits(own, target, reduction="none")
        return background.sum() + (each * (target - own.sigmoid()).abs() ** self.gamma).sum()

    @staticmethod
    def _values(mean: Tensor, log_deviation: Tensor, true: Tensor) -> Tensor:
        known = true.isfinite()
        log_deviation = log_deviation.clamp(*LOG_DEVIATION)
        pull = (mean - true.nan_to_num(0.0)) * torch.exp(-log_deviation)
        return ((0.5 * pull**2 + log_deviation) * known).sum() / known.sum().clamp_min(1)


def _seen(valid: Tensor, stride: int) -> Tensor:
    """Which cells (B, h, w) have a valid pixel in any band (B, C, H, W)."""
    known = valid.any(1, keepdim=True).float()
    return nn.functional.max_pool2d(known, stride, ceil_mode=True)[:, 0] > 0


def _covered(boxes: Tensor, which: Tensor, *, stride: int, shape: tuple[int, int]) -> Tensor:
    """Which cells (B, h, w) have their centre in one of these boxes, or hold the centre of one."""
    y, x = ((torch.arange(side, device=boxes.device) + 0.5) * stride - 0.5 for side in shape)
    covered = torch.zeros(len(boxes), *shape, dtype=torch.bool, device=boxes.device)
    at_once = max(1, AT_ONCE // (len(boxes) * max(shape)))
    for part, counted in zip(torch.split(boxes, at_once, 1), torch.split(which, at_once, 1), strict=True):
        x0, y0, x1, y1 = part[..., None].unbind(-2)  # (B, n, 1)
        rows = (y >= y0) & (y <= y1) & counted[..., None]  # (B, n, h)
        columns = (x >= x0) & (x <= x1)  # (B, n, w)
        covered |= (rows.float().mT @ columns.float()) > 0
    own = assign(boxes, which, stride=stride, shape=shape)
    covered[own.image, own.row, own.column] = True
    return covered
