"""Strong lenses and what looks like them: a simulated survey on disk, with known truth.

The physics is in the neighbouring files, one idea each; docs/lenses.md describes it. Here the set is cut into
chunks, made in parallel and put together.
"""

import errno
import importlib.metadata
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, DataError, choose
from astrocnn.io.atomic import atomic_path
from astrocnn.io.writers import write_cutout
from astrocnn.processes import in_processes
from astrocnn.progress import track
from astrocnn.simulate.chunk import TRUTH_UNITS, Chunk, Options, make_chunk
from astrocnn.simulate.folder import CATALOG, IMAGES, check_whole, locked, partial_folder
from astrocnn.simulate.observe import DEPTHS
from astrocnn.simulate.require import caustics, galsim
from astrocnn.simulate.templates import check_bands

__all__ = ["simulate_lenses"]

GENERATOR = 1  # raised whenever the same options would give other pixels
CHUNK = 200  # images made together: the unit of work, of progress and of resuming
CHUNKS = "chunks"


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
    _check_ranges(options, n_workers)
    target = Path(folder).expanduser().absolute()
    described = {**asdict(options), "bands": list(options.bands)}
    if check_whole(target, described):
        return target
    galsim(), caustics()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target):
            if not check_whole(target, described):
                _make(target, options, described, n_workers)
    except OSError as error:
        raise _cannot_write(target, error) from error
    return target


def _check_ranges(options: Options, n_workers: int | None) -> None:
    ranges: dict[str, tuple[float, bool, str]] = {
        "n_images": (options.n_images, options.n_images >= 2, "at least 2"),
        "size": (options.size, options.size >= 16 and options.size % 2 == 0, "even and at least 16"),
        "pixel_scale_arcsec": (
            options.pixel_scale_arcsec,
            0.05 <= options.pixel_scale_arcsec <= 0.5,
            "0.05 to 0.5",
        ),
        "seed": (options.seed, options.seed >= 0, "0 or more"),
        "n_workers": (n_workers or 0, n_workers is None or n_workers >= 1, "at least 1, or None"),
    }
    for name, (value, good, allowed) in ranges.items():
        if not good:
            raise ConfigError(f"{name}={value} cannot be simulated; it must be {allowed}.")


def _make(target: Path, options: Options, described: dict[str, Any], n_workers: int | None) -> None:
    """Make every chunk that is not there yet, then the catalogue, then move the folder to its place."""
    needed = options.n_images * _bytes_per_image(options)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise DataError(
            f"{target.parent} has {free / 1e6:.0f} MB free and the set needs {needed / 1e6:.0f} MB; free some "
            "space, choose another folder or simulate fewer images (n_images=...)."
        )
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "galsim", "caustics")}
    made_by = {"options": described, "generator": GENERATOR, "versions": versions}
    partial = partial_folder(target, made_by)
    (partial / CHUNKS).mkdir(exist_ok=True)
    jobs = _jobs(partial, options)
    missing = [job for job in jobs if not job.done()]
    workers = min(n_workers or _cores(), len(missing))
    done = _here(missing) if workers <= 1 else in_processes(_run, missing, workers)
    for _ in track(done, f"simulating {options.n_images} cutouts, in chunks", total=len(missing)):
        pass
    _write_catalog(partial, jobs, options)
    shutil.rmtree(partial / CHUNKS)
    if target.exists():
        target.rmdir()
    os.rename(partial, target)


def _cores() -> int:
    """Cores that this process may use; where the system does not say, all of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class _Job:
    """One chunk to make: its number, its images' ids (first and number), and where they go."""

    partial: Path
    options: Options
    number: int
    first: int
    n_images: int

    @property
    def ids(self) -> list[str]:
        width = max(6, len(str(self.options.n_images - 1)))
        return [f"{n:0{width}d}" for n in range(self.first, self.first + self.n_images)]

    @property
    def rows(self) -> Path:
        """The chunk's rows of the catalogue: written last, so that it stands for the whole chunk."""
        return self.partial / CHUNKS / f"{self.number:06d}.npz"

    def image(self, name: str) -> Path:
        return self.partial / IMAGES / f"{name}.fits"

    def done(self) -> bool:
        """Whether the rows and every image are there (a lost power supply can cut files that were not synced)."""
        size = _bytes_per_image(self.options)
        try:
            return self.rows.is_file() and all(self.image(name).stat().st_size == size for name in self.ids)
        except FileNotFoundError:
            return False


def _jobs(partial: Path, options: Options) -> list[_Job]:
    n_chunks = -(-options.n_images // CHUNK)
    bounds = np.linspace(0, options.n_images, n_chunks + 1).round().astype(int)
    pairs = enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
    return [_Job(partial, options, number, first, last - first) for number, (first, last) in pairs]


def _here(jobs: list[_Job]) -> Iterator[int]:
    """Run the jobs in this process, with the one thread that a worker has."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from map(_run, jobs)
    finally:
        torch.set_num_threads(threads)


def _run(job: _Job) -> int:
    """Simulate and write one chunk; returns its number."""
    chunk = make_chunk(job.options, job.number, job.n_images)
    scale = job.options.pixel_scale_arcsec
    try:
        for n, name in enumerate(job.ids):
            write_cutout(
                job.image(name),
                chunk.image[n],
                variance=chunk.variance[n],
                bands=job.options.bands,
                ra=chunk.columns["ra"][n],
                dec=chunk.columns["dec"][n],
                x_pix=(job.options.size - 1) / 2 + chunk.columns["x"][n] / scale,
                y_pix=(job.options.size - 1) / 2 + chunk.columns["y"][n] / scale,
                pixel_scale_arcsec=scale,
            )
        with atomic_path(job.rows) as part:
            np.savez(part, allow_pickle=False, kind=chunk.kind, **_catalog_columns(chunk))
    except OSError as error:
        raise _cannot_write(job.partial, error) from error
    return job.number


def _catalog_columns(chunk: Chunk) -> dict[str, NDArray[np.float64]]:
    return {name: values for name, values in chunk.columns.items() if name not in ("x", "y")}


def _write_catalog(partial: Path, jobs: list[_Job], options: Options) -> None:
    from astropy.table import Table

    chunks = []
    for job in jobs:
        with np.load(job.rows) as rows:
            chunks.append({name: rows[name] for name in rows.files})
    columns = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    table = Table()
    table["id"] = [name for job in jobs for name in job.ids]
    table["ra"], table["dec"] = columns["ra"], columns["dec"]
    table["label"] = (columns["kind"] == "lens").astype(np.int64)
    table["kind"] = columns["kind"]
    units = TRUTH_UNITS | {f"seeing_{band}": "arcsec" for band in options.bands}
    for name in units:
        table[name] = columns[name]
    for name, unit in {"ra": "deg", "dec": "deg", **units}.items():
        table[name].unit = unit or None
    table.meta["EXTNAME"] = "CATALOG"
    with atomic_path(partial / CATALOG) as part:
        table.write(part, format="fits", overwrite=True)


def _bytes_per_image(options: Options) -> int:
    """Size of a file: two headers of one block each and two cubes, in blocks of 2880 bytes."""
    cube = 4 * len(options.bands) * options.size**2
    return 2 * (2880 + -(-cube // 2880) * 2880)


def _cannot_write(folder: Path, error: OSError) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space and call again: what is done is kept"
    else:
        remedy = "check that the folder may be written, or choose another"
    return DataError(f"cannot write {error.filename or folder} ({error.strerror}); {remedy}.")
