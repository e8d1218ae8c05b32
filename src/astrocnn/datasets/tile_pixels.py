"""The pixels of a tile in windows: flux in one unit, which of them are good, and their variance."""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.tile_files import Plane, Tile
from astrocnn.errors import DataError
from astrocnn.io.float32 import to_float32
from astrocnn.io.flux_units import UNITS, flux_factor, needs_pixel_area
from astrocnn.io.layers import FluxScale, Mask, Variance
from astrocnn.io.quality import good_pixels
from astrocnn.io.tiles import TileHeader
from astrocnn.io.variance import to_variance
from astrocnn.io.windows import OpenImage, Unpacked

__all__ = ["Pixels", "TilePixels", "is_surface_brightness", "named"]

Boxes = NDArray[np.int64]
SURFACE = re.compile(
    r"(/|\bper\b)\s*(sr|arcsec|beam|deg)|\b(sr|beam)\s*(\*\*|\^)?\s*\(?-1|\b(arcsec|deg)\s*(\*\*|\^)?\s*\(?-2",
    re.I,
)


@dataclass(frozen=True)
class Pixels:
    """A window of a tile, (h, w) each; what lies outside the tile is not good."""

    flux: NDArray[np.float64]
    good: NDArray[np.bool_]
    variance: NDArray[np.float64] | None


class TilePixels:
    """One tile with its mask and its variance, open for reading; use it in a ``with`` statement, in one thread.

    Attributes:
        header: of the image.
        surface: whether the values are a surface brightness, which does not depend on the size of the pixels.

    Raises:
        DataError: a file cannot be read, or the unit of the pixels is not known.
    """

    def __init__(
        self,
        tile: Tile,
        unpack: Unpacked,
        *,
        mask: Mask | None,
        variance: Variance | None,
        flux: FluxScale | None,
        zero_point: float | None,
    ) -> None:
        self._tile, self._mask, self._variance = tile, mask, variance
        self._open: dict[str, OpenImage] = {}
        with ExitStack() as stack:
            for role, plane in (("image", tile.image), ("mask", tile.mask), ("variance", tile.variance)):
                if plane is not None:
                    whole = unpack(plane.path) if plane.packed else None
                    self._open[role] = stack.enter_context(OpenImage(plane.path, plane.hdu, whole))
            self.header = self._open["image"].header
            self._factor, self.surface = self._unit(flux, zero_point)
            self._stack = stack.pop_all()

    def __enter__(self) -> "TilePixels":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _unit(self, flux: FluxScale | None, zero_point: float | None) -> tuple[float, bool]:
        """What brings the values to the unit that is asked for, and whether that is a surface brightness."""
        if flux is None:
            return 1.0, is_surface_brightness(self.header)
        scale = self._tile.scale_arcsec or flux.pixel_scale_arcsec
        try:
            factor = flux_factor(
                self.header,
                flux.unit,
                pixel_area_arcsec2=None if scale is None else scale**2,
                zero_point=zero_point,
            )
        except DataError as error:
            raise named(self._tile.image, error) from error
        return factor, UNITS[flux.unit][1]

    def __call__(self, boxes: Boxes) -> list[Pixels | DataError]:
        """The pixels in each of ``boxes`` (N, 4), first and end row, first and end column; or why they are not had."""
        height, width = self._tile.image.hdu.shape
        inside = np.clip(boxes, 0, [height, height, width, width])
        stored = {role: image.windows(inside) for role, image in self._open.items()}
        found: list[Pixels | DataError] = []
        for i in range(len(boxes)):
            windows = {role: of[i] for role, of in stored.items()}
            failed = [window for window in windows.values() if isinstance(window, DataError)]
            try:
                found.append(failed[0] if failed else _padded(self._pixels(windows), boxes[i], inside[i]))
            except DataError as error:
                found.append(error)
        return found

    def _pixels(self, stored: dict[str, Any]) -> Pixels:
        flux = self._open["image"].physical(stored["image"])
        if self._factor != 1.0:
            flux *= self._factor
        if self._factor != 1.0 or not self._open["image"].holds_float32(stored["image"]):
            try:
                to_float32(
                    flux
                )  # raises where the values do not fit into it; the cutouts' are about the same
            except DataError as error:
                raise named(self._tile.image, error) from error
        good = np.isfinite(flux)
        variance = None
        if self._mask is not None and self._tile.mask is not None:
            try:
                good &= good_pixels(stored["mask"], self._open["mask"].scaling, self._mask.bits)
            except DataError as error:
                raise named(self._tile.mask, error) from error
        if self._variance is not None and self._tile.variance is not None:
            values = self._open["variance"].physical(stored["variance"])
            try:
                found, known = to_variance(values, self._variance.kind, factor=self._factor)
            except DataError as error:
                raise named(self._tile.variance, error) from error
            variance = found.astype(np.float64)
            good &= known
        return Pixels(flux, good, variance)


def is_surface_brightness(header: TileHeader) -> bool:
    """Whether BUNIT is one by solid angle."""
    try:
        return needs_pixel_area(header, "nJy")
    except DataError:  # a unit of which the flux is not known can be by solid angle all the same
        return SURFACE.search(str(header.get("BUNIT") or "")) is not None


def named(plane: Plane, error: DataError) -> DataError:
    """The same error, with the file and the HDU."""
    return DataError(f"{plane.path}, {plane.hdu.label}: {error}")


def _padded(pixels: Pixels, box: Boxes, inside: Boxes) -> Pixels:
    """The pixels of ``inside`` the tile as a window of the size of ``box``."""
    if np.array_equal(box, inside):
        return pixels
    (top, bottom, left, right), (y0, y1, x0, x1) = box.tolist(), inside.tolist()
    shape = bottom - top, right - left
    flux, good = np.zeros(shape), np.zeros(shape, np.bool_)
    variance = None if pixels.variance is None else np.zeros(shape)
    if y1 > y0 and x1 > x0:
        part = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        flux[part], good[part] = pixels.flux, pixels.good
        if variance is not None:
            variance[part] = pixels.variance
    return Pixels(flux, good, variance)
