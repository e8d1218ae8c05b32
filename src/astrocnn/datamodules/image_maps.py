"""Images and what shall come out for each of their pixels: classes, objects, or another image."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from astropy.table import Table

from astrocnn.batch import DataSpec
from astrocnn.datamodules.catalog import Catalog
from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.source import Source
from astrocnn.datasets.stacks import CutoutStack
from astrocnn.datasets.with_maps import Truth, WithMaps
from astrocnn.errors import ConfigError, DataError, listed
from astrocnn.io.layers import ClassMap, InstanceMap, TargetImage
from astrocnn.io.tables import column, read_table

__all__ = ["ImagePairDataModule", "SegmentationMapDataModule"]

MOST_LOOKED_AT = 64  # class maps that are read to find the classes


class SegmentationMapDataModule(CutoutDataModule):
    """Images with the class of every pixel, the object in every pixel, or both.

    Args:
        class_map: ``files`` or ``hdu`` of the class maps, whole numbers from 0 on, and the value to ``ignore``; see
            :class:`~astrocnn.io.layers.ClassMap`. Without one, the instance map tells objects (1) from background (0).
        instances: likewise of the maps that number the objects; see :class:`~astrocnn.io.layers.InstanceMap`.
        objects: table of the objects in the images, one row each, for the evaluation: ``id`` (of the image), ``x`` and
            ``y`` (0-based pixels), and as far as known ``number`` (in the instance map), ``label``, ``mag``, ``snr``,
            and the flags ``ignore`` (counts neither way), ``scored`` (its class counts) and ``blended``. Without one,
            the objects are those of the maps.

    The others are those of :class:`~astrocnn.datamodules.cutouts.CutoutDataModule`; ``classes`` names the classes in
    the order of the map's values, the first being the background.
    """

    def __init__(
        self,
        *,
        class_map: Mapping[str, Any] | None = None,
        instances: Mapping[str, Any] | None = None,
        objects: str | None = None,
        label: None = None,
        batch_size: int = 4,
        **common: Any,
    ) -> None:
        super().__init__(label=label, batch_size=batch_size, **common)
        self.class_map, self.instances = ClassMap.of(class_map), InstanceMap.of(instances)
        self.object_table = objects

    def source(self, catalog: Catalog | None) -> Source:
        """The images with their maps."""
        truths = [truth for truth in (self.class_map, self.instances) if truth is not None]
        if not truths:
            raise DataError(
                "no maps given; name them with data.class_map.files='labels/*.fits' (or data.class_map.hdu=..., in the "
                "images' own files), or data.instances.files=..."
            )
        return with_truth(self, super().source(catalog), truths)

    def probe(self) -> DataSpec:
        """As of any images; the classes are those of the maps where they are not named.

        Raises:
            DataError: maps and images do not fit together, or the classes that are named are not the maps'.
        """
        if self.classes is None:
            self.classes = ("background", "object") if self.class_map is None else self._found_classes()
        if len(self.classes) < 2:
            raise DataError(
                f"data.classes={list(self.classes)}: a class map has at least two classes, the first the background."
            )
        return super().probe()

    def _found_classes(self) -> tuple[str, ...]:
        """The numbers from 0 to the greatest that occurs.

        Raises:
            DataError: a number between does not occur, so that it is not known what is a class; or no map can be read.
        """
        source = self.source(self.read_catalog())
        looked_at = np.unique(np.linspace(0, len(source) - 1, MOST_LOOKED_AT).astype(np.int64))
        present: set[int] = set()
        unread: list[DataError] = []
        for found in source.read_many(looked_at):
            if isinstance(found, DataError):
                unread.append(found)
            else:
                present.update(np.unique(found.maps["class_map"]).tolist())
        if len(unread) == len(looked_at):
            raise unread[0]
        values = sorted(present - {-1})
        if len(values) < (values or [-1])[-1] + 1:
            alone = values[:-1] == list(
                range(len(values) - 1)
            )  # the last one, without which none would be missing
            ignore = f"data.class_map.ignore={values[-1]} if {values[-1]} is no class, or " if alone else ""
            whole = "" if len(looked_at) == len(source) else f" (in {len(looked_at)} of {len(source)} maps)"
            raise DataError(
                f"the class maps hold the values {listed(values, most=20)}{whole} and not all numbers from 0 to "
                f"{values[-1]}; say what they mean: {ignore}data.classes=[...] with the names of {values[-1] + 1} "
                "classes."
            )
        return tuple(str(number) for number in values)

    def objects(self) -> Table | None:
        """The objects of the images by the user's table; None where the maps have to say.

        Where there is no class map, all of them are of the one class that there is.

        Raises:
            DataError: the table lacks a column, or its labels are not those of the class map.
        """
        if self.object_table is None:
            return None
        table = read_table(self.object_table)
        for name in ("id", "x", "y"):
            column(table, name, "data.objects", source=self.object_table)
        if self.class_map is None:
            table["label"] = np.ones(len(table), np.int64)
        elif "label" in table.colnames:
            n = len(self.probe().classes)
            labels = np.ma.filled(np.ma.asarray(table["label"]), -1)
            if labels.dtype.kind not in "iu" or labels.min(initial=0) < -1 or labels.max(initial=0) >= n:
                raise DataError(
                    f"{self.object_table}: the labels are not the numbers of the classes, 0 to {n - 1} (−1 unknown); "
                    f"they go up to {labels.max(initial=0)}; give those of the class map."
                )
        return table


class ImagePairDataModule(CutoutDataModule):
    """Images with the image that is to come out: the isolated galaxy of a blend, maps of physical quantities.

    Args:
        target: ``files`` or ``hdu`` of the images that shall come out, of one plane or several, in their own units; see
            :class:`~astrocnn.io.layers.TargetImage`. They are of the images' size, or a whole number of times larger.
        target_bands: names of the target's planes; None takes the files', or those of the images where there are as
            many. A plane that has the name of a band is of its kind, so that they can be compared.

    The others are those of :class:`~astrocnn.datamodules.cutouts.CutoutDataModule`.
    """

    def __init__(
        self,
        *,
        target: Mapping[str, Any] | None = None,
        target_bands: Sequence[str] | None = None,
        label: None = None,
        batch_size: int = 32,
        **common: Any,
    ) -> None:
        super().__init__(label=label, batch_size=batch_size, **common)
        self.target, self.target_bands = TargetImage.of(target), target_bands

    def source(self, catalog: Catalog | None) -> Source:
        """The images with their targets."""
        if self.target is None:
            raise DataError(
                "no target images given; name them with data.target.files='targets/*.fits' (or data.target.hdu=..., in "
                "the images' own files)."
            )
        return with_truth(self, super().source(catalog), [self.target])

    def probe(self) -> DataSpec:
        """As of any images, with the names of the target's planes.

        Raises:
            DataError: other names were given than the target has planes.
        """
        spec = super().probe()
        n_planes = spec.maps["target_image"][0]
        named = self.target_bands or (spec.bands if len(spec.bands) == n_planes else spec.target_bands)
        if len(named) != n_planes:
            raise DataError(
                f"data.target_bands={list(named)}: {len(named)} names for {n_planes} planes of the target; name each."
            )
        self.spec = replace(spec, target_bands=tuple(str(name) for name in named))
        return self.spec

    def filled(self) -> dict[str, Any]:
        """As of any images, with the names of the target's planes."""
        return {**super().filled(), "target_bands": list(self.probe().target_bands)}


