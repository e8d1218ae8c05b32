"""What is no box, or no column of boxes, said in one sentence each."""

from collections.abc import Sequence

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed, several
from astrocnn.functional.boxes import box_centres, visible_fraction
from astrocnn.io.sky_boxes import SKY_BOX
from astrocnn.io.tables import column

__all__ = ["AWAY", "check_boxes", "check_columns", "flags", "instance_numbers", "numbers"]

AWAY = "_away_deg"  # of boxes on the sky, from the centre of their image
FLAGS = ("ignore", "scored", "blended")
NUMBERS = ("mag", "snr", "x", "y")
MOST_NAMED = 3
POLE_DEG = 90.0


def check_columns(table: Table, values: Sequence[str], *, source: object) -> None:
    """Raise a :class:`DataError` where a column holds no numbers, or flags that are neither true nor false.

    Args:
        table: of the objects.
        values: columns of numbers that are learnt beside the box.
        source: of the table, for messages.
    """
    for name in values:
        if column(table, name, "data.box_values", source=source).dtype.kind not in "biuf":
            raise DataError(
                f"data.box_values: the column {name!r} of {source} holds no numbers; leave it out."
            )
    strange = [n for n in (*FLAGS, *NUMBERS) if n in table.colnames and table[n].dtype.kind not in "biuf"]
    for name in strange if len(table) else ():
        if name in FLAGS:
            raise DataError(
                f"{source}: the column {name!r} holds {table[name][0]!r}, which is neither true nor false; give true "
                "or false, or 1 or 0."
            )
        raise DataError(
            f"{source}: the column {name!r} holds {table[name][0]!r}, and the evaluation reads numbers there; mend "
            "it, or give it another name."
        )


def numbers(table: Table, name: str) -> NDArray[np.float64]:
    """A column (N,) of numbers or flags, NaN where it is not known."""
    return np.asarray(np.ma.filled(np.ma.asarray(table[name]).astype(np.float64), np.nan))


def flags(table: Table, name: str, *, unknown: bool) -> NDArray[np.bool_]:
    """A column (N,) of flags; ``unknown`` where it has none, and where the table has no such column."""
    if name not in table.colnames:
        return np.full(len(table), unknown)
    values = numbers(table, name)
    return np.where(np.isnan(values), unknown, values != 0)


def instance_numbers(table: Table, *, source: object) -> NDArray[np.int64]:
    """The number (N,) of each object in the instance map of its image; 0 where it may have none.

    Raises:
        DataError: an object that counts has no whole number above 0.
    """
    given = column(table, "number", "data.instances", source=source)
    values = np.ma.filled(np.ma.asarray(given).astype(np.float64), np.nan)
    bad = ~((values >= 1) & (values == np.floor(values)))
    lost = np.flatnonzero(bad & ~flags(table, "ignore", unknown=False))
    if len(lost):
        first = [f"{table['id'][row]}: {given[row]}" for row in lost[:MOST_NAMED]]
        raise DataError(
            f"{source}: {several(len(lost), 'object')} without a whole number from 1 on in the column 'number' "
            f"({listed(first)}); give those that the objects have in the maps of data.instances."
        )
    return np.where(bad, 0, values).astype(np.int64)


def check_boxes(table: Table, boxes: NDArray[np.float64], shape: tuple[int, int], *, source: object) -> None:
    """Raise a :class:`DataError` for boxes that are none, or not of their image.

    Args:
        table: of N objects, each in an image: ``id``, and if their boxes are on the sky those columns and
            :data:`AWAY`.
        boxes: (N, 4) in pixels; NaN where the image's projection does not show the place.
        shape: rows and columns of the images.
        source: of the table, for messages.
    """
    on_sky = AWAY in table.colnames
    given = np.stack([numbers(table, name) for name in SKY_BOX], 1) if on_sky else boxes
    sides = torch.from_numpy(given[:, 2:]) if on_sky else box_centres(torch.from_numpy(boxes))[1]
    seen = visible_fraction(torch.from_numpy(boxes), shape).numpy()
    kinds = [
        (~np.isfinite(given).all(1), "without numbers (NaN) for a box", "mend or remove {rows}"),
        ((sides <= 0).any(1).numpy(), "without width or height", "mend or remove {rows}"),
    ]
    if on_sky:
        beyond = np.abs(given[:, 1]) > POLE_DEG
        kinds.append((beyond, "with a declination beyond ±90 degrees", "mend or remove {rows}"))
    outside = f"outside of the image of {shape[0]} × {shape[1]} pixels"
    kinds.append((~(seen > 0), outside, "mend or remove {rows}, or the column 'id', which says the image"))
    for bad, what, remedy in kinds:
        rows = np.flatnonzero(bad)
        if len(rows):
            first = [f"{table['id'][row]}: {_said(table, given, row)}" for row in rows[:MOST_NAMED]]
            raise DataError(
                f"{source}: {several(len(rows), 'object')} {what} ({listed(first)}); "
                f"{remedy.format(rows='this row' if len(rows) == 1 else 'these rows')}."
            )


def _said(table: Table, given: NDArray[np.float64], row: int) -> str:
    """A box in pixels, or where on the sky one lies, as the table gives it."""
    if AWAY not in table.colnames:
        return "(" + ", ".join(f"{edge:g}" for edge in given[row]) + ")"
    ra, dec, width, height = given[row].tolist()
    away = float(table[AWAY][row])
    place = f"ra {ra:.5f}, dec {dec:+.5f}, {width:.3g}″ × {height:.3g}″"
    known = np.isfinite(away) and abs(dec) <= POLE_DEG
    return f"{place}, {_angle(away)} from the centre of the image" if known else place


def _angle(degrees: float) -> str:
    if degrees >= 1:
        return f"{degrees:.3g}°"
    return f"{60 * degrees:.3g}′" if degrees >= 1 / 60 else f"{3600 * degrees:.3g}″"
