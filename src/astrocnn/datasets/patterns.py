"""File patterns: which files match, and what each ``*`` matched."""

import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path

from astrocnn.datasets.source import without_suffix
from astrocnn.errors import DataError, listed

__all__ = ["by_band", "found"]


def found(pattern: str, option: str) -> list[tuple[tuple[str, ...], str]]:
    """(what each * matched, path) of the files that match ``pattern``, sorted by path.

    Args:
        pattern: with ``*``, ``**``, ``?`` and ``[...]``; ``**`` and ``?`` match without being told of.
        option: names the pattern in messages, 'data.images'.

    Raises:
        DataError: no file matches.
    """
    pattern = os.path.normpath(os.path.expanduser(pattern))
    if os.path.isdir(pattern):
        raise DataError(f"{option}={pattern} is a folder; give a pattern, such as '{pattern}/*.fits'.")
    paths = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not paths:
        folder = os.path.dirname(re.split(r"[*?\[]", pattern)[0]) or "."
        state = "is there, but no file in it matches" if os.path.isdir(folder) else "does not exist"
        raise DataError(
            f"no file matches {option}={pattern!r} (looked from {Path.cwd()}); the folder {folder} {state}; "
            "check the pattern, and quote it on the command line."
        )
    match = re.compile(_regex(pattern), re.DOTALL).fullmatch
    files = []
    for path in paths:
        groups = hit.groups() if (hit := match(path)) else ()
        alone = (
            ("",) if len(paths) == 1 else (without_suffix(os.path.basename(path)),)
        )  # without a * the one file is the one object's
        files.append((groups or alone, path))
    return files


def by_band(
    option: str, files: str | Mapping[str, str] | None, bands: tuple[str, ...] | None
) -> dict[str, str]:
    """Pattern by band, in the order of ``bands``; one that is for all bands stands under ''.

    Raises:
        DataError: the bands are not those of the images.
    """
    if not isinstance(files, Mapping):
        return {"": str(files)}
    if not files:
        raise DataError(f"{option}={{}} is empty; give a pattern, or one pattern a band.")
    by_band = {str(band): str(pattern) for band, pattern in files.items()}
    if bands is None or set(by_band) != set(bands):
        have = f"of {listed(bands)}" if bands else "a single pattern"
        raise DataError(
            f"{option} has patterns of the bands {listed(by_band)}, but data.images is {have}; give the same bands, "
            "or one pattern for all."
        )
    return {band: by_band[band] for band in bands}


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
