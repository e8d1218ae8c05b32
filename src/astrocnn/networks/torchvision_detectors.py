"""Detectors of torchvision on any number of bands, with anchors for sources of a few pixels."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError, DataError, choose
from astrocnn.functional.masks import masks_in_boxes
from astrocnn.networks.blocks import check_images

__all__ = ["FCOS", "FasterRCNN", "MaskRCNN", "RetinaNet"]

EDGE = 0.5  # torchvision's boxes begin at the corner of the first pixel, ours at its centre
MODES = ("train", "test")
BACKBONES = ("resnet18", "resnet34", "resnet50")
BOXES_AT_ONCE = 128  # whose masks are made together: these maps are the largest


class _Detector(nn.Module):
    """A detector on a residual pyramid of strides 4 to 64, trained from nothing.

    What torchvision has for photographs is replaced: images come normalised, band by band, and are not resized but by
    ``magnify``; anchors begin at a few pixels; up to ``most`` objects are given of an image; norms are learned. Losses
    are torchvision's. These have no notion of objects that count neither way: they are left out of the truth.

    Args:
        in_channels: number of bands.
        n_outputs: 5 more than there are classes.
        backbone: 'resnet18', 'resnet34' or 'resnet50'.
        anchors: side of the anchors at each of the five strides, in pixels.
        magnify: by which images are enlarged before they are seen.
        most: objects of an image, at most.
        least_score: of what is given.
        overlap: of two boxes whose IoU is larger the better one is kept.

    Raises:
        ConfigError: another backbone, or not five anchors.
    """

    input_shape = (3, 256, 256)
    reads = "detections"
    runs_on_meta = False  # what it gives depends on the pixels
    window_pix = 512  # of mosaics: ``most`` objects are found in each, and these take memory
    needs_masks: ClassVar[bool] = False  # whether it learns the pixels of each object
    background: ClassVar[int] = 0  # number of the first class
    ratios: ClassVar[tuple[float, ...]] = (0.5, 1.0, 2.0)  # of the anchors' sides
    anchors_option: ClassVar[str] = "anchor_generator"  # of torchvision's class of the same name

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        backbone: str = "resnet18",
        anchors: Sequence[float] = (4.0, 8.0, 16.0, 32.0, 64.0),
        magnify: float = 1.0,
        most: int = 1000,
        least_score: float = 0.02,
        overlap: float = 0.5,
    ) -> None:
        super().__init__()
        from torchvision.models import detection  # slow to import
        from torchvision.models.detection.anchor_utils import AnchorGenerator
        from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

        choose("model.backbone", backbone, dict.fromkeys(BACKBONES))
        if len(anchors) != 5 or min(anchors) <= 0 or magnify <= 0:
            raise ConfigError(
                f"model.anchors={list(anchors)} and model.magnify={magnify}: five sides above 0, and a number above 0."
            )
        self.in_channels, self.n_classes, self.magnify = in_channels, n_outputs - 5, magnify
        trunk = resnet_fpn_backbone(
            backbone_name=backbone, weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
        )
        trunk.body["conv1"] = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False)
        sizes = tuple((float(side),) for side in anchors)
        options = self._options(most, least_score, overlap) | {
            "num_classes": self.n_classes + self.background, "image_mean": [0.0] * in_channels,
            "image_std": [1.0] * in_channels, self.anchors_option: AnchorGenerator(sizes, (self.ratios,) * len(sizes)),
        }  # fmt: skip
        model: Any = getattr(detection, type(self).__name__)(trunk, **options)
        model.transform.resize, model.transform.postprocess = _as_it_is, _as_found
        self.model = model

    def _options(self, most: int, least_score: float, overlap: float) -> dict[str, Any]:
        """What torchvision calls these three."""
        return {
            "score_thresh": least_score,
            "nms_thresh": overlap,
            "detections_per_img": most,
            "topk_candidates": 4 * most,
        }

    def losses(self, images: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The terms of the loss of a batch, scalars; in training mode.

        Args:
            images: (B, C, H, W), normalised.
            boxes: (B, N, 4) in pixels, NaN where there is none.
            labels: (B, N) int64; −1 is left out.
        """
        targets = []
        for own, kinds in zip(boxes, labels, strict=True):
            there = _there(own, kinds)
            targets.append(
                {"boxes": (own[there] + EDGE) * self.magnify, "labels": kinds[there] + self.background}
            )
        found: dict[str, Tensor] = self.model(list(self._enlarged(images)), targets)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """What is found in images (B, C, H, W), as (B, n, 5 + K): boxes, scores, and 1 in the place of the class.

        The best come first; NaN behind the last one of an image.

        Raises:
            ConfigError: images of another number of bands.
        """
        check_images(images, network=type(self).__name__, in_channels=self.in_channels, least=1)
        rows = []
        for each in self.model(list(self._enlarged(images))):
            label = each["labels"] - self.background
            p_class = nn.functional.one_hot(label, self.n_classes).to(images.dtype)
            parts = [each["boxes"] / self.magnify - EDGE, each["scores"][:, None], p_class]
            if self.needs_masks:
                parts.append(each["masks"].flatten(1))  # (n, M * M)
            rows.append(torch.cat(parts, 1))
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=float("nan"))

    def _enlarged(self, images: Tensor) -> Tensor:
        if self.magnify == 1:
            return images
        return nn.functional.interpolate(
            images, scale_factor=self.magnify, mode="bilinear", align_corners=False
        )


class FasterRCNN(_Detector):
    """Faster R-CNN (Ren+15, arXiv:1506.01497): regions are proposed, then classed."""

    background = 1
    anchors_option = "rpn_anchor_generator"

    def _options(self, most: int, least_score: float, overlap: float) -> dict[str, Any]:
        proposals = {
            f"rpn_{stage}_nms_top_n_{mode}": n * most
            for stage, n in (("pre", 4), ("post", 2))
            for mode in MODES
        }
        return proposals | {
            "box_detections_per_img": most,
            "box_score_thresh": least_score,
            "box_nms_thresh": overlap,
        }


