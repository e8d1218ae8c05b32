"""Walk the HDUs of a FITS file: directly where the layout is plain, through astropy for every other."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from astrocnn.errors import AstrocnnError, DataError, listed, reason
from astrocnn.io.compressed import check_parts, compressed_axes
from astrocnn.io.headers import ASTROPY, BLOCK, DTYPES, Header, NotPlainError, extent, header_at
from astrocnn.io.unpacking import is_packed, unpacked

__all__ = ["Hdu", "astropy_file", "astropy_hdus", "places", "plain_hdus"]

Place: TypeAlias = tuple[int, Header, tuple[int, ...], int, int]
MOST_BYTES = 2**62  # beyond which no file can be sought
PIECE = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Hdu:
    """One HDU: its number, header, the shape of its image (() where it holds none) and how to load it.

    ``load()`` gives the stored numbers, before BSCALE and BZERO.
    """

    number: int
    name: str
    header: "Header | fits.Header"
    shape: tuple[int, ...]
    load: Callable[[], NDArray[Any]]

    @property
    def label(self) -> str:
        """How a message names this HDU."""
        return f"HDU {self.number}" + (f" ({self.name})" if self.name else "")


def places(path: str | os.PathLike[str], file: IO[bytes], size: int | None) -> Iterator[Place]:
    """(number, header, shape, start of the header, start of the data) of each HDU, as long as the layout is plain.

    Args:
        path: named in messages.
        file: its bytes, unpacked.
        size: how many they are; None where that is not known.

    Raises:
        DataError: the file is empty, ends inside a header or inside its data, or its header lies.
        NotPlainError: random groups, or a card that only astropy should judge.
    """
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); copy or download it again.")
    offset = number = 0
    while size is None or offset < size:
        header, data = header_at(path, file, offset, number)
        if header is None:
            return  # what follows the last HDU is no HDU; the standard lets readers ignore it
        shape, n_bytes = extent(path, header, number)
        if data + n_bytes > (MOST_BYTES if size is None else size):
            raise DataError(
                f"{path}, HDU {number}: the header promises {n_bytes:,} bytes of data (axes "
                f"{' × '.join(map(str, shape)) or 'of a table'}) but the file holds "
                f"{'no such number' if size is None else f'{size - data:,}'}; "
                "it is truncated or its NAXIS is wrong; copy or download it again."
            )
        yield number, header, shape, offset, data
        offset = data + -(-n_bytes // BLOCK) * BLOCK
        number += 1


def plain_hdus(
    path: str | os.PathLike[str], file: IO[bytes], *, size: int | None = None, packed: bool = False
) -> Iterator[Hdu]:
    """The HDUs of an open FITS file of plain images and tables, one at a time.

    Args:
        path: named in messages.
        file: its bytes, unpacked.
        size: how many they are; None asks the file.
        packed: the bytes are unpacked as they are read, so that their number is not known.

    Raises:
        DataError, NotPlainError: as in :func:`places`; an image that is compressed by tiles is not plain either.
    """
    if size is None and not packed:
        size = os.fstat(file.fileno()).st_size
    load = _unpack if packed else _load
    for number, header, shape, _, data in places(path, file, size):
        if header.get("ZIMAGE"):
            raise NotPlainError("compressed")
        dtype = DTYPES[header.get("BITPIX")] if shape else "u1"
        name = str(header.get("EXTNAME", "")).strip()
        yield Hdu(number, name, header, shape, partial(load, path, file, shape, dtype, data))


def _load(
    path: str | os.PathLike[str], file: Any, shape: tuple[int, ...], dtype: str, offset: int
) -> NDArray[Any]:
    file.seek(offset)
    array = np.empty(shape, dtype)
    if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
        raise DataError(f"{path} became shorter while it was read; read it again when it is complete.")
    return array


def _unpack(
    path: str | os.PathLike[str], file: Any, shape: tuple[int, ...], dtype: str, offset: int
) -> NDArray[Any]:
    """As :func:`_load`, taking no more memory than there are bytes, whatever the header promises."""
    file.seek(offset)
    promised = np.dtype(dtype).itemsize
    for length in shape:
        promised *= length
    found = bytearray()
    while len(found) < promised and (piece := file.read(min(PIECE, promised - len(found)))):
        found += piece
    if len(found) < promised:
        raise DataError(
            f"{path}: the header promises {promised:,} bytes of data but the file holds {len(found):,} once unpacked; "
            "it is truncated or its NAXIS is wrong; copy or download it again."
        )
    return np.frombuffer(found, dtype).reshape(shape)


@contextmanager
def _checked(path: str | os.PathLike[str], *, parts: bool = True) -> Iterator[Any]:
    """What ``fits.open`` is to be given for ``path``, once no header promises what the file cannot hold.

    ``parts`` says whether the tables of compressed images are read through as well.

    astropy would believe it: count a thousand million axes one by one, take what is not there for zeros, and, in a
    file that is still packed, whose size it does not know, walk in circles.
    """
    packed = is_packed(path)
    with unpacked(path) if packed else open(path, "rb") as file:
        try:
            for number, header, _, _, data in places(path, file, os.fstat(file.fileno()).st_size):
                if header.get("ZIMAGE") is True:
                    compressed_axes(path, header, number)
                    if parts:
                        check_parts(path, header, number, file, data)
        except NotPlainError:
            pass  # astropy is to judge it
        file.seek(0)
        yield file if packed else path


@contextmanager
def astropy_file(
    path: str | os.PathLike[str], *, check_parts: bool = True, **options: Any
) -> Iterator[fits.HDUList]:
    """``fits.open``, alone under :data:`ASTROPY`: whatever is wrong, within the block too, is a :class:`DataError`.

    Warnings are dropped but that of a truncated file, which is an error: they are about the form of cards, and units.
    Without ``check_parts`` the caller knows that the file has not changed since it was opened with it.
    """
    with _named(path), _checked(path, parts=check_parts) as file, ASTROPY, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*truncated.*")
        with fits.open(file, **options) as hdus:
            yield hdus


@contextmanager
def astropy_hdus(path: str | os.PathLike[str]) -> Iterator[Iterator[Hdu]]:
    """The HDUs of any FITS file as astropy reads them (tile compression, unusual cards).

    A warning that the file is truncated becomes a :class:`DataError`; warnings about the form of cards are
    dropped, since what they are about has been read; any other is issued again, naming the file.
    """
    with _named(path), _checked(path) as file, ASTROPY:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            options = {"memmap": False, "do_not_scale_image_data": True, "uint": False}
            with fits.open(file, **options) as hdus:
                yield _converted(path, hdus)
        for warning in caught:
            text = str(warning.message)
            if "truncated" in text:
                raise DataError(f"{path} is truncated ({text}); copy or download it again.")
            if not issubclass(warning.category, (fits.verify.VerifyWarning, ResourceWarning)):
                warnings.warn(f"{Path(path)}: {text}", warning.category, stacklevel=3)


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make every error of astropy's one that names the file."""
    try:
        yield
    except AstrocnnError:
        raise
    except MemoryError as error:
        raise DataError(
            f"{path} asks for more memory than there is; check its NAXIS, copy or download it again."
        ) from error
    except Exception as error:  # astropy raises nearly every kind on damaged files
        raise DataError(_unreadable(path, error)) from error


