"""What every way of holding values offers: objects by number, each with an id, the files it comes from, and values."""

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed
from astrocnn.io.sample import Block, Sample, SampleInfo

__all__ = ["Match", "Source", "Words", "an", "without_suffix"]

SUFFIX = re.compile(
    r"(\.(fits|fit|fts|fz|gz|png|jpe?g|tiff?|webp|gif|bmp|csv|ecsv|tsv|txt|dat|cat|tbl|parquet|pq|hdf5|h5|votable|vot|xml))+$",
    re.IGNORECASE,
)
ROWS_A_TASK = 32


@dataclass(frozen=True)
class Match:
    """How a catalogue's ids meet the objects: ``file`` (n_ids,) int64 is the object's number or −1 for none;
    ``without_id`` are the objects that no id meets; ``by`` says what of the object was compared.
    """

    file: NDArray[np.int64]
    without_id: NDArray[np.int64]
    by: str


@dataclass(frozen=True)
class Words:
    """How messages call an object of a source, several of them, one of their values, and the option that names them."""

    one: str = "image"
    several: str = "images"
    value: str = "pixel"
    option: str = "data.images"


class Source(ABC):
    """Objects that are read by number.

    A subclass sets ``ids`` and ``paths`` and says how one object is probed and read; where reading several
    together is cheaper (rows of one file, cutouts of one tile), it overrides :meth:`tasks` and
    :meth:`read_many`.

    Attributes:
        words: how messages call the objects.
        own_files: whether each object is read from files that are opened for it, so that processes can share the work.
        ids: one id an object.
        paths: one tuple of paths an object, the first of which names it in messages.
        incomplete: (id, reason) of each object that was found but cannot be read.
    """

    words: ClassVar[Words] = Words()
    own_files: ClassVar[bool] = False
    ids: Sequence[str]
    paths: Sequence[tuple[str, ...]]
    incomplete: list[tuple[str, str]]

    @property
    @abstractmethod
    def options(self) -> dict[str, Any]:
        """What else than the files' content decides the values, as JSON: part of the key of the packed cache."""

    @property
    def has_variance(self) -> bool:
        """Whether samples carry a variance."""
        return False

    @property
    def axis(self) -> tuple[str, NDArray[np.float64]] | None:
        """What the values of a series lie along, as a name with its unit and (L,) numbers, if it is one for all."""
        return None

    def key(self, number: int) -> str:
        """What tells object ``number`` from every other of the same options: its paths, or a row besides."""
        return "\0".join(self.paths[number])

    def columns(self, numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """What else is known of the objects ``numbers`` (N,), such as the tile of each: columns of N values."""
        del numbers
        return {}

    @abstractmethod
    def probe(self, number: int) -> SampleInfo:
        """What is known of object ``number`` before its pixels are read."""

    @abstractmethod
    def read(self, number: int, *, sky: bool = False) -> Sample:
        """The values of object ``number``; ``sky`` asks for its position too."""

    def tasks(self, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Rows of ``numbers`` (N,), in the portions in which they are best read."""
        rows = np.arange(len(numbers))
        return [rows[start : start + ROWS_A_TASK] for start in range(0, len(rows), ROWS_A_TASK)]

    def read_many(self, numbers: NDArray[np.int64], *, sky: bool = False) -> Iterator[Sample | DataError]:
        """The values of each object of one portion, or why it cannot be used. Called from several threads or,
        of sources with :attr:`own_files`, processes.
        """
        for number in numbers:
            try:
                yield self.read(int(number), sky=sky)
            except DataError as error:
                yield error

    def read_block(self, numbers: NDArray[np.int64]) -> Block | None:
        """The values of one portion at once, where objects are rows of an array; None where they are read one by one.
        Called from several threads.
        """
        del numbers
        return None

    def files_of(self, numbers: NDArray[np.int64]) -> Iterable[str]:
        """Every file that the objects ``numbers`` (N,) come from, once."""
        return dict.fromkeys(path for number in numbers for path in self.paths[number])

    def digest(self, numbers: NDArray[np.int64]) -> str:
        """Hexadecimal digits that change with the objects or their order."""
        digest = hashlib.sha256()
        for number in numbers:
            digest.update(f"{self.key(int(number))}\n".encode())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.ids)

    def match(self, ids: Sequence[str] | NDArray[np.str_], *, base: Path | None = None) -> Match:
        """Meet a catalogue's ids with the files: by id, stem, name, path, path from ``base``, or number.

        The way that meets most ids is taken for all of them.

        Raises:
            DataError: no id is met at all, or one id means several files.
        """
        best: tuple[int, str, dict[str, list[int]]] = (0, "", {})
        wanted: list[str] = np.asarray(ids, dtype=str).tolist()
        for by, keys in self._keys(base).items():
            table: dict[str, list[int]] = {}
            for number, key in enumerate(keys):
                table.setdefault(key, []).append(number)
            here = [_number(key) for key in wanted] if by == "number" else wanted
            n_met = sum(w in table for w in here)
            if n_met > best[0]:
                best = (n_met, by, {w: table.get(h, []) for w, h in zip(wanted, here, strict=True)})
            if n_met == len(wanted):
                break
        _, by, table = best
        if not by:
            raise DataError(
                f"no id of the catalogue is that of {an(self.words.one)}: ids like {listed(wanted, most=3)}, "
                f"{self.words.several} like {listed(self.ids, most=3)} ({self.paths[0][0]}); choose the catalogue's "
                f"column that names the {self.words.one} (data.id=<column>), or place the last * of "
                f"{self.words.option} at the id."
            )
        several = [key for key, numbers in table.items() if len(numbers) > 1]
        if several:
            files = [self.paths[number][0] for number in table[several[0]]]
            raise DataError(
                f"{len(several)} ids mean several {self.words.several}, such as {several[0]!r}: {listed(files)}; "
                f"make {self.words.option} narrower, or use a column of paths as data.id."
            )
        file = np.array([(table[w] or [-1])[0] for w in wanted], dtype=np.int64)
        without = np.setdiff1d(np.arange(len(self)), file)
        return Match(file, without, by)

    def _keys(self, base: Path | None) -> dict[str, Sequence[str]]:
        first = [files[0] for files in self.paths]
        keys: dict[str, Sequence[str]] = {
            "id": self.ids,
            "stem": [without_suffix(os.path.basename(path)) for path in first],
            "name": [os.path.basename(path) for path in first],
            "path": first,
        }
        if base is not None:
            keys["path from the catalogue"] = [os.path.relpath(path, base) for path in first]
        keys["number"] = [_number(key) for key in self.ids]
        return keys

    def check_unique(self) -> None:
        """Raise a :class:`DataError` when two objects share an id."""
        twice = [key for key, n in Counter(self.ids).items() if n > 1]
        if twice:
            files = [files[0] for key, files in zip(self.ids, self.paths, strict=True) if key == twice[0]]
            raise DataError(
                f"{len(twice)} ids are those of several {self.words.several}, such as {twice[0]!r}: {listed(files)}; "
                f"make {self.words.option} narrower, or give a catalogue whose data.id column holds the paths."
            )


def an(noun: str) -> str:
    """The noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def without_suffix(name: str) -> str:
    """A file's name without the suffixes of FITS, compression, pictures and arrays."""
    return SUFFIX.sub("", name)


def _number(key: str) -> str:
    """A whole number without leading zeros; any other text as it is."""
    return str(int(key)) if key.isdecimal() else key
