"""Pictures of single images with their true and predicted maps, side by side."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from astrocnn.report.lupton import NO_DATA, fit_scaling, lupton_rgb
from astrocnn.report.pictures import how_drawn, img
from astrocnn.report.style import CLASS_COLORS
from astrocnn.report.words import html, number

__all__ = ["LARGEST_SIDE", "QUALITY", "class_colors", "doubled", "outlines", "scene_gallery", "titled"]

Example = Mapping[str, Any]
Pixels = NDArray[np.uint8]
T = TypeVar("T")

LARGEST_SIDE = 512
QUALITY = 80
BACKGROUND = (22, 26, 34)
UNKNOWN = (128, 128, 128)  # pixels without a true class
FOUND, TRUE = (255, 226, 120), (60, 150, 255)  # outlines of objects
PARTS = ("Best", "Typical", "Worst")


def scene_gallery(
    examples: Sequence[Example],
    *,
    classes: Sequence[str],
    bands: Sequence[str] | None,
    pixel_scale_arcsec: float | None,
) -> str:
    """HTML of some images: in colour, their true and predicted classes, the probability of source, the objects.

    Args:
        examples: the best first, each with ``image`` (C, H, W), ``valid``, ``class_map`` (H, W), ``p`` (K, H, W);
            as far as known ``id``, ``score``, ``found`` and ``instances`` (H, W), the objects found and the true
            ones, and ``spread`` (H, W), the variance of samples.
        classes: names of the K classes, the background first.
        bands: names of the image's bands.
        pixel_scale_arcsec: for the size of the pictures on the sky.
    """
    if not examples:
        return ""
    known = [np.where(example["valid"], example["image"], np.nan)[None] for example in examples]
    largest = max(image.shape[-1] for image in known)
    alike = [image for image in known if image.shape == known[0].shape]
    scaling = fit_scaling(np.concatenate(alike), bands=bands)
    spreads = [np.nanmax(example["spread"]) for example in examples if example.get("spread") is not None]
    parts = []
    for title, (example, flux) in titled(list(zip(examples, known, strict=True))):
        parts += [f"<h3>{title}</h3>"] if title else []
        picture = lupton_rgb(flux, bands=bands, scaling=scaling)[0]
        panels = _panels(example, picture, len(classes), most_spread=max(spreads, default=1.0))
        cells = "".join(
            f"<figure>{img(drawn, largest_side=LARGEST_SIDE, quality=QUALITY)}"
            f"<figcaption>{html(caption)}</figcaption></figure>"
            for caption, drawn in panels
        )
        score = example.get("score")
        caption = html(example.get("id", "")) + (f": source IoU {number(score)}" if score is not None else "")
        parts.append(f'<p class="read">{caption}</p><div class="strip columns-{len(panels)}">{cells}</div>')
    shape = (*known[0].shape[1:3], largest)
    in_shades = any(e.get("found") is None or e.get("spread") is not None for e in examples)
    shades = "Probabilities and variances are dark at 0, light at their largest." if in_shades else ""
    note = how_drawn(bands, shape, pixel_scale_arcsec, shades)
    return f"{note}{_legend(classes)}{''.join(parts)}"


def titled(items: Sequence[T]) -> Iterator[tuple[str, T]]:
    """Each of some items, the best first, with the title that stands before it, '' for none."""
    titles = [PARTS[3 * k // len(items)] for k in range(len(items))] if len(items) >= 3 else [""] * len(items)
    for k, (title, item) in enumerate(zip(titles, items, strict=True)):
        yield ("" if k and title == titles[k - 1] else title), item


def class_colors(n_classes: int) -> Pixels:
    """(K + 1, 3) colours of the classes, the last one that of pixels without a class."""
    named = [CLASS_COLORS[k % len(CLASS_COLORS)] for k in range(n_classes - 1)]
    bright = [tuple(round(255 * (0.25 + 0.75 * part)) for part in to_rgb(name)) for name in named]
    return np.array([BACKGROUND, *bright, UNKNOWN], dtype=np.uint8)


def outlines(instances: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(H, W): pixels on both sides of where an object ends or meets another."""
    labels = np.maximum(instances, 0)
    border = np.zeros(labels.shape, dtype=bool)
    beside, above = labels[:, :-1] != labels[:, 1:], labels[:-1] != labels[1:]
    border[:, :-1] |= beside
    border[:, 1:] |= beside
    border[:-1] |= above
    border[1:] |= above
    return border


def _panels(
    example: Example, picture: Pixels, n_classes: int, *, most_spread: float
) -> list[tuple[str, Pixels]]:
    nowhere = ~np.asarray(example["valid"]).any(0)
    colors = class_colors(n_classes)
    p = np.asarray(example["p"])
    predicted = colors[np.where(np.isnan(p[0]), -1, p.argmax(0))]
    panels = [
        ("image", picture),
        ("true classes", colors[np.asarray(example["class_map"])]),
        ("predicted classes", predicted),
    ]
    if example.get("found") is not None:
        panels.append(("objects", _objects(picture, example["found"], example.get("instances"))))
    else:
        panels.append(("probability of source", _magma(1 - p[0])))
    if example.get("spread") is not None:
        panels.append(("variance of the samples", _magma(np.asarray(example["spread"]) / most_spread)))
    for caption, drawn in panels[1:]:
        if caption != "objects":
            drawn[nowhere] = NO_DATA
    return panels


def _objects(picture: Pixels, found: NDArray[np.integer], true: NDArray[np.integer] | None) -> Pixels:
    """Outlines of the objects found over those of the true ones, on the picture at twice its size.

    Lines as thin as that leave small objects to be seen.
    """
    drawn = doubled(picture)
    for instances, color in ((true, TRUE), (found, FOUND)):
        if instances is not None:
            drawn[outlines(doubled(np.asarray(instances)))] = color
    return drawn


def doubled(maps: NDArray[Any]) -> NDArray[Any]:
    """Maps (H, W, ...) with every pixel as four."""
    return np.repeat(np.repeat(maps, 2, axis=0), 2, axis=1)


def _magma(values: NDArray[np.floating]) -> Pixels:
    scaled = np.clip(np.nan_to_num(values), 0, 1)
    return np.asarray((255 * mpl.colormaps["magma"](scaled)[..., :3]).round().astype(np.uint8))


def _legend(classes: Sequence[str]) -> str:
    """What each colour of the class maps and of the outlines stands for."""
    names = [*classes, "not known"]
    swatches = [
        f'<span class="swatch" style="background:rgb({r},{g},{b})"></span> {html(name)}'
        for (r, g, b), name in zip(class_colors(len(classes)).tolist(), names, strict=True)
    ]
    found, true = (f'<span class="swatch" style="background:rgb{color}"></span>' for color in (FOUND, TRUE))
    return (
        f'<p class="read">Classes: {" · ".join(swatches)}. Objects: {found} found, drawn over {true} true, which '
        "shows where they differ.</p>"
    )
