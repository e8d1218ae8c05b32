"""Pictures of images as parts of a page."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from astrocnn.report.lupton import NO_DATA, lupton_rgb, wavelength_order
from astrocnn.report.words import html

__all__ = ["how_drawn", "img", "pictures"]

LARGEST_SIDE = 160  # pixels; larger images are reduced to it
LARGEST_PNG = 14_000  # bytes; a picture that needs more is stored as JPEG


def pictures(
    flux: NDArray[np.floating], valid: NDArray[np.bool_] | None, *, bands: Sequence[str] | None
) -> list[str]:
    """An ``<img>`` of each of (N, C, H, W) images, all on one scale of brightness."""
    return [img(picture) for picture in lupton_rgb(flux, valid, bands=bands)]


def img(picture: NDArray[np.uint8], *, largest_side: int = LARGEST_SIDE, quality: int = 90) -> str:
    """An ``<img>`` of (H, W, 3) uint8 whose first row is at the bottom, as FITS has it; ``quality`` if a JPEG."""
    image = Image.fromarray(picture[::-1])
    image.thumbnail((largest_side, largest_side), Image.Resampling.LANCZOS)
    buffer, kind = io.BytesIO(), "png"
    image.save(buffer, format="PNG", optimize=True)
    if buffer.tell() > LARGEST_PNG:
        buffer, kind = io.BytesIO(), "jpeg"
        image.save(buffer, format="JPEG", quality=quality, subsampling=0)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="" width="{image.width}" height="{image.height}" src="data:image/{kind};base64,{data}">'


def how_drawn(
    bands: Sequence[str] | None, shape: tuple[int, ...], pixel_scale_arcsec: float | None, captions: str
) -> str:
    """How the pictures of (C, H, W) images were made; ``captions`` (HTML) says what stands below each."""
    blue_to_red = [str(bands[k]) for k in wavelength_order(bands)] if bands else []
    colours = "One band, in grey" if shape[0] == 1 else f"{shape[0]} bands in colour"
    if len(blue_to_red) == shape[0]:
        colours += f" ({html(' '.join(blue_to_red))}{', from blue to red' if shape[0] > 1 else ''})"
    size = ""
    if pixel_scale_arcsec:
        size = f" A picture is {pixel_scale_arcsec * shape[2]:.3g}″ wide."
    r, g, b = NO_DATA
    return (
        f"<p class='read'>{colours}, asinh stretch over the noise, all on one scale (Lupton et al. 2004).{size} "
        f'{captions} Pixels without data are <span class="swatch" style="background:rgb({r},{g},{b})"></span> '
        "violet.</p>"
    )
