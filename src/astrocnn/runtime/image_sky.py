"""The sky of a set of images, over which their objects are measured."""

import numpy as np
from numpy.typing import NDArray

from astrocnn.datamodules.row_loaders import RowLoaders
from astrocnn.functional.sky_level import sky_and_noise
from astrocnn.transforms.normalize import Normalize

__all__ = ["sky_of_images"]

MOST_IMAGES = 64  # that it is measured on


def sky_of_images(
    data: RowLoaders, rows: NDArray[np.int64], normalize: Normalize
) -> dict[str, NDArray[np.float64]]:
    """``sky`` and ``noise`` (C,): medians over these images of what is measured where each shows no source.

    One level for all, as the normalisation has it: the sky around a galaxy that fills its image is not to be seen
    there. A band of which no image shows any has that of the normalisation, which takes all pixels for it.

    Args:
        data: set up.
        rows: of the images.
        normalize: of the task.
    """
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(MOST_IMAGES, len(rows))).astype(int))]
    found = []
    for row in some:
        batch = data.gather(np.array([row]))
        image = np.where(batch["valid"][0].numpy(), batch["image"][0].numpy(), np.nan)
        found.append(np.stack(sky_and_noise(image)))  # (2, C)
    otherwise = np.stack([of.double().cpu().numpy() for of in (normalize.sky, normalize.noise)])
    for band, fallback in enumerate(otherwise.T):
        of_band = np.array([of[:, band] for of in found]).reshape(-1, 2)
        known = np.isfinite(of_band).all(1)
        if known.any():
            fallback[:] = np.median(of_band[known], axis=0)
    return {"sky": otherwise[0], "noise": otherwise[1]}
