"""What is known of a data set before training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.batch import DataSpec
from astrocnn.report.data_facts import AXES, BandFacts, PixelFacts
from astrocnn.report.words import count, scientific

__all__ = ["SPLITS", "Boxes", "Counts", "Inspection", "split_counts"]

SPLITS = {"train": "training", "val": "validation", "test": "test"}
READABLE = (1e-2, 1e4)  # noise outside of this range is given in a power of ten of the unit


@dataclass(frozen=True)
class Counts:
    """``numbers`` (R, K) objects: one row a split and the last one for all, one column a class and the last for all."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    numbers: NDArray[np.int64]


@dataclass(frozen=True)
class Boxes:
    """N objects in images: ``image`` (N,), the row of the catalogue that each is in; ``labels`` (N,), −1 for what
    counts neither way; ``edges`` (N, 4) x0, y0, x1, y1 in pixels, within the image.
    """

    image: NDArray[np.int64]
    labels: NDArray[np.int64]
    edges: NDArray[np.float32]

    @property
    def sizes(self) -> NDArray[np.float32]:
        """(N,) geometric mean of width and height, in pixels."""
        sizes: NDArray[np.float32] = np.sqrt((self.edges[:, 2:] - self.edges[:, :2]).prod(1))
        return sizes


@dataclass(frozen=True)
class Inspection:
    """What the page and the terminal show.

    Args:
        title: names the data.
        spec: what the headers say.
        catalog: one row a usable object, with ``id``, ``ra``, ``dec``, ``label``, ``split``.
        skipped: what was left out: ``id``, ``path``, ``reason``.
        valid_fraction: (N,) of every object.
        pixels: facts of a sample of the objects.
        n_files, file_bytes, packed_bytes: what the values are read from, and the size of their cache.
        refusals: why training would stop, in the words of its errors.
        split_rule: how the objects were split, in words.
        unsplit: how many objects are in no split, by reason.
        duplicates: the objects that stand more than once: ``id``, ``duplicate_of``, ``by``, ``split``, ``label``.
        duplicate_warning: what is wrong with them.
        targets: (N,) numbers that a task shall learn, by name, NaN where unknown.
        axis: what series lie along: its name and (L,) numbers; None counts their values.
        fitted_on: the objects that the normalisation was fitted on, in words; '' where it could not be.
        sky, noise: (C,) of the normalisation, where it has them.
        class_pixels: (K + 1,) pixels of each class in class maps, the last those of none; None without such maps.
        boxes: the objects in images that have boxes; None of other data.
    """

    title: str
    spec: DataSpec
    catalog: Table
    skipped: Table
    valid_fraction: NDArray[np.float32]
    pixels: PixelFacts
    n_files: int
    file_bytes: int
    packed_bytes: int
    refusals: Sequence[str] = ()
    split_rule: str = ""
    unsplit: Mapping[str, int] = field(default_factory=dict)
    duplicates: Table | None = None
    duplicate_warning: str | None = None
    targets: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    axis: tuple[str, NDArray[np.float64]] | None = None
    fitted_on: str = ""
    sky: NDArray[np.float64] | None = None
    noise: NDArray[np.float64] | None = None
    class_pixels: NDArray[np.int64] | None = None
    boxes: Boxes | None = None

    @property
    def noun(self) -> str:
        """What a row of the catalogue is called; images with boxes hold the objects."""
        return "object" if self.boxes is None else "image"

    @property
    def of_classes(self) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
        """The class number, −1 where unknown, and the split of each object, which may be one of several in an image."""
        split = np.asarray(self.catalog["split"]).astype(str)
        return (self.labels, split) if self.boxes is None else (self.boxes.labels, split[self.boxes.image])

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class numbers, −1 where unknown."""
        return np.asarray(self.catalog["label"])

    @property
    def groups(self) -> NDArray[np.str_]:
        """(N,) the split of each object, 'no split', or 'objects' where none is in any."""
        split = np.asarray(self.catalog["split"]).astype(str)
        return np.where(split == "", "no split" if (split != "").any() else "objects", split)

    @property
    def position(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Right ascension and declination (N,) in degrees, and where they are known."""
        ra, dec = (np.asarray(self.catalog[key], dtype=float) for key in ("ra", "dec"))
        return ra % 360, dec, np.isfinite(ra) & np.isfinite(dec)

    @property
    def place(self) -> tuple[str, NDArray[np.float64]]:
        """The axis of series: the source's, or the number of the value."""
        return self.axis or ("Number of the value", np.arange(self.spec.image_shape[-1], dtype=float))

    @property
    def flux_bands(self) -> list[BandFacts]:
        """The bands without those that are themselves an axis."""
        return [band for band in self.pixels.bands if band.name not in AXES]

    @property
    def unit(self) -> str:
        """The unit of all bands; '' where they have none or several."""
        units = {unit or "" for unit in self.spec.units}
        return units.pop() if len(units) == 1 else ""

    @property
    def unit_and_factor(self) -> tuple[str, float]:
        """The unit with a power of ten where numbers would be very large or small, and the factor to it."""
        widths = [band.width for band in self.flux_bands if band.width > 0]
        typical = float(np.median(widths)) if widths else 1.0
        if self.n_spatial == 0 or READABLE[0] <= typical < READABLE[1]:
            return self.unit, 1.0
        power = 3 * int(np.floor(np.log10(typical) / 3))
        return f"{scientific(10.0**power, 1).removeprefix('1×')} {self.unit}".strip(), 10.0**-power

    @property
    def shape(self) -> str:
        """'3 × 64 × 64 pixels (12.8″ wide)', '2 × 4 000 values' or '12 features'."""
        shape = " × ".join(count(n) for n in self.spec.image_shape)
        scale = self.spec.pixel_scale_arcsec
        if self.n_spatial < 2 or not scale:
            return f"{shape} {self.what.lower() if self.n_spatial else 'features'}"
        return f"{shape} pixels ({scale * self.spec.image_shape[-1]:.3g}″ wide)"

    @property
    def levels(self) -> tuple[str, str]:
        """What the level and the spread of a band are called."""
        return ("Sky", "Noise") if self.n_spatial > 1 else ("Level", "Spread")

    @property
    def files(self) -> str:
        """'1 file' or '12 000 files'."""
        return f"{count(self.n_files)} file{'s' * (self.n_files != 1)}"

    @property
    def what(self) -> str:
        """What the values are called."""
        return "Pixels" if self.n_spatial > 1 else "Values"

    @property
    def n_spatial(self) -> int:
        """Axes of an object beside its bands: 2 for images, 1 for series, 0 for rows of a table."""
        return len(self.spec.image_shape) - 1


def split_counts(catalog: Table, classes: Sequence[str], *, unknown: str = "no label") -> Counts:
    """How many objects of each class are in each split; classes and splits without any object are kept, but no class
    where none of the objects has one. Those of an ``unknown`` class have a column of that name.
    """
    labels, split = np.asarray(catalog["label"]), np.asarray(catalog["split"]).astype(str)
    classes = classes if (labels >= 0).any() else ()
    rows = [name for name in SPLITS if (split != "").any()] + ["no split"] * bool((split == "").any())
    columns = [*classes, *[unknown] * bool((labels < 0).any() and (labels >= 0).any())]
    of_row = [split == ("" if name == "no split" else name) for name in rows]
    of_column = [labels == k for k in range(len(classes))] + [labels < 0] * (len(columns) - len(classes))
    inside = [[int((r & c).sum()) for c in of_column] + [int(r.sum())] for r in of_row]
    whole = [int(c.sum()) for c in of_column] + [len(labels)]
    if len(rows) == 1 and rows[0] == "no split":
        return Counts(("all",), (*columns, "all"), np.array([whole]))
    return Counts((*rows, "all"), (*columns, "all"), np.array([*inside, whole]))
