"""The logged curves of a run, over all its attempts."""

import csv
import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["History", "read_history"]

History = dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]
"""Name of a curve → (steps, values), the steps increasing."""


def read_history(run_dir: str | os.PathLike[str]) -> History:
    """Curves from the files ``logs/attempt-<k>/metrics.csv`` that Lightning's CSVLogger writes.

    A resumed attempt repeats the steps after its checkpoint: of each step the row of the latest attempt (by
    number) that logged the curve counts. A row that a kill cut short is left out, as is anything that is not
    a number. A run without logs gives an empty dict.
    """
    curves: dict[str, dict[int, float]] = {}
    for path in sorted(Path(run_dir).glob("logs/attempt-*/metrics.csv"), key=_attempt):
        for name, step, value in _read(path):
            curves.setdefault(name, {})[step] = value
    return {name: _arrays(points) for name, points in sorted(curves.items())}


def _attempt(path: Path) -> tuple[int, str]:
    number = re.search(r"\d+$", path.parent.name)
    return (int(number.group()) if number else -1, path.parent.name)


def _read(path: Path) -> list[tuple[str, int, float]]:
    text = path.read_bytes().decode(errors="replace")
    whole_lines = text[: text.rfind("\n") + 1].splitlines()
    points = []
    for row in csv.DictReader(whole_lines):
        step = _number(row.pop("step", None))
        if step is None or not step.is_integer():
            continue
        values = ((name, _number(value)) for name, value in row.items())
        points += [(name, int(step), value) for name, value in values if value is not None]
    return points


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _arrays(points: dict[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    steps = np.array(sorted(points), dtype=np.int64)
    return steps, np.array([points[int(step)] for step in steps], dtype=np.float64)
