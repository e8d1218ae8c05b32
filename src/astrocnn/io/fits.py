"""One FITS file into a (C, H, W) cutout: flux, validity, variance, band names, position, pixel scale, unit."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from astrocnn.errors import DataError
from astrocnn.io.float32 import Scaling, to_float32
from astrocnn.io.flux_units import HasKeywords, flux_factor, needs_pixel_area
from astrocnn.io.hdus import Hdu
from astrocnn.io.layers import FluxScale, Layer, Mask, Variance
from astrocnn.io.quality import good_pixels
from astrocnn.io.sample import Sample, SampleInfo
from astrocnn.io.select import HDUS, Path, Walk, one_grid, with_hdus
from astrocnn.io.sky import centre_and_scale
from astrocnn.io.variance import to_variance

__all__ = ["HDUS", "Both", "factors", "probe", "read"]

T = TypeVar("T")


def probe(
    path: Path,
    *,
    hdu: HDUS = None,
    hdu_option: str = "data.hdu",
    mask: Mask | None = None,
    mask_path: Path | None = None,
    variance: Variance | None = None,
    variance_path: Path | None = None,
    flux: FluxScale | None = None,
) -> SampleInfo:
    """Read headers only; arguments as in :func:`read`.

    Raises:
        DataError: a file cannot be read, has no such HDU, that HDU holds no image, or not one of the image's size;
            or the header does not say what unit the values are in, and one is asked for.
    """

    def use(walk: Walk) -> SampleInfo:
        images = walk.select(hdu, hdu_option)
        info = _info(walk, images, hdu, flux, sky=True)
        factors(walk, images, info, flux)
        if mask is not None:
            _in_layer(walk, mask, mask_path, lambda walk, hdus: _fit(walk, hdus, mask, info))
        if variance is not None:
            _in_layer(walk, variance, variance_path, lambda walk, hdus: _fit(walk, hdus, variance, info))
        return info

    return with_hdus(path, use)


def read(
    path: Path,
    *,
    hdu: HDUS = None,
    hdu_option: str = "data.hdu",
    mask: Mask | None = None,
    mask_path: Path | None = None,
    variance: Variance | None = None,
    variance_path: Path | None = None,
    flux: FluxScale | None = None,
    sky: bool = True,
) -> Sample:
    """Read one file; plain, gzipped or tile-compressed.

    Pixels are not valid that are NaN, infinite or BLANK, that the mask calls bad, or whose variance is not known.
    BSCALE and BZERO are applied in float64.

    Args:
        path: the file.
        hdu: None takes the first HDU that holds an image; a name or a number that one; a list one band each.
        hdu_option: what ``hdu`` is called in messages.
        mask: which planes are the mask, and which of its bits are bad; one plane counts for all bands.
        mask_path: the file that holds the mask; None for ``path``.
        variance: which planes are the variance (or weight, or noise), and of what kind.
        variance_path: the file that holds it; None for ``path``.
        flux: the unit to bring flux and variance to; None leaves them as stored.
        sky: whether to find position and pixel scale, which costs more than the pixels of a small file.

    Raises:
        DataError: as in :func:`probe`; and no pixel is valid, or the flux does not fit into float32.
    """

    def use(walk: Walk) -> Sample:
        images = walk.select(hdu, hdu_option)
        info = _info(walk, images, hdu, flux, sky=sky)
        factor = factors(walk, images, info, flux)
        values, valid = _pixels(walk, images, factor)
        if mask is not None:
            valid &= _in_layer(walk, mask, mask_path, lambda walk, hdus: _good(walk, hdus, mask, info))
        noise = None
        if variance is not None:
            noise, known = _in_layer(
                walk, variance, variance_path, lambda walk, hdus: _noise(walk, hdus, variance, info, factor)
            )
            valid &= known
        return _checked(walk, images[0], Sample(info, values, valid, noise))

    return with_hdus(path, use)


def _checked(walk: Walk, hdu: Hdu, image: Sample) -> Sample:
    """The same image with flux and variance 0 where not valid.

    Raises:
        DataError: no pixel is valid.
    """
    if not image.valid.all():
        if not image.valid.any():
            raise DataError(
                f"{walk.path}, {hdu.label}: no pixel is valid (all NaN or BLANK, masked, or without a variance); "
                "leave the object out, or set data.on_bad=skip."
            )
        image.flux[~image.valid] = 0
        if image.variance is not None:
            image.variance[~image.valid] = 0
    return image


def _info(walk: Walk, images: list[Hdu], wanted: HDUS, flux: FluxScale | None, *, sky: bool) -> SampleInfo:
    shapes = one_grid(walk.path, images)
    n_planes = sum(shape[0] for shape in shapes)
    height, width = shapes[0][1:]
    bands, named = _bands(images, shapes, wanted, walk.primary)
    ra, dec, scale = math.nan, math.nan, None
    if sky:
        ra, dec, scale = centre_and_scale(_header_of_the_sky(walk, images[0]), height, width)
    stored = [str(hdu.header.get("BUNIT") or "").strip() or None for hdu in images]
    unit: str | tuple[str | None, ...] | None = stored[0] if flux is None else flux.unit
    if flux is None and len(set(stored)) > 1:
        unit = tuple(of for of, shape in zip(stored, shapes, strict=True) for _ in range(shape[0]))
    return SampleInfo((n_planes, height, width), bands, named, ra, dec, scale, unit)


def _header_of_the_sky(walk: Walk, image: Hdu) -> Any:
    if not image.header.get("CTYPE1") and walk.primary.shape == ():
        return walk.primary.header
    return image.header


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


class Both:
    """The keywords of a header, and those of another, the primary's, where it has not got them."""

    def __init__(self, header: HasKeywords, primary: HasKeywords) -> None:
        self._headers = (header, primary)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``."""
        values = (header.get(key) for header in self._headers)
        return next((value for value in values if value is not None), default)


def factors(
    walk: Walk, images: list[Hdu], info: SampleInfo, flux: FluxScale | None
) -> NDArray[np.float64] | None:
    """What each plane (C, 1, 1) is multiplied with to be in the unit of ``flux``; None where none is asked for.

    Raises:
        DataError: the header does not say enough.
    """
    if flux is None:
        return None
    shapes = one_grid(walk.path, images)
    try:
        zero_points = iter(flux.of_planes(info))
    except DataError as error:
        raise DataError(f"{walk.path}: {error}") from error
    scale, found = info.pixel_scale_arcsec, []
    for hdu, shape in zip(images, shapes, strict=True):
        header, known = Both(hdu.header, walk.primary.header), dict[float | None, float]()
        for zero_point in [next(zero_points) for _ in range(shape[0])]:
            try:
                if zero_point not in known:
                    if scale is None and needs_pixel_area(header, flux.unit, zero_point=zero_point):
                        scale = centre_and_scale(_header_of_the_sky(walk, images[0]), *shape[1:])[2]
                        scale = flux.pixel_scale_arcsec if scale is None else scale
                    area = None if scale is None else scale**2
                    known[zero_point] = flux_factor(
                        header, flux.unit, zero_point=zero_point, pixel_area_arcsec2=area
                    )
            except DataError as error:
                raise DataError(f"{walk.path}, {hdu.label}: {error}") from error
            found.append(known[zero_point])
    return np.array(found)[:, None, None]


def _pixels(
    walk: Walk, hdus: list[Hdu], factor: NDArray[np.float64] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values (C, H, W) float32 native-endian, and which are finite and not BLANK; others hold 0."""
    parts, start = [], 0
    for hdu, shape in zip(hdus, one_grid(walk.path, hdus), strict=True):
        own = None if factor is None else factor[start : start + shape[0]]
        parts.append(_plane_pixels(walk, hdu, shape, own))
        start += shape[0]
    flux = parts[0] if len(parts) == 1 else np.concatenate(parts)  # (C, H, W)
    valid = np.isfinite(flux)
    if not valid.all():
        flux[~valid] = 0
    return flux, valid


