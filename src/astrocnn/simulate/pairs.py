"""Blends of a galaxy with its neighbours, each with the image of that galaxy alone: a simulated set on disk.

The physics is in pair_chunk.py; docs/deblending.md describes it.
"""

import os
from pathlib import Path

from astrocnn.errors import choose
from astrocnn.io.atomic import atomic_path
from astrocnn.io.writers import write_cutout
from astrocnn.simulate.folder import CATALOG, IMAGES
from astrocnn.simulate.jobs import Job, Plan, Rows, check_ranges, simulate_set
from astrocnn.simulate.observe import DEPTHS
from astrocnn.simulate.pair_chunk import PairOptions, make_pairs, truth_units
from astrocnn.simulate.templates import check_bands

__all__ = ["TARGETS", "simulate_pairs"]

GENERATOR = 1  # raised whenever the same options would give other pixels
CHUNK = 100  # images made together
TARGETS = "targets"
MOST_NEIGHBOURS = 10


def simulate_pairs(
    folder: str | os.PathLike[str],
    *,
    n_images: int = 12000,
    depth: str = "year10",
    bands: tuple[str, ...] = ("g", "r", "i", "z"),
    size: int = 64,
    pixel_scale_arcsec: float = 0.2,
    max_neighbours: int = 1,
    seed: int = 0,
    n_workers: int | None = None,
) -> Path:
    """Simulate LSST-like cutouts of blended galaxies, unless they are there already.

    The folder gets ``images/<id>.fits`` (a cube in nJy, AB zero-point 31.4, with the bands' names and a WCS; the
    variance in an extension; NaN where there is no data), ``targets/<id>.fits`` (the central galaxy alone, on the
    same pixels, after the seeing and without noise), ``catalog.fits`` (id, ra, dec, split and the truth, NaN where
    there is no neighbour) and ``simulation.json``. Equal options give equal bytes for any number of workers. What an
    interrupted call finished is used by the next; the folder appears when it is whole.

    Args:
        folder: of the set.
        n_images: at least 1.
        depth: ``'year1'`` or ``'year10'`` of the LSST, or 1.25 mag apart.
        bands: out of ugrizy, in the order of the planes.
        size: pixels along a side, at least 32.
        pixel_scale_arcsec: of the pixels.
        max_neighbours: each central galaxy has one to so many neighbours; 0 for galaxies that are alone.
        seed: any integer from 0.
        n_workers: processes; by default one for each core that this process may use.

    Raises:
        ConfigError: an option is out of its range, or galsim is not installed.
        DataError: the folder holds something else, or cannot be written.
        RunError: a worker process died.
    """
    choose("depth", depth, DEPTHS)
    check_bands(tuple(bands))
    scale = float(pixel_scale_arcsec)
    options = PairOptions(
        int(n_images), depth, tuple(bands), int(size), scale, int(max_neighbours), int(seed)
    )
    ranges: dict[str, tuple[float, bool, str]] = {
        "n_images": (n_images, n_images >= 1, "at least 1"),
        "size": (size, size >= 32, "at least 32"),
        "pixel_scale_arcsec": (scale, 0.05 <= scale <= 0.5, "0.05 to 0.5"),
        "max_neighbours": (max_neighbours, 0 <= max_neighbours <= MOST_NEIGHBOURS, f"0 to {MOST_NEIGHBOURS}"),
        "seed": (seed, seed >= 0, "0 or more"),
    }
    check_ranges(ranges, n_workers)
    plan = Plan(
        options=options,
        count="n_images",
        noun="blends",
        folders=(IMAGES, TARGETS),
        chunk=CHUNK,
        member_bytes=3 * 4 * len(bands) * size**2,
        generator=GENERATOR,
        libraries=("galsim",),
        make=_make,
        write_tables=_write_catalog,
    )
    return simulate_set(folder, plan, n_workers=n_workers)


def _make(job: Job) -> Rows:
    """Simulate and write one chunk; returns its rows of the catalogue."""
    options: PairOptions = job.options
    chunk = make_pairs(options, job.number, job.count)
    columns = chunk.columns
    for n, name in enumerate(job.ids):
        for folder, image, variance in (
            (IMAGES, chunk.image[n], chunk.variance[n]),
            (TARGETS, chunk.target[n], None),
        ):
            write_cutout(
                job.file(folder, name),
                image,
                variance=variance,
                bands=options.bands,
                ra=columns["ra"][n],
                dec=columns["dec"][n],
                x_pix=chunk.place[n, 0],
                y_pix=chunk.place[n, 1],
                pixel_scale_arcsec=options.pixel_scale_arcsec,
            )
    return columns


def _write_catalog(folder: Path, ids: list[str], columns: Rows) -> None:
    from astropy.table import Table

    table = Table()
    table["id"] = ids
    units = {"ra": "deg", "dec": "deg", "split": "", **truth_units(columns)}
    for name, unit in units.items():
        table[name] = columns[name]
        table[name].unit = unit or None
    table.meta["EXTNAME"] = "CATALOG"
    with atomic_path(folder / CATALOG) as part:
        table.write(part, format="fits", overwrite=True)
