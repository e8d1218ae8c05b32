"""From the maps that a segmentation gives to numbered objects."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.batch import Batch
from astrocnn.functional.instances import find_instances, watershed_instances
from astrocnn.networks.blocks import middle_of
from astrocnn.transforms.normalize import Normalize

__all__ = ["find_objects", "instances_of", "signal_to_noise"]


def find_objects(
    p: NDArray[np.floating],
    *,
    centre: NDArray[np.floating] | None = None,
    offset: NDArray[np.floating] | None = None,
    brightness: NDArray[np.floating],
) -> NDArray[np.int32]:
    """Number the objects of an image: by their centres where the network gives these, else by valleys of brightness.

    Args:
        p: (K, H, W) class probabilities, the background first.
        centre: (H, W) from 0 to 1.
        offset: (2, H, W) from each pixel to its centre, in pixels.
        brightness: (H, W) signal-to-noise of the pixels over all bands.

    Returns:
        (H, W) int32, 0 for background.
    """
    p_source = 1 - p[0]
    if centre is not None and offset is not None:
        return find_instances(p_source, centre, offset)
    return watershed_instances(p_source, brightness)


def signal_to_noise(
    image: NDArray[np.floating], valid: NDArray[np.bool_], normalize: Normalize
) -> NDArray[np.float64]:
    """(H, W): the sum of the valid bands of an image (C, H, W), each less its sky and over its noise, over √bands."""
    sky, noise = (of.double().cpu().numpy()[:, None, None] for of in (normalize.sky, normalize.noise))
    known = valid.sum(0)
    total: NDArray[np.float64] = np.where(valid, (image - sky) / noise, 0).sum(0)
    total /= np.sqrt(np.maximum(known, 1))
    return total


def instances_of(said: Mapping[str, Tensor], i: int, batch: Batch, task: Any) -> NDArray[np.int32]:
    """The objects (H, W) of image ``i`` of a batch, by what a segmentation task says of it."""
    maps = {name: said[name][i].cpu().numpy() for name in ("p", "centre", "offset") if name in said}
    image, valid = batch["image"][i].cpu().numpy(), batch["valid"][i].cpu().numpy()
    sides = maps["p"].shape[-2:]
    return find_objects(
        maps["p"],
        centre=maps.get("centre"),
        offset=maps.get("offset"),
        brightness=signal_to_noise(middle_of(image, sides), middle_of(valid, sides), task.normalize),
    )