def _plane_pixels(
    walk: Walk, hdu: Hdu, shape: tuple[int, ...], factor: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    stored = hdu.load()
    try:
        scaling = Scaling.of(hdu.header)
        if stored.dtype.kind == "f" and stored.dtype.itemsize == 4 and scaling.linear and factor is None:
            return stored.astype(np.float32).reshape(shape)
        values = scaling.physical(stored).reshape(shape)
        if factor is not None:
            values *= factor
        return to_float32(
            values, exact=stored.dtype.itemsize <= 4 and stored.dtype.kind == "f" and scaling.asinh is None
        )
    except DataError as error:
        raise DataError(f"{walk.path}, {hdu.label}: {error}") from error


def _in_layer(walk: Walk, layer: Layer, path: Path | None, use: Callable[[Walk, list[Hdu]], T]) -> T:
    """``use`` the HDUs of a mask or variance, in the image's file or in another."""
    option = f"{layer.option}.hdu"
    if path is None:
        return use(walk, walk.select(layer.hdu, option))
    return with_hdus(path, lambda other: use(other, other.select(layer.hdu, option)))


def _fit(walk: Walk, hdus: list[Hdu], layer: Layer, info: SampleInfo) -> list[tuple[int, int, int]]:
    """The shapes of a layer's HDUs, checked to be those of the image; one plane of a mask is for all bands."""
    shapes = one_grid(walk.path, hdus)
    n_planes = sum(shape[0] for shape in shapes)
    counts = (1, info.shape[0]) if isinstance(layer, Mask) else (info.shape[0],)
    if shapes[0][1:] != info.shape[1:] or n_planes not in counts:
        name = layer.option.rpartition(".")[2]
        raise DataError(
            f"{walk.path}, {hdus[0].label}: the {name} is {n_planes} × {shapes[0][1]} × {shapes[0][2]} but the "
            f"image is {' × '.join(map(str, info.shape))}; choose another with {layer.option}.hdu=... or "
            f"{layer.option}.files=..."
        )
    return shapes


def _good(walk: Walk, hdus: list[Hdu], mask: Mask, info: SampleInfo) -> NDArray[np.bool_]:
    parts = []
    for hdu, shape in zip(hdus, _fit(walk, hdus, mask, info), strict=True):
        try:
            parts.append(good_pixels(hdu.load().reshape(shape), hdu.header, mask.bits))
        except DataError as error:
            raise DataError(f"{walk.path}, {hdu.label}: {error}") from error
    return np.concatenate(parts)  # (C, H, W) or (1, H, W)


def _noise(
    walk: Walk, hdus: list[Hdu], variance: Variance, info: SampleInfo, factor: NDArray[np.float64] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    shapes = _fit(walk, hdus, variance, info)
    try:
        planes = [
            Scaling.of(hdu.header).physical(hdu.load()).reshape(shape)
            for hdu, shape in zip(hdus, shapes, strict=True)
        ]
        return to_variance(np.concatenate(planes), variance.kind, factor=1.0 if factor is None else factor)
    except DataError as error:
        raise DataError(f"{walk.path}, {hdus[0].label}: {error}") from error
