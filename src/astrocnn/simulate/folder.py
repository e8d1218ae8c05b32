"""A simulated set's folder: made beside its place, moved there when whole, by one process at a time."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astrocnn.errors import DataError, listed
from astrocnn.io.atomic import write_text

__all__ = ["CATALOG", "IMAGES", "OPTIONS", "check_whole", "locked", "partial_folder", "write_options"]

OPTIONS, CATALOG, IMAGES = "simulation.json", "catalog.fits", "images"


def check_whole(folder: Path, options: dict[str, Any], n: int, folders: tuple[str, ...]) -> bool:
    """Whether the set is there, whole (``n`` files in each of its ``folders``) and made with the same options.

    Raises:
        DataError: something else is in the way: other options, foreign files, or images that went missing.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    remedy = "choose another folder, or remove this one to simulate anew."
    try:
        found = json.loads((folder / OPTIONS).read_text(encoding="utf-8"))["options"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{folder} exists but holds no simulated set ({OPTIONS} is missing or unreadable); {remedy}"
        ) from None
    if differing := [name for name in options if found.get(name) != options[name]]:
        told = [f"{name}={found.get(name)!r} (asked for: {options[name]!r})" for name in differing]
        raise DataError(
            f"{folder} holds a set simulated with other options: {listed(told, most=10)}; {remedy}"
        )
    n_files = {name: len(list((folder / name).glob("*.fits"))) for name in folders}
    catalog = (folder / CATALOG).is_file()
    if short := [f"{found} of {n} simulated {name}" for name, found in n_files.items() if found != n]:
        missing = "" if catalog else " and no catalogue"
        raise DataError(f"{folder} holds {listed(short)}{missing}: files were removed; {remedy}")
    if not catalog:
        raise DataError(f"{folder} holds no {CATALOG}: it was removed; {remedy}")
    return True


def partial_folder(folder: Path, made_by: dict[str, Any]) -> Path:
    """The folder to work in, emptied unless an interrupted simulation of the same set left it."""
    partial = folder.with_name(folder.name + ".partial")
    try:
        same = json.loads((partial / OPTIONS).read_text(encoding="utf-8")) == made_by
    except (OSError, ValueError):
        same = False
    if not same and partial.exists():
        shutil.rmtree(partial)
    (partial / IMAGES).mkdir(parents=True, exist_ok=True)
    if not same:
        write_options(partial, made_by)
    return partial


def write_options(folder: Path, made_by: dict[str, Any]) -> None:
    """Keep what the set is a function of."""
    write_text(folder / OPTIONS, json.dumps(made_by, indent=2) + "\n")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time simulate ``folder``; others wait. The kernel frees the lock of one that dies."""
    import fcntl

    path = folder.with_name(f".{folder.name}.lock")
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX)
        # The one who held it may have removed the file: then the lock is on a file that nobody else will see.
        if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
            break
        os.close(file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)
