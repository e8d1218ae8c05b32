"""Work shared among processes that end when the parent does."""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from astrocnn.errors import AstrocnnError, RunError

__all__ = ["in_processes"]

T = TypeVar("T")
R = TypeVar("R")


def in_processes(function: Callable[[T], R], items: Sequence[T], n_workers: int) -> Iterator[R]:
    """Yield ``function(item)`` for every item, as they get done, from ``n_workers`` spawned processes.

    Each process runs torch with one thread. An error in a worker is raised here; leaving the loop early, by an
    error or Ctrl-C, ends the workers at once.

    Raises:
        RunError: a worker died (of memory, say), or the user's script starts processes when it is imported.
    """
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, Any] = {}
    waiting = list(reversed(items))
    try:
        for _ in range(min(n_workers, len(items))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, function), daemon=True)
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
            f"a worker process ended with exit code {process.exitcode}; if memory is short, use fewer workers "
            "(n_workers=1); a script of your own must guard its start with `if __name__ == '__main__':`."
        ) from None
    if not done:
        raise result
    return result


def _work(connection: Connection, function: Callable[[Any], Any]) -> None:
    """What a worker does: take an item, send back what the function makes of it."""
    # Ctrl-C goes to the whole process group; the parent alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            answer = (True, function(item))
        except AstrocnnError as error:
            answer = (False, error)
        except Exception:
            answer = (False, RunError(f"a worker process failed:\n{traceback.format_exc()}"))
        connection.send(answer)
