"""Detectors of torchvision on any number of bands, with anchors for sources of a few pixels."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError, choose
from astrocnn.networks.blocks import check_images

__all__ = ["FCOS", "FasterRCNN", "RetinaNet"]

EDGE = 0.5  # torchvision's boxes begin at the corner of the first pixel, ours at its centre
MODES = ("train", "test")
BACKBONES = ("resnet18", "resnet34", "resnet50")


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
        model.transform.resize = _as_it_is
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
            there = own.isfinite().all(-1) & (kinds >= 0)
            targets.append(
                {"boxes": (own[there] + EDGE) * self.magnify, "labels": kinds[there] + self.background}
            )
        found: dict[str, Tensor] = self.model(list(self._enlarged(images)), targets)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """What is found in images (B, C, H, W), as (B, n, 5 + K): boxes, scores, and these in the class's place.

        The best come first; NaN behind the last one of an image.

        Raises:
            ConfigError: images of another number of bands.
        """
        check_images(images, network=type(self).__name__, in_channels=self.in_channels, least=1)
        rows = []
        for each in self.model(list(self._enlarged(images))):
            label = each["labels"] - self.background
            p_class = nn.functional.one_hot(label, self.n_classes).to(images.dtype)
            rows.append(torch.cat([each["boxes"] / self.magnify - EDGE, each["scores"][:, None], p_class], 1))
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


class RetinaNet(_Detector):
    """RetinaNet (Lin+17, arXiv:1708.02002): anchors everywhere, easy background without weight."""


class FCOS(_Detector):
    """FCOS (Tian+19, arXiv:1904.01355): every point of the maps is in a box or in none; anchors give its size only."""

    ratios = (1.0,)


def _as_it_is(image: Tensor, target: Any = None) -> tuple[Tensor, Any]:
    """In place of torchvision's resizing to the size of photographs."""
    return image, target
