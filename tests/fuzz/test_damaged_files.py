"""Damaged files of every kind: read rightly or refused by one sentence; none crashes, hangs or fills the memory.

What is done to which file, and what must hold, stands in the modules ``fuzz_*`` beside this one. The files are opened
in processes of their own; one that dies costs the case at which it died, and another goes on behind it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

WORKER = Path(__file__).parent / "fuzz_worker.py"
N_PROCESSES = 2


def run_worker(first: int, end: int, options: list[str], folder: Path) -> tuple[list[dict], int | None, str]:
    """The cases that ended, the one at which the process died (None for none), and its last words."""
    command = [sys.executable, str(WORKER), str(first), str(end), *options]
    environment = os.environ | {"ASTROCNN_CACHE": str(folder), "OMP_NUM_THREADS": "1"}
    ended, begun = [], first
    with (folder / "words").open("w+") as words:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=words, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                record = json.loads(line)
                begun = record.get("begin", begun)
                if "end" in record:
                    ended.append(record)
        words.seek(0)
        last = words.read()[-3000:]
    died = None if process.returncode == 0 else begun
    return ended, died, f"exit code {process.returncode}: {last}"


def failures(first: int, end: int, folder: Path, *, options: list[str]) -> tuple[int, list[str]]:
    """How many cases were opened, and what was wrong with which."""
    folder.mkdir(parents=True)
    n, wrong = 0, []
    while first < end:
        ended, died, words = run_worker(first, end, options, folder)
        n += len(ended)
        wrong += [
            f"{e['case']} {e['seed']} ({e['done']}): {e['message']}" for e in ended if e["end"] == "FAILED"
        ]
        if died is None:
            break
        wrong.append(f"{died}: the process died, {words}")
        n, first = n + 1, died + 1
        if len(wrong) > 20:
            break
    return n, wrong


def check(first: int, n_cases: int, realdata: Callable[[str], Path], folder: Path) -> None:
    options = ["--real", str(realdata("fits").parent)]
    edges = [first + i * n_cases // N_PROCESSES for i in range(N_PROCESSES + 1)]
    folders = [folder / str(i) for i in range(N_PROCESSES)]
    with ThreadPoolExecutor(N_PROCESSES) as pool:
        parts = list(pool.map(partial(failures, options=options), edges[:-1], edges[1:], folders))
    wrong = [text for _, texts in parts for text in texts]
    assert not wrong, f"{len(wrong)} of {n_cases}; repeat one with fuzz_worker.py N N+1:\n" + "\n".join(
        wrong[:20]
    )
    assert sum(n for n, _ in parts) == n_cases


def test_300_damaged_files(tmp_path: Path, realdata: Callable[[str], Path]) -> None:
    check(0, 300, realdata, tmp_path)


@pytest.mark.slow
def test_5000_damaged_files(tmp_path: Path, realdata: Callable[[str], Path]) -> None:
    check(1000, 5000, realdata, tmp_path)
