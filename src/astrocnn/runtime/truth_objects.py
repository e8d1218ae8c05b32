"""The true objects of images: those of a table, or where there is none, those of the maps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from astrocnn.batch import Batch, DataSpec
from astrocnn.datamodules.image_maps import SegmentationMapDataModule
from astrocnn.functional.objects import measure_objects
from astrocnn.io.flux_units import ab_zero_point
from astrocnn.networks.blocks import middle_of

__all__ = ["TrueObjects", "TruthOfImage", "magnitude", "reference_band"]

REFERENCE_BANDS = ("i", "r", "z", "g")  # the first that there is gives the magnitudes
KEPT = ("number", "x", "y", "label", "mag", "snr", "ignore", "scored", "blended")


@dataclass(frozen=True)
class TruthOfImage:
    """The objects of one image: ``columns`` (N,) each, as :func:`~astrocnn.functional.source_matches.match_scenes`
    takes them.
    """

    columns: dict[str, NDArray[Any]]

    def scored_map(self, class_map: NDArray[np.int64], instances: NDArray[np.int64]) -> NDArray[np.int64]:
        """The class map (H, W) with −1 on objects whose class does not count."""
        scored = self.columns.get("scored")
        if scored is None or scored.all() or not (instances > 0).any():
            return class_map
        unscored = self.columns["number"][~scored.astype(bool)]
        return np.where(np.isin(instances, unscored) & (instances > 0), -1, class_map)


class TrueObjects:
    """Looks up or measures the true objects of an image.

    Args:
        data: set up.
        levels: ``sky`` and ``noise`` (C,) of the images (:func:`~astrocnn.runtime.image_sky.sky_of_images`), by which
            objects are measured that no table lists; None takes 0, and measures the noise.
    """

    def __init__(
        self, data: SegmentationMapDataModule, levels: dict[str, NDArray[np.float64]] | None = None
    ) -> None:
        self.levels = levels or {}
        self.spec, self.ids = data.spec, np.asarray(data.catalog["id"]).astype(str)
        self.table = data.objects()
        if self.table is not None:
            ids = np.char.strip(np.asarray(self.table["id"]).astype(str))
            order = np.argsort(ids, kind="stable")
            names, first = np.unique(ids[order], return_index=True)
            self.rows = dict(zip(names.tolist(), np.split(order, first[1:]), strict=True))

    def of(
        self, row: int, class_map: NDArray[np.int64], instances: NDArray[np.int64], batch: Batch, i: int
    ) -> TruthOfImage:
        """The objects of row ``row`` of the catalogue, image ``i`` of a batch, with its maps (H, W)."""
        if self.table is None:
            return TruthOfImage(self._measured(class_map, instances, batch, i))
        part = self.table[self.rows.get(self.ids[row], np.empty(0, np.int64))]
        columns = {name: np.asarray(part[name]) for name in KEPT if name in part.colnames}
        columns.setdefault("number", np.arange(1, len(part) + 1))
        band = reference_band(self.spec)
        if f"mag_{band}" in part.colnames:
            columns["mag"] = np.asarray(part[f"mag_{band}"])
        for axis, name in ((-2, "y"), (-1, "x")):  # of what a network without padding leaves of the image
            columns[name] = columns[name] - (batch["image"].shape[axis] - class_map.shape[axis]) // 2
        return TruthOfImage(columns)

    def _measured(
        self, class_map: NDArray[np.int64], instances: NDArray[np.int64], batch: Batch, i: int
    ) -> dict[str, NDArray[Any]]:
        """Objects of the maps: of the numbered ones, or of connected pixels that are not background."""
        labels = instances if (instances >= 0).any() else ndimage.label(class_map > 0, np.ones((3, 3)))[0]
        image, valid = (middle_of(batch[key][i].cpu().numpy(), class_map.shape) for key in ("image", "valid"))
        hot = np.stack([class_map == k for k in range(len(self.spec.classes))]).astype(np.float32)
        found = measure_objects(labels, image, valid, hot, **self.levels)
        columns = {name: found[name] for name in ("number", "x", "y", "snr", "label", "blended")}
        return columns | {"mag": magnitude(found["flux"], self.spec)}


def reference_band(spec: DataSpec) -> str:
    """The band whose flux gives the magnitudes."""
    return next((band for band in REFERENCE_BANDS if band in spec.bands), spec.bands[len(spec.bands) // 2])


def magnitude(flux: NDArray[np.floating], spec: DataSpec) -> NDArray[np.float64]:
    """AB magnitudes (N,) of fluxes (N, C) in the reference band; −2.5 log₁₀ flux where the unit is unknown.

    What has no positive flux has NaN.
    """
    b = spec.bands.index(reference_band(spec))
    unit = spec.units[b] if b < len(spec.units) else None
    zero = ab_zero_point(unit)
    of_band = flux[:, b].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = (0.0 if zero is None else zero) - 2.5 * np.log10(of_band)
    return np.where(of_band > 0, mag, np.nan)
