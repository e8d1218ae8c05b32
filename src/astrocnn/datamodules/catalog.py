"""Images and the user's table joined: one row an object, in columns that have always the same names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.datamodules.labels import number_labels
from astrocnn.datasets.source import Source, an
from astrocnn.errors import DataError, listed
from astrocnn.io.tables import column, read_table

__all__ = [
    "DEFAULTS",
    "DUPLICATE_OF",
    "Catalog",
    "Objects",
    "Problem",
    "group_names",
    "join",
    "read_catalog",
    "with_our_columns",
]

DUPLICATE_OF = "duplicate_of"  # the column that a datamodule can make itself, as data.group=
DEFAULTS = {"id": "id", "label": "label", "ra": "ra", "dec": "dec", "group": None, "split": "split"}
Columns = Mapping[str, str | None]


@dataclass(frozen=True)
class Problem:
    """One input that cannot be used, or not for training: its id, its path, and why."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Catalog:
    """The user's table as it was read from ``path``: one id a row (N,), and ``position`` (N, 2) float64 in degrees
    (ICRS), None where the table has none.
    """

    path: str
    table: Table
    ids: NDArray[np.str_]
    position: NDArray[np.float64] | None


@dataclass
class Objects:
    """The objects that have an image: row i of ``table`` is object ``file[i]`` of ``files``.

    ``labels`` (N,) int64 is −1 where unknown; ``position`` (N, 2) float64 in degrees is None where the table
    has none, so that it has to come from the images.
    """

    files: Source
    table: Table
    ids: NDArray[np.str_]
    file: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    position: NDArray[np.float64] | None
    problems: list[Problem] = field(default_factory=list)

    def numbers(self) -> NDArray[np.int64]:
        """The objects of ``files`` that are in the table, each once, ascending."""
        return distinct(self.file)


def distinct(numbers: NDArray[Any]) -> NDArray[Any]:
    """Each of the whole numbers once, ascending; by sorting, which is twenty times as fast as numpy's hashing."""
    ordered: NDArray[Any] = np.sort(numbers)
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return np.asarray(ordered[first])


def read_catalog(path: str, columns: Columns, *, table: Table | None = None, by_row: bool = False) -> Catalog:
    """Read the user's table: an id for each row, and its position where it has one.

    Args:
        path: of the table.
        columns: names of its columns.
        table: what ``path`` holds, where it has been read.
        by_row: rows belong to objects by their order; without a column of ids the number of the row is one.

    Raises:
        DataError: no such table or column, no rows, ids twice, or a position that is none.
    """
    table = read_table(path) if table is None else table
    if not len(table):
        raise DataError(f"the table {path} has no rows; give a table with one row an object.")
    name = columns["id"] or DEFAULTS["id"] or "id"
    if by_row and (columns["id"] is None or (name == DEFAULTS["id"] and name not in table.colnames)):
        ids = np.arange(len(table)).astype(f"U{len(str(len(table)))}")
    else:
        ids = _ids(column(table, name, "data.id", source=path), name, path)
    return Catalog(path, table, ids, _position(table, columns, path))


def join(
    files: Source, catalog: Catalog | None, *, columns: Columns, classes: Sequence[str] | None
) -> Objects:
    """Find each row's object and number the labels.

    Raises:
        DataError: no such column, or no id that is an object's.
    """
    problems = [Problem(key, "", reason) for key, reason in files.incomplete]
    if catalog is None:
        files.check_unique()
        every = np.arange(len(files))
        ids = np.array(files.ids, dtype=str)
        table = _with_what_is_known(Table({"id": ids}), files, every)
        _check(table, columns, "the set without data.catalog")
        unknown = np.full(len(files), -1, dtype=np.int64)
        return Objects(files, table, ids, every, unknown, tuple(classes or ()), None, problems)
    match = files.match(catalog.ids, base=Path(catalog.path).parent)
    incomplete = {key for key, _ in files.incomplete}
    for row in np.flatnonzero(match.file < 0):
        if catalog.ids[row] not in incomplete:
            problems.append(
                Problem(str(catalog.ids[row]), "", f"an id of the catalogue without {files.words.one}")
            )
    for number in match.without_id:
        problems.append(
            Problem(
                files.ids[number],
                files.paths[number][0],
                f"{an(files.words.one)} without id in the catalogue",
            )
        )
    keep = np.flatnonzero(match.file >= 0)
    table = catalog.table if len(keep) == len(catalog.table) else catalog.table[keep]
    ids, file = catalog.ids[keep], match.file[keep]
    position = None if catalog.position is None else catalog.position[keep]
    labels, names = np.full(len(keep), -1, dtype=np.int64), tuple(classes or ())
    if (name := _present(table, columns, "label", catalog.path)) is not None:
        labels, names, reasons = number_labels(table[name], name=name, classes=classes)
        if len(reasons) < len(labels) or any("no label" not in reason for reason in reasons.values()):
            problems += [Problem(str(ids[i]), files.paths[file[i]][0], why) for i, why in reasons.items()]
    table = _with_what_is_known(table, files, file)
    _check(table, columns, catalog.path)
    return Objects(files, table, ids, file, labels, names, position, problems)


