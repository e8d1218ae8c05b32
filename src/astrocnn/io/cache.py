"""Folders that are costly to make: made once, found by what they were made from, whole or absent."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from astrocnn.errors import DataError
from astrocnn.io.room import MARK, make_room, no_room, remove

__all__ = ["cached_folder", "fingerprint", "seal", "sealed"]


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
    """Bring every file in ``folder`` to the disc, and write ``meta``: from then on the folder counts as whole."""
    sizes = {}
    for path in sorted(folder.iterdir()):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            sizes[path.name] = os.fstat(file.fileno()).st_size
    content = {**meta, "sizes": sizes}
    with open(folder / MARK, "w", encoding="utf-8") as file:
        json.dump({**content, "check": _check(content)}, file)
        file.flush()
        os.fsync(file.fileno())


def sealed(folder: Path, **expected: Any) -> dict[str, Any] | None:
    """What :func:`seal` wrote, or None when ``folder`` is missing, damaged, or not as ``expected``."""
    try:
        meta = json.loads((folder / MARK).read_text(encoding="utf-8"))
        whole = meta.pop("check") == _check(meta)
        whole &= all((folder / name).stat().st_size == size for name, size in meta["sizes"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return meta if whole and all(meta.get(key) == value for key, value in expected.items()) else None


def _check(meta: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()


def cached_folder(
    folder: Path, *, whole: Callable[[Path], bool], build: Callable[[Path], None], n_bytes: int, what: str
) -> Path:
    """``folder``, made by ``build(part)`` in a temporary place and renamed when it is not there, ``whole``.

    What stands there without being whole is replaced. Of several processes one builds while the others wait
    for its result. What a killed process left is removed, and of the folders beside this one those that
    :func:`~astrocnn.io.room.make_room` takes.

    Args:
        folder: where the result belongs.
        whole: whether a folder holds the finished result.
        build: makes the result in the folder it is given.
        n_bytes: how large the result will be, compared with the free space before anything is written.
        what: names the work in messages.

    Raises:
        DataError: too little space, before or while building. The temporary folder is removed.
    """
    if whole(folder):
        return folder
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        with _locked(folder.with_name(f".{folder.name}.lock"), waiting_for=what):
            if whole(folder):
                return folder
            if folder.is_dir():
                shutil.rmtree(folder)
            folder.unlink(missing_ok=True)
            make_room(folder.parent, n_bytes, what)
            try:
                part.mkdir()
                build(part)
                os.replace(part, folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(no_room(folder.parent, n_bytes, what)) from error
        raise DataError(
            f"{what}: {error.strerror or error} ({error.filename or folder}); check that the cache folder "
            f"{folder.parent} can be written, or set ASTROCNN_CACHE to another."
        ) from error
    return folder


def _sweep(parent: Path) -> None:
    """Remove what processes left that died while they built something; the lock of one that lives is taken."""
    for left in parent.glob(".*.part"):
        name = left.stem[1:].rpartition(".")[0]
        with suppress(OSError), _locked(parent / f".{name}.lock"):
            remove(left)


@contextmanager
def _locked(path: Path, *, waiting_for: str | None = None) -> Iterator[None]:
    """Hold ``path`` as a lock between processes; it falls with the process that holds it.

    Raises:
        BlockingIOError: another process holds it, and ``waiting_for`` says nothing.
    """
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting_for is None:
                raise
            print(
                f"{waiting_for}: another process is at it; waiting for its result",
                file=sys.stderr,
                flush=True,
            )
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
