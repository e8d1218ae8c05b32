"""Cutouts held as FITS files: one file an object, or one file an object and band."""

import glob
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed
from astrocnn.io.fits import HDUS, FitsImage, FitsInfo, probe, read

__all__ = ["CutoutFiles", "Match"]

SUFFIX = re.compile(r"(\.(fits|fit|fts|fz|gz))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Match:
    """How a catalogue's ids meet the files: ``file`` (n_ids,) int64 is the object's number or −1 for none;
    ``without_id`` are the objects that no id meets; ``by`` says what of the file was compared.
    """

    file: NDArray[np.int64]
    without_id: NDArray[np.int64]
    by: str


class CutoutFiles:
    """The objects whose cutouts match ``images``, sorted by path.

    Args:
        images: a glob pattern (one file an object), or a mapping from band to pattern (one file an object and
            band). An object's id is what the last ``*`` matched, without suffixes of FITS. Where the patterns
            of all bands have equally many wildcards, the files of an object agree in what each one matched.
        hdu: which HDU holds the image, as in :func:`astrocnn.io.fits.read`.
        variance_hdu: which HDU holds the variance, if any.

    Attributes:
        ids: one id an object.
        paths: one tuple of paths an object, in the order of the bands.
        bands: the mapping's keys; None for one file an object.
        incomplete: (id, reason) of each object that lacks a band's file.

    Raises:
        DataError: a pattern matches nothing.
    """

    def __init__(
        self, images: str | Mapping[str, str], *, hdu: HDUS = None, variance_hdu: HDUS = None
    ) -> None:
        self.images, self.hdu, self.variance_hdu = images, hdu, variance_hdu
        self.bands = tuple(str(band) for band in images) if isinstance(images, Mapping) else None
        patterns = [str(p) for p in images.values()] if isinstance(images, Mapping) else [str(images)]
        if not patterns:
            raise DataError("data.images={} is empty; give a pattern, or one pattern a band.")
        found = [_found(pattern) for pattern in patterns]
        self.incomplete: list[tuple[str, str]] = []
        paths: list[tuple[str, tuple[str, ...]]]
        paths = [(key[-1], (path,)) for key, path in found[0]] if self.bands is None else self._joined(found)
        paths.sort(key=lambda item: item[1])
        self.ids = [SUFFIX.sub("", key) or _stem(files[0]) for key, files in paths]
        self.paths = [files for _, files in paths]

    def _joined(self, found: list[list[tuple[tuple[str, ...], str]]]) -> list[tuple[str, tuple[str, ...]]]:
        whole = len({len(files[0][0]) for files in found}) == 1
        tables: list[dict[tuple[str, ...], str]] = []
        for files in found:
            table: dict[tuple[str, ...], str] = {}
            for key, path in files:
                key = key if whole else key[-1:]
                if key in table:
                    raise DataError(
                        f"{table[key]} and {path} are of the same object ({key[-1]}) and band; "
                        "make the pattern narrower (data.images)."
                    )
                table[key] = path
            tables.append(table)
        joined = []
        for key in sorted(set().union(*tables)):
            missing = [band for band, table in zip(self.bands or (), tables, strict=True) if key not in table]
            if missing:
                self.incomplete.append((key[-1], f"no image in band {listed(missing)}"))
            else:
                joined.append((key[-1], tuple(table[key] for table in tables)))
        if not joined:
            raise DataError(
                f"no object has an image in every band {listed(self.bands or ())}: what the last * matches "
                f"differs ({listed([next(iter(table))[-1] for table in tables])}); "
                "place the last * of each pattern at the object's name (data.images)."
            )
        return joined

    def __len__(self) -> int:
        return len(self.paths)

    def match(self, ids: Sequence[str], *, base: Path | None = None) -> Match:
        """Meet a catalogue's ids with the files: by id, stem, name, path, path from ``base``, or number.

        The way that meets most ids is taken for all of them.

        Raises:
            DataError: no id is met at all, or one id means several files.
        """
        best: tuple[int, str, dict[str, list[int]]] = (0, "", {})
        wanted = list(ids)
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
                f"no id of the catalogue is that of an image: ids like {listed(wanted, most=3)}, images like "
                f"{listed(self.ids, most=3)} ({self.paths[0][0]}); choose the catalogue's column that names "
                "the image (data.id=<column>), or place the last * of data.images at the id."
            )
        several = [key for key, numbers in table.items() if len(numbers) > 1]
        if several:
            files = [self.paths[number][0] for number in table[several[0]]]
            raise DataError(
                f"{len(several)} ids mean several images, such as {several[0]!r}: {listed(files)}; "
                "make data.images narrower, or use a column of paths as data.id."
            )
        file = np.array([(table[w] or [-1])[0] for w in wanted], dtype=np.int64)
        without = np.setdiff1d(np.arange(len(self)), file)
        return Match(file, without, by)

    def _keys(self, base: Path | None) -> dict[str, list[str]]:
        first = [files[0] for files in self.paths]
        keys = {
            "id": self.ids,
            "stem": [_stem(path) for path in first],
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
                f"{len(twice)} ids are those of several images, such as {twice[0]!r}: {listed(files)}; make "
                "data.images narrower, or give a catalogue whose data.id column holds the paths."
            )

    def probe(self, number: int) -> FitsInfo:
        """The headers of object ``number``, of all its bands."""
        infos = [probe(path, hdu=self.hdu, variance_hdu=self.variance_hdu) for path in self.paths[number]]
        return infos[0] if self.bands is None else self._stacked(number, infos)

    def read(self, number: int, *, sky: bool = False) -> FitsImage:
        """The pixels of object ``number``, bands stacked."""
        parts = [
            read(path, hdu=self.hdu, variance_hdu=self.variance_hdu, sky=sky) for path in self.paths[number]
        ]
        if self.bands is None:
            return parts[0]
        info = self._stacked(number, [part.info for part in parts])
        variances = [part.variance for part in parts if part.variance is not None]
        return FitsImage(
            info,
            np.concatenate([part.flux for part in parts]),  # (C, H, W)
            np.concatenate([part.valid for part in parts]),
            np.concatenate(variances) if variances else None,
        )

    def _stacked(self, number: int, infos: list[FitsInfo]) -> FitsInfo:
        for path, info in zip(self.paths[number], infos, strict=True):
            if info.shape[0] != 1:
                raise DataError(
                    f"{path} holds {info.shape[0]} planes; with one file a band (data.images as a mapping) "
                    "each must hold one; give a single pattern for files with several planes."
                )
            if info.shape != infos[0].shape:
                raise DataError(
                    f"{path} is {info.shape[1]} × {info.shape[2]} pixels but {self.paths[number][0]} is "
                    f"{infos[0].shape[1]} × {infos[0].shape[2]}; all bands of an object need one pixel grid."
                )
        first = infos[0]
        shape = (len(infos), *first.shape[1:])
        return FitsInfo(
            shape, self.bands or (), True, first.ra, first.dec, first.pixel_scale_arcsec, first.unit
        )


