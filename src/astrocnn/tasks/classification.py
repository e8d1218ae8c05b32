"""Classification of images into two classes or more."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, MulticlassAccuracy, MulticlassAUROC

from astrocnn.batch import Batch, DataSpec
from astrocnn.errors import DataError
from astrocnn.tasks.base import BaseTask
from astrocnn.tasks.calibration import Calibration

__all__ = ["ClassificationTask"]


class ClassificationTask(BaseTask):
    """Class probabilities from images.

    Two classes need one logit, of the second class; K classes need K. Probabilities are those of the training
    set's mixture of classes (``prior``), calibrated on the validation split.

    Args:
        classes: names of the classes, in the order of the labels.
        n_outputs: logits of the network; None takes what the classes need.
        test_time_augmentation: whether a prediction is the mean of the logits over the exact turns and mirrors
            that the augmentation makes (eight, by default: eight times the work).
        options: those of :class:`BaseTask`.
    """

    report = "classification"
    learns = "label"
    fitting = "a classifier, such as model=resnet"
    prior: Tensor

    def __init__(
        self,
        *,
        classes: list[str],
        n_outputs: int | None = None,
        test_time_augmentation: bool = True,
        monitor: str = "val/auroc",
        monitor_mode: str = "max",
        **options: Any,
    ) -> None:
        super().__init__(monitor=monitor, monitor_mode=monitor_mode, **options)
        self.classes = tuple(classes)
        self.test_time_augmentation = test_time_augmentation
        self.calibration = Calibration(n_outputs=n_outputs or _logits(len(classes)))
        self.register_buffer("prior", torch.full((len(classes),), 1 / len(classes)))
        if len(classes) == 2:
            metrics: dict[str, Metric | MetricCollection] = {
                "auroc": BinaryAUROC(),
                "accuracy": BinaryAccuracy(),
            }
        else:
            metrics = {"auroc": MulticlassAUROC(len(classes)), "accuracy": MulticlassAccuracy(len(classes))}
        self.metrics = MetricCollection(metrics, prefix="val/")

    @staticmethod
    def n_outputs(data: DataSpec) -> int:
        """One logit for two classes, else one for each."""
        if "class_map" in data.maps:
            raise DataError(
                "classification needs a label for each image, and these data have a class for each pixel; leave "
                "task=... out, or choose task=segmentation."
            )
        if len(data.classes) < 2:
            raise DataError(
                f"classification needs at least two classes, the data have {list(data.classes)}; check data.label."
            )
        return _logits(len(data.classes))

    @staticmethod
    def output_shape(data: DataSpec) -> tuple[int, ...]:
        """(n_outputs,)."""
        return (_logits(len(data.classes)),)

    def compute_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the labels."""
        return {"loss": self.loss(self.outputs(batch), batch["label"], weight=batch.get("weight"))}

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy, and the metrics of the labelled objects."""
        logits = self.outputs(batch)
        known = batch["label"] >= 0
        self.metrics.update(self._probabilities(logits)[known], batch["label"][known])
        self.log_dict(self.metrics, prog_bar=True, batch_size=len(logits))
        return {"loss": self.loss(logits, batch["label"], weight=batch.get("weight"))}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """``p``: (B,) probability of the second class, or (B, K); ``logits``: (B, n_outputs), not calibrated."""
        views: Iterable[Batch] = [batch]
        if self.test_time_augmentation and self.augment is not None:
            views = (view for view, _ in self.augment.exact_views(batch))
        logits = torch.stack([self.outputs(view).float() for view in views]).mean(0)  # (B, n_outputs)
        return {"p": self.probabilities(logits), "logits": logits}

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities of logits (B, n_outputs): (B,) of the second of two classes, or (B, K)."""
        return self._probabilities(self.calibration(logits))

    def forward(self, images: Tensor | np.ndarray, valid: Tensor | None = None) -> Tensor:
        """Probabilities of images in flux units, normalised as in training.

        Args:
            images: (B, C, H, W) or (C, H, W), the bands in the order of training.
            valid: bool, of that shape; None takes the finite pixels.

        Returns:
            (B,) probability of the second class, or (B, K) probabilities; without B for a single image.
        """
        single = images.ndim == 3
        p = self.predict(self.batch_of(images[None] if single else images, valid))["p"]
        return p[0] if single else p

    def _probabilities(self, logits: Tensor) -> Tensor:
        if len(self.classes) == 2:
            return logits.float().squeeze(-1).sigmoid()  # (B,)
        return logits.float().softmax(-1)  # (B, K)


def _logits(n_classes: int) -> int:
    return 1 if n_classes == 2 else n_classes
