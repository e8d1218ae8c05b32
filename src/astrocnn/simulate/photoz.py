"""Galaxies of a photometric-redshift survey: six-band stamps on disk, with redshifts, truth and photometry.

The galaxies are in bulge_disc.py, the survey in photoz_chunk.py; docs/photoz_data.md describes them.
"""

import os
from pathlib import Path

from astrocnn.errors import choose
from astrocnn.io.atomic import atomic_path
from astrocnn.io.writers import write_cutout
from astrocnn.simulate.folder import CATALOG, IMAGES
from astrocnn.simulate.jobs import Job, Plan, Rows, check_ranges, simulate_set
from astrocnn.simulate.observe import DEPTHS
from astrocnn.simulate.photoz_chunk import PIXEL_SCALE_ARCSEC, PhotozOptions, make_galaxies, units
from astrocnn.simulate.templates import BANDS, check_bands

__all__ = ["simulate_photoz"]

GENERATOR = 1  # raised whenever the same options would give other pixels
CHUNK = 200  # images made together


def simulate_photoz(
    folder: str | os.PathLike[str],
    *,
    n_images: int = 20000,
    depth: str = "year10",
    bands: tuple[str, ...] = BANDS,
    size: int = 32,
    seed: int = 0,
    n_workers: int | None = None,
) -> Path:
    """Simulate LSST-like stamps of galaxies with known redshifts, unless they are there already.

    The folder gets ``images/<id>.fits`` (a cube in nJy, AB zero-point 31.4, with the bands' names and a WCS; the
    variance in an extension), ``catalog.fits`` (id, ra, dec, redshift, what a survey would publish of each galaxy, and
    the truth) and ``simulation.json``. Equal options give equal bytes for any number of workers. What an interrupted
    call finished is used by the next; the folder appears when it is whole.

    Args:
        folder: of the set.
        n_images: at least 1.
        depth: ``'year1'`` or ``'year10'`` of the LSST, or 1.25 mag apart.
        bands: out of ugrizy, in the order of the planes.
        size: pixels of 0.2″ along a side, at least 24.
        seed: any integer from 0.
        n_workers: processes; by default one for each core that this process may use.

    Raises:
        ConfigError: an option is out of its range, or galsim is not installed.
        DataError: the folder holds something else, or cannot be written.
        RunError: a worker process died.
    """
    choose("depth", depth, DEPTHS)
    check_bands(tuple(bands))
    options = PhotozOptions(int(n_images), depth, tuple(bands), int(size), int(seed))
    ranges: dict[str, tuple[float, bool, str]] = {
        "n_images": (n_images, n_images >= 1, "at least 1"),
        "size": (size, size >= 24, "at least 24"),
        "seed": (seed, seed >= 0, "0 or more"),
    }
    check_ranges(ranges, n_workers)
    plan = Plan(
        options=options,
        count="n_images",
        noun="galaxies",
        chunk=CHUNK,
        member_bytes=2 * (4 * len(bands) * size**2 + 2 * 2880),
        generator=GENERATOR,
        libraries=("galsim",),
        make=_make,
        write_tables=_write_catalog,
    )
    return simulate_set(folder, plan, n_workers=n_workers)


def _make(job: Job) -> Rows:
    """Simulate and write one chunk; returns its rows of the catalogue."""
    options: PhotozOptions = job.options
    chunk = make_galaxies(options, job.number, job.count)
    for n, name in enumerate(job.ids):
        write_cutout(
            job.file(IMAGES, name),
            chunk.image[n],
            variance=chunk.variance[n],
            bands=options.bands,
            ra=chunk.columns["ra"][n],
            dec=chunk.columns["dec"][n],
            x_pix=chunk.place[n, 0],
            y_pix=chunk.place[n, 1],
            pixel_scale_arcsec=PIXEL_SCALE_ARCSEC,
        )
    return chunk.columns


def _write_catalog(folder: Path, ids: list[str], columns: Rows) -> None:
    from astropy.table import Table

    table = Table()
    table["id"] = ids
    bands = tuple(name.removeprefix("seeing_") for name in columns if name.startswith("seeing_"))
    for name, unit in units(bands).items():
        table[name] = columns[name]
        table[name].unit = unit or None
    table.meta["EXTNAME"] = "CATALOG"
    with atomic_path(folder / CATALOG) as part:
        table.write(part, format="fits", overwrite=True)
