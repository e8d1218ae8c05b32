"""Images and the boxes of the objects in them, as a user has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from pytorch_lightning.utilities import rank_zero_warn

from astrocnn.batch import DataSpec
from astrocnn.datamodules.box_checks import AWAY, check_boxes, check_columns, instance_numbers, numbers
from astrocnn.datamodules.box_rows import BoxRows, ReadBoxes, box_rows
from astrocnn.datamodules.catalog import Catalog, Objects
from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datamodules.image_maps import with_truth
from astrocnn.datamodules.labels import number_labels
from astrocnn.datasets.patterns import found
from astrocnn.datasets.source import Source
from astrocnn.errors import AstrocnnWarning, DataError, listed, several
from astrocnn.io.box_files import BOX, SKY_BOX, read_boxes
from astrocnn.io.layers import InstanceMap
from astrocnn.io.sky_boxes import boxes_in_pixels
from astrocnn.io.tables import column
from astrocnn.io.tiles import image_hdus, select
from astrocnn.io.wcs import SkyWcs, separation_deg

__all__ = ["BoxDataModule"]

LABEL = "label"
MOST_NAMED = 3


class BoxDataModule(CutoutDataModule):
    """Images with the boxes and the classes of the objects in them.

    An image without any object trains and counts like others.

    Args:
        boxes: the objects of all images: a table, COCO's JSON, or DS9's regions, a file an image
            (:func:`astrocnn.io.box_files.read_boxes` says which columns); ``id`` names the image, and columns
            ``ignore`` (counts neither way), ``scored`` (its class counts), ``mag``, ``mag_<band>``, ``snr``,
            ``blended`` and ``x``, ``y`` (true positions) serve the evaluation.
        box_label: column of the class; None, or no column 'label', makes all one class.
        box_values: columns of numbers that are learnt beside the box, such as fluxes or redshifts.
        instances: ``files`` or ``hdu`` of maps that number the objects in the pixels of each image, for networks that
            learn these; see :class:`~astrocnn.io.layers.InstanceMap`. The column ``number`` of the boxes says which
            number is theirs.

    The others are those of :class:`~astrocnn.datamodules.cutouts.CutoutDataModule`; ``classes`` names the classes of
    the objects; there is none for the background.
    """

    carried = (*CutoutDataModule.carried, "box_values")

    def __init__(
        self,
        *,
        boxes: str | None = None,
        box_label: str | None = LABEL,
        box_values: Sequence[str] = (),
        instances: Mapping[str, Any] | None = None,
        label: None = None,
        batch_size: int = 4,
        **common: Any,
    ) -> None:
        super().__init__(label=label, batch_size=batch_size, **common)
        self.box_files, self.box_label = boxes, box_label
        self.box_values = tuple(str(name) for name in box_values)
        self.instances = InstanceMap.of(instances)
        self._table: Table | None = None
        self._of_image: dict[int, NDArray[np.int64]] | None = None
        self._rows: BoxRows | None = None

    def source(self, catalog: Catalog | None) -> Source:
        """The images, with their instance maps where these are asked for."""
        images = super().source(catalog)
        return images if self.instances is None else with_truth(self, images, [self.instances], classes=False)

    def probe(self) -> DataSpec:
        """As of any images; the classes are those of the boxes where they are not named.

        Raises:
            DataError: there are no boxes, or they are not what boxes are.
        """
        if self._table is None:
            table = self.read_boxes()
            check_columns(table, self.box_values, source=self.box_files)
            labels, classes = self._labelled(table)
            if self.instances is not None:
                table["_number"] = instance_numbers(table, source=self.box_files)
            given, self.classes = self.classes, None  # they are of the boxes, not of the images
            spec = super().probe()
            self.classes = given
            self._table = self._in_pixels(table, labels)
            self.spec = replace(spec, classes=classes, box_values=self.box_values)
        return self.spec

    @property
    def _held(self) -> Objects:
        """The images, while the boxes are being read."""
        assert self._objects is not None
        return self._objects

    def read_boxes(self) -> Table:
        """The objects, before they are checked."""
        if self.box_files is None:
            raise DataError(
                "no boxes given; name them with data.boxes=objects.fits (a table, COCO's .json, or 'regions/*.reg')."
            )
        if str(self.box_files).lower().endswith(".reg"):
            files = found(str(self.box_files), "data.boxes")
            return read_boxes([path for _, path in files], ids=["_".join(parts) for parts, _ in files])
        return read_boxes(self.box_files)

    def _labelled(self, table: Table) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        name = self.box_label
        if name is None or name not in table.colnames:
            names = self.classes or ("object",)
            if len(names) > 1 or name not in (None, LABEL):
                column(table, name or LABEL, "data.box_label", source=self.box_files)
            return np.zeros(len(table), dtype=np.int64), tuple(names)
        labels, classes, reasons = number_labels(table[name], name=name, classes=self.classes)
        strange = [row for row, reason in reasons.items() if "is none of the classes" in reason]
        if strange:
            first = [f"{table['id'][row]}: {table[name][row]}" for row in strange[:MOST_NAMED]]
            raise DataError(
                f"{self.box_files}: {several(len(strange), 'object')} of a class beyond {listed(classes, most=12)} "
                f"({listed(first)}); name all classes in data.classes=[...], or leave it null."
            )
        if not classes:
            raise DataError(
                f"{self.box_files}: no object has a class in the column {name!r}; fill it, or name another "
                "column in data.box_label."
            )
        return labels, classes

    def _in_pixels(self, table: Table, labels: NDArray[np.int64]) -> Table:
        """The boxes in pixels of the images that there are, each seen to be one."""
        ids = np.asarray(table["id"]).astype(str).tolist()
        keys = [*dict.fromkeys(ids)]
        try:
            number = self._image_numbers(keys)
        except DataError as error:
            raise DataError(f"the column 'id' of {self.box_files}: {error}") from error
        of_image = np.array([number[key] for key in ids], dtype=np.int64)
        table["_image"], table["_label"] = of_image, labels
        if (of_image < 0).any():
            lost = [key for key in keys if number[key] < 0]
            rank_zero_warn(
                f"{self.box_files}: {several(int((of_image < 0).sum()), 'object')} of images beyond data.images "
                f"({listed(lost, most=3)}), left out; mend the column 'id' if they should be there.",
                category=AstrocnnWarning,
            )
        table = table[of_image >= 0]
        if BOX[0] not in table.colnames:
            self._placed(table)
        boxes = np.stack([np.asarray(table[name], dtype=np.float64) for name in BOX], 1).reshape(-1, 4)
        shape = (self.spec.image_shape[1], self.spec.image_shape[2])
        check_boxes(table, boxes, shape, source=self.box_files)
        return table

    def _image_numbers(self, keys: list[str]) -> dict[str, int]:
        """The image of each id, −1 for none: by the names of files, or by the ids of the rows of a stack."""
        if self._stack is None:
            return dict(zip(keys, self._held.files.match(keys).file.tolist(), strict=True))
        rows = dict(zip(self._held.ids.tolist(), self._held.file.tolist(), strict=True))
        if not rows.keys() & set(keys):
            raise DataError(
                f"none is that of an image: boxes have ids like {listed(keys, most=3)}, the rows of {self.images} like "
                f"{listed(list(rows), most=3)}; give the id that data.catalog has for the row, or without a "
                "catalogue the row's number, from 0."
            )
        return {key: rows.get(key, -1) for key in keys}

    def _placed(self, table: Table) -> None:
        """Give boxes on the sky their pixels, by the WCS of each image."""
        if self._stack is not None:
            raise DataError(
                f"the boxes of {self.box_files} are on the sky, but the rows of the stack {self.images} have no WCS; "
                "give the boxes in pixels."
            )
        for name in (*BOX, AWAY):
            table[name] = np.full(len(table), np.nan)
        rows_of, columns_of = self.spec.image_shape[1:]
        middle = np.array([(columns_of - 1) / 2]), np.array([(rows_of - 1) / 2])
        hdu = self.hdu[0] if isinstance(self.hdu, Sequence) and not isinstance(self.hdu, str) else self.hdu
        for image in np.unique(np.asarray(table["_image"])):
            path = Path(self._held.files.paths[image][0])
            wcs = _wcs(path, hdu)
            if wcs is None:
                raise DataError(
                    f"{path} has no WCS, but the boxes of {self.box_files} are on the sky; give them in pixels."
                )
            rows = np.flatnonzero(np.asarray(table["_image"]) == image)
            for name, values in zip(BOX, boxes_in_pixels(table[rows], wcs).T, strict=True):
                table[name][rows] = values
            places = [numbers(table[rows], name) for name in SKY_BOX[:2]]
            table[AWAY][rows] = separation_deg(*wcs.sky(*middle), *places)

    def objects(self) -> Table:
        """The objects in the images: the columns of the user's, and ``x0``, ``y0``, ``x1``, ``y1``."""
        self.probe()
        assert self._table is not None
        return self._table

    def class_counts(self, rows: NDArray[np.int64]) -> dict[str, int]:
        """How many objects of each class are in the images of these rows of the catalogue."""
        table = self.objects()
        labels = np.asarray(table["_label"])[np.isin(np.asarray(table["_image"]), self._numbers[rows])]
        return {name: int((labels == number).sum()) for number, name in enumerate(self.spec.classes)}

    def objects_of(self, row: int) -> Table:
        """The objects in the image of one row of the catalogue."""
        if self._of_image is None:
            image = np.asarray(self.objects()["_image"])
            order = np.argsort(image, kind="stable")
            images, first = np.unique(image[order], return_index=True)
            self._of_image = dict(zip(images.tolist(), np.split(order, first[1:]), strict=True))
        return self.objects()[self._of_image.get(int(self._numbers[row]), np.empty(0, np.int64))]

    @property
    def reader(self) -> ReadBoxes:
        """Reads the rows of the catalogue with their boxes."""
        objects = super().reader
        if self._rows is None:
            shape = (self.spec.image_shape[1], self.spec.image_shape[2])
            self._rows = box_rows(self.objects(), self._numbers, values=self.box_values, shape=shape)
        return ReadBoxes(objects.packed, objects.row, objects.columns, self._rows)

    @property
    def _numbers(self) -> NDArray[np.int64]:
        """The number of each row of the catalogue among the images."""
        self._ready()
        return self._held.numbers()[self._row]

    def filled(self) -> dict[str, Any]:
        """As of any images."""
        return {**super().filled(), "box_values": list(self.box_values)}


def _wcs(path: Path, hdu: str | int | None) -> SkyWcs | None:
    (chosen, header), *_ = image_hdus(path, lambda images: select(path, images, hdu, "data.hdu", cubes=True))
    return header.wcs(chosen, path)