class MaskRCNN(FasterRCNN):
    """Mask R-CNN (He+17, arXiv:1703.06870): Faster R-CNN, and on each box a grid of which cells are its object's.

    What it gives has 28² further columns: the probabilities of the cells, row by row, as
    :mod:`astrocnn.functional.masks` has them. torchvision's is made for objects of hundreds of pixels: each has a mask
    of the image's size, and grids are placed to whole pixels. Here the truth of the cells is read from one instance
    map, at exact positions, and an object of which no pixel is its own teaches no mask.

    Args:
        mask_layers: channels of the convolutions on the grids of 14 × 14 cells, before these are doubled.
        options: those of the other detectors.

    Raises:
        ConfigError: no layer, or one without channels.
    """

    needs_masks = True

    def __init__(self, *, mask_layers: Sequence[int] = (256, 256, 256, 256), **options: Any) -> None:
        super().__init__(**options)
        from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

        if not mask_layers or min(mask_layers) < 1:
            raise ConfigError(
                f"model.mask_layers={list(mask_layers)}: give the channels of at least one layer, each above 0."
            )
        heads, width = self.model.roi_heads, mask_layers[-1]
        heads.mask_head = nn.Identity()
        heads.mask_predictor = _InParts(
            MaskRCNNHeads(self.model.backbone.out_channels, list(mask_layers), 1),
            MaskRCNNPredictor(width, width, self.n_classes + self.background),
        )

    def losses(
        self,
        images: Tensor,
        boxes: Tensor,
        labels: Tensor,
        instances: Tensor | None = None,
        numbers: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """As of the other detectors, and that of the masks.

        Args:
            images: (B, C, H, W), normalised.
            boxes: (B, N, 4) in pixels, NaN where there is none.
            labels: (B, N) int64; −1 is left out.
            instances: (B, H, W) int64, the number of the object in every pixel.
            numbers: (B, N) int64, the number of each box's object.

        Raises:
            DataError: no ``instances`` or ``numbers``.
        """
        if instances is None or numbers is None:
            raise DataError(
                "MaskRCNN learns the pixels of objects; give it their map (instances) and each one's number there."
            )
        from torchvision.models.detection.roi_heads import fastrcnn_loss

        model, heads = self.model, self.model.roi_heads
        targets = []
        for own, kind, number in zip(boxes, labels, numbers, strict=True):
            there = _there(own, kind)
            target = {"boxes": (own[there] + EDGE) * self.magnify, "labels": kind[there] + self.background}
            targets.append(target | {"masks": number[there]})  # torchvision only asks whether there are any
        pixels, targets = model.transform(list(self._enlarged(images)), targets)
        features = model.backbone(pixels.tensors)
        terms: dict[str, Tensor]
        regions, terms = model.rpn(pixels, features, targets)
        regions, partners, kinds, shifts = heads.select_training_samples(regions, targets)
        pooled = heads.box_head(heads.box_roi_pool(features, regions, pixels.image_sizes))
        of_class, of_box = fastrcnn_loss(*heads.box_predictor(pooled), kinds, shifts)
        objects = [kind > 0 for kind in kinds]
        regions, partners, kinds = (
            [of_image[own] for of_image, own in zip(each, objects, strict=True)]
            for each in (regions, partners, kinds)
        )
        pooled = heads.mask_roi_pool(features, regions, pixels.image_sizes)
        logits = heads.mask_predictor(pooled)  # (P, K + 1, M, M)
        logits = logits.take_along_dim(torch.cat(kinds)[:, None, None, None], 1)[:, 0]  # (P, M, M)
        wanted = [
            masks_in_boxes(
                of_image, target["masks"][partner], region / self.magnify - EDGE, cells=logits.shape[-1]
            )
            for of_image, target, partner, region in zip(instances, targets, partners, regions, strict=True)
        ]
        of_mask = _mask_loss(logits, torch.cat(wanted))
        return terms | {"loss_classifier": of_class, "loss_box_reg": of_box, "loss_mask": of_mask}


class RetinaNet(_Detector):
    """RetinaNet (Lin+17, arXiv:1708.02002): anchors everywhere, easy background without weight."""


class FCOS(_Detector):
    """FCOS (Tian+19, arXiv:1904.01355): every point of the maps is in a box or in none; anchors give its size only."""

    ratios = (1.0,)


def _as_it_is(image: Tensor, target: Any = None) -> tuple[Tensor, Any]:
    """In place of torchvision's resizing to the size of photographs."""
    return image, target


def _as_found(found: Any, *sizes: Any) -> Any:
    """In place of torchvision's resizing back, and of masks of the image's size for each object."""
    return found


def _there(boxes: Tensor, labels: Tensor) -> Tensor:
    """Which of the boxes (N, 4) are objects that count."""
    return boxes.isfinite().all(-1) & (labels >= 0)


def _mask_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy of the cells of grids (P, M, M), mean over those on which the object has any pixel."""
    seen = wanted.flatten(1).any(1)
    if not seen.any():
        return logits.sum() * 0
    return nn.functional.binary_cross_entropy_with_logits(logits[seen].float(), wanted[seen])


class _InParts(nn.Sequential):
    """Layers that see some of the boxes (N, C, h, w) at a time."""

    def forward(self, boxes: Tensor) -> Tensor:
        found = []
        for some in torch.split(boxes, BOXES_AT_ONCE):
            for layer in self:
                some = layer(some)
            found.append(some)
        return torch.cat(found)
