"""Boxes of the objects in images, as people have them: tables in pixels or on the sky, COCO's JSON, regions of DS9."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed, reason, several
from astrocnn.io.region_boxes import read_regions
from astrocnn.io.sky_boxes import ANGLE, BOX, ELLIPSE, SKY_BOX
from astrocnn.io.tables import read_table

__all__ = ["BOX", "SKY_BOX", "read_boxes"]

Floats = NDArray[np.float64]
# ways in which tables say where a box is, by the names of four columns; the first that a table has is taken
EDGES = ("xmin", "ymin", "xmax", "ymax")  # first and last pixel, 0-based
SEXTRACTOR = ("XMIN_IMAGE", "YMIN_IMAGE", "XMAX_IMAGE", "YMAX_IMAGE")  # the same, 1-based
CENTRE = ("x", "y", "width", "height")  # 0-based pixels
PIXELS = {"BOX": BOX, "EDGES": EDGES, "SEXTRACTOR": SEXTRACTOR, "CENTRE": CENTRE}
SQUARE = {"size": CENTRE[:2], "size_arcsec": SKY_BOX[:2]}  # one number for both sides
WORDS = (
    "x0, y0, x1, y1 (edges); xmin, ymin, xmax, ymax (first and last pixel); x, y, width, height (pixels); "
    "or ra, dec, width_arcsec, height_arcsec"
)


def read_boxes(
    path: str | os.PathLike[str] | Sequence[str],
    *,
    ids: Sequence[str] | None = None,
    images: str | None = None,
) -> Table:
    """The objects of all images, a row each.

    Args:
        path: a table; a COCO file (``.json``); or the region files (``.reg``) of DS9, one an image.
        ids: of region files, the image that each is of.
        images: the option that names the images, for messages.

    Returns:
        A table with ``id`` (str, of the image), ``x0``, ``y0``, ``x1``, ``y1`` in pixels (edges; the centre of the
        first pixel is (0, 0)) or those of :func:`astrocnn.io.sky_boxes.boxes_in_pixels`, and all other columns.

    Raises:
        DataError: no such file, columns that say no box, or regions that have no extent.
    """
    if not isinstance(path, str | os.PathLike):
        return read_regions(path, list(ids or []))
    if str(path).lower().endswith(".json"):
        return _coco(Path(path).expanduser())
    table = read_table(path)
    if "id" not in table.colnames:
        raise DataError(
            f"{path} has no column 'id'; its columns are {listed(table.colnames, most=30)}; give one that names "
            "the image of each box."
        )
    table["id"] = np.char.strip(np.asarray(table["id"]).astype(str))
    for side, place in SQUARE.items():
        whole = CENTRE if side == "size" else SKY_BOX
        if (
            side in table.colnames
            and set(place) <= set(table.colnames)
            and not set(whole) <= set(table.colnames)
        ):
            table[whole[2]], table[whole[3]] = table[side], table[side]
            if whole is SKY_BOX:  # round, so as large in every direction
                table[ANGLE], table[ELLIPSE] = np.zeros(len(table)), np.ones(len(table), dtype=bool)
    named = next((name for name, four in PIXELS.items() if set(four) <= set(table.colnames)), None)
    if named is not None:
        for name, values in zip(BOX, _edges(named, table), strict=True):
            table[name] = values
    elif not set(SKY_BOX) <= set(table.colnames):
        raise DataError(
            f"{path} says of no object where its box is; its columns are {listed(table.colnames, most=30)}, and "
            f"four are needed: {WORDS}."
        )
    return table


def _edges(named: str, table: Table) -> tuple[Floats, Floats, Floats, Floats]:
    a, b, c, d = (
        np.ma.filled(np.ma.asarray(table[name]).astype(np.float64), np.nan) for name in PIXELS[named]
    )
    if named == "BOX":
        return a, b, c, d
    if named == "CENTRE":
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    first = 1 if named == "SEXTRACTOR" else 0
    c, d = np.where(c < a, a - 1, c), np.where(d < b, b - 1, d)  # a last pixel before the first: no width
    return a - first - 0.5, b - first - 0.5, c - first + 0.5, d - first + 0.5


def _coco(path: Path) -> Table:
    """Annotations of COCO's format: ``bbox`` is x, y of the corner, width, height, the image's corner being (0, 0)."""
    if not path.is_file():
        raise DataError(
            f"the file of boxes {path} does not exist (looked from {Path.cwd()}); check the path."
        )
    try:
        content: Mapping[str, Any] = json.loads(path.read_text())
        names = {image["id"]: Path(str(image["file_name"])).name for image in content["images"]}
        kinds = {kind["id"]: str(kind["name"]) for kind in content["categories"]}
        rows = content["annotations"]
        for key, there in (("category_id", kinds), ("image_id", names)):
            _listed_there(path, key, [row[key] for row in rows], there)
        table = Table(
            {
                "id": np.array([_stem(names[row["image_id"]]) for row in rows], dtype=str),
                "label": np.array([kinds[row["category_id"]] for row in rows], dtype=str),
                "ignore": np.array(
                    [bool(row.get("ignore", row.get("iscrowd", 0))) for row in rows], dtype=bool
                ),
            }
        )
        corner = np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(len(rows), 4)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not of COCO's format: {reason(error)}; it has images (id, file_name), categories (id, name) "
            "and annotations (image_id, category_id, bbox)."
        ) from error
    for name, values in zip(BOX, (*corner[:, :2].T, *(corner[:, :2] + corner[:, 2:]).T), strict=True):
        table[name] = values - 0.5
    return table


def _listed_there(path: Path, key: str, given: Sequence[Any], known: Mapping[Any, str]) -> None:
    """Raise a :class:`DataError` where annotations are of a category or an image that is not listed."""
    strange = [value for value in given if value not in known]
    if strange:
        of, there = ("category", "categories") if key == "category_id" else ("image", "images")
        which = listed(list(dict.fromkeys(strange)), most=3)
        raise DataError(
            f"{path}: {several(len(strange), 'annotation')} of {of} {which}, which {there!r} does not list (it lists "
            f"{listed(list(known), most=12)}); add it there, or mend {key}."
        )


def _stem(name: str) -> str:
    """The name of a file without what says its format."""
    for suffix in (".gz", ".fz", ".bz2", ".xz"):
        name = name.removesuffix(suffix)
    return name.rpartition(".")[0] or name
