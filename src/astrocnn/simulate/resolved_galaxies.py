"""Pairs of images of single galaxies: as a survey sees them, and what is to come out of that.

- ``maps``: maps of stellar mass, star-formation rate, age and metallicity (Buck & Wolf 2021, arXiv:2111.01154)
- ``noise``: the same image without noise
- ``resolution``: an image of half the pixel size, sharper seeing and no noise, as from space
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.errors import choose
from astrocnn.functional.seeding import seed_of
from astrocnn.io.atomic import atomic_path
from astrocnn.io.writers import write_cutout, write_planes
from astrocnn.simulate.folder import CATALOG, IMAGES
from astrocnn.simulate.jobs import Job, Plan, Rows, check_ranges, simulate_set
from astrocnn.simulate.observe import DEPTHS, Survey, blur, chip_gaps, draw_seeing, observe
from astrocnn.simulate.population import Columns, sky_positions, take
from astrocnn.simulate.scene import Grid
from astrocnn.simulate.stellar_maps import PLANES, draw_galaxies, light, stellar_maps
from astrocnn.simulate.templates import Colours, check_bands, to_mag

__all__ = ["PAIRS", "TARGETS", "simulate_resolved_galaxies"]

GENERATOR = 1  # raised whenever the same options would give other pixels
CHUNK = 50  # images made together
TOGETHER = 10  # galaxies whose maps are held at once
TARGETS = "targets"
PIXEL_SCALE_ARCSEC = 0.2
COARSER = 2  # pixels of a 'resolution' image over those of its target
SHARP_ARCSEC = 0.45  # FWHM of its target
PAIRS = ("maps", "noise", "resolution")
UNITS = {
    "ra": "deg",
    "dec": "deg",
    "z": "",
    "log_mass": "",
    "log_sfr": "",
    "mag_i": "mag",
} | {
    "scale": "arcsec",
    "q": "",
    "bulge": "",
    "seeing_r": "arcsec",
}


@dataclass(frozen=True)
class Options:
    """What a simulated set is a function of."""

    n_images: int
    pair: str
    depth: str
    bands: tuple[str, ...]
    size: int
    seed: int


def simulate_resolved_galaxies(
    folder: str | os.PathLike[str],
    *,
    n_images: int = 3000,
    pair: str = "maps",
    depth: str = "year10",
    bands: tuple[str, ...] = ("u", "g", "r", "i", "z"),
    size: int = 64,
    seed: int = 0,
    n_workers: int | None = None,
) -> Path:
    """Simulate galaxies and their targets, unless they are there already.

    The folder gets ``images/<id>.fits`` and ``targets/<id>.fits`` (cubes in nJy with the bands' names and a WCS, the
    images' variance in an extension; of ``pair='maps'`` an extension for each of
    :data:`~astrocnn.simulate.stellar_maps.PLANES`, NaN where the galaxy is fainter than the noise of a pixel),
    ``catalog.fits`` (id, ra, dec and the truth) and ``simulation.json``. Equal options give equal bytes for any number
    of workers. What an interrupted call finished is used by the next; the folder appears when it is whole.

    Args:
        folder: of the set.
        n_images: at least 1.
        pair: what the target is: 'maps', 'noise' or 'resolution', see above.
        depth: 'year1' or 'year10' of the LSST, or 1.25 mag apart.
        bands: out of ugrizy, in the order of the planes.
        size: pixels of 0.2″ along a side of the target, a multiple of 4; those of a 'resolution' image are twice as
            large and half as many.
        seed: any integer from 0.
        n_workers: processes; by default one for each core that this process may use.

    Raises:
        ConfigError: an option is out of its range, or galsim is not installed.
        DataError: the folder holds something else, or cannot be written.
        RunError: a worker process died.
    """
    choose("pair", pair, dict.fromkeys(PAIRS))
    choose("depth", depth, DEPTHS)
    check_bands(tuple(bands))
    options = Options(int(n_images), pair, depth, tuple(bands), int(size), int(seed))
    ranges: dict[str, tuple[float, bool, str]] = {
        "n_images": (options.n_images, options.n_images >= 1, "at least 1"),
        "size": (options.size, options.size >= 32 and options.size % 4 == 0, "a multiple of 4, at least 32"),
        "seed": (options.seed, options.seed >= 0, "0 or more"),
    }
    check_ranges(ranges, n_workers)
    plan = Plan(
        options=options,
        count="n_images",
        noun="galaxies",
        folders=(IMAGES, TARGETS),
        chunk=CHUNK,
        member_bytes=6 * 2880 + 4 * options.size**2 * 3 * max(len(options.bands), len(PLANES)),
        generator=GENERATOR,
        libraries=("galsim",),
        make=_make,
        write_tables=_write_catalog,
    )
    return simulate_set(folder, plan, n_workers=n_workers)


def _make(job: Job) -> Rows:
    """Simulate and write one chunk; returns its rows of the catalogue."""
    options: Options = job.options
    rng = np.random.default_rng(seed_of(options.seed, job.number))
    grid = Grid(options.size, PIXEL_SCALE_ARCSEC)
    galaxies = draw_galaxies(rng, job.count, grid)
    galaxies["ra"], galaxies["dec"] = sky_positions(rng, job.count)
    rows = []
    for first in range(0, job.count, TOGETHER):
        some = take(galaxies, np.arange(first, min(first + TOGETHER, job.count)))
        rows.append(_make_some(rng, job, some, job.ids[first : first + TOGETHER], grid))
    return {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}


def _make_some(rng: np.random.Generator, job: Job, galaxies: Columns, ids: list[str], grid: Grid) -> Rows:
    options: Options = job.options
    colours = Colours(options.bands)
    finer = COARSER if options.pair == "resolution" else 1
    survey = Survey.of(options.depth, options.bands, finer * PIXEL_SCALE_ARCSEC)
    maps = stellar_maps(rng, galaxies, grid)
    scene = light(maps, galaxies, colours)
    seeing = draw_seeing(rng, len(ids), survey)
    clean = _coarser(blur(scene, seeing, grid), finer)
    image, variance = observe(rng, clean, survey)
    target: NDArray[np.float32]
    if options.pair == "maps":
        image[chip_gaps(rng, image.shape)] = np.nan
        target = _physical(maps.moments(galaxies), seeing.mean(1), clean, survey, grid)
    elif options.pair == "noise":
        target = clean.numpy()
    else:
        target = blur(scene, np.full(seeing.shape, SHARP_ARCSEC), grid).numpy()
    for n, name in enumerate(ids):
        sky = {"ra": galaxies["ra"][n], "dec": galaxies["dec"][n]}
        of_image = {**sky, **_middle(options.size // finer), "pixel_scale_arcsec": finer * PIXEL_SCALE_ARCSEC}
        of_target = {**sky, **_middle(options.size), "pixel_scale_arcsec": PIXEL_SCALE_ARCSEC}
        path = job.file(IMAGES, name)
        write_cutout(path, image[n], variance=variance[n], bands=options.bands, **of_image)
        if options.pair == "maps":
            write_planes(
                job.file(TARGETS, name), dict(zip(PLANES, target[n], strict=True)), PLANES, **of_target
            )
        else:
            write_cutout(job.file(TARGETS, name), target[n], bands=options.bands, **of_target)
    middle_band = options.bands.index("i") if "i" in options.bands else len(options.bands) // 2
    columns = {name: galaxies[name] for name in UNITS if name in galaxies}
    flux = clean[:, middle_band].double().sum((1, 2)).numpy()
    return {**columns, "mag_i": to_mag(flux), "seeing_r": seeing.mean(1)}


def _physical(
    moments: Tensor, seeing: NDArray[np.float64], clean: Tensor, survey: Survey, grid: Grid
) -> NDArray[np.float32]:
    """(N, 4, H, W) of :data:`PLANES` as the seeing smooths them; NaN where the light is below the noise of a pixel."""
    smooth = blur(moments, np.repeat(seeing[:, None], 4, axis=1), grid).double()
    mass, rate, age, metals = smooth.clamp_min(1e-30).unbind(1)
    planes = torch.stack([mass.log10(), rate.log10(), 10 + (age / mass).log10(), (metals / mass).log10()], 1)
    sky = torch.from_numpy(survey.sky_variance)[:, None, None]
    seen = (clean.double() ** 2 / sky).sum(1, keepdim=True) > 1
    return torch.where(seen, planes, torch.nan).float().numpy()


def _coarser(image: Tensor, times: int) -> Tensor:
    """Sums of squares of ``times`` pixels a side."""
    n, bands, rows, columns = image.shape
    return image.view(n, bands, rows // times, times, columns // times, times).sum((3, 5))


def _middle(size: int) -> dict[str, float]:
    return {"x_pix": (size - 1) / 2, "y_pix": (size - 1) / 2}


def _write_catalog(folder: Path, ids: list[str], columns: Rows) -> None:
    from astropy.table import Table

    table = Table({"id": ids} | {name: columns[name] for name in UNITS})
    for name, unit in UNITS.items():
        table[name].unit = unit or None
    table.meta["EXTNAME"] = "CATALOG"
    with atomic_path(folder / CATALOG) as part:
        table.write(part, format="fits", overwrite=True)
