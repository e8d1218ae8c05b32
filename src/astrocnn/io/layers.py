"""What may stand beside an image: a mask, a variance, and how its values become one unit of flux."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, TypeVar

from astrocnn.errors import ConfigError, DataError, choose, listed
from astrocnn.io.flux_units import UNITS
from astrocnn.io.quality import Bits
from astrocnn.io.sample import SampleInfo
from astrocnn.io.select import HDUS
from astrocnn.io.variance import KINDS

__all__ = [
    "ClassMap", "Files", "FluxScale", "InstanceMap", "Layer", "Mask", "TargetImage", "Variance", "ZeroPoint",
]  # fmt: skip

Files = None | str | Mapping[str, str]
ZeroPoint = None | float | Sequence[float] | Mapping[str, float]
L = TypeVar("L", bound="Layer")


@dataclass(frozen=True)
class Layer:
    """Planes beside the image: in its own file or in others.

    ``hdu`` says which HDU (or array, or column) of the image's file, or of the separate ``files``, which are
    patterns like those of the images.
    """

    option: ClassVar[str]
    hdu: HDUS = None
    files: Files = None

    @classmethod
    def of(cls: type[L], options: Mapping[str, Any] | None) -> L | None:
        """From the options of a configuration; None where they name neither an HDU nor files.

        Raises:
            ConfigError: an option that there is not, or one that says what to do with planes that nothing names.
        """
        given = dict(options or {})
        known = [field.name for field in fields(cls)]
        for name in given:
            choose(f"{cls.option}.*", name, dict.fromkeys(known))
        layer = cls(**given)
        if layer.hdu is None and layer.files is None:
            if layer == cls():
                return None
            raise ConfigError(
                f"{cls.option}={given} does not say where the planes are; name an HDU of the image's file "
                f"({cls.option}.hdu=...) or other files ({cls.option}.files='...')."
            )
        return layer


@dataclass(frozen=True)
class Mask(Layer):
    """A quality mask; ``bits`` are those that make a pixel bad, as in :func:`astrocnn.io.quality.good_pixels`."""

    option: ClassVar[str] = "data.mask"
    bits: Bits = None


@dataclass(frozen=True)
class Variance(Layer):
    """A variance, weight or noise map; ``kind`` is one of :data:`astrocnn.io.variance.KINDS`."""

    option: ClassVar[str] = "data.variance"
    kind: str = "variance"

    def __post_init__(self) -> None:
        choose("data.variance.kind", self.kind, KINDS)


@dataclass(frozen=True)
class ClassMap(Layer):
    """The class of every pixel, from 0 on; ``ignore`` is the value, besides −1, of pixels that are of none."""

    option: ClassVar[str] = "data.class_map"
    key: ClassVar[str] = "class_map"
    what: ClassVar[str] = "class map"
    ignore: int | None = None


@dataclass(frozen=True)
class InstanceMap(Layer):
    """The number of the object in every pixel, 0 for none; ``ignore`` as of a class map."""

    option: ClassVar[str] = "data.instances"
    key: ClassVar[str] = "instances"
    what: ClassVar[str] = "instance map"
    ignore: int | None = None


@dataclass(frozen=True)
class TargetImage(Layer):
    """The image that is to come out, of one plane or several."""

    option: ClassVar[str] = "data.target"
    key: ClassVar[str] = "target_image"
    what: ClassVar[str] = "target image"


@dataclass(frozen=True)
class FluxScale:
    """The unit that is asked for, and what the user knows that the headers do not say.

    ``zero_point`` is the AB magnitude of one stored unit: a number, one a plane, or one a band;
    ``pixel_scale_arcsec`` counts for images without a celestial WCS, ``bands`` for those whose header does not name
    the planes.
    """

    unit: str
    zero_point: ZeroPoint = None
    pixel_scale_arcsec: float | None = None
    bands: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        unit: str | None,
        zero_point: ZeroPoint,
        pixel_scale_arcsec: float | None,
        bands: Sequence[str] | None = None,
    ) -> "FluxScale | None":
        """From the options of a configuration; None where no unit is asked for.

        Raises:
            ConfigError: an unknown unit, a zero-point without a unit, or one that is not a number.
        """
        if unit is None:
            if zero_point is not None:
                raise ConfigError(
                    f"data.zero_point={zero_point} brings fluxes to a unit, but none is asked for; name it with "
                    f"data.flux_unit=..., one of {listed(UNITS, most=10)}."
                )
            return None
        choose("data.flux_unit", unit, UNITS)
        values = list(zero_point.values()) if isinstance(zero_point, Mapping) else zero_point
        for value in values if isinstance(values, Sequence) else [values]:
            if value is not None and not (isinstance(value, (int, float)) and math.isfinite(value)):
                raise ConfigError(
                    f"data.zero_point={zero_point}: {value!r} is no magnitude; give a number, a list with one a "
                    "band, or {band: number}."
                )
        return cls(unit, zero_point, pixel_scale_arcsec, None if bands is None else tuple(bands))

    def key(self, info: SampleInfo) -> dict[str, Any]:
        """What of this decides the values of images that are like ``info``: a run's saved configuration has scale and
        bands filled, as the headers say them, and must find the same cache.
        """
        said = {"pixel_scale_arcsec": info.pixel_scale_arcsec is not None}
        said["bands"] = info.named_planes or not isinstance(self.zero_point, Mapping)
        return asdict(self) | {option: None for option, by_header in said.items() if by_header}

    def zero_points(self, bands: Sequence[str], n_planes: int) -> list[float | None]:
        """The zero-point of each plane, None for what the header says.

        Where the wanted bands are among the names of the planes, a list goes by the wanted bands, and planes that are
        not wanted get 0, for nobody keeps them.

        Args:
            bands: the names of the planes; empty where they have none.
            n_planes: how many there are.

        Raises:
            DataError: it is given by band or by plane, and the planes are others.
        """
        given = self.zero_point
        if given is None or isinstance(given, (int, float)):
            return [given] * n_planes
        wanted = self.bands if self.bands is not None and set(self.bands) <= set(bands) else bands
        if isinstance(given, Mapping):
            missing = [band for band in wanted if band not in given]
            if missing or len(bands) != n_planes:
                what = f"none for {listed(missing)}" if missing else "the header does not name the bands"
                raise DataError(
                    f"data.zero_point={dict(given)}: {what}; give one for each band, or name the planes with "
                    "data.bands=[...]."
                )
            return [given[band] if band in wanted else 0.0 for band in bands]
        n_wanted = len(wanted) if len(bands) == n_planes else n_planes
        if len(given) != n_wanted:
            raise DataError(
                f"data.zero_point={list(given)} has {len(given)} values for {n_wanted} planes; give one a plane."
            )
        if len(bands) != n_planes:
            return list(given)
        of = dict(zip(wanted, given, strict=True))
        return [of.get(band, 0.0) for band in bands]

    def of_planes(self, info: SampleInfo) -> list[float | None]:
        """The zero-point of each plane of an image, by the names in its header where these can be relied on.

        Raises:
            DataError: as :meth:`zero_points`.
        """
        return self.zero_points(info.bands if info.named_planes else self.bands or info.bands, info.shape[0])

    def of_band(self, bands: Sequence[str], number: int) -> "FluxScale":
        """The scale of a file that holds one band alone, the one with this number.

        Raises:
            DataError: as :meth:`zero_points`.
        """
        return replace(self, zero_point=self.zero_points(bands, len(bands))[number])
