"""Pictures of single images with the boxes of what was found, missed, and found where nothing is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.report.data_facts import Normalise
from astrocnn.report.data_sheet import MOST_VALUES, Read, choose_objects, seen_by_network
from astrocnn.report.lupton import fit_scaling, lupton_rgb
from astrocnn.report.pictures import how_drawn, img
from astrocnn.report.scene_pictures import LARGEST_SIDE, QUALITY, class_colors, doubled, titled
from astrocnn.report.words import html, number, some

__all__ = ["box_gallery", "boxes_sheet"]

Pixels = NDArray[np.uint8]
HIT, MISSED, FALSE, UNCOUNTED = (120, 230, 120), (255, 80, 80), (255, 200, 60), (150, 150, 150)
DRAWN = 6  # images of a data set
NAMES = {HIT: "found", MISSED: "missed", FALSE: "found where nothing is", UNCOUNTED: "counts neither way"}


def box_gallery(
    examples: Sequence[Mapping[str, Any]], *, bands: Sequence[str] | None, pixel_scale_arcsec: float | None
) -> str:
    """HTML of some images in colour, plain and with boxes.

    Args:
        examples: the best first, each with ``image`` (C, H, W), ``valid``, ``id``, ``score``; ``found`` (N, 4) boxes
            with ``hit`` and ``counts`` (N,), ``true`` (M, 4) boxes with ``missed`` (M,).
        bands: names of the image's bands.
        pixel_scale_arcsec: for the size of the pictures on the sky.
    """
    if not examples:
        return ""
    known = [np.where(example["valid"], example["image"], np.nan)[None] for example in examples]
    alike = [image for image in known if image.shape == known[0].shape]
    scaling = fit_scaling(np.concatenate(alike), bands=bands)
    parts = []
    for title, (example, flux) in titled(list(zip(examples, known, strict=True))):
        picture = doubled(lupton_rgb(flux, bands=bands, scaling=scaling)[0])
        cells = "".join(
            f"<figure>{img(drawn, largest_side=2 * LARGEST_SIDE, quality=QUALITY)}"
            f"<figcaption>{caption}</figcaption></figure>"
            for caption, drawn in (("image", picture), ("boxes", _boxed(picture, example)))
        )
        head = f"<h3>{title}</h3>" if title else ""
        score = number(example["score"])
        parts.append(
            f'{head}<p class="read">{html(example["id"])}: F1 {score}</p><div class="strip columns-2">{cells}</div>'
        )
    swatches = " · ".join(
        f'<span class="swatch" style="background:rgb{colour}"></span> {name}'
        for colour, name in NAMES.items()
    )
    shape = (*known[0].shape[1:3], max(image.shape[-1] for image in known))
    note = how_drawn(bands, shape, pixel_scale_arcsec, "")
    return f'{note}<p class="read">Boxes: {swatches}.</p>{"".join(parts)}'


def boxes_sheet(
    catalog: Table,
    *,
    read: Read,
    bands: Sequence[str],
    classes: Sequence[str],
    shape: tuple[int, ...],
    pixel_scale_arcsec: float | None,
    normalise: Normalise | None,
    seed: int,
) -> str:
    """HTML of random images in colour, plain and with the boxes of their objects, then as the network sees them.

    Args:
        catalog: one row an image, with ``id`` and ``label``.
        read: gives the batch of some rows, with ``boxes`` and ``box_labels``.
        bands: their names, from which the colours follow.
        classes: names of the objects' classes.
        shape: (C, H, W) of an image.
        pixel_scale_arcsec: for the size of the pictures on the sky.
        normalise: gives the normalised pixels; None leaves out what the network sees.
        seed: of the choice.
    """
    room = max(1, MOST_VALUES // int(np.prod(shape)))
    chosen = choose_objects(
        np.full(len(catalog), -1), (), seed=seed, most=0, most_unlabelled=min(DRAWN, room)
    )
    rows = chosen[""]
    batch = read(rows)
    flux = np.where(batch["valid"].numpy(), batch["image"].numpy(), np.nan)
    made = lupton_rgb(flux, bands=bands, scaling=fit_scaling(flux, bands=bands))
    colours = [*(tuple(colour) for colour in class_colors(len(classes) + 1)[1:-1].tolist()), UNCOUNTED]
    parts = []
    for row, image, boxes, labels in zip(rows, made, batch["boxes"], batch["box_labels"], strict=True):
        plain = doubled(image)
        drawn = plain.copy()
        there = boxes.isfinite().all(-1)
        for box, label in zip(boxes[there].tolist(), labels[there].tolist(), strict=True):
            _outline(drawn, box, colours[label])
        cells = "".join(
            f"<figure>{img(shown, largest_side=2 * LARGEST_SIDE, quality=QUALITY)}</figure>"
            for shown in (plain, drawn)
        )
        caption = f"{html(catalog['id'][row])}: {some(int(there.sum()), 'object')}"
        parts.append(f'<p class="read">{caption}</p><div class="strip columns-2">{cells}</div>')
    names = [*map(html, classes), "counts neither way"]
    legend = " · ".join(
        f'<span class="swatch" style="background:rgb{colour}"></span> {name}'
        for colour, name in zip(colours, names, strict=True)
    )
    text = how_drawn(bands, shape, pixel_scale_arcsec, "Images are drawn at random.")
    text += f'<p class="read">Boxes: {legend}.</p>{"".join(parts)}'
    if normalise is not None:
        text += seen_by_network(batch, rows, catalog, chosen, bands, normalise)
    return text


def _boxed(picture: Pixels, example: Mapping[str, Any]) -> Pixels:
    drawn = picture.copy()
    hit, counts = np.asarray(example["hit"], bool), np.asarray(example["counts"], bool)
    found, true = np.asarray(example["found"]).reshape(-1, 4), np.asarray(example["true"]).reshape(-1, 4)
    for boxes, colour in (
        (found[~counts], UNCOUNTED),
        (found[hit], HIT),
        (found[counts & ~hit], FALSE),
        (true[np.asarray(example["missed"], bool)], MISSED),
    ):
        for box in boxes.tolist():
            _outline(drawn, box, colour)
    return drawn


def _outline(drawn: Pixels, box: Sequence[float], colour: tuple[int, int, int]) -> None:
    """Draw a box on a picture of twice the image's size."""
    height, width = drawn.shape[:2]
    x0, y0, x1, y1 = (round(2 * (edge + 0.5)) for edge in box)
    left, right = max(x0, 0), min(x1, width)
    top, bottom = max(y0, 0), min(y1, height)
    if left >= right or top >= bottom:
        return
    for row in {top, bottom - 1}:
        drawn[row, left:right] = colour
    for column in {left, right - 1}:
        drawn[top:bottom, column] = colour
