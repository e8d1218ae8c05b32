"""Survey scenes with full truth: a simulated set on disk, for segmentation and detection.

The physics is in the neighbouring files, one idea each; docs/scenes.md describes it.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from astrocnn.errors import choose
from astrocnn.io.atomic import atomic_path
from astrocnn.io.stamps import write_stamps
from astrocnn.io.writers import write_cutout, write_labels
from astrocnn.simulate.folder import CATALOG, IMAGES
from astrocnn.simulate.jobs import Job, Plan, Rows, check_ranges, simulate_set
from astrocnn.simulate.observe import DEPTHS
from astrocnn.simulate.survey_scene import Options, Scene, make_scene
from astrocnn.simulate.templates import check_bands

__all__ = ["simulate_scenes"]

GENERATOR = 1  # raised whenever the same options would give other pixels
CHUNK = 10  # scenes made together
LABELS, STAMPS, OBJECTS = "labels", "stamps", "objects.fits"
STAMP_SHARE = 0.6  # bytes of the stamps over those of image and variance, about
SPLIT = {"train": 400, "val": 80, "test": 120}  # by number, of 600; other sets in proportion

UNITS = {
    "x": "pix",
    "y": "pix",
    "ra": "deg",
    "dec": "deg",
    "mag": "mag",
    "radius": "arcsec",
    "area_pix": "pix2",
} | dict.fromkeys(("x0", "y0", "x1", "y1"), "pix")
FLAGS = ("blended", "ignore", "scored", "saturated")


def simulate_scenes(
    folder: str | os.PathLike[str],
    *,
    n_scenes: int = 600,
    size: int = 256,
    bands: tuple[str, ...] = ("g", "r", "i", "z"),
    depth: str = "year10",
    pixel_scale_arcsec: float = 0.2,
    density: float = 80.0,
    correlated_noise: bool = False,
    seed: int = 0,
    n_workers: int | None = None,
) -> Path:
    """Simulate a set of LSST-like scenes of galaxies and stars, unless it is there already.

    The folder gets ``images/<id>.fits`` (a cube in nJy, AB zero-point 31.4, with the bands' names and a WCS; the
    variance in an extension; NaN where there is no data), ``labels/<id>.fits`` (the maps ``CLASS`` and
    ``INSTANCE``), ``stamps/<id>.fits`` (each object alone, without noise), ``catalog.fits`` (the scenes, with
    their split), ``objects.fits`` and ``simulation.json``; docs/scenes.md describes them. Equal options give equal
    bytes for any number of workers. What an interrupted call finished is used by the next; the folder appears when
    it is whole.

    Args:
        folder: of the set.
        n_scenes: at least 1; the first two thirds are for training, 120 of 600 for the test.
        size: pixels along a side, even.
        bands: out of ugrizy, in the order of the planes.
        depth: ``'year1'`` or ``'year10'`` of the LSST, or 1.25 mag apart.
        pixel_scale_arcsec: of the pixels.
        density: galaxies of i < 26 in 256 × 256 pixels of 0.2″, on average.
        correlated_noise: neighbouring pixels' noise is correlated, as after resampling.
        seed: any integer from 0.
        n_workers: processes; by default one for each core that this process may use.

    Raises:
        ConfigError: an option is out of its range, or galsim is not installed.
        DataError: the folder holds something else, or cannot be written.
        RunError: a worker process died.
    """
    choose("depth", depth, DEPTHS)
    check_bands(tuple(bands))
    options = Options(
        n_scenes=int(n_scenes),
        size=int(size),
        bands=tuple(bands),
        depth=depth,
        pixel_scale_arcsec=float(pixel_scale_arcsec),
        density=float(density),
        correlated_noise=bool(correlated_noise),
        seed=int(seed),
    )
    scale = options.pixel_scale_arcsec
    ranges: dict[str, tuple[float, bool, str]] = {
        "n_scenes": (options.n_scenes, options.n_scenes >= 1, "at least 1"),
        "size": (options.size, options.size >= 32 and options.size % 2 == 0, "even and at least 32"),
        "pixel_scale_arcsec": (scale, 0.1 <= scale <= 0.4, "0.1 to 0.4"),
        "density": (options.density, 0 <= options.density <= 1000, "0 to 1000"),
        "seed": (options.seed, options.seed >= 0, "0 or more"),
    }
    check_ranges(ranges, n_workers)
    plan = Plan(
        options=options,
        count="n_scenes",
        noun="scenes",
        folders=(IMAGES, LABELS, STAMPS),
        chunk=CHUNK,
        member_bytes=_bytes_per_scene(options),
        generator=GENERATOR,
        libraries=("galsim",),
        make=_make,
        write_tables=_write_tables,
    )
    return simulate_set(folder, plan, n_workers=n_workers)


def _make(job: Job) -> Rows:
    """Simulate and write one chunk; returns the rows of its scenes and of their objects."""
    options: Options = job.options
    scenes, objects = [], []
    for n, name in enumerate(job.ids, start=job.first):
        scene = make_scene(options, n)
        _write_scene(job, name, scene)
        scenes.append(_scene_row(scene, options))
        objects.append(_object_rows(scene, name, options))
    rows = {f"scenes.{name}": np.array([scene[name] for scene in scenes]) for name in scenes[0]}
    return rows | {f"objects.{name}": np.concatenate([some[name] for some in objects]) for name in objects[0]}


def _place(scene: Scene, options: Options) -> dict[str, Any]:
    """Arguments of the writers that say where a scene is."""
    middle = (options.size - 1) / 2
    place = {"ra": scene.ra, "dec": scene.dec, "x_pix": middle, "y_pix": middle}
    return place | {"pixel_scale_arcsec": options.pixel_scale_arcsec}


def _write_scene(job: Job, name: str, scene: Scene) -> None:
    place, bands = _place(scene, job.options), job.options.bands
    write_cutout(job.file(IMAGES, name), scene.image, variance=scene.variance, bands=bands, **place)
    maps: Rows = {"CLASS": scene.truth.class_map, "INSTANCE": scene.truth.instances}
    write_labels(job.file(LABELS, name), maps, **place)
    write_stamps(job.file(STAMPS, name), scene.stamps, bands=bands)


def _scene_row(scene: Scene, options: Options) -> dict[str, float]:
    seen = scene.objects["ignore"] == 0
    return {
        "ra": scene.ra,
        "dec": scene.dec,
        "n_objects": len(seen),
        "n_ignored": int((~seen).sum()),
        "blended": float(scene.objects["blended"][seen].mean()) if seen.any() else 0.0,
    } | {f"seeing_{band}": fwhm for band, fwhm in zip(options.bands, scene.seeing_arcsec, strict=True)}


def _object_rows(scene: Scene, name: str, options: Options) -> Rows:
    from astropy.wcs import WCS

    wcs, place = WCS(naxis=2), _place(scene, options)
    wcs.wcs.ctype = ("RA---TAN", "DEC--TAN")
    wcs.wcs.crval = (place["ra"], place["dec"])
    wcs.wcs.crpix = (place["x_pix"] + 1, place["y_pix"] + 1)
    wcs.wcs.cdelt = (-options.pixel_scale_arcsec / 3600, options.pixel_scale_arcsec / 3600)
    n, objects = len(scene.stamps), scene.objects
    ra, dec = wcs.wcs_pix2world(objects["x"], objects["y"], 0) if n else (np.zeros(0), np.zeros(0))
    first: Rows = {
        "id": np.full(n, name),
        "number": np.arange(1, n + 1, dtype=np.int32),
        "label": objects["label"].astype(np.int16),
        "ra": ra,
        "dec": dec,
    }
    flags = {flag: objects[flag] > 0 for flag in FLAGS}
    return first | {key: values for key, values in objects.items() if key not in (*first, *flags)} | flags


def _write_tables(folder: Path, ids: list[str], rows: Rows) -> None:
    from astropy.table import Table

    scenes, objects = (
        Table({name.removeprefix(kind): values for name, values in rows.items() if name.startswith(kind)})
        for kind in ("scenes.", "objects.")
    )
    scenes.add_column(np.array(ids), name="id", index=0)
    scenes.add_column(_split(len(ids)), name="split", index=3)
    for name, table in {CATALOG: scenes, OBJECTS: objects}.items():
        for column in table.colnames:
            table[column].unit = _unit(column)
        table.meta["EXTNAME"] = Path(name).stem.upper()
        with atomic_path(folder / name) as part:
            table.write(part, format="fits", overwrite=True)


def _unit(column: str) -> str | None:
    families = {"seeing_": "arcsec", "mag_": "mag", "flux_": "nJy"}
    of_family = (unit for start, unit in families.items() if column.startswith(start))
    return UNITS.get(column) or next(of_family, None)


def _split(n: int) -> np.ndarray:
    """Split of each scene by its number, in the proportions of ``SPLIT``."""
    ends = np.cumsum(list(SPLIT.values())) * n / sum(SPLIT.values())
    return np.array(list(SPLIT))[np.searchsorted(ends.round(), np.arange(n), side="right")]


def _bytes_per_scene(options: Options) -> int:
    """About what one scene's files take."""
    pixels = options.size**2
    cubes = 2 * 4 * len(options.bands) * pixels
    return int(cubes * (1 + STAMP_SHARE)) + 6 * pixels + 9 * 2880
