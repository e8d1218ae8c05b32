"""Cutouts from windows of a tile: its pixels as they are, or resampled onto the cutouts' grid."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from astrocnn.datasets.tile_grids import Grid, Mapping
from astrocnn.datasets.tile_pixels import Pixels
from astrocnn.errors import DataError
from astrocnn.functional.resample import MARGIN, filled, spline_at, spline_shift, touches_only
from astrocnn.io.wcs import SkyWcs

__all__ = ["Cut", "boxes", "cut"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
MOST_PIXELS = 10**8
FINER = 0.01


@dataclass(frozen=True)
class Cut:
    """One band of a cutout: ``flux`` float32 (0 where not ``valid`` bool), ``variance`` float32 or None; (n, n)."""

    flux: NDArray[np.float32]
    valid: Mask
    variance: NDArray[np.float32] | None


def boxes(to: Mapping) -> NDArray[np.int64]:
    """(N, 4) first and end row, first and end column of the pixels from which each cutout is made.

    Raises:
        DataError: a cutout covers more pixels than are read at once.
    """
    low, high = np.floor(to.low).astype(np.int64) - MARGIN, np.ceil(to.high).astype(np.int64) + MARGIN + 1
    first = np.rint(to.centre - (to.size - 1) / 2)
    first = np.where(np.isfinite(first), first, 0).astype(np.int64)
    low = np.where(to.copied[:, None], first, low)
    high = np.where(to.copied[:, None], first + to.size, high)
    if (largest := (high - low).prod(axis=1).max(initial=0)) > MOST_PIXELS:
        raise DataError(
            f"a cutout covers {largest:,} pixels of its tile, more than the {MOST_PIXELS:,} that are read at once; "
            "choose a smaller data.size_pix or data.pixel_scale_arcsec."
        )
    return np.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], axis=1)


def cut(
    pixels: Pixels,
    box: NDArray[np.int64],
    to: Mapping,
    i: int,
    *,
    surface: bool,
    through: tuple[Grid, int, SkyWcs] | None,
) -> Cut:
    """Cutout number ``i`` of ``to`` from the ``pixels`` of its box ``box`` (4,), of :func:`boxes`.

    Where the cutout's pixels are the tile's they are copied. Else its values are those of the cubic spline through
    the tile's pixels; where a pixel of the cutout is larger than one of the tile's, their mean over points in it that
    lie no further apart than the tile's pixels, so that no light falls between them. Flux is multiplied by the ratio
    of the areas of the pixels, a ``surface`` brightness is not.

    A pixel is valid when all the tile's pixels are good that a bilinear interpolation there would use. The variance is
    interpolated bilinearly, and scaled so that a sum over many pixels has the variance that it has in the tile; that
    interpolation correlates the noise of neighbouring pixels is not told.

    ``through`` is the cutout's grid, its number there, and the tile's WCS, for a map that is ``exact``.

    Raises:
        DataError: the flux does not fit into float32.
    """
    n = to.size
    if not pixels.good.any():
        nothing = np.zeros((n, n), np.float32)
        return Cut(nothing, np.zeros((n, n), np.bool_), None if pixels.variance is None else nothing)
    if to.copied[i]:
        return _cut(pixels.flux, pixels.good, pixels.variance)
    (a, b), (c, d) = to.matrix[i]
    fine = max(1, math.ceil(max(math.hypot(a, c), math.hypot(b, d)) - FINER))
    whole, plain = bool(pixels.good.all()), not to.exact[i] and (a, b, c, d) == (1, 0, 0, 1)
    values = filled(pixels.flux, pixels.good)
    if plain:
        left, top = to.centre[i] - (n - 1) / 2 - (box[2], box[0])
        flux = spline_shift(values, left, top, n)
    if not (plain and whole and pixels.variance is None):
        x, y = _positions(to, i, fine, through)  # (n * fine, n * fine)
        x, y = x - box[2], y - box[0]
    if not plain:
        flux = _mean(spline_at(values, x, y), fine)
    valid = np.ones((n, n), np.bool_)
    if not whole:
        reached = touches_only(pixels.good, x, y).reshape(n, fine, n, fine)
        valid = np.asarray(reached.all(axis=(1, 3)))
    area = abs(a * d - b * c)
    factor = 1.0 if surface else area
    variance = None
    if pixels.variance is not None:
        noise = filled(pixels.variance, pixels.good)
        near = ndimage.map_coordinates(noise, [y, x], order=1, mode="nearest")
        variance = _mean(near, fine) * (factor**2 / area)
    return _cut(flux * factor, valid, variance)


def _positions(
    to: Mapping, i: int, fine: int, through: tuple[Grid, int, SkyWcs] | None
) -> tuple[Array, Array]:
    """Pixel x and y in the tile of ``fine`` × ``fine`` points in each of the cutout's pixels; NaN off the sky."""
    steps = (np.arange(to.size * fine) + 0.5) / fine - to.size / 2
    u, v = np.meshgrid(steps, steps)
    if to.exact[i] and through is not None:
        grid, number, wcs = through
        x, y = wcs.pixel(*grid.sky(np.array([number]), u.ravel(), v.ravel()))  # (1, K)
        return np.nan_to_num(x, nan=-1e9).reshape(u.shape), np.nan_to_num(y, nan=-1e9).reshape(u.shape)
    (a, b), (c, d) = to.matrix[i]
    return to.centre[i, 0] + a * u + b * v, to.centre[i, 1] + c * u + d * v


def _mean(values: Array, fine: int) -> Array:
    """(n * fine, n * fine) to the mean over each pixel's points, (n, n)."""
    if fine == 1:
        return values
    n = len(values) // fine
    mean: Array = values.reshape(n, fine, n, fine).mean(axis=(1, 3))
    return mean


def _cut(flux: Array, valid: Mask, variance: Array | None) -> Cut:
    with np.errstate(over="ignore", under="ignore"):
        single = np.where(valid, flux, 0.0).astype(np.float32)
        kept = None if variance is None else np.where(valid, variance, 0.0).astype(np.float32)
    if not np.isfinite(single).all():
        raise DataError(
            f"its largest value, {np.abs(flux[valid]).max():.3g}, is outside the range of float32; ask for another "
            "unit (data.flux_unit=nJy)."
        )
    return Cut(single, valid, kept)
