"""Which HDUs of a file are meant, walking it no further than needed."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from astrocnn.errors import DataError, listed
from astrocnn.io.hdus import Hdu, astropy_hdus, plain_hdus
from astrocnn.io.headers import NotPlainError
from astrocnn.io.small import open_at_once
from astrocnn.io.unpacking import is_packed, opened

__all__ = ["HDUS", "Path", "Walk", "one_grid", "with_hdus"]

T = TypeVar("T")
PIECE = 4 * 2**20
HDUS = None | str | int | Sequence[str | int]
Path = str | os.PathLike[str]


def with_hdus(path: Path, use: Callable[["Walk"], T]) -> T:
    """``use`` the HDUs as read directly; where the file is not plain, again as read by astropy.

    Raises:
        DataError: the file cannot be read, besides what ``use`` raises.
    """
    try:
        file, size = open_at_once(path)
        with file:
            try:
                return use(Walk(path, plain_hdus(path, file, size=size)))
            except NotPlainError:
                pass
        if is_packed(path):
            with opened(path) as (stream, _):
                try:
                    found = use(Walk(path, plain_hdus(path, stream, packed=True)))
                    while stream.read(PIECE):  # to the end, where the check sum stands
                        pass
                    return found
                except NotPlainError:
                    pass
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}; check path, permissions and disc."
        ) from error
    with astropy_hdus(path) as hdus:
        return use(Walk(path, hdus))


class Walk:
    """Picks HDUs of one file.

    Args:
        path: named in messages.
        hdus: the HDUs, one at a time.
    """

    def __init__(self, path: Path, hdus: Iterator[Hdu]) -> None:
        self.path, self._rest = path, hdus
        self._seen: list[Hdu] = []

    def _each(self) -> Iterator[Hdu]:
        yield from list(self._seen)
        for hdu in self._rest:
            self._seen.append(hdu)
            yield hdu

    @property
    def primary(self) -> Hdu:
        """The first HDU, once any has been selected."""
        return self._seen[0]

    def every(self) -> list[Hdu]:
        """All of them."""
        return list(self._each())

    def select(self, wanted: HDUS, option: str) -> list[Hdu]:
        """The HDUs that are ``wanted``: None for the first that holds an image, names or numbers for those.

        Raises:
            DataError: there is none such, or it holds no image; ``option`` is named as what chooses it.
        """
        if wanted is None:
            return [self._first(option)]
        if isinstance(wanted, (str, int)):
            return [self._one(wanted, option)]
        if not wanted:
            raise DataError(
                f"{option}=[] is empty; give names or numbers of HDUs, or null for the first image."
            )
        return [self._one(name, option) for name in wanted]

    def _first(self, option: str) -> Hdu:
        for hdu in self._each():
            if len(hdu.shape) >= 2:
                return hdu
        raise DataError(
            f"{self.path} holds no image; its HDUs are {self._content()}; "
            f"take a file with an image ({option} picks one of several)."
        )

    def _one(self, wanted: str | int, option: str) -> Hdu:
        for hdu in self._each():
            named = isinstance(wanted, str) and hdu.name.upper() == wanted.upper()
            numbered = hdu.number == wanted or (isinstance(wanted, str) and wanted == str(hdu.number))
            primary = hdu.number == 0 and isinstance(wanted, str) and wanted.upper() == "PRIMARY"
            if named or numbered or primary:
                if len(hdu.shape) >= 2:
                    return hdu
                raise DataError(
                    f"{self.path}, {hdu.label}: holds no image; the HDUs are {self._content()}; "
                    f"choose another with {option}=..."
                )
        raise DataError(
            f"{self.path} has no HDU {wanted!r}; it has {self._content()}; choose one with {option}=..."
        )

    def _content(self) -> str:
        each = [f"{h.label}: {' × '.join(map(str, h.shape)) or 'no image'}" for h in self._each()]
        return listed(each, most=8) or "none"


def one_grid(path: Path, hdus: Sequence[Hdu]) -> list[tuple[int, int, int]]:
    """(C, H, W) of each HDU, without leading axes of length 1.

    Raises:
        DataError: an HDU has more axes, or they differ in rows and columns.
    """
    shapes = [_planes(path, hdu) for hdu in hdus]
    if len({shape[1:] for shape in shapes}) > 1:
        each = [f"{h.label}: {s[1]} × {s[2]}" for h, s in zip(hdus, shapes, strict=True)]
        raise DataError(f"{path}: the bands differ in size ({listed(each)}); all must have one pixel grid.")
    return shapes


def _planes(path: Path, hdu: Hdu) -> tuple[int, int, int]:
    *leading, height, width = hdu.shape
    real = [n for n in leading if n != 1]
    if len(real) > 1:
        raise DataError(
            f"{path}, {hdu.label}: {len(hdu.shape)} axes ({' × '.join(map(str, hdu.shape))}); "
            "an image has at most 3 that are longer than 1 (bands, rows, columns); write one file per object, or "
            "say that the first axis counts the objects with data.stacked=true."
        )
    return (real[0] if real else 1, height, width)
