"""Images with maps of truth beside them: the class or the object of every pixel, or the image that is to come out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.datasets.source import Match, Source
from astrocnn.errors import DataError, listed
from astrocnn.io.layers import ClassMap, InstanceMap, TargetImage
from astrocnn.io.sample import Sample, SampleInfo

__all__ = ["Truth", "WithMaps", "same_place"]

Truth = ClassMap | InstanceMap | TargetImage
IGNORED = -1
MOST_CLASSES = 2**15  # that an int16 can number
OFFSET_PIX = 0.1  # by which two images of one place may differ
SCALE_TOLERANCE = 1e-3


class WithMaps(Source):
    """The objects of one source, each with what other sources hold for the same id.

    Args:
        images: where the images are.
        maps: for each map what it is, and the source that holds it.
        n_classes: how many classes the class map may hold, counted from 0; None for any number.
        classes: whether an instance map without a class map makes one: background (0) and objects (1).

    An object without one of its maps is ``incomplete``.
    """

    def __init__(
        self,
        images: Source,
        maps: Sequence[tuple[Truth, Source]],
        *,
        n_classes: int | None = None,
        classes: bool = True,
    ) -> None:
        self.images, self.truths, self.n_classes, self.classes = images, list(maps), n_classes, classes
        self.words = images.words  # type: ignore[misc]  # those of the images that are held here
        self.own_files = images.own_files and all(  # type: ignore[misc]
            source.own_files for _, source in maps
        )
        self.incomplete = list(images.incomplete)
        places: list[dict[str, int]] = []
        for _, source in maps:
            source.check_unique()
            places.append({key: number for number, key in enumerate(source.ids)})
        whole, lacking = [], dict[str, list[str]]()
        for number, key in enumerate(images.ids):
            missing = [
                truth.option for (truth, _), place in zip(maps, places, strict=True) if key not in place
            ]
            if missing:
                lacking[key] = missing
            else:
                whole.append(number)
        if not whole:
            truth, source = maps[0]
            raise DataError(
                f"no {images.words.one} has its {truth.what}: the ids of {images.words.option} are like "
                f"{listed(images.ids, most=3)}, those of {truth.option} like {listed(source.ids, most=3)}; place the "
                "last * of both patterns at the object's name."
            )
        self.incomplete += [(key, f"no file of {listed(options)}") for key, options in lacking.items()]
        self.ids = [images.ids[number] for number in whole]
        self._numbers = np.array(whole, dtype=np.int64)
        self._of_map = [np.array([place[key] for key in self.ids], dtype=np.int64) for place in places]
        self.paths = [
            tuple(dict.fromkeys((*images.paths[number], *(path for path in self._map_paths(i)))))
            for i, number in enumerate(whole)
        ]

    def _map_paths(self, i: int) -> Iterator[str]:
        for (_, source), of_map in zip(self.truths, self._of_map, strict=True):
            yield from source.paths[of_map[i]]

    @property
    def options(self) -> dict[str, Any]:
        maps = {
            truth.key: {**source.options, "ignore": getattr(truth, "ignore", None)}
            for truth, source in self.truths
        }
        return {
            **self.images.options,
            "source": type(self.images).__name__,
            "maps": maps,
            "classes": self.n_classes,
        }

    @property
    def has_variance(self) -> bool:
        return self.images.has_variance

    def key(self, number: int) -> str:
        maps = (
            source.key(int(of[number])) for (_, source), of in zip(self.truths, self._of_map, strict=True)
        )
        return "\0".join([self.images.key(int(self._numbers[number])), *maps])

    def columns(self, numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        return self.images.columns(self._numbers[numbers])

    def match(self, ids: Sequence[str] | NDArray[np.str_], *, base: Path | None = None) -> Match:
        found = self.images.match(ids, base=base)
        place = np.full(len(self.images), -1)
        place[self._numbers] = np.arange(len(self))
        file = np.where(found.file >= 0, place[found.file], -1)
        return Match(file, place[found.without_id][place[found.without_id] >= 0], found.by)

    def probe(self, number: int) -> SampleInfo:
        """Of the image; raises a :class:`DataError` where a map is of another size or place."""
        info = self.images.probe(int(self._numbers[number]))
        maps = {}
        for (truth, source), of in zip(self.truths, self._of_map, strict=True):
            maps[truth.key] = source.probe(int(of[number]))
            _check_grid(truth, maps[truth.key], info, source.paths[of[number]][0], self.paths[number][0])
        if "instances" in maps and self.classes:
            maps.setdefault("class_map", maps["instances"])
        return replace(info, maps=maps)

    def read(self, number: int, *, sky: bool = False) -> Sample:
        found = next(self.read_many(np.array([number]), sky=sky))
        if isinstance(found, DataError):
            raise found
        return found

    def tasks(self, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return self.images.tasks(self._numbers[numbers])

    def read_many(self, numbers: NDArray[np.int64], *, sky: bool = False) -> Iterator[Sample | DataError]:
        del sky  # needed in any case, to see whether the maps are of the same place
        images = self.images.read_many(self._numbers[numbers], sky=True)
        maps = [
            source.read_many(of[numbers], sky=True)
            for (_, source), of in zip(self.truths, self._of_map, strict=True)
        ]
        for number in numbers.tolist():
            image, *parts = next(images), *(next(each) for each in maps)
            bad = next((part for part in (image, *parts) if isinstance(part, DataError)), None)
            try:
                yield bad or self._joined(number, image, parts)  # type: ignore[arg-type]  # none is an error
            except DataError as error:
                yield error

    def _joined(self, number: int, image: Sample, parts: Sequence[Sample]) -> Sample:
        maps: dict[str, NDArray[Any]] = {}
        for (truth, source), of, part in zip(self.truths, self._of_map, parts, strict=True):
            path = source.paths[of[number]][0]
            _check_grid(truth, part.info, image.info, path, self.paths[number][0])
            if isinstance(truth, TargetImage):
                maps |= {truth.key: part.flux, "target_valid": part.valid}
                continue
            numbers = _whole_numbers(truth, part, path)
            if isinstance(truth, ClassMap):
                maps[truth.key] = self._classes(truth, numbers, path).astype(np.int16)
            else:
                maps[truth.key] = numbers.astype(np.int32)
        if "instances" in maps and "class_map" not in maps and self.classes:
            maps["class_map"] = np.sign(maps["instances"]).astype(np.int16)
        return replace(image, maps=maps)

    def _classes(self, truth: Truth, numbers: NDArray[np.int64], path: str) -> NDArray[np.int64]:
        n_classes = MOST_CLASSES if self.n_classes is None else self.n_classes
        if (worst := int(numbers.max())) >= n_classes:
            raise DataError(
                f"{path}: the class map holds {worst}, but the classes are numbered 0 to {n_classes - 1}; name "
                "all of them in data.classes=[...], or the value without a class in "
                f"{truth.option}.ignore=..."
            )
        return numbers


def same_place(one: SampleInfo, other: SampleInfo) -> bool:
    """Whether two images of one shape show the same place of the sky; those without a WCS count as doing so."""
    if one.pixel_scale_arcsec is None or other.pixel_scale_arcsec is None or one.shape[1:] != other.shape[1:]:
        return True
    if abs(one.pixel_scale_arcsec / other.pixel_scale_arcsec - 1) > SCALE_TOLERANCE:
        return False
    east = ((one.ra - other.ra + 180) % 360 - 180) * np.cos(np.radians(one.dec))
    apart_arcsec = 3600 * float(np.hypot(east, one.dec - other.dec))
    return apart_arcsec <= OFFSET_PIX * other.pixel_scale_arcsec


def _place(info: SampleInfo) -> str:
    return f"RA {info.ra:.5f}, Dec {info.dec:.5f}, {info.pixel_scale_arcsec:.3f}″"


def _check_grid(truth: Truth, found: SampleInfo, image: SampleInfo, path: str, image_path: str) -> None:
    sides = found.shape[1:]
    fits = sides == image.shape[1:] and found.shape[0] == 1
    if isinstance(truth, TargetImage):  # or finer by a whole number
        ratios = {Fraction(a, b) for a, b in zip(sides, image.shape[1:], strict=False)}
        fits = len(sides) == len(image.shape[1:]) and len(ratios) == 1 and ratios.pop().denominator == 1
    if not fits:
        wanted = (
            "planes of that size or a whole number of times larger"
            if isinstance(truth, TargetImage)
            else "one plane of that size"
        )
        raise DataError(
            f"{path}: the {truth.what} is {_size(found.shape)} but {image_path} is {_size(image.shape)} (planes × rows "
            f"× columns); give {wanted} ({truth.option})."
        )
    if not same_place(found, image):
        raise DataError(
            f"{path}: the {truth.what} lies at another place of the sky than {image_path}, or has another pixel scale: "
            f"its centre is {_place(found)}, the image's {_place(image)}; give maps on the images' own pixel grid "
            f"({truth.option})."
        )


def _size(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _whole_numbers(truth: ClassMap | InstanceMap, part: Sample, path: str) -> NDArray[np.int64]:
    """The map (H, W) int64 with −1 where it is to be ignored or holds nothing.

    Raises:
        DataError: a value is no whole number from 0 on.
    """
    values = part.flux[0]
    ignored = ~part.valid[0] | (values == IGNORED)
    if truth.ignore is not None:
        ignored |= values == truth.ignore
    numbers: NDArray[np.int64] = np.where(ignored, IGNORED, np.rint(values)).astype(np.int64)
    strange = ~ignored & ((values != numbers) | (values < 0))
    if strange.any():
        worst = values[strange][0]
        raise DataError(
            f"{path}: the {truth.what} holds {worst:g}; it must be whole numbers from 0 on, −1 for what is to be "
            f"ignored, or another value named in {truth.option}.ignore=..."
        )
    return numbers
