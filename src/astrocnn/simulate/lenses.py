"""Strong lenses and what looks like them: a simulated survey on disk, with known truth.

The physics is in the neighbouring files, one idea each; docs/lenses.md describes it.
"""

import os
from pathlib import Path

import numpy as np

from astrocnn.errors import choose
from astrocnn.io.atomic import atomic_path
from astrocnn.io.writers import write_cutout
from astrocnn.simulate.chunk import TRUTH_UNITS, Options, make_chunk
from astrocnn.simulate.folder import CATALOG, IMAGES
from astrocnn.simulate.jobs import Job, Plan, Rows, check_ranges, simulate_set
from astrocnn.simulate.observe import DEPTHS
from astrocnn.simulate.templates import check_bands

__all__ = ["simulate_lenses"]

GENERATOR = 1  # raised whenever the same options would give other pixels
CHUNK = 200  # images made together


def simulate_lenses(
    folder: str | os.PathLike[str],
    *,
    n_images: int = 12000,
    depth: str = "year10",
    bands: tuple[str, ...] = ("g", "r", "i"),
    size: int = 64,
    pixel_scale_arcsec: float = 0.2,
    seed: int = 0,
    n_workers: int | None = None,
) -> Path:
    """Simulate a set of LSST-like cutouts, half of them strong lenses, unless it is there already.

    The folder gets ``images/<id>.fits`` (a cube in nJy, AB zero-point 31.4, with the bands' names and a WCS; the
    variance in an extension; NaN where there is no data), ``catalog.fits`` (id, ra, dec, label, kind and the
    truth, NaN where it does not apply) and ``simulation.json``. Equal options give equal bytes for any number of
    workers. What an interrupted call finished is used by the next; the folder appears when it is whole.

    Args:
        folder: of the set.
        n_images: at least 2.
        depth: ``'year1'`` or ``'year10'`` of the LSST, or 1.25 mag apart.
        bands: out of ugrizy, in the order of the planes.
        size: pixels along a side, even.
        pixel_scale_arcsec: of the pixels.
        seed: any integer from 0.
        n_workers: processes; by default one for each core that this process may use.

    Raises:
        ConfigError: an option is out of its range, or galsim or caustics is not installed.
        DataError: the folder holds something else, or cannot be written.
        RunError: a worker process died.
    """
    choose("depth", depth, DEPTHS)
    check_bands(tuple(bands))
    options = Options(int(n_images), depth, tuple(bands), int(size), float(pixel_scale_arcsec), int(seed))
    scale = options.pixel_scale_arcsec
    ranges: dict[str, tuple[float, bool, str]] = {
        "n_images": (options.n_images, options.n_images >= 2, "at least 2"),
        "size": (options.size, options.size >= 16 and options.size % 2 == 0, "even and at least 16"),
        "pixel_scale_arcsec": (scale, 0.05 <= scale <= 0.5, "0.05 to 0.5"),
        "seed": (options.seed, options.seed >= 0, "0 or more"),
    }
    check_ranges(ranges, n_workers)
    plan = Plan(
        options=options,
        count="n_images",
        noun="cutouts",
        chunk=CHUNK,
        member_bytes=_bytes_per_image(options),
        generator=GENERATOR,
        libraries=("galsim", "caustics"),
        make=_make,
        write_tables=_write_catalog,
    )
    return simulate_set(folder, plan, n_workers=n_workers)


def _make(job: Job) -> Rows:
    """Simulate and write one chunk; returns its rows of the catalogue."""
    options: Options = job.options
    chunk = make_chunk(options, job.number, job.count)
    for n, name in enumerate(job.ids):
        write_cutout(
            job.file(IMAGES, name),
            chunk.image[n],
            variance=chunk.variance[n],
            bands=options.bands,
            ra=chunk.columns["ra"][n],
            dec=chunk.columns["dec"][n],
            x_pix=(options.size - 1) / 2 + chunk.columns["x"][n] / options.pixel_scale_arcsec,
            y_pix=(options.size - 1) / 2 + chunk.columns["y"][n] / options.pixel_scale_arcsec,
            pixel_scale_arcsec=options.pixel_scale_arcsec,
        )
    columns = {name: values for name, values in chunk.columns.items() if name not in ("x", "y")}
    return {"kind": chunk.kind, **columns}


def _write_catalog(folder: Path, ids: list[str], columns: Rows) -> None:
    from astropy.table import Table

    table = Table()
    table["id"] = ids
    table["ra"], table["dec"] = columns["ra"], columns["dec"]
    table["label"] = (columns["kind"] == "lens").astype(np.int64)
    table["kind"] = columns["kind"]
    units = TRUTH_UNITS | {name: "arcsec" for name in columns if name.startswith("seeing_")}
    for name in units:
        table[name] = columns[name]
    for name, unit in {"ra": "deg", "dec": "deg", **units}.items():
        table[name].unit = unit or None
    table.meta["EXTNAME"] = "CATALOG"
    with atomic_path(folder / CATALOG) as part:
        table.write(part, format="fits", overwrite=True)


def _bytes_per_image(options: Options) -> int:
    """Size of a file: two headers of one block each and two cubes, in blocks of 2880 bytes."""
    cube = 4 * len(options.bands) * options.size**2
    return 2 * (2880 + -(-cube // 2880) * 2880)
