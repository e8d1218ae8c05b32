"""Region files of DS9: a circle around every source, in the colour of its class."""

import math
import os
from collections.abc import Sequence

import numpy as np
from astropy.table import Table

from astrocnn.io.atomic import atomic_path

__all__ = ["write_regions"]

COLOURS = ("green", "cyan", "red", "yellow", "blue", "magenta", "white")
LEAST_RADIUS_PIX = 2.0


def write_regions(
    path: str | os.PathLike[str], table: Table, *, classes: Sequence[str], pixel_scale_arcsec: float | None
) -> None:
    """Write a circle a source, of the source's area; its text is its class, and a tag for each class chooses by class.

    Args:
        path: of the file, whole or not at all; one that exists is replaced.
        table: ``number``, ``class``, ``area_pix`` and ``ra``, ``dec`` in degrees (ICRS), or ``x``, ``y`` in 0-based
            pixels, where there is no ``ra``.
        classes: in the order of the colours.
        pixel_scale_arcsec: of the pixels; needed with ``ra``.
    """
    on_sky = "ra" in table.colnames
    colour = {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(classes)}
    radius = np.maximum(np.sqrt(np.asarray(table["area_pix"]) / math.pi), LEAST_RADIUS_PIX)
    if on_sky:
        first, second = (np.asarray(table[name]) for name in ("ra", "dec"))
        radius = radius * (pixel_scale_arcsec or 1.0)
    else:
        first, second = np.asarray(table["x"]) + 1, np.asarray(table["y"]) + 1  # DS9 counts pixels from 1
    form = 'circle({:.7f},{:.7f},{:.3f}")' if on_sky else "circle({:.3f},{:.3f},{:.2f})"
    with atomic_path(path) as part, open(part, "w", encoding="ascii", errors="replace") as file:
        file.write("# Region file format: DS9 version 4.1\n")
        file.write(f"global color={COLOURS[0]} width=1\n{'icrs' if on_sky else 'image'}\n")
        rows = zip(first, second, radius, table["class"], table["number"], strict=True)
        for a, b, r, name, number in rows:
            text = str(name).replace("{", "(").replace("}", ")")
            shape = form.format(a, b, r)
            file.write(
                f"{shape} # color={colour.get(str(name), COLOURS[0])} text={{{text} {number}}} tag={{{text}}}\n"
            )
