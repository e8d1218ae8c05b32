"""Images of different sizes in one FITS table: a row for each, its pixels in the table's heap."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrocnn.io.cards import card, filled, header

__all__ = ["Stamp", "write_stamps"]

COLUMNS = ("number", "xmin", "ymin", "nx", "ny")


@dataclass(frozen=True)
class Stamp:
    """A part of a larger image.

    Attributes:
        xmin: column of the larger image, 0-based, that the first column is.
        ymin: row of the larger image that the first row is.
        image: (C, ny, nx) float32.
    """

    xmin: int
    ymin: int
    image: NDArray[np.float32]

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the larger image."""
        ny, nx = self.image.shape[-2:]
        return slice(self.ymin, self.ymin + ny), slice(self.xmin, self.xmin + nx)


def write_stamps(path: str | os.PathLike[str], stamps: Sequence[Stamp], *, bands: Sequence[str]) -> None:
    """Write stamps as the extension ``STAMPS`` of a FITS file; ``number`` counts them from 1.

    A row has ``number``, ``xmin``, ``ymin``, ``nx``, ``ny`` and ``pixels``: the C * ny * nx fluxes in nJy, of
    varying length (FITS standard 4.0, section 7.3.5), written directly as the other products are.

    Args:
        path: of the file; one that exists is replaced.
        stamps: of one image, of C planes each.
        bands: names of the C planes, kept as ``BAND1``, ``BAND2``, ...
    """
    rows = np.zeros(len(stamps), dtype=[(name, ">i4") for name in COLUMNS] + [("pixels", ">i4", 2)])
    heap, n_bytes = [], 0
    for n, stamp in enumerate(stamps):
        ny, nx = stamp.image.shape[-2:]
        rows[n] = (n + 1, stamp.xmin, stamp.ymin, nx, ny, (stamp.image.size, n_bytes))
        heap.append(stamp.image.astype(">f4").tobytes())
        n_bytes += len(heap[-1])
    most = max((stamp.image.size for stamp in stamps), default=0)
    lines = [card("XTENSION", "BINTABLE", "binary table extension"), card("BITPIX", 8), card("NAXIS", 2)]
    lines += [card("NAXIS1", rows.dtype.itemsize), card("NAXIS2", len(rows))]
    lines += [card("PCOUNT", n_bytes), card("GCOUNT", 1), card("TFIELDS", len(COLUMNS) + 1)]
    for n, name in enumerate(COLUMNS, start=1):
        lines += [card(f"TTYPE{n}", name), card(f"TFORM{n}", "J")]
    last = len(COLUMNS) + 1
    lines += [
        card(f"TTYPE{last}", "pixels"),
        card(f"TFORM{last}", f"PE({most})"),
        card(f"TUNIT{last}", "nJy"),
    ]
    lines += [card(f"BAND{n}", band, f"band of plane {n}") for n, band in enumerate(bands, start=1)]
    lines.append(card("EXTNAME", "STAMPS"))
    primary = header([card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0), card("EXTEND", True)])
    with open(path, "wb") as file:
        file.write(primary + header(lines) + filled(rows.tobytes() + b"".join(heap)))
