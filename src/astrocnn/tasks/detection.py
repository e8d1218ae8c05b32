"""Detection: the box, the class and further values of every object in an image."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from astrocnn.batch import Batch, DataSpec
from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.boxes import box_centres, pixels_within, seen_share
from astrocnn.functional.dense_boxes import CELL, upright
from astrocnn.functional.detections import Detections, kept, of_grid
from astrocnn.metrics.detection import DetectionCounts
from astrocnn.tasks.base import BaseTask

__all__ = ["DetectionTask"]

MOST_IN_PIXELS = 256**2
RADIUS_PIX = 4.0  # at most so far from a true object is one found, in validation


class DetectionTask(BaseTask):
    """Boxes with a score, a class and, where asked for, values with their deviations.

    Three kinds of networks are read, by the attribute ``reads`` of their class: 'dense', a fine grid of which each cell
    has one box; 'yolo', the coarse one of Redmon+16; and 'detections', whose losses and whose suppression are their own
    (torchvision's). Objects of class −1 count neither way.

    Args:
        classes: names of the classes of the objects, without a background.
        box_values: names of the numbers that are learnt beside each box.
        n_outputs: channels of a grid; None takes what classes and values need.
        threshold: least score of a detection.
        radius_pix: of detections whose centres are nearer than that the best one is kept, at least;
        radius_share: where this share of the better one's size (the geometric mean of its sides) is more, that.
        most: detections in an image of 256 × 256 pixels, at most; in larger ones more by their area.
        test_time_augmentation: whether what a fine grid says is the mean over the exact turns and mirrors of
            ``augment``.
        options: those of :class:`~astrocnn.tasks.base.BaseTask`.
    """

    report = "detection"
    fitting = "a detector, such as model=yolo_dense"
    value_mean: Tensor
    value_scale: Tensor

    def __init__(
        self,
        *,
        classes: list[str],
        box_values: list[str],
        n_outputs: int | None = None,
        threshold: float = 0.3,
        radius_pix: float = 2.0,
        radius_share: float = 0.1,
        most: int = 2000,
        test_time_augmentation: bool = False,
        monitor: str = "val/f1",
        monitor_mode: str = "max",
        **options: Any,
    ) -> None:
        super().__init__(monitor=monitor, monitor_mode=monitor_mode, **options)
        del n_outputs  # of the network
        self.classes, self.box_values = tuple(classes), tuple(box_values)
        if not 0 < threshold < 1:
            raise ConfigError(
                f"task.threshold={threshold} is the score of no detection; give a number between 0 and 1."
            )
        for name, value, least in (
            ("radius_pix", radius_pix, 0),
            ("radius_share", radius_share, 0),
            ("most", most, 1),
        ):
            if value < least:
                raise ConfigError(f"task.{name}={value} is too small; give at least {least}.")
        self.threshold, self.radius_pix, self.radius_share, self.most = (
            threshold,
            radius_pix,
            radius_share,
            most,
        )
        self.reads = reads_of(type(self.network))
        if self.box_values and self.reads != "dense":
            raise ConfigError(
                f"data.box_values={list(self.box_values)}: {type(self.network).__name__} learns boxes and classes "
                "only; choose model=yolo_dense, or leave them out."
            )
        if test_time_augmentation and self.reads != "dense":
            raise ConfigError(
                f"task.test_time_augmentation=true: what {type(self.network).__name__} says of turned images has no "
                "mean; choose model=yolo_dense, or leave it out."
            )
        self.test_time_augmentation = test_time_augmentation
        self.stride = int(getattr(self.network, "stride", 1))
        self.needs_masks = bool(getattr(self.network, "needs_masks", False))
        self.register_buffer("value_mean", torch.zeros(len(self.box_values)))
        self.register_buffer("value_scale", torch.ones(len(self.box_values)))
        self.counts = DetectionCounts(radius_pix=RADIUS_PIX)

    @staticmethod
    def n_outputs(data: DataSpec) -> int:
        """Centre, box, a logit for each class, and two numbers for each further value."""
        if data.box_values is None:
            raise DataError(
                "detection needs the boxes of the objects in each image; give them with data=detection_boxes "
                "data.boxes=..."
            )
        return CELL + len(data.classes) + 2 * len(data.box_values)

    @staticmethod
    def output_shape(data: DataSpec) -> tuple[int | None, ...]:
        """Channels of a grid of any size."""
        return (None, None, None)

    @classmethod
    def truth_of(cls, network: Any) -> str | None:
        """What the network's grid is read as.

        Raises:
            ConfigError: it gives no boxes.
        """
        return None if cls.has_own_losses(network) else reads_of(network)

    @classmethod
    def has_own_losses(cls, network: Any) -> bool:
        """Of torchvision's detectors."""
        return reads_of(network) == "detections"

    @staticmethod
    def check_network(network: Any, data: DataSpec) -> None:
        """Raise a :class:`DataError` where a class of networks learns the objects' pixels and the data have none."""
        if getattr(network, "needs_masks", False) and "instances" not in data.maps:
            raise DataError(
                f"{network.__name__} learns the pixels of each object, and the data have none: give maps of them with "
                "data.instances.files='labels/*.fits' and each object's number there in the column 'number' of "
                "data.boxes (data=detection_boxes), or data.masks=true (data=scenes_detection); or choose "
                "model=faster_rcnn, which learns boxes alone."
            )

    def prepare(self, sample: Batch, *, bands: tuple[str, ...] = ()) -> None:
        """Fit the normalisation, and mean and scale of the values; see that the objects have pixels where these are
        learnt.
        """
        super().prepare(sample, bands=bands)
        if self.needs_masks and not any(
            torch.isin(numbers[numbers > 0], instances).any()
            for numbers, instances in zip(sample["box_numbers"], sample["instances"], strict=True)
        ):
            raise DataError(
                "no object of the training images has a pixel of its number in its image's map; give in the column "
                "'number' of data.boxes the numbers that the maps of data.instances hold."
            )
        if "box_values" not in sample:
            return
        for k, name in enumerate(self.box_values):
            known = sample["box_values"][..., k]
            known = known[known.isfinite()]
            if len(known) < 2:
                raise DataError(
                    f"no object of the training images has a {name}; leave it out of data.box_values."
                )
            self.value_mean[k] = known.median()
            low, high = known.quantile(torch.tensor([0.16, 0.84]))
            self.value_scale[k] = ((high - low) / 2).clamp_min(1e-6 * known.abs().max().clamp_min(1e-30))

    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of the loss."""
        if self.reads == "detections":
            network: Any = self.network
            pixels = (batch.get("instances"), batch.get("box_numbers")) if self.needs_masks else ()
            terms: dict[str, Tensor] = network.losses(
                self.inputs(batch), batch["boxes"], batch["box_labels"], *pixels
            )
            return terms
        return self._terms(self.outputs(batch), batch)

    def nothing(self) -> Detections:
        """No detection."""
        n_classes, n_values = len(self.classes), len(self.box_values)
        return Detections(
            *(
                np.zeros((0, *sides), np.float32)
                for sides in ((4,), (), (n_classes,), (n_values,), (n_values,))
            )
        )

    def _terms(self, raw: Tensor, batch: Batch) -> dict[str, Tensor]:
        values = batch.get("box_values")
        if values is not None:
            values = (values - self.value_mean) / self.value_scale
        terms: dict[str, Tensor] = self.loss(
            raw, batch["boxes"], batch["box_labels"], values,
            image_size=tuple(batch["image"].shape[-2:]), n_classes=len(self.classes), stride=self.stride,
            valid=batch["valid"],
        )  # fmt: skip
        return terms

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """The loss, and completeness and purity at the threshold."""
        raw = self.outputs(batch)
        found = self._read(raw, batch)
        if self.reads == "detections":
            for module in self.network.modules():  # its losses are those of training, but for the statistics
                module.training = not isinstance(module, nn.BatchNorm2d)
            terms = self.compute_loss(batch)
            self.network.eval()
        else:
            terms = self._terms(raw, batch)
        for i, each in enumerate(found):
            there = batch["boxes"][i].isfinite().all(-1)
            centres = box_centres(batch["boxes"][i][there])[0]
            self.counts.update(each.x, each.y, centres, batch["box_labels"][i][there] >= 0)
        self.log_dict(
            {f"val/{name}": value for name, value in self.counts.compute().items()},
            prog_bar=True,
            batch_size=len(found),
        )
        return terms

    def on_validation_epoch_start(self) -> None:
        """Count anew."""
        self.counts.reset()

    @torch.no_grad()
    def detections(self, batch: Batch, *, threshold: float | None = None) -> list[Detections]:
        """What is found in each image, best first.

        Args:
            batch: images in flux units.
            threshold: another than the task's.
        """
        return self._read(self._averaged(batch), batch, threshold)

    def _averaged(self, batch: Batch) -> Tensor:
        """Raw outputs, with ``test_time_augmentation`` the mean of those of all orientations."""
        if not self.test_time_augmentation or self.augment is None:
            return self.outputs(batch)
        rows, columns = batch["image"].shape[-2:]
        beside = (0, -columns % self.stride, 0, -rows % self.stride)  # turned, cells cover the same pixels
        padded = {key: nn.functional.pad(batch[key], beside) for key in ("image", "valid")}
        found = [
            upright(self.outputs(view), turns=turns, mirrored=mirrored)
            for view, (turns, mirrored) in self.augment.exact_views(padded)
        ]
        return torch.stack(found).mean(0)

    def _read(self, raw: Tensor, batch: Batch, threshold: float | None = None) -> list[Detections]:
        found = of_grid(
            raw.float(),
            reads=self.reads,
            image_size=(batch["image"].shape[-2], batch["image"].shape[-1]),
            stride=self.stride,
            n_classes=len(self.classes),
            n_values=len(self.box_values),
            threshold=self.threshold if threshold is None else threshold,
        )
        mean, scale = (of.cpu().numpy() for of in (self.value_mean, self.value_scale))
        most = math.ceil(self.most * max(1, math.prod(batch["image"].shape[-2:]) / MOST_IN_PIXELS))
        return [
            kept(
                _with_data(each, known).scaled(mean, scale),
                radius_pix=self.radius_pix,
                radius_share=self.radius_share,
                most=most,
            )
            for each, known in zip(found, batch["valid"].any(1).cpu(), strict=True)
        ]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """What is found in each image, the best first, NaN behind the last.

        Returns:
            ``boxes`` (B, N, 4) in pixels, ``scores`` (B, N), ``p_class`` (B, N, K), ``values`` and ``value_errors``
            (B, N, V), and of networks that give them ``masks`` (B, N, M, M).
        """
        found = self.detections(batch)
        names = ["boxes", "scores", "p_class", "values", "value_errors"]
        names += ["masks"] if self.needs_masks else []
        return {
            name: nn.utils.rnn.pad_sequence(
                [torch.from_numpy(np.ascontiguousarray(getattr(each, name), np.float32)) for each in found],
                batch_first=True,
                padding_value=float("nan"),
            )
            for name in names
        }

    def forward(
        self, images: Tensor | np.ndarray, valid: Tensor | None = None
    ) -> list[Detections] | Detections:
        """What is found in images in flux units, normalised as in training.

        Args:
            images: (B, C, H, W) or (C, H, W), the bands in the order of training.
            valid: bool, of that shape; None takes the finite pixels.

        Returns:
            The :class:`~astrocnn.functional.detections.Detections` of each image, or of the single one.
        """
        single = images.ndim == 3
        found = self.detections(self.batch_of(images[None] if single else images, valid))
        return found[0] if single else found


def _with_data(found: Detections, known: Tensor) -> Detections:
    """Those in whose box a pixel holds data, where ``known`` (H, W)."""
    boxes = torch.from_numpy(found.boxes)
    if known.all():  # as most images are: no sums over their pixels
        first, end = pixels_within(boxes, (known.shape[0], known.shape[1]))
        return found.where((end > first).all(1).numpy())
    return found.where((seen_share(boxes[None], known[None])[0] > 0).numpy())


def reads_of(network: Any) -> str:
    """How what a class of networks gives is read.

    Raises:
        ConfigError: it gives no boxes.
    """
    reads = str(getattr(network, "reads", ""))
    if reads not in READS:
        raise ConfigError(
            f"{network.__name__} gives no boxes, which detection needs; choose model=yolo_dense, yolo, faster_rcnn, "
            "retinanet, fcos or mask_rcnn."
        )
    return reads


READS = ("dense", "yolo", "detections")  # torchvision's, the last, have losses of their own
