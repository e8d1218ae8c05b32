"""Pictures (PNG, JPEG and the like) as images: colours for bands, and values that are no fluxes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from PIL import Image

from astrocnn.errors import AstrocnnWarning, DataError, reason
from astrocnn.io.sample import Sample, SampleInfo

__all__ = ["NO_FLUX", "SUFFIXES", "PictureWarning", "decode", "is_picture", "probe", "read"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp")
# modes of one band, and what each is read as; every other becomes RGB
GREY = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "I": "I",
    "I;16": "I",
    "I;16B": "I",
    "I;16L": "I",
    "F": "F",
}
COLOURS = ("R", "G", "B")
NO_FLUX = (
    "pictures hold no fluxes: their values were stretched and cut when they were made, so that no photometry, "
    "signal-to-noise or magnitude taken from them can be trusted; train on FITS where you have it."
)


class PictureWarning(AstrocnnWarning):
    """Pictures are used in place of images that have fluxes."""


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Whether the suffix is that of a picture."""
    return os.fspath(path).lower().endswith(SUFFIXES)


def probe(path: str | os.PathLike[str]) -> SampleInfo:
    """Size and bands of a picture, without decoding it.

    Raises:
        DataError: the file cannot be read or is no picture.
    """
    with _opened(path) as picture:
        return _info(picture)


def read(path: str | os.PathLike[str]) -> Sample:
    """The values of a picture as they are stored (0 to 255, or 65535 where it has 16 bits).

    Bands are R, G, B, or one, ``grey``. Rows are turned round, so that the first is the lowest as in FITS and a
    picture is not the mirror image of the FITS it was made from. A pixel is not valid where the picture is wholly
    transparent.

    Raises:
        DataError: the file cannot be read, is no picture, or is wholly transparent.
    """
    with _opened(path) as picture:
        return _sample(str(path), picture)


def decode(data: bytes, name: str) -> Sample:
    """As :func:`read`, of a picture that is held in ``data``; ``name`` stands for the path in messages."""
    with _named(name), Image.open(BytesIO(data)) as picture:
        return _sample(name, picture)


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    with _named(str(path)), Image.open(path) as picture:
        yield picture


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # damaged bytes make decoders raise nearly every kind
        raise DataError(
            f"{name} cannot be read as a picture: {reason(error)}; check that it is whole and of the kind that its "
            "name says, or leave it out (data.on_bad=skip)."
        ) from error


def _info(picture: Image.Image) -> SampleInfo:
    bands = ("grey",) if picture.mode in GREY else COLOURS
    return SampleInfo((len(bands), picture.height, picture.width), bands, True)


def _sample(name: str, picture: Image.Image) -> Sample:
    info = _info(picture)
    transparent = picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    mode = GREY.get(picture.mode, "RGB")
    if transparent:
        mode = "LA" if mode in ("L", "LA") else "RGBA" if mode == "RGB" else mode
    values = np.asarray(picture if picture.mode == mode else picture.convert(mode))[::-1]
    values = values[:, :, None] if values.ndim == 2 else values  # (H, W, C), with alpha last
    n_bands = info.shape[0]
    flux = np.ascontiguousarray(values[:, :, :n_bands].transpose(2, 0, 1), dtype=np.float32)  # (C, H, W)
    valid = np.isfinite(flux)
    if values.shape[2] > n_bands:
        valid &= values[None, :, :, n_bands] > 0
    if not valid.any():
        raise DataError(f"{name}: every pixel is transparent; leave it out, or set data.on_bad=skip.")
    flux[~valid] = 0
    return Sample(info, flux, valid)
