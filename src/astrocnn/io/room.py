"""Room for another cached folder: what the disc and the user allow, and which old folders may go for it."""

import math
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from astrocnn.errors import ConfigError, DataError

__all__ = ["MARK", "make_room", "mark_used", "no_room", "remove"]

MARK = "meta.json"  # its time of change is when the folder was last used
SPARE_BYTES = 64 * 2**20
UNUSED_DAYS = 7.0  # a folder that was opened since may be in use
LIMIT = "ASTROCNN_CACHE_GB"


@dataclass(frozen=True)
class _Kept:
    folder: Path
    n_bytes: int
    used: float

    def __str__(self) -> str:
        day = datetime.fromtimestamp(self.used).date()
        return f"{self.folder} ({self.n_bytes / 1e9:.3g} GB, last used {day})"


def mark_used(folder: Path) -> None:
    """Note that ``folder`` is used now."""
    with suppress(OSError):  # of another user, or on a disc that is only read
        os.utime(folder / MARK)


def make_room(parent: Path, n_bytes: int, what: str) -> None:
    """See that ``n_bytes`` more fit into ``parent``; folders in it that nothing used for a week go where they must.

    Those last used longest ago go first, and none when that would not be enough.

    Raises:
        ConfigError: ASTROCNN_CACHE_GB is not a number.
        DataError: there is not enough room; ``what`` names what needs it.
    """
    kept = _kept(parent)
    missing = n_bytes - _available(parent, kept)
    if missing <= 0:
        return
    old = [each for each in kept if time.time() - each.used > UNUSED_DAYS * 86400]
    if sum(each.n_bytes for each in old) < missing:
        raise DataError(no_room(parent, n_bytes, what))
    for each in old:
        if missing > 0 and remove(each.folder):
            missing -= each.n_bytes
            print(f"{what}: made room by removing {each}", file=sys.stderr, flush=True)
    if missing > 0:
        raise DataError(no_room(parent, n_bytes, what))


def remove(folder: Path) -> bool:
    """Remove ``folder``, so that what is left of it at any time is no whole one; False where that is not allowed."""
    going = folder if folder.suffix == ".part" else folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        os.replace(folder, going)
        shutil.rmtree(going)
    except OSError:
        return False
    return True


def no_room(parent: Path, n_bytes: int, what: str) -> str:
    """The message that ``n_bytes`` do not fit into ``parent``, with what could go."""
    kept = _kept(parent)
    room = f"{max(0, _free(parent)) / 1e9:.3g} GB are free"
    if (limit := _limit()) < math.inf:
        room += f" and {LIMIT}={limit / 1e9:.3g} is the most for all"
    text = f"{what} needs {n_bytes / 1e9:.3g} GB in {parent}, where {room}; "
    if kept:
        largest = max(kept, key=lambda each: each.n_bytes)
        total = sum(each.n_bytes for each in kept) / 1e9
        text += f"the {len(kept)} folders there take {total:.3g} GB, the largest is {largest}; "
    return text + (
        "delete some of them (what is needed again is made again), or set ASTROCNN_CACHE to a folder on a "
        "larger disc."
    )


def _kept(parent: Path) -> list[_Kept]:
    """The finished folders of ``parent``, those used longest ago first."""
    found = []
    for mark in parent.glob(f"[!.]*/{MARK}"):
        with suppress(OSError):  # another process removes it at this moment
            n_bytes = sum(file.stat().st_size for file in mark.parent.iterdir())
            found.append(_Kept(mark.parent, n_bytes, mark.stat().st_mtime))
    return sorted(found, key=lambda each: each.used)


def _available(parent: Path, kept: list[_Kept]) -> float:
    return min(_free(parent), _limit() - sum(each.n_bytes for each in kept))


def _free(parent: Path) -> int:
    while not parent.exists():
        parent = parent.parent
    return shutil.disk_usage(parent).free - SPARE_BYTES


def _limit() -> float:
    text = os.environ.get(LIMIT)
    if not text:
        return math.inf
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not limit > 0:
        raise ConfigError(
            f"{LIMIT}={text!r} is not a number of gigabytes; set it to one such as 50, or unset it."
        )
    return limit * 1e9
