"""Predictions of a task for every object of a loader."""

from collections.abc import Iterable, Sized
from typing import Protocol

import numpy as np
import torch

from astrocnn.batch import Batch, to_device
from astrocnn.progress import track
from astrocnn.tasks.base import BaseTask

__all__ = ["predict_all"]


class Loader(Iterable[Batch], Sized, Protocol):
    """Batches in a fixed order, with their number."""


@torch.inference_mode()
def predict_all(task: BaseTask, loader: Loader, *, description: str = "predicting") -> dict[str, np.ndarray]:
    """What the task says of each object, in float32 and evaluation mode, whatever the training's precision.

    Args:
        task: on the device where it shall run.
        loader: batches as :mod:`astrocnn.batch` describes; each ``index`` once.
        description: shown beside the progress.

    Returns:
        The task's predictions with first dimension N, ``index`` (N,) int64, and ``valid_fraction`` (N,), the
        fraction of an image's pixels, over all bands, that hold data.
    """
    was_training = task.training
    task.eval()
    parts: list[dict[str, np.ndarray]] = []
    for cpu_batch in track(loader, description, total=len(loader)):
        batch = to_device(cpu_batch, str(task.device))
        part = task.predict(batch) | {
            "index": batch["index"],
            "valid_fraction": batch["valid"].flatten(1).float().mean(1),
        }
        parts.append({key: value.cpu().numpy() for key, value in part.items()})
    task.train(was_training)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}
