"""The columns of a table, whatever wrote them, brought to one set of types."""

from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray

from astrocnn.errors import DataError, reason

__all__ = ["numbers", "plain"]

KINDS: dict[str, Any] = {"f": np.float64, "i": np.int64, "U": str, "b": bool}


def plain(table: Table, name: str) -> None:
    """Bring one column to str, bool, int64 or float64 (vectors likewise), native-endian, without bytes.

    Missing floats become NaN and missing text '', missing integers and truth values stay masked.
    """
    values = table[name]
    unit, masked = values.unit if hasattr(values, "unit") else None, np.ma.getmaskarray(values)
    data = np.asarray(np.ma.getdata(values))
    if data.dtype.kind == "S":
        data = np.char.decode(data, "utf-8", "replace")
    if data.dtype.kind == "M":
        data = np.datetime_as_string(data)
    if data.dtype.kind == "O":
        data = _from_objects(data, masked)
    if data.dtype.kind == "u" and data.dtype.itemsize < 8:
        data = data.astype(np.int64)
    elif data.dtype.kind in KINDS:
        data = data.astype(KINDS[data.dtype.kind], copy=data.base is not None)
    if data.dtype.kind == "f" and masked.any():
        data = np.where(masked, np.nan, data)
    if data.dtype.kind == "U":
        data = np.where(masked, "", data)
        data = np.char.rstrip(data) if data.size else data.astype("U1")
    if masked.any() and data.dtype.kind in "iub":
        table[name] = MaskedColumn(data, mask=masked, unit=unit)
    else:
        table.replace_column(name, Table.Column(data, name=name, unit=unit, copy=False))


def numbers(values: Any, what: str) -> NDArray[np.float64]:
    """``values`` as float64, NaN where they are masked.

    Raises:
        DataError: they are no numbers; ``what`` begins the message, 'x.csv: the column flux'.
    """
    try:
        if np.ma.isMaskedArray(values):
            values = np.ma.filled(values.astype(np.float64), np.nan)
        return np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{what} holds no numbers ({reason(error)}); mend it, or name another.") from error


def _from_objects(data: NDArray[Any], masked: NDArray[np.bool_]) -> NDArray[Any]:
    """Objects that are all text as text; any others, such as vectors of differing length, as they are."""
    missing = masked.ravel() | np.array([value is None for value in data.ravel()], dtype=bool)
    kept = [value for value, skip in zip(data.ravel(), missing, strict=True) if not skip]
    if all(isinstance(value, (str, bytes)) for value in kept):
        texts = [
            "" if skip else value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            for value, skip in zip(data.ravel(), missing, strict=True)
        ]
        return np.array(texts, dtype=str).reshape(data.shape)
    return data
