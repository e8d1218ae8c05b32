"""What cannot be used, or not for training, said in one sentence each."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.datamodules.catalog import Objects, Problem
from astrocnn.errors import DataError, listed

__all__ = ["check_labels", "check_training_classes", "problem", "refuse", "skipped_table"]

MOST_KINDS = 4


def refuse(problems: list[Problem], *, skip: bool) -> None:
    """Raise a :class:`DataError` that counts and lists ``problems``, unless they are to be skipped."""
    if not problems or skip:
        return
    kinds = Counter(map(_kind, problems)).most_common()
    parts = []
    for kind, n in kinds[:MOST_KINDS]:
        first, *others = [problem for problem in problems if _kind(problem) == kind]
        reason, who = first.reason.rstrip("."), [problem.id or problem.path for problem in others]
        own = f"{reason} ({first.id or first.path})"
        if others and kind != reason:  # the reason names the first one's file
            own = f"{reason} (and so {listed(who)})"
        elif others:
            own = f"{n} × {kind} ({listed([first.id or first.path, *who])})"
        parts.append(own)
    more = f"; and {len(kinds) - MOST_KINDS} more" if len(kinds) > MOST_KINDS else ""
    raise DataError(
        f"{len(problems)} input(s) cannot be used: {'; '.join(parts)}{more}. "
        "Mend them, or go on without them with data.on_bad=skip, which lists them in a table."
    )


def problem(key: str, paths: Sequence[str], reason: str) -> Problem:
    """The problem of an object with the one of its files that the reason names, else the first."""
    return Problem(key, next((path for path in paths if reason.startswith(path)), paths[0]), reason)


def _kind(problem: Problem) -> str:
    """The reason without the file that it may begin with, alike for several files."""
    reason = problem.reason.removeprefix(problem.path) if problem.path else problem.reason
    return reason.lstrip(":, ").rstrip(".")


def skipped_table(problems: list[Problem]) -> Table:
    """The columns ``id``, ``path`` and ``reason`` of what was left out."""
    return Table(
        {key: np.array([getattr(p, key) for p in problems], dtype=str) for key in ("id", "path", "reason")}
    )


def check_labels(objects: Objects, *, table: str | None, column: str | None) -> None:
    """Raise a :class:`DataError` unless the objects can be trained on: labels, of at least two classes.

    ``table`` and its ``column`` are where the labels were looked for.
    """
    labels = objects.labels
    if not (labels >= 0).any():
        where = f"{table} has no labels in a column {column!r}" if table else "no catalogue is given"
        columns = f" (its columns are {listed(objects.table.colnames, most=30)})" if table else ""
        raise DataError(
            f"training and testing need labels, but {where}{columns}; "
            "give them with data.catalog=<table> data.label=<column>."
        )
    present = np.unique(labels[labels >= 0])
    if len(present) < 2:
        raise DataError(
            f"every label is {objects.classes[present[0]]!r}: one class cannot be told from others; "
            "give objects of at least two classes, or another column (data.label=<column>)."
        )


def check_training_classes(labels: NDArray[np.int64], classes: tuple[str, ...]) -> None:
    """Raise a :class:`DataError` unless the labels (N,) of the training split are of at least two classes."""
    if len(np.unique(labels)) < 2:
        raise DataError(
            f"every training object is {classes[int(labels[0])]!r}; training needs two classes; change the "
            "stored split, or split at random with data.split=null."
        )
