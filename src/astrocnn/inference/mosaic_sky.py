"""The sky of a mosaic, from patches that are spread over it; the same ones, however many windows it is seen in."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.functional.sky_mesh import SkyMesh, patch_starts
from astrocnn.transforms.normalize import Normalize

__all__ = ["patches", "sky_of"]


def patches(mosaic: OpenMosaic) -> Iterator[list[NDArray[np.float32]]]:
    """The patches (C, h, w) of :func:`~astrocnn.functional.sky_mesh.patch_starts`, row by row, NaN where not valid."""
    (tops, height), (lefts, width) = (patch_starts(side) for side in mosaic.shape)
    for top in tops:
        boxes = [[top, top + height, left, left + width] for left in lefts]
        yield [pixels[: mosaic.n_bands] for pixels in mosaic.windows(boxes)]


def sky_of(mosaic: OpenMosaic, normalize: Normalize) -> SkyMesh:
    """Level and noise of the sky all over a mosaic; of a band that shows none those that it is normalised by."""
    otherwise = np.stack([of.double().cpu().numpy() for of in (normalize.sky, normalize.noise)])
    return SkyMesh.of(patches(mosaic), mosaic.shape, otherwise)
