"""Segmentation: the class of every pixel and, where objects are numbered, the object that it belongs to."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from astrocnn.batch import Batch, DataSpec
from astrocnn.errors import DataError
from astrocnn.networks.blocks import middle_of
from astrocnn.tasks.base import BaseTask
from astrocnn.tasks.calibration import Calibration

__all__ = ["FEW_CENTRES", "INSTANCE_OUTPUTS", "SegmentationTask"]

INSTANCE_OUTPUTS = 3  # of each pixel: whether it is a centre, and how far up and right its object's centre is
IGNORED = -1
FEW_CENTRES = (
    -4.6
)  # logit of 1 %: added to the network's, so that a training begins with few centres (Lin+17, 4.1)


class SegmentationTask(BaseTask):
    """Class probabilities of pixels, and centres of objects with each pixel's way to its own.

    K classes need K maps of logits. Where the data number their objects, three maps more tell touching ones apart, as
    in Panoptic-DeepLab (Cheng+20, arXiv:1911.10194): a heat map of centres, and the offset (dy, dx) of every pixel to
    the centre of its object. Pixels without data in any band, and those of class −1, never count.

    Args:
        classes: names of the classes in the order of the class map's values, the first being the background.
        n_outputs: maps of the network; None takes what the classes need.
        centres: loss of the maps of centres and offsets; used where the data number their objects.
        object_classes: loss of the classes of whole objects, likewise.
        beta: of the Kullback-Leibler divergence of networks with latent variables, whose loss is a sum over
            pixels (Kohl+18, arXiv:1806.05034, equation 4).
        n_samples: how many samples of such networks make a prediction.
        options: those of :class:`~astrocnn.tasks.base.BaseTask`.
    """

    report = "segmentation"
    learns = "class_map"
    fitting = "a network with outputs for every pixel, such as model=unet"
    prior: Tensor

    def __init__(
        self,
        *,
        classes: list[str],
        centres: nn.Module,
        object_classes: nn.Module,
        n_outputs: int | None = None,
        beta: float = 1.0,
        n_samples: int = 16,
        monitor: str = "val/mean_iou",
        monitor_mode: str = "max",
        **options: Any,
    ) -> None:
        super().__init__(monitor=monitor, monitor_mode=monitor_mode, **options)
        self.classes = tuple(classes)
        n = len(self.classes)
        self.has_instances = n_outputs == n + INSTANCE_OUTPUTS
        self.centres, self.object_classes = centres, object_classes
        self.beta, self.n_samples = beta, n_samples
        self.calibration = Calibration(n_outputs=n)
        self.register_buffer("prior", torch.full((n,), 1 / n))
        self.metrics = MetricCollection(
            {
                "mean_iou": MulticlassJaccardIndex(n, ignore_index=IGNORED),
                "accuracy": MulticlassAccuracy(n, average="micro", ignore_index=IGNORED),
            },
            prefix="val/",
        )

    @staticmethod
    def n_outputs(data: DataSpec) -> int:
        """A logit for each class, and three maps more where the objects are numbered."""
        if "class_map" not in data.maps:
            raise DataError(
                "segmentation needs a class map with each image; give one with data=segmentation_maps "
                "data.class_map.files=..., or data.instances.files=..."
            )
        return len(data.classes) + (INSTANCE_OUTPUTS if "instances" in data.maps else 0)

    @staticmethod
    def output_shape(data: DataSpec) -> tuple[int, ...]:
        """(n_outputs, H, W)."""
        return (SegmentationTask.n_outputs(data), *data.image_shape[1:])

    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of the classes, of centres and offsets, and the divergence of latent variables."""
        if not getattr(self.network, "variational", False):
            return self._terms(self.outputs(batch), batch)
        network: Any = self.network
        found = network.training_outputs(self.inputs(batch), self._one_hot(batch))
        n_pixels = batch["class_map"][0].numel()
        return self._terms(found["outputs"], batch) | {
            "kl": self.beta * found["kl"].mean() / n_pixels  # the other terms are means over pixels
        }

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """The loss, and the metrics of the pixels that have a class."""
        raw = self.outputs(batch)
        logits = raw[:, : len(self.classes)]
        self.metrics.update(logits.argmax(1), truth(batch, raw)[0])
        self.log_dict(self.metrics, prog_bar=True, batch_size=len(raw))
        return self._terms(raw, batch)

    def _terms(self, raw: Tensor, batch: Batch) -> dict[str, Tensor]:
        class_map, instances = truth(batch, raw)
        k = len(self.classes)
        terms = {"classes": self.loss(raw[:, :k], class_map, weight=batch.get("weight"))}
        if self.has_instances:
            terms |= self.centres(raw[:, k] + FEW_CENTRES, raw[:, k + 1 :], instances)
            terms["objects"] = self.object_classes(raw[:, :k], class_map, instances)
        return terms

    def _one_hot(self, batch: Batch) -> Tensor:
        """The class map (B, K, H, W) as float, zeros where it is ignored."""
        class_map = truth(batch, batch["image"])[0]
        hot = nn.functional.one_hot(class_map.clamp_min(0), len(self.classes)) * (class_map >= 0)[..., None]
        return hot.permute(0, 3, 1, 2).float()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """``p``: (B, K, H, W) calibrated probabilities; ``logits``: (B, K, H, W), not calibrated.

        Where objects are told apart, ``centre``: (B, H, W) from 0 to 1, and ``offset``: (B, 2, H, W) in pixels. Of
        networks with latent variables ``spread``: (B, H, W), the variance of their samples' probabilities, summed over
        the classes.
        """
        k = len(self.classes)
        if getattr(self.network, "variational", False):
            raw = self.samples(batch, self.n_samples)  # (S, B, n, H, W)
            p = torch.stack([self.probabilities(sample[:, :k]) for sample in raw])
            found = {"p": p.mean(0), "spread": p.var(0, correction=0).sum(1)}
            raw = raw.mean(0)
        else:
            raw = self.outputs(batch).float()
            found = {"p": self.probabilities(raw[:, :k])}
        found["logits"] = raw[:, :k]
        if self.has_instances:
            found |= {"centre": (raw[:, k] + FEW_CENTRES).sigmoid(), "offset": raw[:, k + 1 :]}
        return found

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities (B, K, H, W) of logits of that shape."""
        calibrated: Tensor = self.calibration(logits.movedim(1, -1))
        return (
            calibrated.movedim(-1, 1).contiguous().softmax(1)
        )  # along the last axis it is ten times as slow

    def forward(self, images: Tensor | np.ndarray, valid: Tensor | None = None) -> Tensor:
        """Class probabilities of the pixels of images in flux units, normalised as in training.

        Args:
            images: (B, C, H, W) or (C, H, W), the bands in the order of training.
            valid: bool, of that shape; None takes the finite pixels.

        Returns:
            (B, K, H, W), or (K, H, W) of a single image.
        """
        single = images.ndim == 3
        p = self.predict(self.batch_of(images[None] if single else images, valid))["p"]
        return p[0] if single else p


def truth(batch: Batch, like: Tensor) -> tuple[Tensor, Tensor]:
    """Class map and instance map (B, H, W) of the size of the maps ``like`` (B, ..., H, W), −1 where they do not count.

    Where the batch numbers no objects, the second is all −1.
    """
    class_map = batch["class_map"]
    instances = batch.get("instances", torch.full_like(class_map, IGNORED))
    nowhere = ~batch["valid"].any(1)
    sides = like.shape[-2:]
    cut = [middle_of(of.masked_fill(nowhere, IGNORED), sides) for of in (class_map, instances)]
    return cut[0], cut[1]
