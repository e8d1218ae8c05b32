"""Progress of long work: a rich bar on a terminal, a plain line every few seconds elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["track"]

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0


def track(items: Iterable[T], description: str, *, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` while showing on standard error how many of ``total`` are done, the rate and the rest."""
    if total is None:
        total = len(items)  # type: ignore[arg-type]  # a Sized iterable, as documented by the default
    return _bar(items, description, total) if sys.stderr.isatty() else _lines(items, description, total)


def _bar(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(items, total=total, description=description)


def _lines(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    start = last = time.monotonic()
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            rate = done / (now - start)
            print(
                f"{description}: {done}/{total}, {rate:.3g}/s, {(total - done) / rate:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
    print(f"{description}: {done}/{total} in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
