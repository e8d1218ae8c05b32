"""Work shared among processes and threads: every item once, errors as they are, and nothing left behind."""

import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from astrocnn.errors import DataError, RunError
from astrocnn.processes import ahead, in_processes, may_fork

pytestmark = pytest.mark.skipif(not may_fork(), reason="processes cannot be forked here")


def square(x: int) -> tuple[int, int]:
    return x * x, os.getpid()


@pytest.mark.parametrize("forked", [True, False])
def test_every_item_once_by_others(forked: bool) -> None:
    found = list(in_processes(square, range(20), 3, forked=forked))
    assert sorted(value for value, _ in found) == [x * x for x in range(20)]
    assert os.getpid() not in {process for _, process in found}
    assert not multiprocessing.active_children()


def test_errors_come_as_they_are() -> None:
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(DataError, match="a file is gone"):
        list(in_processes(fail, [DataError("a file is gone")], 2, forked=True))
    with pytest.raises(OSError, match="No space") as caught:
        list(in_processes(fail, [OSError(errno.ENOSPC, "No space", "here")], 2, forked=True))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "here")
    with pytest.raises(RunError, match=r"a worker process failed:\n(.*\n)*ZeroDivisionError"):
        list(in_processes(fail, [ZeroDivisionError("x")], 2, forked=True))


def test_a_dead_worker_is_said_and_the_others_end() -> None:
    def die(x: int) -> None:
        if x == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    with pytest.raises(RunError, match="a worker process ended with exit code -9; if memory is short"):
        list(in_processes(die, [0, 1, 2], 2, forked=True))
    assert not multiprocessing.active_children()


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    def work(x: int) -> int:
        (tmp_path / f"{os.getpid()}").touch()
        time.sleep(0.1)
        return x

    def parent() -> None:
        for _ in in_processes(work, range(10_000), 3, forked=True):
            pass

    process = multiprocessing.get_context("fork").Process(target=parent)
    process.start()
    while len(list(tmp_path.iterdir())) < 3:
        time.sleep(0.01)
    process.kill()
    process.join()
    deadline = time.monotonic() + 20
    left = [int(path.name) for path in tmp_path.iterdir()]
    while time.monotonic() < deadline and left:
        left = [pid for pid in left if Path(f"/proc/{pid}").exists() and not zombie(pid)]
        time.sleep(0.05)
    assert not left


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except FileNotFoundError:
        return True


def test_items_are_made_ahead_in_one_thread() -> None:
    made: list[tuple[int, int]] = []

    def items() -> Iterator[int]:
        for number in range(4):
            made.append((number, threading.get_ident()))
            yield number
        raise DataError("no more")

    coming = ahead(items())
    for number in range(4):
        assert next(coming) == number
        deadline = time.monotonic() + 5
        while len(made) < min(number + 2, 4) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(made) >= min(number + 2, 4)  # the next one, while this one is used
    with pytest.raises(DataError, match="no more"):
        next(coming)
    assert len({thread for _, thread in made}) == 1
    assert made[0][1] != threading.get_ident()


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    for number in ahead(range(10**9)):
        if number == 3:
            break
    assert threading.active_count() == before