def _unreadable(path: str | os.PathLike[str], error: Exception) -> str:
    try:
        size = f"{os.path.getsize(path):,} bytes"
    except OSError:
        size = "not readable"
    return (
        f"{path} ({size}) cannot be read as FITS: {reason(error)}; check that it is a FITS file and whole; "
        "copy or download it again, or leave it out (data.on_bad=skip)."
    )


def _converted(path: str | os.PathLike[str], hdus: fits.HDUList) -> Iterator[Hdu]:
    number = 0
    while True:
        try:
            hdu = hdus[number]
        except IndexError:
            return
        header = hdu.header
        n_kinds = sum(key == "XTENSION" for key in header)
        if n_kinds > (number > 0):  # the cards of two HDUs, between which END is damaged
            raise DataError(
                f"{path}, HDU {number}: the header has no END card; the file is damaged; copy or download it again."
            )
        shape: tuple[int, ...] = ()
        if type(hdu) in (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU):  # random groups are no image
            shape = tuple(hdu.shape)
        if not all(isinstance(n, int) and n >= 0 for n in shape):
            raise DataError(
                f"{path}, HDU {number}: its axes are {listed(shape[::-1])}; lengths of axes must be whole and not "
                "negative; the file is damaged; copy or download it again."
            )
        if 0 in shape:
            shape = ()
        yield Hdu(number, str(header.get("EXTNAME", "")).strip(), header, shape, partial(_data, path, hdu))
        number += 1


def _data(path: str | os.PathLike[str], hdu: Any) -> NDArray[Any]:
    data = hdu.data
    if data is None:
        raise DataError(f"{path}: the HDU's data are missing; copy or download the file again.")
    return np.asarray(data)
