"""The section of the objects in images, by their boxes: how many of each class and split, how large."""

from dataclasses import replace

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.report.data_facts import counts_between, histogram, spread_of
from astrocnn.report.data_objects import counts_table
from astrocnn.report.data_plots import balance, spread, target
from astrocnn.report.document import columns, plot
from astrocnn.report.inspection import Boxes, Counts, Inspection, split_counts
from astrocnn.report.style import draw
from astrocnn.report.words import html, some

__all__ = ["NEITHER_WAY", "box_counts", "boxes_in_words", "boxes_section"]

NEITHER_WAY = "neither way"  # objects that are marked to be ignored, or whose class is not known


def box_counts(data: Inspection, boxes: Boxes) -> Counts:
    """How many objects of each class are in the images of each split."""
    split = np.asarray(data.catalog["split"]).astype(str)[boxes.image]
    return split_counts(
        Table({"label": boxes.labels, "split": split}), data.spec.classes, unknown=NEITHER_WAY
    )


def boxes_in_words(data: Inspection, boxes: Boxes) -> str:
    """How many there are, how many an image, and from which size to which."""
    each = _each_image(data, boxes)
    text = f"{some(len(boxes.image), 'object')}, {_range(each)} an image"
    if len(boxes.image):
        text += f"; boxes of {_range(boxes.sizes)} pixels"
    empty = int((each == 0).sum())
    return text + (f"; {some(empty, 'image')} without any." if empty else ".")


def boxes_section(data: Inspection, boxes: Boxes) -> str:
    """HTML of the counts, the balance of the classes, the sizes of the boxes and the numbers an image."""
    counts = box_counts(data, boxes)
    text = f"<p class='read'>{html(boxes_in_words(data, boxes))}"
    if (boxes.labels < 0).any():
        text += " What counts neither way is marked to be ignored, or of no known class."
    text += f"</p>{counts_table(counts)}"
    if not len(boxes.image):
        return text
    height = float(np.clip(0.95 + 0.3 * len(counts.columns), 1.5, 9))
    figure = draw(balance, counts, height_inch=height)
    shown = [plot("plot-box-classes", "Classes", figure, "Objects of each class, by split.")]
    whole = histogram(boxes.sizes, **spread_of(boxes.sizes))
    assert whole is not None
    by_class = [
        (name, replace(whole, counts=counts_between(boxes.sizes[boxes.labels == k], whole.edges)))
        for k, name in enumerate(data.spec.classes)
    ]
    figure = draw(spread, by_class, label="Size of the box (pixels)", what="Objects")
    shown.append(plot("plot-box-sizes", "Sizes", figure, "Geometric mean of width and height, by class."))
    figure = draw(target, _each_image(data, boxes), data.groups, label="objects in an image", what="Images")
    shown.append(plot("plot-box-numbers", "Objects an image", figure, "Those that count neither way too."))
    return text + columns(shown)


def _each_image(data: Inspection, boxes: Boxes) -> NDArray[np.float64]:
    """(R,) objects in each image."""
    return np.bincount(boxes.image, minlength=len(data.catalog)).astype(np.float64)


def _range(values: NDArray[np.floating]) -> str:
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return f"{low:.3g} to {high:.3g} (median {middle:.3g})"
