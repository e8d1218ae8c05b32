"""Folders that are costly to make: made once, found by what they were made from, whole or absent."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astrocnn.errors import DataError

__all__ = ["cached_folder", "fingerprint", "seal", "sealed"]

META = "meta.json"
SPARE_BYTES = 64 * 2**20


def fingerprint(files: Iterable[str | os.PathLike[str]], options: Mapping[str, Any]) -> str:
    """24 hexadecimal digits that change when a file's path, size or time of change does, or an option.

    Raises:
        DataError: a file is gone.
    """
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    for file in files:
        try:
            state = os.stat(file)
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror}; check the path.") from error
        digest.update(f"\0{os.path.abspath(file)}\0{state.st_size}\0{state.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]


def seal(folder: Path, meta: Mapping[str, Any]) -> None:
    """Write ``meta`` and every file's size into ``folder``: from then on it counts as whole."""
    sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.name != META}
    with open(folder / META, "w", encoding="utf-8") as file:
        json.dump({**meta, "sizes": sizes}, file)
        file.flush()
        os.fsync(file.fileno())


def sealed(folder: Path, **expected: Any) -> dict[str, Any] | None:
    """What :func:`seal` wrote, or None when ``folder`` is missing, damaged, or not as ``expected``."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in meta["sizes"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return meta if whole and all(meta.get(key) == value for key, value in expected.items()) else None


def cached_folder(
    folder: Path, *, whole: Callable[[Path], bool], build: Callable[[Path], None], n_bytes: int, what: str
) -> Path:
    """``folder``, made by ``build(part)`` in a temporary place and renamed when it is not there, ``whole``.

    What stands there without being whole is replaced. Of several processes one builds while the others wait
    for its result.

    Args:
        folder: where the result belongs.
        whole: whether a folder holds the finished result.
        build: makes the result in the folder it is given.
        n_bytes: how large the result will be, compared with the free space before anything is written.
        what: names the work in messages.

    Raises:
        DataError: too little space, before or while building. The temporary folder is removed; other results
            are not touched.
    """
    if whole(folder):
        return folder
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(f".{folder.name}.lock"), what):
            if whole(folder):
                return folder
            for left in folder.parent.glob(f".{folder.name}.*.part"):
                shutil.rmtree(left)  # of a process that died: the lock is ours
            if folder.is_dir():
                shutil.rmtree(folder)
            folder.unlink(missing_ok=True)
            _check_space(folder.parent, n_bytes, what)
            part.mkdir()
            build(part)
            os.replace(part, folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(_no_space(folder.parent, n_bytes, what)) from error
        raise DataError(
            f"{what}: {error.strerror or error} ({error.filename or folder}); check that the cache folder "
            f"{folder.parent} can be written, or set ASTROCNN_CACHE to another."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _check_space(folder: Path, n_bytes: int, what: str) -> None:
    if shutil.disk_usage(folder).free < n_bytes + SPARE_BYTES:
        raise DataError(_no_space(folder, n_bytes, what))


def _no_space(folder: Path, n_bytes: int, what: str) -> str:
    free = shutil.disk_usage(folder).free
    return (
        f"{what} needs {n_bytes / 1e9:.3g} GB in {folder}, where {free / 1e9:.3g} GB are free; "
        "free some space (older folders there can be deleted), or set ASTROCNN_CACHE to a folder on a larger disc."
    )


@contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    """Hold ``path`` as a lock between processes; it falls with the process that holds it."""
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{what}: another process is at it; waiting for its result", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
