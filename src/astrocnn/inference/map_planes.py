"""Which maps a task predicts, and what each of them is called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.errors import ConfigError
from astrocnn.io.map_tiles import Plane
from astrocnn.tasks.base import BaseTask

__all__ = ["CLASS", "MapPlanes", "class_plane"]

CLASS = "CLASS"
STRANGE = re.compile(r"[^A-Z0-9_+-]+")


@dataclass(frozen=True)
class MapPlanes:
    """The maps of a task.

    Attributes:
        predicted: what comes from the network, plane by plane.
        keys: the entries of the task's prediction that hold them, in that order.
        classes: names of the classes, whose probabilities are the first planes; () where none are predicted.
        upscale: rows and columns of the maps for one of the image.
    """

    predicted: tuple[Plane, ...]
    keys: tuple[str, ...]
    classes: tuple[str, ...]
    upscale: int = 1

    @classmethod
    def of(cls, task: BaseTask, n_bands: int, units: Sequence[str | None] = ()) -> "MapPlanes":
        """What ``task`` predicts, found by letting it predict an empty image.

        Args:
            task: whose network is per pixel.
            n_bands: of its images.
            units: of the planes of a target image, as far as they are known.

        Raises:
            ConfigError: it predicts no maps, or some on pixels that are no whole fraction of the image's.
        """
        side = int(getattr(task.network, "least_size", 1))
        image = torch.zeros(1, n_bands, side, side, device=task.device)
        with torch.inference_mode():
            found = task.predict({"image": image, "valid": torch.ones_like(image, dtype=torch.bool)})
        keys = tuple(key for key in KEYS if key in found)
        if not keys:
            raise ConfigError(f"{type(task).__name__} predicts no maps; mosaics are for tasks that do.")
        made = found[keys[0]].shape[-1]
        upscale = max(made // side, 1)
        for key in keys:
            if found[key].shape[-2:] != (upscale * side, upscale * side):
                raise ConfigError(
                    f"{type(task.network).__name__} makes maps of {found[key].shape[-1]} pixels a side of {side} "
                    "pixels of an image; of mosaics come maps of their own pixels, or of so many times finer ones."
                )
        classes = tuple(str(name) for name in getattr(task, "classes", ())) if "p" in found else ()
        names = classes or tuple(str(name) for name in getattr(task, "planes", ()))
        planes: list[Plane] = []
        for key in keys:
            n = found[key].shape[1] if found[key].ndim == 4 else 0
            planes += _named(key, n, names, units)
        return cls(_unique(planes), keys, classes, upscale)

    @property
    def written(self) -> tuple[Plane, ...]:
        """The planes of the file: those that are predicted and, of classes, the most probable one."""
        return (*self.predicted, CLASS_PLANE) if self.classes else self.predicted

    def stacked(self, found: Batch) -> NDArray[np.float32]:
        """The planes (B, P, H, W) of a prediction."""
        parts = [found[key] if found[key].ndim == 4 else found[key][:, None] for key in self.keys]
        planes: Tensor = torch.cat([part.float() for part in parts], dim=1)
        stack: NDArray[np.float32] = planes.contiguous().cpu().numpy()
        return stack

    def blocks(self, block: NDArray[np.float32]) -> list[NDArray[np.float32] | NDArray[np.int16]]:
        """What is written of a block (P, h, w) of the predicted planes."""
        planes: list[NDArray[np.float32] | NDArray[np.int16]] = list(block)
        if self.classes:
            planes.append(class_plane(block[: len(self.classes)]))
        return planes


def class_plane(p: NDArray[np.float32]) -> NDArray[np.int16]:
    """The number of the most probable class (H, W) of probabilities (K, H, W); −1 where there are none."""
    most, number = p[0].copy(), np.zeros(p.shape[1:], np.int16)
    for k, of_class in enumerate(p[1:], start=1):  # faster than argmax over the first axis
        np.copyto(number, np.int16(k), where=of_class > most)
        np.maximum(most, of_class, out=most)
    number[np.isnan(p[0])] = -1
    return number


def _named(key: str, n: int, names: Sequence[str], units: Sequence[str | None]) -> list[Plane]:
    """The ``n`` planes of an entry (0 of one without an axis of planes)."""
    name, comment, unit = KEYS[key]
    if key == "offset":
        return [
            Plane(f"{name}_{axis}", unit=unit, comment=f"{comment}, along {axis.lower()}") for axis in "YX"
        ]
    if n == 0:
        of_classes = "variance of p among samples" if key == "spread" else comment
        return [Plane(name, unit=unit, comment=of_classes)]
    known = list(names) if len(names) == n else [str(i) for i in range(n)]
    own = list(units) if key in IN_UNITS and len(units) == n else [unit] * n
    return [
        Plane(f"{name}_{each}" if name else each, unit=of, comment=f"{comment} {each}")
        for each, of in zip(known, own, strict=True)
    ]


def _unique(planes: list[Plane]) -> tuple[Plane, ...]:
    """The same with names that may be those of an HDU and of a file."""
    kept: dict[str, Plane] = {}
    for plane in planes:
        name = STRANGE.sub("_", plane.name.upper()).strip("_")[:60] or "MAP"
        number = 1
        while (free := name if number == 1 else f"{name}_{number}") in (*kept, CLASS):
            number += 1
        kept[free] = Plane(free, plane.dtype, plane.unit, plane.comment)
    return tuple(kept.values())


# what a task may predict: name of the planes, what they are, their unit
KEYS: dict[str, tuple[str, str, str | None]] = {
    "p": ("P", "probability of", None),
    "target_image": ("", "predicted", None),
    "spread": ("SPREAD", "standard deviation of", None),
    "centre": ("CENTRE", "an object's centre, 0 to 1", None),
    "offset": ("OFFSET", "to the object's centre", "pix"),
}
IN_UNITS = ("target_image", "spread")
CLASS_PLANE = Plane(CLASS, "i2", None, "most probable class, -1 no data")
