"""What each row of the table in docs/data.md needs and promises: its files, and what is read from them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

N, SIZE = 12, 32
KEYS = [f"o{i:02d}" for i in range(N)]
CLASS = np.arange(N) % 2
KIND = np.array(["star", "galaxy"])[CLASS]
Z = np.linspace(0.1, 1.2, N)
FLUX = np.random.default_rng(0).normal(10, 1, (N, 3, SIZE, SIZE)).astype(np.float32)
PLANE = FLUX[:, :1]
NJY_OF_25 = 363.1  # 3631 Jy × 10^(−0.4 × 25)


@dataclass
class Row:
    """The files of a row, and what is true of the data.

    ``make`` writes the files into the current folder. ``image`` (n, *shape) is what the objects hold in the order of
    their table, NaN where they hold nothing; ``variance`` likewise, or one number for all; ``check`` sees the rest.
    """

    make: Callable[[], None]
    shape: tuple[int, ...]
    bands: tuple[str, ...]
    n: int = N
    classes: tuple[str, ...] = ()
    unit: str | None = None
    image: Any = None
    variance: Any = None
    skipped: int = 0
    check: Callable[[Any], None] = lambda data: None


ROWS: dict[str, Row] = {}


def row(what: str, **facts: Any) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """The decorated function writes the files of the row that begins with ``what``."""

    def register(make: Callable[[], None]) -> Callable[[], None]:
        assert what not in ROWS
        ROWS[what] = Row(make, **facts)
        return make

    return register


def cards(i: int = 0, **more: Any) -> fits.Header:
    """The header of cutout ``i``: pixels of 0.2 arcsec, 3 degrees from the next object."""
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 3.0 * i, "CRVAL2": 2.0})
    header.update(CRPIX1=SIZE / 2 + 0.5, CRPIX2=SIZE / 2 + 0.5, CDELT1=-0.2 / 3600, CDELT2=0.2 / 3600)
    header.update(BUNIT="nJy")
    header.update(more)
    return header


def each(pattern: str, hdus: Callable[[int], Any]) -> None:
    """One FITS file an object: ``hdus(i)`` are its images, or its only one."""
    for i, key in enumerate(KEYS):
        path = Path(pattern.format(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        content = hdus(i)
        fits.HDUList(content if isinstance(content, list) else [content]).writeto(path)


def simple(i: int) -> fits.PrimaryHDU:
    """One plane in the first HDU."""
    return fits.PrimaryHDU(FLUX[i, 0], cards(i))


def labels(path: str = "labels.csv", **columns: Any) -> None:
    """A table with ``id`` and ``label``, or other columns."""
    Table(columns or {"id": KEYS, "label": CLASS}).write(path)


def masked(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The image with NaN ``where`` nothing is."""
    return np.where(where, np.nan, image)


def check_redshifts(data: Any) -> None:
    np.testing.assert_allclose(data.gather(np.arange(N))["redshift"], Z, rtol=1e-6)
    assert all(len(data.rows(split)) for split in ("train", "val", "test"))
