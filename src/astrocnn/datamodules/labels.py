"""A column of labels into class numbers and names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed

__all__ = ["number_labels"]


def number_labels(
    values: Any, *, name: str, classes: Sequence[str] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...], dict[int, str]]:
    """Class numbers (N,) int64, −1 where unknown; names of the classes; and the reason for each unknown row.

    Truth values are the classes 'false' and 'true'; whole numbers and strings stand for themselves, in
    ascending order. ``classes`` names the values in the wanted order; K names rename the numbers 0..K−1. A
    missing value (masked, NaN, '' or −1) is unknown without fault: a value that is not among ``classes`` is
    not.

    Raises:
        DataError: the column holds fractions or vectors, or ``classes`` names nothing that is in it.
    """
    texts, missing = _texts(values, name)
    present = _ordered(set(texts[~missing].tolist()))
    given = None if classes is None else tuple(str(c) for c in classes)
    if given is None:
        names = keys = present
    elif _renames(given, present):
        names, keys = given, tuple(str(i) for i in range(len(given)))
        if set(present) <= {"false", "true"} and len(given) == 2 and present:
            keys = ("false", "true")
    else:
        names = keys = given
    if given is not None and len(set(given)) < len(given):
        raise DataError(f"data.classes={list(given)} names a class twice; give each once.")
    if present and not set(present) & set(keys):
        raise DataError(
            f"data.classes={list(given or ())} are not the values of the column {name!r}, which holds "
            f"{listed(present, most=12)}; name those values in the order of the classes, or leave data.classes=null."
        )
    number = {key: i for i, key in enumerate(keys)}
    labels = np.array([number.get(text, -1) for text in texts], dtype=np.int64)
    labels[missing] = -1
    reasons = {
        int(row): f"no label in the column {name!r}"
        if missing[row]
        else f"the label {str(texts[row])!r} is none of the classes {listed(names, most=12)}"
        for row in np.flatnonzero(labels < 0)
    }
    return labels, tuple(names), reasons


def _renames(given: tuple[str, ...], present: tuple[str, ...]) -> bool:
    """Whether ``given`` are names for the numbers 0..K−1 (or for false and true) and not the values."""
    if set(given) & set(present):
        return False
    numbers = {str(i) for i in range(len(given))}
    return set(present) <= numbers or (set(present) <= {"false", "true"} and len(given) == 2)


def _ordered(values: set[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted(values, key=int))
    except ValueError:
        return tuple(sorted(values))


def _texts(values: Any, name: str) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Each value as text, and which are missing."""
    missing = np.ma.getmaskarray(values).copy()
    data = np.asarray(np.ma.getdata(values))
    if data.ndim != 1:
        raise DataError(
            f"the label column {name!r} holds vectors; choose one class a row (data.label=<column>)."
        )
    if data.dtype.kind == "b":
        return np.where(data, "true", "false"), missing
    if data.dtype.kind == "f":
        missing |= np.isnan(data)
        whole = np.where(missing, -1, data)
        if (whole != np.round(whole)).any():
            strange = sorted({float(v) for v in whole[whole != np.round(whole)]})
            raise DataError(
                f"the label column {name!r} holds fractions ({listed(strange, most=3)}); classes are whole numbers, "
                "strings or true/false; choose another column (data.label=<column>)."
            )
        data = whole.astype(np.int64)
    if data.dtype.kind in "iu":
        return data.astype(str), missing | (data == -1)
    texts = np.char.strip(data.astype(str))
    missing |= (texts == "") | (texts == "-1")
    lower = np.char.lower(texts)
    if len(texts) and np.isin(lower[~missing], ["true", "false"]).all():
        return lower, missing
    return texts, missing