def _with_what_is_known(table: Table, files: Source, numbers: NDArray[np.int64]) -> Table:
    """The table with those columns of the source that it lacks."""
    for name, values in files.columns(numbers).items():
        if name not in table.colnames:
            table[name] = values
    return table


def _check(table: Table, columns: Columns, source: str) -> None:
    """Raise a :class:`DataError` unless the columns by which to split are there."""
    for option in ("group", "split"):
        if columns[option] != DUPLICATE_OF:
            _present(table, columns, option, source)


def _present(table: Table, columns: Columns, option: str, source: str) -> str | None:
    """The name of a column that is there; None when it was not asked for, or only by its default name."""
    name = columns[option]
    if name is None or (name == DEFAULTS[option] and name not in table.colnames):
        return None
    column(table, name, f"data.{option}", source=source)
    return name


def _ids(values: Any, name: str | None, source: str) -> NDArray[np.str_]:
    data, masked = np.asarray(np.ma.getdata(values)), np.ma.getmaskarray(values)
    if data.dtype.kind in "iu" and not masked.any() and len(distinct(data)) == len(data):
        widest = max(len(str(data.min())), len(str(data.max())))  # numpy takes 21 characters for any int64
        return data.astype(f"U{widest}")
    ids = np.char.strip(data.astype(str))
    ids[masked] = ""
    twice = [key for key, n in Counter(ids.tolist()).items() if n > 1]
    if twice:
        raise DataError(
            f"{len(twice)} ids stand more than once in the column {name!r} of {source}: {listed(twice)}; "
            "an object has one row; remove the others or choose another column (data.id=<column>)."
        )
    return ids


def _position(table: Table, columns: Columns, source: str) -> NDArray[np.float64] | None:
    names = [_present(table, columns, option, source) for option in ("ra", "dec")]
    if names[0] is None or names[1] is None:
        return None
    position = np.stack([_degrees(table[name], name, source) for name in names if name], axis=1)  # (N, 2)
    if (np.abs(position[:, 1]) > 90).any():
        worst = position[np.nanargmax(np.abs(position[:, 1])), 1]
        raise DataError(
            f"the column {names[1]!r} of {source} holds {worst:g}, which is no declination in degrees; "
            "check data.ra and data.dec."
        )
    return position


def _degrees(values: Any, name: str, source: str) -> NDArray[np.float64]:
    data = np.asarray(np.ma.filled(values, np.nan) if values.dtype.kind == "f" else np.ma.getdata(values))
    if data.dtype.kind not in "fiu":
        raise DataError(
            f"the column {name!r} of {source} holds text, such as {data[0]!r}; positions are numbers in degrees; "
            "convert it, or take other columns (data.ra, data.dec), or null for the images' own."
        )
    data = data.astype(np.float64)
    if values.unit is not None and values.unit.is_equivalent(units.deg):
        data = data * values.unit.to(units.deg)
    return data


def group_names(values: Any, ids: NDArray[np.str_]) -> NDArray[np.str_]:
    """The group of each object; an object without one is a group by itself."""
    names = np.asarray(np.ma.getdata(values)).astype(str)
    alone = np.ma.getmaskarray(values) | (names == "") | (names == "nan")
    return np.where(alone, np.char.add("\0", ids), names)


def with_our_columns(table: Table, ours: Mapping[str, Any]) -> Table:
    """``ours`` first, then the table's columns.

    A column that has one of our names but another meaning is kept as ``<name>_given``, and so is a label or
    split that was normalised into another value.
    """
    catalog = Table(dict(ours))
    for name in table.colnames:
        if name not in ours:
            catalog[name] = table[name]
        elif not _same(table[name], catalog[name]):
            catalog[f"{name}_given"] = table[name]
    return catalog


def _same(given: Any, ours: Any) -> bool:
    data = np.asarray(np.ma.getdata(given))
    if data.dtype.kind != np.asarray(ours).dtype.kind or np.ma.getmaskarray(given).any():
        return False
    return bool(np.array_equal(data, np.asarray(ours), equal_nan=data.dtype.kind == "f"))
