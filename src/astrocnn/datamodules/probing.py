"""What the headers of a few files say about a data set, compared with what the user said."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from astrocnn.batch import DataSpec
from astrocnn.datamodules.catalog import Objects
from astrocnn.datasets.packing import planes
from astrocnn.errors import DataError
from astrocnn.io.flux_units import same_unit
from astrocnn.io.sample import SampleInfo

__all__ = ["find_spec"]

N_PROBED = 16
SCALE_TOLERANCE = 0.01


def find_spec(objects: Objects, *, wanted: Mapping[str, Any], skip: bool) -> DataSpec:
    """Bands, shape, classes, pixel scale and units, from the headers of up to 16 files spread over the set.

    Args:
        objects: images and their labels.
        wanted: the user's ``bands``, ``n_bands``, ``image_size`` and ``pixel_scale_arcsec``, None for what the
            files have.
        skip: go on when some of the headers cannot be read; the most common shape counts.

    Raises:
        DataError: a header cannot be read, the user's values are not the files', or these differ in unit.
    """
    files = objects.files
    infos, errors = [], []
    spread = np.linspace(0, len(objects.file) - 1, N_PROBED).astype(int)
    for number in np.unique(objects.file[spread]):
        try:
            infos.append((files.paths[number][0], files.probe(int(number))))
        except DataError as error:
            errors.append(error)
    if errors and (not infos or not skip):
        raise errors[0]
    common = Counter(info.shape for _, info in infos).most_common(1)[0][0]
    path, info = next((path, info) for path, info in infos if info.shape == common)
    bands = _bands(wanted["bands"], info.bands, info.shape[0])
    planes(path, info, bands)
    units = _units(infos, bands)
    _check("n_bands", len(bands), wanted["n_bands"], path)
    _check("image_size", info.shape[1:], _pair(wanted.get("image_size")), path)
    scale, said = info.pixel_scale_arcsec, wanted.get("pixel_scale_arcsec")
    if scale is None or (said is not None and abs(scale / said - 1) <= SCALE_TOLERANCE):
        scale = said
    _check("pixel_scale_arcsec", scale, said, path)
    target = info.maps.get("target_image")
    target_bands = _bands(None, target.bands, target.shape[0]) if target else ()
    return DataSpec(
        bands,
        (len(bands), *info.shape[1:]),
        objects.classes,
        scale,
        units,
        maps={key: of.shape if key == "target_image" else of.shape[1:] for key, of in info.maps.items()},
        target_bands=target_bands,
        target_units=target.units if target else (),
    )


def _units(infos: Sequence[tuple[str, SampleInfo]], bands: Sequence[str]) -> tuple[str | None, ...]:
    """The unit of each band; raises a :class:`DataError` when two files state different ones."""
    known: dict[str, tuple[str, str]] = {}
    for path, info in infos:
        try:
            chosen = planes(path, info, bands)
        except DataError:
            continue  # of which packing tells
        units = info.units if chosen is None else [info.units[plane] for plane in chosen]
        for band, unit in zip(bands, units, strict=True):
            if unit is None:
                continue
            first, other = known.setdefault(band, (path, unit))
            if not same_unit(unit, other):
                of_band = f" (band {band})" if len(bands) > 1 else ""
                raise DataError(
                    f"{first} is in {other} but {path} in {unit}{of_band}; bring all to one unit with "
                    "data.flux_unit=nJy (or another), or take files of one unit."
                )
    return tuple(known[band][1] if band in known else None for band in bands)


def _bands(said: Sequence[str] | None, found: tuple[str, ...], n_planes: int) -> tuple[str, ...]:
    names = tuple(str(band) for band in said) if said is not None else found
    return names or tuple(f"band{i + 1}" for i in range(n_planes))


def _pair(size: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else tuple(size)


def _check(option: str, found: Any, said: Any, path: str) -> None:
    if said is not None and said != found:
        raise DataError(
            f"data.{option}={said} but {path} has {found}; leave it null to take what the files have, "
            "or take other files."
        )
