"""How segmentations are calibrated, measured and shown."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table, vstack
from numpy.typing import NDArray
from omegaconf import DictConfig

from astrocnn.batch import Batch, DataSpec, to_device
from astrocnn.datamodules.image_maps import SegmentationMapDataModule
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.progress import track
from astrocnn.report.history import History
from astrocnn.runtime.judge import Judge, Judged, Predicted, store
from astrocnn.tasks.segmentation import SegmentationTask, truth

__all__ = ["SegmentationJudge"]

Columns = dict[str, NDArray[Any]]
CALIBRATION_PIXELS = 200_000
EXAMPLES = 6
REFERENCE_BANDS = ("i", "r", "z")  # the first that there is gives the magnitudes
AB_NJY = 31.4


class SegmentationJudge(Judge):  # type: ignore
    """Of the classes of pixels, and of the objects that they make up."""

    facts = ("classes",)
    task: SegmentationTask
    data: SegmentationMapDataModule

    @staticmethod
    def class_counts(data: ObjectDataModule, spec: DataSpec) -> NDArray[np.float64]:
        """(K,) number of training pixels of each class."""
        counts = np.zeros(len(spec.classes))
        for batch in data.loader(data.rows("train")):
            classes = batch["class_map"].masked_fill(~batch["valid"].any(1), -1)
            counts += np.bincount(classes[classes >= 0].numpy(), minlength=len(counts))[: len(counts)]
        return counts

    def calibrate(self, checkpoint: Path) -> dict[str, Predicted]:
        """Fit the calibration on pixels of the validation split and store it in the checkpoint."""
        logits, classes = [], []
        rows = self.data.rows("val")
        generator = torch.Generator().manual_seed(0)
        for batch, said in self._said(rows, "calibrating"):
            known = truth(batch, said["p"])[0].flatten().cpu()
            chosen = torch.randperm(len(known), generator=generator)
            chosen = chosen[known[chosen] >= 0][
                : max(1, CALIBRATION_PIXELS * len(batch["index"]) // len(rows))
            ]
            logits.append(said["logits"].movedim(1, -1).flatten(0, -2).cpu()[chosen])
            classes.append(known[chosen])
        self.task.calibration.fit(torch.cat(logits).numpy(), torch.cat(classes).numpy())
        store(self.task, checkpoint)
        return {}

    @torch.inference_mode()
    def _said(
        self, rows: NDArray[np.int64], description: str
    ) -> Iterator[tuple[Batch, dict[str, torch.Tensor]]]:
        """Each batch of these rows, on the device, and what the task says of it."""
        loader = self.data.loader(rows)
        for batch in track(loader, description, total=len(loader)):
            moved = to_device(batch, str(self.task.device))
            yield moved, self.task.predict(moved)
