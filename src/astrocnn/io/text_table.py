"""Text tables as people write them: CSV, and columns separated by blanks, with or without a header."""

import csv
import gzip
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.table import MaskedColumn, Table

from astrocnn.errors import DataError, listed

__all__ = ["MISSING", "read_csv", "read_text", "write_csv"]

log = logging.getLogger(__name__)
BATCH = 65536  # rows that are held as Python objects at a time
INTEGER = r"^[+-]?(0|[1-9][0-9]*)$"
LEADING_ZEROS = r"^0[0-9]+$"
MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "N/A", "NA", "--")
PLAIN_NAME = re.compile(r"[A-Za-z_][\w.-]*")  # one word, as prose between commas seldom is
SEXTRACTOR = re.compile(r"#\s*1\s+[A-Z]\w*")


def read_csv(path: Path) -> Table:
    """Columns separated by commas, tabs or semicolons.

    Names come from the last line with '#' that has as many words as the rows have values, if the first line without
    one holds a number, or none of the first two does and those words are plain names; else from that first line.
    """
    with _opened(path) as file:
        lines = _Lines(path, file)
        delimiter = _delimiter(lines.first, ",\t;", default=",")
        names = _header(path, lines, delimiter) or next(_split([lines.take()], delimiter))
        return _table(path, lines, [name.strip() or f"column_{i}" for i, name in enumerate(names)], delimiter)


def read_text(path: Path) -> Table:
    """A text table of another suffix: separated by blanks, commas, tabs, semicolons or bars.

    Names come from a first line without a number, or from the last line with '#' that has as many words as the rows
    have values; else they are col1, col2, ... Catalogues of SExtractor and IPAC tables are known by their
    first line.
    """
    with _opened(path) as file:
        lines = _Lines(path, file)
        first = lines.comments[0] if lines.comments else lines.first
        special = "sextractor" if SEXTRACTOR.match(first) else "ipac" if first[0] in "\\|" else None
        if special is None:
            delimiter = _delimiter(lines.first, ",\t;|", default=" ")
            names = _header(path, lines, delimiter)
            if not names:
                values = next(_split([lines.first], delimiter))
                numeric = _has_number(values)
                names = _numbered(path, lines, values) if numeric else values
                if not numeric:
                    lines.take()
            return _table(path, lines, [name.strip() for name in names], delimiter)
    with _opened(path) as file:
        return Table.read(file.read(), format=f"ascii.{special}")


def write_csv(table: Table, path: Path, header: dict[str, Any]) -> None:
    """Comma-separated values under a line of names, vectors (N, K) as columns name_1 to name_K; CSV has no place for
    ``header``.
    """
    del header
    flat = Table()
    for name in table.colnames:
        values = table[name]
        if values.ndim == 1:
            flat[name] = values
            continue
        values = values.reshape(len(table), -1)
        for k in range(values.shape[1]):
            flat[f"{name}_{k + 1}"] = values[:, k]
    flat.write(path, format="ascii.csv")


def _opened(path: Path) -> IO[str]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


class _Lines:
    """The lines that are not empty; ``comments`` are those with '#' before the first other one, ``first``.

    Attributes:
        number: of the line given last, from 1.
    """

    def __init__(self, path: Path, file: Iterable[str]) -> None:
        self._file = enumerate(file, start=1)
        self.number = 0
        self.comments: list[str] = []
        for line in self._next():
            if not line.startswith("#"):
                self.first = line
                break
            self.comments.append(line)
        else:
            if not self.comments:
                raise DataError(f"the table {path} is empty; give a table with a line of column names.")
            self.first = self.comments.pop().lstrip("# ")  # names and no row
        self._pending = [(self.number, self.first)]

    def _next(self) -> Iterator[str]:
        for number, line in self._file:
            if line.strip():
                self.number = number
                yield line

    def take(self) -> str:
        """The next line."""
        self.number, line = self._pending.pop(0)
        return line

    def second(self) -> str | None:
        """The line after the first, which stays to be given; None where there is none."""
        line = next(self._next(), None)
        if line is not None:
            self._pending.append((self.number, line))
        return line

    def __iter__(self) -> Iterator[str]:
        while self._pending:
            yield self.take()
        yield from self._next()


def _delimiter(line: str, known: str, *, default: str) -> str:
    return next((sign for sign in known if sign in line), default)


