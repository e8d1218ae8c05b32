"""Tables in HDF5: a group of columns, a compound dataset, and what pandas and astropy write."""

import io
import logging
import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed

__all__ = ["read_hdf5"]

log = logging.getLogger(__name__)
PANDAS_INDEX = "_i_table"  # the search index of a pandas table, not a table of its own
ASTROPY_META = ".__table_column_meta__"


def read_hdf5(path: Path, part: str | None) -> Table:
    """The table of ``path``, or the one of several that ``part`` names (``file.hdf5::group``).

    A table is a compound dataset (h5py, PyTables, astropy), a group of datasets of one length (RAIL, GCRCatalogs),
    or a data frame of pandas in either of its formats. Objects that pandas pickled are left out, since to read
    them would run code of the file.

    Raises:
        DataError: no table, several without a choice, or none of that name.
    """
    import h5py

    with h5py.File(path, "r") as file:
        tables = dict(_tables(file))
        names = [name or "/" for name in tables]
        if not tables:
            raise DataError(
                f"{path} holds no table: neither a group of datasets of one length nor a compound dataset; "
                f"its content is {listed(_content(file), most=8) or 'nothing'}."
            )
        if part is None and len(tables) > 1:
            raise DataError(
                f"{path} holds {len(tables)} tables: {listed(names, most=12)}; choose one with {path}::{names[0]}"
            )
        chosen = (part if part is not None else next(iter(tables))).strip("/")
        if chosen not in tables:
            raise DataError(f"{path} holds no table {part!r}; it holds {listed(names, most=12)}.")
        return tables[chosen]()


def _tables(file: Any) -> Iterator[tuple[str, Callable[[], Table]]]:
    """(name, reader) of every table, the outermost first."""
    import h5py

    waiting = [file]
    while waiting:
        node = waiting.pop(0)
        name = node.name.strip("/")
        if isinstance(node, h5py.Dataset):
            if node.dtype.names and node.ndim == 1 and not name.endswith(ASTROPY_META):
                yield name, partial(_compound, node)
        elif "block0_items" in node and "axis0" in node:
            yield name, partial(_pandas_fixed, node)
        elif "table" in node and "values_cols" in node.attrs:
            yield name, partial(_pandas_table, node["table"])
        else:
            children = {key: node[key] for key in node if key != PANDAS_INDEX and not _broken(node, key)}
            columns = _columns(children)
            if columns:
                yield name, partial(_group, columns)
            waiting += [child for key, child in children.items() if key not in columns]


def _broken(node: Any, key: str) -> bool:
    """Whether ``key`` is a link to what is not there."""
    return node.get(key) is None


def _columns(children: Mapping[str, Any]) -> dict[str, Any]:
    """The plain datasets with a first axis of the length that most of them have; none where they differ."""
    import h5py

    plain = {
        key: child
        for key, child in children.items()
        if isinstance(child, h5py.Dataset) and child.ndim and not child.dtype.names
        if not key.endswith(ASTROPY_META)
    }
    lengths = {len(dataset) for dataset in plain.values()}
    return plain if len(lengths) == 1 and not lengths & {0} else {}


def _group(columns: Mapping[str, Any]) -> Table:
    return Table({name: _values(dataset) for name, dataset in columns.items()})


def _values(dataset: Any) -> Any:
    import h5py

    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.asarray(dataset.asstr(errors="replace")[()], dtype=str)
    return dataset[()]


def _compound(dataset: Any) -> Table:
    names = dataset.name + ASTROPY_META
    if names in dataset.file:  # units, masks and mixed columns as astropy serialises them
        return Table.read(dataset.parent, path=dataset.name, format="hdf5", character_as_bytes=False)
    return _from_records(dataset[()])


def _from_records(records: NDArray[Any]) -> Table:
    return Table({name: records[name] for name in records.dtype.names or ()})


def _pandas_table(dataset: Any) -> Table:
    """A frame in pandas' format 'table': columns of one type share a field, whose attribute lists their names."""
    records = dataset[()]
    table = Table()
    for field in records.dtype.names or ():
        if field == "index":
            continue
        kind = dataset.attrs.get(f"{field}_kind")
        names = _strings(kind) if kind is not None else [field]
        block = records[field]
        for i, name in enumerate(names):
            table[name] = block[:, i] if block.ndim == 2 else block
    return table


def _pandas_fixed(group: Any) -> Table:
    """A frame in pandas' format 'fixed': blocks of columns of one type, with their names beside them."""
    found: dict[str, NDArray[Any]] = {}
    pickled: list[str] = []
    for i in range(int(group.attrs["nblocks"])):
        names = [
            item.decode() if isinstance(item, bytes) else str(item) for item in group[f"block{i}_items"][()]
        ]
        values = group[f"block{i}_values"]
        if values.dtype.kind == "O":
            pickled += names
            continue
        block = values[()]  # (N, n_columns)
        found |= {name: block[:, k] for k, name in enumerate(names)}
    if pickled:
        log.warning(
            "%s: the columns %s are pickled objects and are left out; write them as a table with "
            "to_hdf(format='table') or as Parquet.",
            group.file.filename,
            listed(pickled, most=12),
        )
    order = [item.decode() if isinstance(item, bytes) else str(item) for item in group["axis0"][()]]
    return Table({name: found[name] for name in order if name in found})


class _OnlyPrimitives(pickle.Unpickler):
    """Unpickles lists of strings and refuses everything that would import or call."""

    def find_class(self, module: str, name: str) -> Any:
        raise DataError(f"an attribute asks for {module}.{name}, which is not read from data files.")


def _strings(attribute: Any) -> list[str]:
    pickled = attribute.encode("latin-1") if isinstance(attribute, str) else bytes(attribute)
    return [str(name) for name in _OnlyPrimitives(io.BytesIO(pickled)).load()]


def _content(file: Any) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, node: names.append(f"{name} {getattr(node, 'shape', '(group)')}"))
    return names