def _number(key: str) -> str:
    """A whole number without leading zeros; any other text as it is."""
    return str(int(key)) if key.isdecimal() else key


def _stem(path: str) -> str:
    return SUFFIX.sub("", os.path.basename(path))


def _found(pattern: str) -> list[tuple[tuple[str, ...], str]]:
    """(what each * matched, path) of the files that match ``pattern``, sorted."""
    pattern = os.path.normpath(os.path.expanduser(pattern))
    if os.path.isdir(pattern):
        raise DataError(f"data.images={pattern} is a folder; give a pattern, such as '{pattern}/*.fits'.")
    paths = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not paths:
        folder = os.path.dirname(re.split(r"[*?\[]", pattern)[0]) or "."
        state = "is there, but no file in it matches" if os.path.isdir(folder) else "does not exist"
        raise DataError(
            f"no file matches data.images={pattern!r} (looked from {Path.cwd()}); the folder {folder} {state}; "
            "check the pattern, and quote it on the command line."
        )
    match = re.compile(_regex(pattern), re.DOTALL).fullmatch
    found = []
    for path in paths:
        groups = hit.groups() if (hit := match(path)) else ()
        alone = ("",) if len(paths) == 1 else (_stem(path),)  # without a * the one file is the one object's
        found.append((groups or alone, path))
    return found


def _regex(pattern: str) -> str:
    """A regular expression with a group for every ``*``; ``**`` and ``?`` match without a group."""
    out, i = "", 0
    while i < len(pattern):
        if pattern.startswith("**/", i):
            out, i = out + r"(?:.*/)?", i + 3
        elif pattern.startswith("**", i):
            out, i = out + r".*", i + 2
        elif pattern[i] == "*":
            out, i = out + r"([^/]*)", i + 1
        elif pattern[i] == "?":
            out, i = out + r"[^/]", i + 1
        elif pattern[i] == "[" and "]" in pattern[i + 2 :]:
            end = pattern.index("]", i + 2)
            inner = pattern[i + 1 : end].replace("\\", "\\\\")
            out, i = out + f"[{'^' + inner[1:] if inner.startswith('!') else inner}]", end + 1
        else:
            out, i = out + re.escape(pattern[i]), i + 1
    return out
