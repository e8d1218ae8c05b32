"""What will be trained on, as one HTML file that needs nothing else."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astrocnn.io.atomic import write_text
from astrocnn.report.box_pictures import boxes_sheet
from astrocnn.report.data_boxes import boxes_section
from astrocnn.report.data_facts import Normalise
from astrocnn.report.data_notes import notes
from astrocnn.report.data_objects import objects_section
from astrocnn.report.data_sheet import Read, images_sheet, series_sheet
from astrocnn.report.data_values import missing_section, noise_section, values_section
from astrocnn.report.document import Section, document
from astrocnn.report.inspection import Inspection, split_counts
from astrocnn.report.tables import run_list
from astrocnn.report.words import count, html, moment, percent, scientific, size, some

__all__ = ["write_data_page"]


def write_data_page(
    path: str | os.PathLike[str],
    data: Inspection,
    *,
    read: Read,
    normalise: Normalise | None = None,
    truth: Sequence[str] = (),
    kind: str | None = None,
    run_info: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write the page. What is not known of the data is left out of it.

    Args:
        path: of the HTML file; its folder is made.
        data: what was found.
        read: gives the batch of some catalogue rows, for the contact sheet.
        normalise: gives the normalised pixels of flux and validity; None where none could be fitted.
        truth: columns of the catalogue that stand below a picture where they hold a number.
        kind: column that stands there instead where none does.
        run_info: what the page was made with, by name.
        seed: of the objects on the contact sheet.

    Returns:
        The path.
    """
    sheet = ""
    if data.boxes is not None:
        sheet = boxes_sheet(
            data.catalog,
            read=read,
            bands=data.spec.bands,
            classes=data.spec.classes,
            shape=data.spec.image_shape,
            pixel_scale_arcsec=data.spec.pixel_scale_arcsec,
            normalise=normalise,
            seed=seed,
        )
    elif data.n_spatial == 2:
        sheet = images_sheet(
            data.catalog,
            read=read,
            bands=data.spec.bands,
            classes=data.spec.classes,
            shape=data.spec.image_shape,
            pixel_scale_arcsec=data.spec.pixel_scale_arcsec,
            normalise=normalise,
            truth=[name for name in truth if name in data.catalog.colnames],
            kind=kind if kind in data.catalog.colnames else None,
            seed=seed,
        )
    elif data.n_spatial == 1:
        unit, factor = data.unit_and_factor
        sheet = series_sheet(
            data.catalog,
            read=read,
            bands=data.spec.bands,
            classes=data.spec.classes,
            place=data.place,
            unit=unit,
            factor=factor,
            seed=seed,
        )
    sections: list[Section] = [
        ("notes", "At a glance", _tiles(data) + _notes(data)),
        ("objects", f"{data.noun.capitalize()}s", objects_section(data, seed=seed)),
        ("boxes", "Objects", "" if data.boxes is None else boxes_section(data, data.boxes)),
        ("sheet", "Contact sheet", sheet),
        ("values", data.what, values_section(data)),
        ("missing", "Missing data", missing_section(data)),
        ("noise", "Noise and variance", noise_section(data)),
        ("made", "How this was made", run_list(run_info or {})),
    ]
    write_text(path, document(data.title, _lead(data, run_info or {}), sections))
    return Path(path)


def _lead(data: Inspection, run_info: Mapping[str, Any]) -> str:
    scale = data.spec.pixel_scale_arcsec
    parts = [
        f"{some(len(data.catalog), data.noun)} of {data.shape}",
        html(" ".join(data.spec.bands)) if data.n_spatial and len(data.spec.bands) <= 12 else "",
        f"{scale:.4g}″ a pixel" if scale and data.n_spatial == 2 else "",
        html(data.unit),
        html(moment(run_info["date"])) if run_info.get("date") else "",
    ]
    n = data.pixels.n_objects
    whole = n == len(data.catalog)
    sample = "of all of them" if whole else f"of {some(n, data.noun)} drawn at random"
    return (
        f'<p class="lead">{" · ".join(part for part in parts if part)}</p>'
        f'<p class="lead">Counts are of all {data.noun}s; statistics of {data.what.lower()} are {sample}.</p>'
    )


def _tiles(data: Inspection) -> str:
    counts = split_counts(data.catalog, data.spec.classes)
    splits = counts.rows[:-1] if "train" in counts.rows else ()
    complete = float((data.valid_fraction == 1).mean())
    items = [
        (
            f"{data.noun.capitalize()}s",
            count(len(data.catalog)),
            f"{count(len(data.skipped))} left out" if len(data.skipped) else "",
        )
    ]
    if data.boxes is not None:
        n = len(data.boxes.image)
        items.append(("Objects", count(n), f"{scientific(n / max(len(data.catalog), 1), 3)} an image"))
    if splits:
        numbers = " / ".join(count(counts.numbers[counts.rows.index(name), -1]) for name in splits)
        items.append(("Split", numbers, " / ".join(splits)))
    items += [
        (
            "With data",
            percent(float(data.valid_fraction.mean())),
            f"{percent(complete)} of the {data.noun}s are complete",
        ),
        ("On disc", size(data.file_bytes), f"{data.files}, packed {size(data.packed_bytes)}"),
    ]
    shown = "".join(
        f'<li><span class="name">{name}</span><span class="value other">{value}</span>'
        f'<span class="interval">{small}</span></li>'
        for name, value, small in items
    )
    return f'<ul class="tiles facts">{shown}</ul>'


def _notes(data: Inspection) -> str:
    found = notes(data)
    if not found:
        return "<p class='read'>Nothing stands out that would need a second look before training.</p>"
    items = "".join(f"<li>{html(note)}</li>" for note in found)
    return f'<h3>What deserves a second look</h3><ul class="notes">{items}</ul>'