def _split(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    if delimiter == " ":
        lines = (" ".join(line.split()) if '"' not in line else line.strip() for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _header(path: Path, lines: _Lines, delimiter: str) -> list[str]:
    """The fields of the last comment that has as many as the first row; nothing where that row holds the names."""
    values = next(_split([lines.first], delimiter))
    headers = (next(_split([comment.lstrip("# ")], delimiter), []) for comment in reversed(lines.comments))
    names = next((fields for fields in headers if len(fields) == len(values)), [])
    if not names or _has_number(values):
        return names
    second = lines.second()  # prose may have as many words as a row has values
    if second is not None and not _has_number(next(_split([second], delimiter)), missing=False):
        if delimiter != " " and all(PLAIN_NAME.fullmatch(name.strip()) for name in names):
            return names
        log.warning(
            "%s: its first line without '#' holds no number and is taken as names of columns, and not the comment "
            "above it; where that line is a row, take the '#' from the line of names.",
            path,
        )
    return []


def _numbered(path: Path, lines: _Lines, values: list[str]) -> list[str]:
    """col1, col2, ... for rows without names; says so where a comment looks like names but does not fit."""
    if lines.comments:
        log.warning(
            "%s: its last comment has %d words but its rows have %d values; the columns are called col1 to col%d.",
            path,
            len(lines.comments[-1].lstrip("# ").split()),
            len(values),
            len(values),
        )
    return [f"col{i + 1}" for i in range(len(values))]


def _has_number(values: Iterable[str], *, missing: bool = True) -> bool:
    """Whether one is a number or, with ``missing``, stands for none."""
    texts = [value.strip() for value in values]
    return any(_is_number(text) for text in texts if missing or text not in MISSING)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in MISSING
    return True


def _table(path: Path, lines: _Lines, names: list[str], delimiter: str) -> Table:
    """The rows under ``names``, gathered column by column, so that no more than a batch of rows is Python objects.

    Raises:
        DataError: a row has another number of values, or two columns one name.
    """
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"the table {path} has columns of the same name: {listed(twice)}; rename them.")
    columns: list[list[pa.Array]] = [[] for _ in names]
    batch: list[list[str]] = []

    def store() -> None:
        for parts, values in zip(columns, zip(*batch, strict=True), strict=True):
            parts.append(pa.array(values, pa.string()))
        batch.clear()

    for row in _split((line for line in lines if not line.startswith("#") or delimiter != " "), delimiter):
        if len(row) != len(names):
            raise DataError(
                f"the table {path}, line {lines.number}: {len(row)} values for {len(names)} columns; mend that "
                "line (a value that holds a comma or a blank needs quotes)."
            )
        batch.append(row)
        if len(batch) == BATCH:
            store()
    if batch:
        store()
    table = Table()
    for name, parts in zip(names, columns, strict=True):
        table[name] = _typed(pa.chunked_array(parts, pa.string()))
        parts.clear()
    return table


def _typed(texts: pa.ChunkedArray) -> Any:
    """A column of texts as bool, int64, float64 or str, the first that holds every value."""
    texts = pc.utf8_trim_whitespace(texts)
    missing = pc.is_in(texts, pa.array(MISSING))
    given = texts.filter(pc.invert(missing))
    if not len(given):
        empty = pc.all(pc.equal(texts, "")).as_py() in (True, None)
        return _strings(texts) if empty else np.full(len(texts), np.nan)
    masked = missing.to_numpy().astype(bool)
    lower = pc.utf8_lower(texts)
    if _all(pc.is_in(pc.utf8_lower(given), pa.array(["true", "false"]))):
        return MaskedColumn(pc.equal(lower, "true").to_numpy().astype(bool), mask=masked)
    if _all(pc.match_substring_regex(given, INTEGER)):
        try:
            zeros = pc.if_else(missing, "0", pc.replace_substring_regex(texts, r"^\+", ""))
            return MaskedColumn(zeros.cast(pa.int64()).to_numpy(), mask=masked)
        except pa.ArrowInvalid:
            return _strings(texts)  # beyond 64 bits: an identifier
    if not pc.any(pc.match_substring_regex(given, LEADING_ZEROS)).as_py():
        try:
            return pc.if_else(missing, "nan", texts).cast(pa.float64()).to_numpy()
        except pa.ArrowInvalid:
            pass
    return _strings(texts)


def _all(flags: Any) -> bool:
    return bool(pc.all(flags).as_py())


def _strings(texts: pa.ChunkedArray) -> Any:
    return np.array(texts.to_pylist(), dtype=str)
