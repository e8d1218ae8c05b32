"""Galleries: which objects are shown, and their pictures as parts of a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.batch import Batch
from astrocnn.report.pictures import pictures
from astrocnn.report.words import caption_value, html

__all__ = ["Gallery", "binary_galleries", "draw_galleries", "kind_galleries", "multiclass_galleries"]

PICTURES = 12  # two rows of six on a screen
PICTURES_PER_KIND = 6
MOST_CLASSES = 12

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Gallery:
    """A row of pictures: ``rows`` of the predictions table, in the order in which they are shown."""

    key: str
    title: str
    text: str
    rows: Rows
    empty: str = "There is none."
    of_one_kind: bool = False  # then captions need not say which


def binary_galleries(
    p: NDArray[np.floating], labels: NDArray[np.integer], *, classes: Sequence[str], threshold: float
) -> list[Gallery]:
    """Surest hits, worst misses (lowest p first) and false alarms (highest p first) at a threshold of p."""
    negative, positive = classes
    found = _best(p, (labels == 1) & (p >= threshold))
    missed = _best(-p, (labels == 1) & (p < threshold))
    alarms = _best(p, (labels == 0) & (p >= threshold))
    n_missed = int(((labels == 1) & (p < threshold)).sum())
    n_alarms = int(((labels == 0) & (p >= threshold)).sum())
    return [
        Gallery("hits", "Surest hits", f"The {positive} objects of highest probability.", found),
        Gallery(
            "misses",
            "Misses",
            f"The {positive} objects of lowest probability, of {n_missed} below the threshold.",
            missed,
            f"No {positive} is below the threshold.",
        ),
        Gallery(
            "alarms",
            "False alarms",
            f"The {negative} objects of highest probability, of {n_alarms} above the threshold.",
            alarms,
            f"No {negative} is above the threshold.",
        ),
    ]


def kind_galleries(
    p: NDArray[np.floating], kinds: NDArray[np.str_], texts: Mapping[str, str]
) -> list[Gallery]:
    """Of each kind in ``texts`` some objects evenly spaced in the order of p, the highest first."""
    galleries = []
    for number, (name, text) in enumerate(texts.items()):
        rows = np.flatnonzero(kinds == name)
        order = rows[np.argsort(-p[rows], kind="stable")]
        places = np.unique(
            np.linspace(0, len(order) - 1, min(PICTURES_PER_KIND, len(order))).round().astype(int)
        )
        galleries.append(
            Gallery(
                f"kind-{number}",
                f"{name[:1].upper()}{name[1:]}".replace("_", " "),
                text,
                order[places],
                of_one_kind=True,
            )
        )
    return galleries


def multiclass_galleries(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, classes: Sequence[str]
) -> list[Gallery]:
    """The most confident mistakes, then the surest right answers of each class."""
    predicted = probabilities.argmax(axis=1)
    top = probabilities.max(axis=1)
    wrong = predicted != labels
    galleries = [
        Gallery(
            "mistakes",
            "Most confident mistakes",
            f"The wrong answers of highest probability, of {int(wrong.sum())}.",
            _best(top, wrong),
            "No object is classified wrongly.",
        )
    ]
    for k, name in enumerate(list(classes)[:MOST_CLASSES]):
        rows = _best(top, ~wrong & (labels == k), most=PICTURES_PER_KIND)
        galleries.append(Gallery(f"class-{k}", f"{name}, surest", "", rows, "None is found."))
    return galleries


def draw_galleries(
    galleries: Sequence[Gallery],
    predictions: Table,
    *,
    images: Callable[[Rows], Batch],
    bands: Sequence[str] | None,
    classes: Sequence[str],
    truth: Sequence[str] = (),
    kind: str | None = None,
) -> tuple[dict[str, str], tuple[int, ...]]:
    """HTML of each gallery by its key, all pictures on one scale of brightness, and the images' (C, H, W).

    Args:
        galleries: their ``rows`` are rows of ``predictions``.
        predictions: with ``id``, ``index``, ``label``, ``p`` and the truth columns.
        images: gives the batch of catalogue rows (``index``); its ``index``, where it has one, orders it.
        bands: names of the bands; None takes them to go from blue to red.
        classes: names of the classes.
        truth: columns that a caption states where they hold a number.
        kind: column that a caption states.
    """
    rows = np.unique(np.concatenate([gallery.rows for gallery in galleries]))
    drawings: dict[int, str] = {}
    shape: tuple[int, ...] = ()
    if len(rows):
        made, shape = _pictures(predictions["index"][rows], images, bands)
        drawings = dict(zip(rows.tolist(), made, strict=True))
    drawn = {}
    for gallery in galleries:
        figures = [
            f"<figure>{drawings[row]}<figcaption>{caption}</figcaption></figure>"
            for row in gallery.rows.tolist()
            for caption in [_caption(predictions[row], classes, truth, None if gallery.of_one_kind else kind)]
        ]
        text = gallery.text if figures else gallery.empty
        content = f'<div class="gallery">{"".join(figures)}</div>' if figures else ""
        drawn[gallery.key] = (
            f'<h3 id="{gallery.key}">{html(gallery.title)}</h3><p class="read">{html(text)}</p>{content}'
        )
    return drawn, shape


def _best(score: NDArray[np.floating], wanted: NDArray[np.bool_], *, most: int = PICTURES) -> Rows:
    rows = np.flatnonzero(wanted)
    return rows[np.argsort(-score[rows], kind="stable")][:most].astype(np.int64)


def _pictures(
    index: Any, images: Callable[[Rows], Batch], bands: Sequence[str] | None
) -> tuple[list[str], tuple[int, ...]]:
    index = np.asarray(index, dtype=np.int64)
    batch = images(index)
    flux = batch["image"].numpy()
    made = pictures(flux, batch["valid"].numpy() if "valid" in batch else None, bands=bands)
    if "index" in batch:
        place = {int(row): position for position, row in enumerate(batch["index"])}
        made = [made[place[int(row)]] for row in index]
    return made, flux.shape[1:]


def _caption(row: Mapping[str, Any], classes: Sequence[str], truth: Sequence[str], kind: str | None) -> str:
    """First line: id and p; second: what it is."""
    p = float(row["p"])
    shown = "&gt; 0.999" if p > 0.9995 else "&lt; 0.001" if p < 0.0005 else f"{p:.3f}"
    if len(classes) > 2:
        predicted = int(np.argmax([row[f"p_{k}"] for k in range(len(classes))]))
        label = int(row["label"])
        what = [html(classes[label])]
        if predicted != label:
            what = [f"{html(classes[label])}, taken for {html(classes[predicted])}"]
    else:
        what = [text for column in truth if (text := caption_value(column, row[column]))]
        if kind is not None and not what:
            what = [html(str(row[kind]).replace("_", " "))]
    first = f'<b>{shown}</b> <span class="id" title="{html(row["id"])}">{html(row["id"])}</span>'
    return f"{first}<br>{' · '.join(what)}" if what else first
