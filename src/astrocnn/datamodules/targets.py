"""Columns of numbers that a task shall learn, such as redshifts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.datamodules.catalog import Objects, Problem
from astrocnn.datamodules.refusals import problem
from astrocnn.errors import DataError
from astrocnn.io.tables import column

__all__ = ["check_targets", "scalar_values", "split_strata", "target_problems", "target_values"]

Values = Mapping[str, NDArray[np.float32]]


def target_values(
    table: Table, targets: Mapping[str, str], *, source: object
) -> dict[str, NDArray[np.float32]]:
    """The values (N,) float32 of each target by its key in the batch, NaN where unknown.

    Args:
        table: the catalogue.
        targets: {key in the batch, which is also the option: name of the column}.
        source: the table, for messages.

    Raises:
        DataError: a column is not there or holds no numbers.
    """
    values = {}
    for key, name in targets.items():
        given = column(table, name, f"data.{key}", source=source)
        data = np.asarray(np.ma.getdata(given))
        if data.ndim != 1 or data.dtype.kind not in "fiu":
            raise DataError(
                f"the column {name!r} of {source} holds no numbers, one a row; a {key} is a number; choose another "
                f"(data.{key}=<column>)."
            )
        values[key] = np.where(np.ma.getmaskarray(given), np.nan, data).astype(np.float32)
        values[key][~np.isfinite(values[key])] = np.nan
    return values


def check_targets(values: Mapping[str, Any], *, source: object) -> None:
    """Raise a :class:`DataError` unless some object has every target."""
    known = np.all([np.isfinite(np.asarray(column)) for column in values.values()], axis=0)
    if not known.any():
        names = " and ".join(values)
        raise DataError(
            f"training and testing need a {names}, but no object of {source} has one; choose another column "
            f"({', '.join(f'data.{key}=<column>' for key in values)})."
        )


def target_problems(objects: Objects, values: NDArray[np.float32], *, key: str, column: str) -> list[Problem]:
    """The objects of which a redshift (N,) cannot be learned, because it is none, or below 0."""
    found = []
    for i in np.flatnonzero(~(values >= 0)):
        why = (
            f"no {key} in the column {column!r}"
            if np.isnan(values[i])
            else f"a {key} below 0 in the column {column!r}"
        )
        found.append(problem(str(objects.ids[i]), objects.files.paths[objects.file[i]], why))
    return found


def scalar_values(table: Table, names: Sequence[str], *, source: object) -> NDArray[np.float32]:
    """(N, S) float32: the columns that are inputs beside the image, NaN where unknown.

    Raises:
        DataError: a column is not there or holds no numbers.
    """
    columns = [target_values(table, {"scalars": name}, source=source)["scalars"] for name in names]
    return np.stack(columns, axis=1) if columns else np.empty((len(table), 0), np.float32)


def split_strata(
    labels: NDArray[np.int64], classes: tuple[str, ...], values: Values, *, truth: tuple[str, ...] = ()
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """By which classes to share the objects among the splits: their labels, or, where only targets are known,
    one class of those that have them all, or of all that have ``truth`` beside the image; −1 is in no split.
    """
    if (labels >= 0).any():
        return labels, classes
    if not values:
        return (np.zeros_like(labels), (f"with {' and '.join(truth)}",)) if truth else (labels, classes)
    known = np.all([np.isfinite(column) for column in values.values()], axis=0)
    return np.where(known, 0, -1), (f"with {' and '.join(values)}",)
