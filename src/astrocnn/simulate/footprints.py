"""What is true of a scene: which pixels are whose, and what can be expected to be seen of each object.

The definitions are in docs/scenes.md; every figure of segmentation and detection depends on them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from astrocnn.io.stamps import Stamp
from astrocnn.simulate.observe import Survey
from astrocnn.simulate.population import Columns
from astrocnn.simulate.render import weights

__all__ = ["IGNORE_SNR", "SCORED_SNR", "Truth", "isolated_snr", "truth"]

Array = NDArray[np.float64]

IGNORE_SNR = 5.0  # what is fainter is neither reward nor penalty
SCORED_SNR = 30.0  # the form of what is brighter is scored
LEAST_BOX_PIX = 5
EVERY_NEIGHBOUR = np.ones((3, 3), dtype=int)


@dataclass(frozen=True)
class Truth:
    """Maps and columns of a scene.

    Attributes:
        class_map: (H, W) int16: 0 background, 1 star, 2 spheroid, 3 disc, 4 irregular, -1 ignored.
        instances: (H, W) int32: 0 background, 1... number of the object that dominates the pixel, -1 ignored.
        owner: as ``instances``, with the numbers of the ignored too.
        columns: ``x0``, ``y0``, ``x1``, ``y1`` (box, pixel edges), ``area_pix``, ``blended``, (N,) each.
    """

    class_map: NDArray[np.int16]
    instances: NDArray[np.int32]
    owner: NDArray[np.int32]
    columns: Columns


def isolated_snr(stamps: list[Stamp], valid: NDArray[np.bool_], survey: Survey) -> Array:
    """S/N √Σ f²/σ² of each object alone, over all bands and pixels with data, (N,).

    That is the S/N of a matched filter. σ² is the variance of the sky and of the object's own photons.

    Args:
        stamps: of the N objects.
        valid: (C, H, W), False where there is no data.
        survey: sky and gain.
    """
    sky, gain = survey.sky_variance[:, None, None], survey.electrons_per_njy[:, None, None]
    snr = np.zeros(len(stamps))
    for n, stamp in enumerate(stamps):
        flux = stamp.image.astype(np.float64)
        part = flux**2 / (sky + np.maximum(flux, 0.0) / gain)
        snr[n] = np.sqrt(part[valid[(slice(None), *stamp.place)]].sum())
    return snr


def truth(stamps: list[Stamp], objects: Columns, survey: Survey, size: int) -> Truth:
    """Footprints of the objects, and maps of which of them dominates each pixel.

    Args:
        stamps: of the N objects, isolated and without noise.
        objects: ``x``, ``y`` (0-based pixels), ``label`` and ``ignore``, (N,) each.
        survey: sky, from which the bands get their weights.
        size: pixels along the scene's sides.
    """
    weight = weights(survey).astype(np.float32)
    brightest = np.ones((size, size), dtype=np.float32)  # in σ: what is below 1 is nobody's
    owner = np.zeros((size, size), dtype=np.int32)
    anybody = np.zeros((size, size), dtype=bool)
    footprints = []
    for n, stamp in enumerate(stamps):
        light = np.tensordot(weight, stamp.image, axes=1)  # (ny, nx)
        footprint = light > 1
        here = brightest[stamp.place]
        wins = light > here
        here[wins] = light[wins]
        owner[stamp.place][wins] = n + 1
        anybody[stamp.place] |= footprint
        footprints.append(footprint)
    ignored = np.concatenate([[False], objects["ignore"] > 0])[owner]
    label = np.concatenate([[0], objects["label"]]).astype(np.int16)[owner]
    columns = {
        "area_pix": np.array([footprint.sum() for footprint in footprints], dtype=np.float64),
        "blended": _blended(stamps, footprints, anybody),
    }
    columns |= _boxes(stamps, footprints, objects, size)
    return Truth(
        class_map=np.where(ignored, np.int16(-1), label),
        instances=np.where(ignored, np.int32(-1), owner),
        owner=owner,
        columns=columns,
    )


def _blended(stamps: list[Stamp], footprints: list[NDArray[np.bool_]], anybody: NDArray[np.bool_]) -> Array:
    """Whether each footprint touches another one, by side or corner: then both are in one piece of the union."""
    pieces, n_pieces = ndimage.label(anybody, structure=EVERY_NEIGHBOUR)
    members = [
        np.unique(pieces[stamp.place][footprint]) for stamp, footprint in zip(stamps, footprints, strict=True)
    ]
    objects_in = np.bincount(np.concatenate([np.zeros(0, int), *members]), minlength=n_pieces + 1)
    return np.array([float((objects_in[mine] > 1).any()) for mine in members])


def _boxes(stamps: list[Stamp], footprints: list[NDArray[np.bool_]], objects: Columns, size: int) -> Columns:
    """Bounds of the footprints, at least 5 pixels wide and high, about the object where it has none."""
    low, high = np.empty((len(stamps), 2)), np.empty((len(stamps), 2))
    for n, (stamp, footprint) in enumerate(zip(stamps, footprints, strict=True)):
        for axis, (name, first) in enumerate((("x", stamp.xmin), ("y", stamp.ymin))):
            seen = np.flatnonzero(footprint.any(axis=axis))
            bounds = (seen[0] + first, seen[-1] + first) if len(seen) else (objects[name][n],) * 2
            low[n, axis], high[n, axis] = bounds[0] - 0.5, bounds[1] + 0.5
    grow = np.maximum(LEAST_BOX_PIX - (high - low), 0.0) / 2
    low, high = low - grow, high + grow
    inside = np.maximum(-0.5 - low, 0.0) - np.maximum(high - (size - 0.5), 0.0)
    low, high = low + inside, high + inside
    return {"x0": low[:, 0], "y0": low[:, 1], "x1": high[:, 0], "y1": high[:, 1]}
