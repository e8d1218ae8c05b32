"""The contact sheet: random objects of each class, as pictures or as lines."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from astrocnn.batch import Batch
from astrocnn.functional.seeding import seed_of
from astrocnn.report.data_facts import Normalise
from astrocnn.report.data_plots import series
from astrocnn.report.document import columns, plot
from astrocnn.report.gallery import Rows
from astrocnn.report.lupton import wavelength_order
from astrocnn.report.pictures import how_drawn, img, pictures
from astrocnn.report.style import draw
from astrocnn.report.words import caption_value, html, scientific, some

__all__ = ["choose_objects", "images_sheet", "seen_by_network", "series_sheet"]

PICTURES = 12
PICTURES_WITHOUT_CLASSES = 24
LINES = 4
SEEN = 6  # objects that are shown as the network sees them
MOST_CLASSES = 12
MOST_VALUES = 2**25  # that are held at once: of very large images fewer are shown
SEEN_QUANTILES = (0.01, 0.995)

Read = Callable[[Rows], Batch]


def choose_objects(
    labels: NDArray[np.int64], classes: Sequence[str], *, seed: int, most: int, most_unlabelled: int
) -> dict[str, Rows]:
    """Random rows of each class, and of objects without a label where there are no others; the same for a seed."""
    random = np.random.default_rng(seed_of(seed, 2))
    chosen = {}
    for k, name in enumerate(list(classes)[:MOST_CLASSES]):
        rows = random.permutation(np.flatnonzero(labels == k))[:most]
        if len(rows):
            chosen[name] = rows
    return chosen or {"": random.permutation(len(labels))[:most_unlabelled]}


def images_sheet(
    catalog: Table,
    *,
    read: Read,
    bands: Sequence[str],
    classes: Sequence[str],
    shape: tuple[int, ...],
    pixel_scale_arcsec: float | None,
    normalise: Normalise | None,
    truth: Sequence[str],
    kind: str | None,
    seed: int,
) -> str:
    """Colour pictures on one scale, by class, then some of them as the network sees them."""
    n_classes = max(1, min(len(classes), MOST_CLASSES))
    room = max(1, MOST_VALUES // int(np.prod(shape)) // n_classes)
    labels = np.asarray(catalog["label"])
    most, alone = min(PICTURES, room), min(PICTURES_WITHOUT_CLASSES, room)
    chosen = choose_objects(labels, classes, seed=seed, most=most, most_unlabelled=alone)
    rows = np.concatenate(list(chosen.values()))
    batch = read(rows)
    made = dict(
        zip(rows.tolist(), pictures(batch["image"].numpy(), batch["valid"].numpy(), bands=bands), strict=True)
    )
    text = how_drawn(bands, shape, pixel_scale_arcsec, "Objects are drawn at random.")
    for name, members in chosen.items():
        text += f"<h3>{html(name)}</h3>" if name else ""
        text += _gallery([(made[row], _caption(catalog, row, truth, kind)) for row in members.tolist()])
    if normalise is not None:
        text += seen_by_network(batch, rows, catalog, chosen, bands, normalise)
    return text


def seen_by_network(
    batch: Batch,
    rows: Rows,
    catalog: Table,
    chosen: Mapping[str, Rows],
    bands: Sequence[str],
    normalise: Normalise,
) -> str:
    """The first objects of each class after normalisation."""
    each = -(-SEEN // len(chosen))
    first = np.concatenate([members[:each] for members in chosen.values()])[:SEEN]
    place = [int(np.flatnonzero(rows == row)[0]) for row in first]
    normal = normalise(batch["image"][place], batch["valid"][place]).numpy()  # (n, C, H, W)
    order = wavelength_order(bands)
    blue_to_red = [part.mean(axis=1) for part in np.array_split(normal[:, order], min(3, len(order)), axis=1)]
    if len(blue_to_red) == 2:
        blue_to_red.insert(1, (blue_to_red[0] + blue_to_red[1]) / 2)
    rgb = np.stack((blue_to_red if len(blue_to_red) == 3 else blue_to_red * 3)[::-1], axis=-1)  # (n, H, W, 3)
    low, high = np.quantile(rgb, SEEN_QUANTILES)
    shades = np.clip((rgb - low) / ((high - low) or 1), 0, 1)
    drawn = [img(picture) for picture in (255 * shades).round().astype(np.uint8)]
    shown = _gallery(
        [(picture, _caption(catalog, row, (), None)) for picture, row in zip(drawn, first, strict=True)]
    )
    return (
        "<h3>As the network sees them</h3><p class='read'>Some of them after normalisation, from black at "
        f"{scientific(low, 2)} to white at {scientific(high, 2)} on a linear scale. "
        f"Pixels without data have become sky.</p>{shown}"
    )


def _gallery(items: Sequence[tuple[str, str]]) -> str:
    figures = "".join(f"<figure>{picture}<figcaption>{text}</figcaption></figure>" for picture, text in items)
    return f'<div class="gallery">{figures}</div>'


def _caption(catalog: Table, row: int, truth: Sequence[str], kind: str | None) -> str:
    """The object's id, then what is known of it."""
    name = html(catalog["id"][row])
    known = [text for column in truth if (text := caption_value(column, catalog[column][row]))]
    if kind is not None and not known:
        known = [html(str(catalog[kind][row]).replace("_", " "))]
    return f'<span title="{name}">{name}</span>' + (f"<br>{' · '.join(known)}" if known else "")


def series_sheet(
    catalog: Table,
    *,
    read: Read,
    bands: Sequence[str],
    classes: Sequence[str],
    place: tuple[str, NDArray[np.floating]],
    unit: str,
    factor: float,
    seed: int,
) -> str:
    """Lines of some objects of each class, a panel an object."""
    labels = np.asarray(catalog["label"])
    chosen = choose_objects(labels, classes, seed=seed, most=LINES, most_unlabelled=2 * LINES)
    shown = []
    for number, (name, rows) in enumerate(chosen.items()):
        batch = read(rows)
        figure = draw(
            series,
            batch["image"].numpy(),
            batch["valid"].numpy(),
            names=[str(catalog["id"][row]) for row in rows],
            bands=bands,
            place=place,
            unit=unit,
            factor=factor,
            panels=(1,) * len(rows),
            height_inch=0.5 + 1.05 * len(rows),
        )
        text = f"{some(len(rows), 'object')} drawn at random; gaps are without data."
        shown.append(plot(f"plot-series-{number}", name or "Objects", figure, text))
    return columns(shown)
