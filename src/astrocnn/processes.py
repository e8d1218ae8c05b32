"""Work shared among processes that end when the parent does, or done ahead in a thread."""

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from astrocnn.errors import AstrocnnError, RunError

__all__ = ["ahead", "in_processes", "may_fork", "share_cores"]

PR_SET_PDEATHSIG = 1  # of Linux
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # of glibc's mallopt
LARGE = 2**31 - 1

T = TypeVar("T")
R = TypeVar("R")
END: Any = object()


def may_fork() -> bool:
    """Whether processes can be forked here: on Linux, and not from a process that may have no children."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


def share_cores() -> None:
    """Let a network and the threads that read and write beside it share the machine; before torch is imported.

    Threads of OpenMP that wait for each other sleep, and take no core from those that pack (``OMP_WAIT_POLICY``, unless
    it is set). Of glibc, memory that is freed is used again: large arrays are otherwise given back to the system and
    taken anew by every layer, page by page, which for windows of 1024 pixels may cost as much as the convolutions.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGE), (M_ARENA_MAX, 1)):
            mallopt(option, value)


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same ``items``, each made in a thread of its own while the caller uses the one before."""
    source = iter(items)
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, source, END)
        while (item := coming.result()) is not END:
            coming = thread.submit(next, source, END)
            yield item


def in_processes(
    function: Callable[[T], R], items: Sequence[T], n_workers: int, *, forked: bool = False
) -> Iterator[R]:
    """Yield ``function(item)`` for every item, as they get done, from ``n_workers`` processes.

    They are spawned, which takes seconds, and ``function`` is sent to them; or ``forked``, at once, and ``function``
    is any. What is forked shares the place in files that are open here, and so must open its own; and it must not use
    an accelerator. Each process runs torch with one thread. An error in a worker is raised here; leaving the loop
    early, by an error or Ctrl-C, ends the workers at once.

    Raises:
        RunError: a worker died (of memory, say), or the user's script starts processes when it is imported.
    """
    context: Any = multiprocessing.get_context("fork" if forked else "spawn")
    workers: dict[Connection, Any] = {}
    waiting = list(reversed(items))
    try:
        for _ in range(min(n_workers, len(items))):
            ours, theirs = context.Pipe()
            parent = os.getpid() if forked else None
            process = context.Process(target=_work, args=(theirs, function, parent), daemon=True)
            with warnings.catch_warnings():  # of a fork beside other threads, as data loaders do
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            theirs.close()
            workers[ours] = process
            ours.send(waiting.pop())
        busy = set(workers)
        while busy:
            for connection in wait(list(busy)):
                if not isinstance(connection, Connection):
                    continue
                result = _receive(connection, workers[connection])
                if waiting:
                    connection.send(waiting.pop())
                else:
                    busy.remove(connection)
                yield result
    finally:
        for connection, process in workers.items():
            process.terminate()
            process.join()
            connection.close()


def _receive(connection: Connection, process: Any) -> Any:
    try:
        done, result = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise RunError(
            f"a worker process ended with exit code {process.exitcode}; if memory is short, free some or use fewer "
            "workers (n_workers=1); a script of your own must guard its start with `if __name__ == '__main__':`."
        ) from None
    if not done:
        raise result
    return result


def _work(connection: Connection, function: Callable[[Any], Any], parent: int | None) -> None:
    """What a worker does: take an item, send back what the function makes of it; ``parent`` forked it, if any."""
    # Ctrl-C goes to the whole process group; the parent alone answers it, and ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if parent is not None:
        _end_with(parent)
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            answer = (True, function(item))
        except (AstrocnnError, OSError) as error:
            answer = (False, error)
        except Exception:
            answer = (False, RunError(f"a worker process failed:\n{traceback.format_exc()}"))
        connection.send(answer)


def _end_with(parent: int) -> None:
    """Have this process killed when its parent ends, however that ends.

    A forked worker holds copies of the parent's locks on files and of its pipes, so that the end of one cannot be seen.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)
