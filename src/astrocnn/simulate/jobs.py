"""How a simulated set gets made: cut into chunks, made in parallel, kept when interrupted, put together when whole.

A chunk depends on the options and its number alone, so that it does not matter which process makes it.
"""

import errno
import importlib.metadata
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.atomic import atomic_path
from astrocnn.processes import in_processes
from astrocnn.progress import track
from astrocnn.simulate.folder import IMAGES, check_whole, locked, partial_folder
from astrocnn.simulate.require import load

__all__ = ["Job", "Plan", "Rows", "check_ranges", "simulate_set"]

Rows = dict[str, NDArray[Any]]

CHUNKS = "chunks"
FILE_BYTES = "bytes of each file"  # kept with a chunk's rows; no column of a table has this name


@dataclass(frozen=True)
class Job:
    """One chunk to make: its number, its ids (the first, how many, and of how many in all), and where they go."""

    partial: Path
    options: Any
    folders: tuple[str, ...]
    number: int
    first: int
    count: int
    total: int

    @property
    def ids(self) -> list[str]:
        """Names of the chunk's files, without their ending."""
        width = max(6, len(str(self.total - 1)))
        return [f"{n:0{width}d}" for n in range(self.first, self.first + self.count)]

    @property
    def rows(self) -> Path:
        """The chunk's rows of the tables: written last, so that it stands for the whole chunk."""
        return self.partial / CHUNKS / f"{self.number:06d}.npz"

    def file(self, folder: str, name: str) -> Path:
        """Where the file of one id goes."""
        return self.partial / folder / f"{name}.fits"

    def sizes(self) -> list[int]:
        """Bytes of each of the chunk's files."""
        return [self.file(folder, name).stat().st_size for folder in self.folders for name in self.ids]

    def done(self) -> bool:
        """Whether the rows and every file are there (a lost power supply can cut files that were not synced)."""
        try:
            with np.load(self.rows) as rows:
                return bool(rows[FILE_BYTES].tolist() == self.sizes())
        except FileNotFoundError:
            return False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a set is and how it is made.

    Attributes:
        options: a dataclass of what the set is a function of.
        count: name of the option that says how many members the set has.
        noun: what the members are called.
        folders: each has one file ``<id>.fits`` a member.
        chunk: members made together: the unit of work, of progress and of resuming.
        member_bytes: of one member's files, about.
        generator: raised whenever the same options would give other pixels.
        libraries: what must be installed, beside torch and numpy.
        make: writes a chunk's files and returns its rows of the tables; it is sent to other processes.
        write_tables: writes the tables into a folder from all rows; the second argument are the ids.
    """

    options: Any
    count: str
    noun: str
    folders: tuple[str, ...] = (IMAGES,)
    chunk: int
    member_bytes: int
    generator: int
    libraries: tuple[str, ...]
    make: Callable[[Job], Rows]
    write_tables: Callable[[Path, list[str], Rows], None]

    @property
    def total(self) -> int:
        """How many members the set has."""
        return int(getattr(self.options, self.count))

    def jobs(self, folder: Path) -> list[Job]:
        """The chunks, to be made in ``folder``."""
        n_chunks = -(-self.total // self.chunk)
        bounds = np.linspace(0, self.total, n_chunks + 1).round().astype(int)
        pairs = enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        return [
            Job(folder, self.options, self.folders, number, first, last - first, self.total)
            for number, (first, last) in pairs
        ]


def check_ranges(ranges: Mapping[str, tuple[float, bool, str]], n_workers: int | None) -> None:
    """Raise a :class:`ConfigError` for the first option that is out of its range: {name: (value, good, allowed)}."""
    workers = (n_workers or 0, n_workers is None or n_workers >= 1, "at least 1, or None")
    for name, (value, good, allowed) in {**ranges, "n_workers": workers}.items():
        if not good:
            raise ConfigError(f"{name}={value} cannot be simulated; it must be {allowed}.")


def simulate_set(folder: str | os.PathLike[str], plan: Plan, *, n_workers: int | None) -> Path:
    """Make the set unless it is there already; returns its folder.

    Raises:
        ConfigError: a library is not installed.
        DataError: the folder holds something else, or cannot be written.
        RunError: a worker process died.
    """
    target = Path(folder).expanduser().absolute()
    described = {**asdict(plan.options), "bands": list(plan.options.bands)}
    if check_whole(target, described, plan.total, plan.folders):
        return target
    for name in plan.libraries:
        load(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target):
            if not check_whole(target, described, plan.total, plan.folders):
                _make(target, plan, described, n_workers)
    except OSError as error:
        raise _cannot_write(target, error) from error
    return target


def _make(target: Path, plan: Plan, described: dict[str, Any], n_workers: int | None) -> None:
    """Make every chunk that is not there yet, then the tables, then move the folder to its place."""
    needed = plan.total * plan.member_bytes
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise DataError(
            f"{target.parent} has {free / 1e6:.0f} MB free and the set needs {needed / 1e6:.0f} MB; free some "
            f"space, choose another folder or simulate fewer {plan.noun} ({plan.count}=...)."
        )
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", *plan.libraries)}
    made_by = {"options": described, "generator": plan.generator, "versions": versions}
    made_in = partial_folder(target, made_by)
    for name in (CHUNKS, *plan.folders):
        (made_in / name).mkdir(exist_ok=True)
    jobs = plan.jobs(made_in)
    missing = [job for job in jobs if not job.done()]
    workers = min(n_workers or _cores(), len(missing))
    run = partial(_run, plan.make)
    done = _here(run, missing) if workers <= 1 else in_processes(run, missing, workers)
    for _ in track(done, f"simulating {plan.total} {plan.noun}, in chunks", total=len(missing)):
        pass
    plan.write_tables(made_in, [name for job in jobs for name in job.ids], _all_rows(jobs))
    shutil.rmtree(made_in / CHUNKS)
    if target.exists():
        target.rmdir()
    os.rename(made_in, target)


def _cores() -> int:
    """Cores that this process may use; where the system does not say, all of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _here(run: Callable[[Job], int], jobs: list[Job]) -> Iterator[int]:
    """Run the jobs in this process, with the one thread that a worker has."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from map(run, jobs)
    finally:
        torch.set_num_threads(threads)


def _run(make: Callable[[Job], Rows], job: Job) -> int:
    """Simulate and write one chunk; returns its number."""
    try:
        rows = make(job)
        with atomic_path(job.rows) as part:
            np.savez(part, allow_pickle=False, **{FILE_BYTES: np.array(job.sizes())}, **rows)
    except OSError as error:
        raise _cannot_write(job.partial, error) from error
    return job.number


def _all_rows(jobs: list[Job]) -> Rows:
    chunks = []
    for job in jobs:
        with np.load(job.rows) as rows:
            chunks.append({name: rows[name] for name in rows.files if name != FILE_BYTES})
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _cannot_write(folder: Path, error: OSError) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space and call again: what is done is kept"
    else:
        remedy = "check that the folder may be written, or choose another"
    return DataError(f"cannot write {error.filename or folder} ({error.strerror}); {remedy}.")
