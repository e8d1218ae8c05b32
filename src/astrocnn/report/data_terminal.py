"""The short tables that show a data set in the terminal."""

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from astrocnn.report.data_boxes import box_counts, boxes_in_words
from astrocnn.report.data_facts import AXES
from astrocnn.report.data_notes import notes
from astrocnn.report.inspection import Counts, Inspection, split_counts
from astrocnn.report.words import count, percent, scientific, size, some

__all__ = ["print_inspection"]

MOST_BANDS = 24
SHOWN = (0, 2, 3, 4)  # of the quantiles


def print_inspection(data: Inspection, page: object, *, console: Console | None = None) -> None:
    """Print what the data are, their splits, their bands, what deserves a second look, and where the page is."""
    console = console or Console()
    splits = split_counts(data.catalog, data.spec.classes)
    tables: list[Table | Text] = [_splits(splits, f"{data.noun}s")]
    if data.boxes is not None:
        tables += [Text(boxes_in_words(data, data.boxes)), _splits(box_counts(data, data.boxes), "objects")]
    tables += [_classes(data)] if data.class_pixels is not None else []
    console.print(Group(Text(data.title, style="bold"), Text(_lead(data)), *tables, _bands(data)))
    for note in notes(data):
        console.print(Text("! ", style="bold yellow") + Text(note, style="default"))
    console.print(Text(f"page: {page}"), soft_wrap=True)


def _lead(data: Inspection) -> str:
    scale = data.spec.pixel_scale_arcsec
    parts = [
        f"{some(len(data.catalog), data.noun)} of {data.shape}",
        f"{scale:.4g}″ a pixel" if scale else "",
        data.unit,
        f"{data.files}, {size(data.file_bytes)}, packed {size(data.packed_bytes)}",
        f"{percent(1 - float(data.valid_fraction.mean()))} without data",
    ]
    return " · ".join(part for part in parts if part)


def _splits(counts: Counts, what: str) -> Table:
    table = Table()
    table.add_column(what)
    for name in counts.columns:
        table.add_column(escape(name), justify="right")
    for name, numbers in zip(counts.rows, counts.numbers.tolist(), strict=True):
        table.add_row(escape(name), *(count(n) for n in numbers))
    return table


def _classes(data: Inspection) -> Table:
    """The share of each class in the pixels that have one, and of those that have none in all."""
    assert data.class_pixels is not None
    *numbers, ignored = data.class_pixels.tolist()
    table = Table()
    table.add_column("class")
    table.add_column("pixels", justify="right")
    for name, number in zip(data.spec.classes, numbers, strict=True):
        table.add_row(escape(name), percent(number / max(sum(numbers), 1)))
    table.add_row("of none, of all pixels", percent(ignored / max(sum(numbers) + ignored, 1)))
    return table


def _bands(data: Inspection) -> Table:
    unit, factor = data.unit_and_factor
    table = Table(
        title=escape(f"in {'' if data.unit else 'units of '}{unit}") if unit else None, title_justify="left"
    )
    table.add_column("feature" if data.n_spatial == 0 else "band")
    head = ["no data", "min", "median", "99 %", "max"]
    head += [name.lower() for name in data.levels] if data.sky is not None else []
    ratios = [band.median_noise_ratio for band in data.pixels.bands]
    head += ["noise / stated"] if any(ratio is not None for ratio in ratios) else []
    for name in head:
        table.add_column(name, justify="right")
    for c, band in enumerate(data.pixels.bands[:MOST_BANDS]):
        scale, digits = 1.0 if band.name in AXES else factor, band.digits - 1
        row = [percent(band.invalid_fraction)]
        row += [scientific(band.quantiles[q] * scale, digits) for q in SHOWN if band.quantiles]
        row += ["–"] * (1 + len(SHOWN) - len(row))
        if data.sky is not None and data.noise is not None:
            row += [scientific(data.sky[c] * scale, digits), scientific(data.noise[c] * scale, 3)]
        ratio = ratios[c]
        table.add_row(Text(band.name), *row, *([f"{ratio:.3f}"] if ratio is not None else []))
    return table