def with_truth(
    data: CutoutDataModule, images: Source, truths: Sequence[Truth], *, classes: bool = True
) -> WithMaps:
    """The images of ``data`` joined to their maps; ``classes`` is that of :class:`WithMaps`.

    Raises:
        DataError: no image has its maps.
        ConfigError: maps are asked for where there can be none.
    """
    maps: list[tuple[Truth, Source]] = []
    for truth in truths:
        files = truth.files or data.images
        if isinstance(files, Mapping):
            if truth.files is not None and not isinstance(truth, TargetImage):
                raise ConfigError(
                    f"{truth.option}.files={dict(files)}: a {truth.what} is one for all bands; give one pattern."
                )
            files = files if truth.files is not None else next(iter(files.values()))
        assert files is not None
        option = "data.images" if truth.files is None else f"{truth.option}.files"
        source: Source
        if isinstance(images, CutoutStack):
            source = CutoutStack(files, hdu=truth.hdu, channels=data.channels, option=option)
        else:
            hdu_option = f"{truth.option}.hdu"
            source = CutoutFiles(
                files, hdu=truth.hdu, channels=data.channels, option=option, hdu_option=hdu_option
            )
        maps.append((truth, source))
    n_classes = None if data.classes is None else len(data.classes)
    return WithMaps(images, maps, n_classes=n_classes, classes=classes)
