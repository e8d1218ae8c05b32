"""One object as it was read, whatever held it: flux, validity, variance, and what its header says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Block", "Sample", "SampleInfo"]


@dataclass(frozen=True)
class SampleInfo:
    """What is known of one object before its pixels are read.

    ``shape`` is (C, H, W) of an image, (C, L) of a spectrum or light curve, (F,) of a row of a table. ``bands``
    holds one name a plane, or nothing where the header does not say; ``named_planes`` tells that the names can
    be relied on (BAND1, BAND2, ..., HDUs asked for by name, columns of a table). ``ra`` and ``dec`` are the
    centre's (ICRS, degrees, NaN where unknown). ``unit`` is one or one a plane, None where the header does not say.
    ``maps`` says the same of each map that is read with the object, by its key in the batch.
    """

    shape: tuple[int, ...]
    bands: tuple[str, ...] = ()
    named_planes: bool = False
    ra: float = math.nan
    dec: float = math.nan
    pixel_scale_arcsec: float | None = None
    unit: str | tuple[str | None, ...] | None = None
    maps: Mapping[str, "SampleInfo"] = field(default_factory=dict)

    @property
    def units(self) -> tuple[str | None, ...]:
        """The unit of each plane."""
        return self.unit if isinstance(self.unit, tuple) else (self.unit,) * self.shape[0]


@dataclass(frozen=True)
class Sample:
    """The values of one object: ``flux`` float32, 0 where ``valid`` bool is False; ``variance`` float32 or None;
    all of ``info.shape``. ``maps`` are read with it: ``class_map`` (H, W) int16 and ``instances`` (H, W) int32, −1
    ignored; ``target_image`` (K, H', W') float32, 0 where ``target_valid`` bool is False.
    """

    info: SampleInfo
    flux: NDArray[np.float32]
    valid: NDArray[np.bool_]
    variance: NDArray[np.float32] | None = None
    maps: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """The values of n objects that were read together: arrays (n, *info.shape) as those of a :class:`Sample`.

    ``bad`` says why an object cannot be used, by its place among the n.
    """

    info: SampleInfo
    flux: NDArray[np.float32]
    valid: NDArray[np.bool_]
    variance: NDArray[np.float32] | None = None
    bad: Mapping[int, str] = field(default_factory=dict)
