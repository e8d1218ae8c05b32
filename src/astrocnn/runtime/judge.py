"""What is particular to a kind of task between its training and its report."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor

from astrocnn.batch import Batch, DataSpec, to_device
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.errors import ConfigError
from astrocnn.io.atomic import atomic_path
from astrocnn.progress import track
from astrocnn.report.history import History
from astrocnn.runtime.checkpoint import read_checkpoint
from astrocnn.tasks.base import BaseTask

__all__ = ["About", "Judge", "Judged", "judge_of", "store"]

JUDGES = {  # by what a task says that its report is of
    "classification": ("astrocnn.runtime.judge_classification", "ClassificationJudge"),
    "segmentation": ("astrocnn.runtime.judge_segmentation", "SegmentationJudge"),
    "detection": ("astrocnn.runtime.judge_detection", "DetectionJudge"),
    "photoz": ("astrocnn.runtime.judge_photoz", "PhotozJudge"),
    "image_to_image": ("astrocnn.runtime.judge_images", "ImageJudge"),
}

Predicted = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Judged:
    """What is said of one split.

    Attributes:
        metrics: of metrics.json.
        tables: to be written, by the name of their files.
        shown: what else the page needs.
    """

    metrics: dict[str, Any]
    tables: Mapping[str, Table]
    shown: Any = field(default=None)


@dataclass(frozen=True)
class About:
    """What a page says besides: the contents of metrics.json, the learning curves, what identifies the run, and the
    image's bands and pixel scale.
    """

    metrics: Mapping[str, Any]
    history: History
    run_info: Mapping[str, Any]
    bands: list[str]
    pixel_scale_arcsec: float | None

    @property
    def page(self) -> dict[str, Any]:
        """All of it, as the pages of the report take it."""
        title = str(self.run_info.get("title", "astrocnn"))
        return {"title": title, **{each.name: getattr(self, each.name) for each in fields(self)}}


class Judge(ABC):
    """Prepares, calibrates, measures and shows tasks of one kind.

    Args:
        task: of that kind.
        data: set up.
    """

    facts: ClassVar[tuple[str, ...]] = ()  # attributes of the task that metrics.json repeats

    def __init__(self, task: BaseTask, data: ObjectDataModule) -> None:
        self.task, self.data = task, data

    @staticmethod
    def class_counts(data: ObjectDataModule, spec: DataSpec) -> NDArray[np.float64] | None:
        """How often each class (K,) is met in training; None where there are no classes."""
        del data, spec
        return None

    def calibrate(self, checkpoint: Path) -> dict[str, Predicted]:
        """Fit on the validation split what the task's probabilities need, and :func:`store` it in the checkpoint.

        Returns:
            What the task says of the splits that it has seen for that, to be used again.
        """
        del checkpoint
        return {}

    @abstractmethod
    def measure(
        self,
        split: str,
        *,
        options: DictConfig,
        seed: int,
        said: Predicted | None = None,
        prevalence: Any = None,
    ) -> Judged:
        """Predict a split and measure it.

        Args:
            split: as of the data's ``rows``.
            options: ``evaluation`` of the configuration.
            seed: of the bootstrap.
            said: what the task says of it, where that is known.
            prevalence: of the classes, where probabilities shall hold; None keeps that of the training set.
        """

    def keep(self, folder: Path, judged: Judged) -> None:
        """Write into ``folder`` what is kept of the report's split beside tables and figures."""
        del folder, judged

    @abstractmethod
    def show(self, path: Path, judged: Judged, about: About) -> None:
        """Write the page at ``path`` of the split that was ``judged``, and print the short table."""

    @torch.inference_mode()
    def said(self, rows: NDArray[np.int64], description: str) -> Iterator[tuple[Batch, dict[str, Tensor]]]:
        """Each batch of these rows, on the task's device, and what the task predicts of it."""
        loader = self.data.loader(rows)
        for batch in track(loader, description, total=len(loader)):
            moved = to_device(batch, str(self.task.device))
            yield moved, self.task.predict(moved)


def judge_of(task: type[BaseTask] | BaseTask) -> type[Judge]:
    """The judge of a task's kind.

    Raises:
        ConfigError: there is none.
    """
    kind = getattr(task, "report", None)
    if kind not in JUDGES:
        name = task.__name__ if isinstance(task, type) else type(task).__name__
        raise ConfigError(f"{name}.report={kind!r} is not known; it must be one of {', '.join(JUDGES)}.")
    module, name = JUDGES[kind]
    judge: type[Judge] = getattr(import_module(module), name)
    return judge


def store(task: BaseTask, checkpoint: Path) -> None:
    """Put the task's state, as it is now, into its checkpoint."""
    content = read_checkpoint(checkpoint)
    content["state_dict"] = {name: value.cpu() for name, value in task.state_dict().items()}
    with atomic_path(checkpoint) as part:
        torch.save(content, part)
