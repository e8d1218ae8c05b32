"""Region files of DS9 as the boxes of objects."""

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Table, vstack

from astrocnn.errors import DataError, listed, reason
from astrocnn.io.sky_boxes import ANGLE, BOX, ELLIPSE, SKY_BOX

__all__ = ["read_regions"]

NORTH_STEP = 1 * units.arcsec
ONLY = "an object is a circle, an ellipse or a box"
SYSTEMS = "in the coordinates image, icrs, fk5, fk4, galactic or ecliptic"
HARMLESS = ("metadata", "will be ignored")  # warnings of colours, fonts and the like


def read_regions(paths: Sequence[str], ids: Sequence[str]) -> Table:
    """Circles, ellipses and boxes of DS9; the class, where any has one, is the region's tag, else its text."""
    try:
        from regions import Regions
    except ImportError as error:
        raise DataError(
            "region files are read by the package regions: pip install 'astrocnn[vo]', or give a table."
        ) from error
    tables = []
    for path, key in zip(paths, ids, strict=True):
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                found = list(Regions.read(path, format="ds9"))
        except Exception as error:  # the package raises many kinds
            raise DataError(
                f"{path} cannot be read as regions of DS9: {reason(error)}; check the file."
            ) from error
        _all_read([str(warning.message) for warning in said], path)
        rows = [_region(region, path) for region in found]
        if len({len(row) for row in rows}) > 1:
            raise DataError(f"{path} has regions in pixels and others on the sky; give all in one system.")
        names = list(rows[0]) if rows else []
        columns = {name: np.array([row[name] for row in rows]) for name in names}
        tables.append(Table({"id": np.full(len(rows), key), **columns}))
    filled = [table for table in tables if len(table)]
    if not filled:
        raise DataError(f"the region files ({listed(paths, most=3)}) hold no region.")
    if len({"ra" in table.colnames for table in filled}) > 1:
        raise DataError("some region files are in pixels and others on the sky; give all in one system.")
    joined = vstack(filled, metadata_conflicts="silent")
    if not any(joined["label"]):  # without any text all are of one class
        joined.remove_column("label")
    return joined


def _all_read(said: Sequence[str], path: str) -> None:
    """Raise a :class:`DataError` where the package warned of a line that it does not read."""
    lost = [text for text in said if not any(word in text for word in HARMLESS)]
    if lost:
        name = re.match(r'"(\w+)" frame or shape', lost[0])
        what = f"{name[1]!r} is not read" if name else reason(Warning(lost[0])).removesuffix(", skipping")
        raise DataError(
            f"{path}: {what}; {ONLY}, {SYSTEMS}: save the regions so, and leave out what is no object."
        )


def _region(region: Any, path: str) -> dict[str, Any]:
    """The columns of a region: its bounds in pixels, or what it is on the sky, and its class."""
    sides = _sides(region)
    kind = re.sub("(?:Pixel|Sky)Region$", "", type(region).__name__)
    kind = re.sub("(?<=[a-z])(?=[A-Z])", " ", kind).lower()  # CircleAnnulus is a 'circle annulus'
    if sides is None:
        raise DataError(f"{path} has a region of the kind {kind!r}; {ONLY}: draw one of these in its place.")
    if region.meta.get("include", 1) in (0, "0", False):
        raise DataError(
            f"{path} excludes a region (-{kind}), which is no object; remove it there; objects that count neither way "
            "are marked by the column 'ignore' of a table of boxes."
        )
    tags = region.meta.get("tag") or [region.meta.get("text") or ""]
    label = {"label": str(tags[0] if isinstance(tags, list | tuple) else tags)}
    width, height, angle, ellipse = sides
    if hasattr(region.center, "icrs"):
        place = region.center.icrs
        # the angle is from the north of the region's own frame, which may be the Galaxy's
        north = place.position_angle(region.center.directional_offset_by(0 * units.deg, NORTH_STEP).icrs)
        of = (place.ra.deg, place.dec.deg, width.to_value("arcsec"), height.to_value("arcsec"))
        turned = {ANGLE: float((angle + north).to_value("deg")), ELLIPSE: ellipse}
        return dict(zip(SKY_BOX, map(float, of), strict=True)) | label | turned
    x, y = float(region.center.x), float(region.center.y)
    cos, sin = np.cos(angle), np.sin(angle)
    axes = ((width * cos, height * sin), (width * sin, height * cos))  # along x, along y
    half_x, half_y = (float(np.hypot(a, b) if ellipse else abs(a) + abs(b)) / 2 for a, b in axes)
    return dict(zip(BOX, (x - half_x, y - half_y, x + half_x, y + half_y), strict=True)) | label


def _sides(region: Any) -> tuple[Any, Any, Any, bool] | None:
    """Width, height and angle of a region, and whether it is round; None where it has none."""
    if hasattr(region, "radius"):
        return 2 * region.radius, 2 * region.radius, 0 * units.deg, True
    if not hasattr(region, "width"):
        return None
    return region.width, region.height, region.angle, "Ellipse" in type(region).__name__
