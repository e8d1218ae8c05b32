"""One FITS file into a (C, H, W) cutout: flux, validity, variance, band names, position, pixel scale, unit."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError, listed
from astrocnn.io.headers import Hdu, NotPlainError, astropy_hdus, plain_hdus
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.sky import centre_and_scale

__all__ = ["HDUS", "probe", "read"]

T = TypeVar("T")
HDUS = None | str | int | Sequence[str | int]
Path = str | os.PathLike[str]
FLOAT32 = np.finfo(np.float32)


def probe(path: Path, *, hdu: HDUS = None, variance_hdu: HDUS = None) -> SampleInfo:
    """Read the headers of ``path`` only.

    Args:
        path: the file; plain, gzipped or tile-compressed.
        hdu: None takes the first HDU that holds an image; a name or a number that one; a list one band each.
        variance_hdu: as ``hdu``, for the variance; None for none.

    Raises:
        DataError: the file cannot be read, has no such HDU, or that HDU holds no image.
    """

    def use(hdus: Iterator[Hdu]) -> SampleInfo:
        walk = _Walk(path, hdus)
        images = walk.select(hdu, "data.hdu")
        info = _info(path, images, hdu, walk.primary, sky=True)
        if variance_hdu is not None:
            _same_shape(path, info, walk.select(variance_hdu, "data.variance_hdu"))
        return info

    return _with_hdus(path, use)


def read(path: Path, *, hdu: HDUS = None, variance_hdu: HDUS = None, sky: bool = True) -> Sample:
    """Read one file; arguments as in :func:`probe`.

    Pixels that are NaN, infinite or BLANK, or whose variance is NaN, infinite or negative, are not valid.
    BSCALE and BZERO are applied in float64. ``sky=False`` leaves out position and pixel scale, which cost
    more than the pixels of a small file.

    Raises:
        DataError: as in :func:`probe`; and no pixel is valid, or the flux does not fit into float32.
    """

    def use(hdus: Iterator[Hdu]) -> Sample:
        walk = _Walk(path, hdus)
        images = walk.select(hdu, "data.hdu")
        info = _info(path, images, hdu, walk.primary, sky=sky)
        flux, valid = _pixels(path, images)
        if variance_hdu is None:
            return _checked(path, images[0], Sample(info, flux, valid))
        planes = walk.select(variance_hdu, "data.variance_hdu")
        _same_shape(path, info, planes)
        variance, known = _pixels(path, planes)
        known &= variance >= 0
        variance[~known] = 0
        return _checked(path, images[0], Sample(info, flux, valid & known, variance))

    return _with_hdus(path, use)


def _checked(path: Path, hdu: Hdu, image: Sample) -> Sample:
    """The same image with flux 0 where not valid.

    Raises:
        DataError: no pixel is valid.
    """
    if not image.valid.all():
        if not image.valid.any():
            raise DataError(
                f"{path}, {hdu.label}: no pixel is valid (all NaN or BLANK); "
                "leave the object out, or set data.on_bad=skip."
            )
        image.flux[~image.valid] = 0
    return image


def _with_hdus(path: Path, use: Callable[[Iterator[Hdu]], T]) -> T:
    """``use`` the HDUs as read directly; where the file is not plain, again as read by astropy."""
    try:
        with open(path, "rb") as file:
            try:
                return use(plain_hdus(path, file))
            except NotPlainError:
                pass
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}; check path, permissions and disc."
        ) from error
    with astropy_hdus(path) as hdus:
        return use(hdus)


class _Walk:
    """Picks HDUs, walking the file no further than needed."""

    def __init__(self, path: Path, hdus: Iterator[Hdu]) -> None:
        self._path, self._rest = path, hdus
        self._seen: list[Hdu] = []

    def _each(self) -> Iterator[Hdu]:
        yield from list(self._seen)
        for hdu in self._rest:
            self._seen.append(hdu)
            yield hdu

    @property
    def primary(self) -> Hdu:
        return self._seen[0]

    def select(self, wanted: HDUS, option: str) -> list[Hdu]:
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
            f"{self._path} holds no image; its HDUs are {self._content()}; "
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
                    f"{self._path}, {hdu.label}: holds no image; the HDUs are {self._content()}; "
                    f"choose another with {option}=..."
                )
        raise DataError(
            f"{self._path} has no HDU {wanted!r}; it has {self._content()}; choose one with {option}=..."
        )

    def _content(self) -> str:
        each = [f"{h.label}: {' × '.join(map(str, h.shape)) or 'no image'}" for h in self._each()]
        return listed(each, most=8) or "none"


def _planes(path: Path, hdu: Hdu) -> tuple[int, int, int]:
    """(C, H, W) of an HDU; leading axes of length 1 are dropped."""
    *leading, height, width = hdu.shape
    real = [n for n in leading if n != 1]
    if len(real) > 1:
        raise DataError(
            f"{path}, {hdu.label}: {len(hdu.shape)} axes ({' × '.join(map(str, hdu.shape))}); "
            "an image has at most 3 that are longer than 1 (bands, rows, columns); write one file per object."
        )
    return (real[0] if real else 1, height, width)


def _info(path: Path, images: list[Hdu], wanted: HDUS, primary: Hdu, *, sky: bool) -> SampleInfo:
    shapes = [_planes(path, hdu) for hdu in images]
    if len({shape[1:] for shape in shapes}) > 1:
        each = [f"{h.label}: {s[1]} × {s[2]}" for h, s in zip(images, shapes, strict=True)]
        raise DataError(f"{path}: the bands differ in size ({listed(each)}); all must have one pixel grid.")
    n_planes = sum(shape[0] for shape in shapes)
    height, width = shapes[0][1:]
    bands, named = _bands(images, shapes, wanted, primary)
    header = images[0].header
    if not header.get("CTYPE1") and primary.shape == ():
        header = primary.header
    ra, dec, scale = math.nan, math.nan, None
    if sky:
        ra, dec, scale = centre_and_scale(header, height, width)
    unit = str(images[0].header.get("BUNIT") or "").strip() or None
    return SampleInfo((n_planes, height, width), bands, named, ra, dec, scale, unit)


def _bands(
    images: list[Hdu], shapes: list[tuple[int, int, int]], wanted: HDUS, primary: Hdu
) -> tuple[tuple[str, ...], bool]:
    names: list[str] = []
    reliable = True
    for i, (hdu, shape) in enumerate(zip(images, shapes, strict=True)):
        headers = (hdu.header, primary.header)
        planes = next(
            (p for h in headers if all(p := [_text(h.get(f"BAND{n + 1}")) for n in range(shape[0])])), None
        )
        asked = wanted[i] if isinstance(wanted, Sequence) and not isinstance(wanted, str) else None
        if planes:
            names += planes
        elif shape[0] == 1 and isinstance(asked, str):
            names.append(asked)
        elif shape[0] == 1:
            reliable = False
            own = hdu.header.get("FILTER") or hdu.header.get("BAND") or hdu.name
            shared = primary.header.get("FILTER") or primary.header.get("BAND") if len(images) == 1 else None
            names.append(_text(own) if own and (own != hdu.name or not shared) else _text(shared))
        else:
            return (), False
    if not all(names) or len(set(names)) < len(names):
        return (), False
    return tuple(names), reliable


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _same_shape(path: Path, info: SampleInfo, planes: list[Hdu]) -> None:
    shapes = [_planes(path, hdu) for hdu in planes]
    n_planes = sum(shape[0] for shape in shapes)
    if any(shape[1:] != info.shape[1:] for shape in shapes) or n_planes != info.shape[0]:
        raise DataError(
            f"{path}, {planes[0].label}: the variance is {n_planes} × {shapes[0][1]} × {shapes[0][2]} but the "
            f"image is {' × '.join(map(str, info.shape))}; choose another with data.variance_hdu=..."
        )


def _pixels(path: Path, hdus: list[Hdu]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Physical values (C, H, W) float32 native-endian, and which are finite and not BLANK; others hold 0."""
    parts = [_plane_pixels(path, hdu).reshape(_planes(path, hdu)) for hdu in hdus]
    flux = parts[0] if len(parts) == 1 else np.concatenate(parts)  # (C, H, W)
    valid = np.isfinite(flux)
    if not valid.all():
        flux[~valid] = 0
    return flux, valid


def _plane_pixels(path: Path, hdu: Hdu) -> NDArray[np.float32]:
    stored = hdu.load()
    scale, zero = float(hdu.header.get("BSCALE", 1.0)), float(hdu.header.get("BZERO", 0.0))
    blank = hdu.header.get("BLANK") if stored.dtype.kind in "iu" else None
    if stored.dtype.kind == "f" and stored.dtype.itemsize == 4 and (scale, zero) == (1.0, 0.0):
        return stored.astype(np.float32)
    values = stored.astype(np.float64)
    if (scale, zero) != (1.0, 0.0):
        values = values * scale + zero
    if blank is not None:
        values[stored == blank] = np.nan
    finite = np.abs(values[np.isfinite(values) & (values != 0)])
    if finite.size and (finite.max() > FLOAT32.max or finite.max() < FLOAT32.tiny):
        raise DataError(
            f"{path}, {hdu.label}: its largest value, {finite.max():.3g}, is outside the range of float32 "
            f"({FLOAT32.tiny:.0e} to {FLOAT32.max:.0e}); write the images in another unit."
        )
    with np.errstate(under="ignore"):
        return values.astype(np.float32)
