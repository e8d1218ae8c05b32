"""Which images a tile's file holds, from its headers: plain, multi-extension, tile-compressed, or packed as a whole."""

import math
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, TypeAlias, TypeVar

from astropy.io import fits

from astrocnn.errors import DataError, listed
from astrocnn.io.compressed import compressed_axes
from astrocnn.io.hdus import astropy_hdus, places
from astrocnn.io.headers import ASTROPY, DTYPES, Header, NotPlainError
from astrocnn.io.unpacking import opened
from astrocnn.io.wcs import SkyWcs, sky_wcs

__all__ = [
    "ImageHdu",
    "TileHeader",
    "image_hdus",
    "named",
    "select",
    "value_of",
]

T = TypeVar("T")
Path: TypeAlias = str | os.PathLike[str]
Cards: TypeAlias = Header | fits.Header


@dataclass(frozen=True, slots=True)
class ImageHdu:
    """Where an image stands in its file.

    Attributes:
        number: of the HDU; ``name`` and ``version`` are its EXTNAME ('' for none) and EXTVER.
        axes: lengths of all its axes in numpy's order.
        start: the byte of the file, once unpacked, where its header begins; −1 where only astropy reads the file.
        data: the byte where plain pixels of type ``dtype`` begin; −1 for compressed ones.
        stripe: rows and columns that are compressed together; (1, 1) for plain pixels.
        plane: which of the planes of rows and columns is meant, where there are several.
    """

    number: int
    name: str
    version: int
    axes: tuple[int, ...]
    start: int
    data: int
    dtype: str
    stripe: tuple[int, int]
    plane: int = 0

    @property
    def n_planes(self) -> int:
        """How many planes of rows and columns there are."""
        return math.prod(self.axes[:-2])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.axes[-2], self.axes[-1]

    @property
    def label(self) -> str:
        """How a message names this HDU."""
        return f"HDU {self.number}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True)
class TileHeader:
    """The cards of an image, and those of the file's first HDU, which hold for every image that has no own."""

    cards: Cards
    primary: Cards

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``, the image's own or else the file's."""
        for cards in (self.cards, self.primary):
            if (value := value_of(cards, key)) is not None:
                return value
        return default

    @property
    def sky(self) -> Cards:
        """The cards among which the WCS is: the image's, or those of a first HDU without an image."""
        own = value_of(self.cards, "CTYPE1") or value_of(self.cards, "AMDX1")
        return self.cards if own or value_of(self.primary, "NAXIS") != 0 else self.primary

    def wcs(self, hdu: ImageHdu, path: Path) -> SkyWcs | None:
        """The image's WCS; None for none."""
        return sky_wcs(self.sky, *hdu.shape, path=path)


def value_of(cards: Cards, key: str) -> Any:
    """The value of ``key``, None for none; of a card that we do not understand what astropy makes of it."""
    try:
        return cards.get(key)
    except NotPlainError:
        with ASTROPY, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the form of the card
            try:
                return cards.astropy().get(key)
            except (ValueError, TypeError, fits.VerifyError):
                return None


def image_hdus(path: Path, use: Callable[[Iterator[tuple[ImageHdu, TileHeader]]], T]) -> T:
    """``use`` the images of a file, one at a time, from its headers; where these are unusual, as astropy reads them.

    Raises:
        DataError: the file cannot be read, is truncated, or a header lies.
    """
    try:
        with opened(path) as (file, size):
            return use(_direct(path, file, size))
    except NotPlainError:
        with astropy_hdus(path) as hdus:
            return use(_by_astropy(hdus))


def _direct(path: Path, file: IO[bytes], size: int | None) -> Iterator[tuple[ImageHdu, TileHeader]]:
    primary: Header | None = None
    for number, cards, axes, start, data in places(path, file, size):
        primary = primary or cards
        stripe, compressed = (1, 1), cards.get("ZIMAGE") is True
        if compressed:
            axes, stripe = compressed_axes(path, cards, number)
        if len(axes) >= 2:
            where = -1 if compressed else data
            dtype = "" if compressed else DTYPES[cards.get("BITPIX")]
            hdu = ImageHdu(number, _name(cards), _version(cards), axes, start, where, dtype, stripe)
            yield hdu, TileHeader(cards, primary)


def _by_astropy(hdus: Iterator[Any]) -> Iterator[tuple[ImageHdu, TileHeader]]:
    primary = None
    for hdu in hdus:
        primary = primary or hdu.header
        if len(hdu.shape) >= 2:
            stripe = (1, hdu.shape[-1])
            image = ImageHdu(hdu.number, hdu.name, _version(hdu.header), hdu.shape, -1, -1, "", stripe)
            yield image, TileHeader(hdu.header, primary)


def _name(cards: Cards) -> str:
    name = str(value_of(cards, "EXTNAME") or "").strip()
    return "" if name == "COMPRESSED_IMAGE" else name  # what the table is called, not the image


def _version(cards: Cards) -> int:
    version = value_of(cards, "EXTVER")
    return version if isinstance(version, int) else 1


def named(hdu: ImageHdu, wanted: str | int) -> bool:
    """Whether an HDU is the one, or one of those, that ``wanted`` names: its number, its EXTNAME, or PRIMARY."""
    if hdu.number == wanted or str(hdu.number) == wanted:
        return True
    if isinstance(wanted, int):
        return False
    return hdu.name.upper() == wanted.upper() or (hdu.number == 0 and wanted.upper() == "PRIMARY")


def select(
    path: Path,
    images: Iterator[tuple[ImageHdu, TileHeader]],
    wanted: str | int | None,
    option: str,
    *,
    cubes: bool = False,
) -> list[tuple[ImageHdu, TileHeader]]:
    """The images of a file that are tiles.

    Args:
        path: names the file in messages.
        images: its images.
        wanted: None takes the first; a number or name all that it names; 'all' every one.
        option: names the choice in messages, 'data.hdu'.
        cubes: whether an image may have several planes.

    Raises:
        DataError: there is none, or one with several planes where these are not wanted.
    """
    seen, chosen = [], []
    for hdu, header in images:
        seen.append(hdu)
        if wanted in (None, "all") or (wanted is not None and named(hdu, wanted)):
            chosen.append((hdu, header))
            if wanted is None or isinstance(wanted, int):
                break
    if not chosen:
        content = listed([f"{hdu.label}: {' × '.join(map(str, hdu.axes))}" for hdu in seen], most=8)
        if not seen:
            raise DataError(f"{path} holds no image; take files with images ({option} picks one of several).")
        raise DataError(f"{path} has no image HDU {wanted!r}; it has {content}; choose one with {option}=...")
    for hdu, _ in chosen:
        if hdu.n_planes != 1 and not cubes:
            raise DataError(
                f"{path}, {hdu.label}: {' × '.join(map(str, hdu.axes))} pixels; a tile is one plane of rows and "
                f"columns; write a file or an HDU a band, or choose another HDU with {option}=..."
            )
    return chosen
