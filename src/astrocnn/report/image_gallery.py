"""Pictures of single predictions: input, target, prediction and what is left, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from astrocnn.report.image_words import plane_name
from astrocnn.report.lupton import NO_DATA, fit_scaling, lupton_rgb
from astrocnn.report.pictures import img
from astrocnn.report.words import html, scientific

__all__ = ["image_gallery"]

Example = Mapping[str, Any]
Floats = NDArray[np.floating]

COLUMNS = ("input", "target", "prediction", "predicted − true")
MOST_PLANES = 6
CLIPPED_PERCENT = 0.5  # on either side of a colour scale
RESIDUAL_PERCENT = 99.0
LARGEST_SIDE = 256
CLIPPED = "larger ones in the same colours"


def image_gallery(
    examples: Sequence[Example],
    *,
    bands: Sequence[str] | None,
    planes: Sequence[str],
    units: Sequence[str | None],
    edges: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """HTML of some predictions, each under its id: one row where the planes are bands of the image, else one a plane.

    Pictures of one kind share one scale in all examples, which is stated. Of volumes the middle slice is shown.

    Args:
        examples: with ``id``, ``title`` (of the part of the gallery), ``image`` (C, ...), ``valid``, ``target``
            (K, ...), ``target_valid`` and ``prediction`` (K, ...), in their units.
        bands: names of the image's bands.
        planes: names of the target's planes.
        units: of the planes.
        edges: of each plane, values that are one step of colour apart; None colours evenly.
    """
    shown = [_slices(example) for example in examples]
    if not shown:
        return ""
    of_bands = bands is not None and set(planes) <= set(bands)
    rows, note = (
        _in_colour(shown, bands, planes, units) if of_bands else _by_plane(shown, bands, planes, units, edges)
    )
    parts, title = [], None
    for example, pictures in zip(shown, rows, strict=True):
        if example["title"] != title:
            title = example["title"]
            parts.append(f"<h3>{html(title)}</h3>")
        parts.append(f'<p class="read">{html(example["id"])}</p><div class="strip">{pictures}</div>')
    return f'<p class="read">{note}</p>{"".join(parts)}'


def _slices(example: Example) -> dict[str, Any]:
    """The same with (C, H, W) arrays, what is not valid being NaN; of a volume the slice in its middle."""
    flat = {key: _middle(np.asarray(example[key])) for key in ("image", "target", "prediction")}
    for key, mask in (("image", "valid"), ("target", "target_valid")):
        flat[key] = np.where(_middle(np.asarray(example[mask])), flat[key], np.nan)
    is_volume = np.ndim(example["image"]) == 4
    return {"id": example["id"], "title": example["title"], "is_volume": is_volume, **flat}


def _middle(maps: NDArray[Any]) -> NDArray[Any]:
    return maps[:, maps.shape[1] // 2] if maps.ndim == 4 else maps


def _in_colour(
    shown: Sequence[Mapping[str, Any]],
    bands: Sequence[str] | None,
    planes: Sequence[str],
    units: Sequence[str | None],
) -> tuple[list[str], str]:
    """Input, target and prediction as colour pictures on one scale; the residual of all planes together."""
    columns = [list(bands or ()).index(plane) for plane in planes]
    inputs = np.stack([example["image"][columns] for example in shown])
    finer = max(1, shown[0]["target"].shape[-1] // inputs.shape[-1])
    inputs = inputs / finer**2  # each of the target's pixels has its share of the flux
    scaling = fit_scaling(inputs, bands=planes)
    inputs = np.repeat(np.repeat(inputs, finer, axis=2), finer, axis=3)
    targets, said = (np.stack([example[key] for example in shown]) for key in ("target", "prediction"))
    drawn = [lupton_rgb(flux, bands=planes, scaling=scaling) for flux in (inputs, targets, said)]
    residual = (said - targets).sum(1)
    span = _span(residual)
    rows = []
    for i in range(len(shown)):
        pictures = [drawn[0][i], drawn[1][i], drawn[2][i], _coloured(residual[i], -span, span, "RdBu_r")]
        rows.append(_row(pictures, COLUMNS))
    summed = f"the sum over {html(' '.join(planes))}" if len(planes) > 1 else html(planes[0])
    unit = f" {html(units[0])}" if len(set(units)) == 1 and units[0] else ""
    note = (
        "Input, target and prediction on one scale (asinh over the noise, Lupton et al. 2004); predicted − true is "
        f"{summed}, from −{scientific(span, 2)} (blue) to {scientific(span, 2)}{unit} (red), {CLIPPED}. {_no_data()}"
    )
    return rows, note


def _by_plane(
    shown: Sequence[Mapping[str, Any]],
    bands: Sequence[str] | None,
    planes: Sequence[str],
    units: Sequence[str | None],
    edges: Mapping[str, Sequence[float]] | None,
) -> tuple[list[str], str]:
    """The input in colour, then target, prediction and residual of each plane."""
    flux = np.stack([example["image"] for example in shown])
    inputs = _ranked(flux[:, 0]) if shown[0]["is_volume"] else lupton_rgb(flux, bands=bands)
    rows = [""] * len(shown)
    scales = []
    for k, (plane, unit) in enumerate(list(zip(planes, units, strict=True))[:MOST_PLANES]):
        targets, said = (np.stack([example[key][k] for example in shown]) for key in ("target", "prediction"))
        residual = said - targets
        span = _span(residual)
        known = targets[np.isfinite(targets)]
        low, high = (
            np.percentile(known, [CLIPPED_PERCENT, 100 - CLIPPED_PERCENT])
            if len(known)
            else np.array([0.0, 1.0])
        )
        steps = np.asarray(edges[plane] if edges and plane in edges else [low, high], dtype=float)
        at = np.linspace(0, 1, len(steps))
        first, last = np.interp([low, high], steps, at)
        said = np.where(np.isfinite(targets), said, np.nan)
        for i in range(len(shown)):
            maps = [
                _coloured(np.interp(part[i], steps, at), first, last, "viridis") for part in (targets, said)
            ]
            pictures = [inputs[i] if k == 0 else None, *maps, _coloured(residual[i], -span, span, "RdBu_r")]
            rows[i] += _row(pictures, (COLUMNS[0], *(f"{plane}, {name}" for name in COLUMNS[1:])))
        scales.append(
            f"{html(plane_name(plane, unit))} {scientific(low, 3)} (dark) to {scientific(high, 3)} (light), "
            f"residual ±{scientific(span, 2)}"
        )
    first = ""
    if shown[0]["is_volume"]:
        first = (
            f" Of the input the middle slice of {html(bands[0] if bands else 'its first channel')}, by rank."
        )
    left_out = f" The first {MOST_PLANES} of {len(planes)} planes." if len(planes) > MOST_PLANES else ""
    note = (
        f"One scale a plane in all examples: {'; '.join(scales)} (blue to red), {CLIPPED}.{first}{left_out} "
        f"{_no_data()}"
    )
    return rows, note


def _span(residual: Floats) -> float:
    """The end of the colour scale of residuals (N, H, W): it suits the image in the middle, whatever the worst are."""
    spans = [
        float(np.percentile(np.abs(known), RESIDUAL_PERCENT))
        for each in residual
        if len(known := each[np.isfinite(each)])
    ]
    spans = [span for span in spans if span > 0]
    return float(np.percentile(spans, 50, method="lower")) if spans else 1.0


def _coloured(values: Floats, low: float, high: float, colours: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 of values between two bounds."""
    scaled = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
    picture = (255 * mpl.colormaps[colours](np.nan_to_num(scaled))[..., :3]).round().astype(np.uint8)
    picture[~np.isfinite(values)] = NO_DATA
    return np.asarray(picture)


def _ranked(maps: Floats) -> NDArray[np.uint8]:
    """(N, H, W, 3) uint8 of maps (N, H, W): as many pixels of each colour, whatever the values."""
    order = np.sort(maps[np.isfinite(maps)])
    ranks = np.searchsorted(order, np.nan_to_num(maps)) / max(len(order), 1)
    ranks = np.where(np.isfinite(maps), ranks, np.nan)
    return np.stack([_coloured(each, 0.0, 1.0, "viridis") for each in ranks])


def _row(pictures: Sequence[NDArray[np.uint8] | None], captions: Sequence[str]) -> str:
    cells = []
    for picture, caption in zip(pictures, captions, strict=True):
        drawn = "" if picture is None else img(picture, largest_side=LARGEST_SIDE)
        cells.append(f"<figure>{drawn}<figcaption>{html(caption) if drawn else ''}</figcaption></figure>")
    return "".join(cells)


def _no_data() -> str:
    r, g, b = NO_DATA
    return f'Pixels without data are <span class="swatch" style="background:rgb({r},{g},{b})"></span> violet.'
