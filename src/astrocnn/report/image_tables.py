"""The tables of an image-to-image run: its figures beside those of predictions that need no network."""

import os
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from astrocnn.report.image_words import (
    FIGURES,
    PREDICTORS,
    figure_text,
    headline,
    interval_text,
    meaning,
    plane_name,
    some_of,
)
from astrocnn.report.populations import shown_split
from astrocnn.report.words import html

__all__ = ["image_figures_table", "image_summary_table", "image_tiles", "print_image_summary"]

MOST_TILES = 3
MOST_COLUMNS = 3  # planes that stand side by side in a terminal
LEFT_TO_THE_PAGE = ("mae", "bias", "flux_error")
LEFT_TO_THE_PAGE_OF_MANY = (*LEFT_TO_THE_PAGE, "psnr", "flux_ratio", "flux_error_median")


def image_tiles(summary: Mapping[str, Any]) -> str:
    """The figure that one looks for first, of up to three planes, and how the error compares without a network."""
    items = []
    for plane in summary["planes"][:MOST_TILES]:
        figures = summary["figures"][plane]
        key = headline(figures)
        items.append(_tile(f"{FIGURES[key][0]}, {plane}", key, figures[key]))
    plane = summary["planes"][0]
    for name, gain in summary["gain"].items():
        title = f"RMSE over that of {PREDICTORS.get(name, name)}, {plane}"
        items.append(_tile(title, "ratio", gain[plane]["rmse"], other=True))
    return f'<ul class="tiles">{"".join(items)}</ul>'


def image_figures_table(summary: Mapping[str, Any]) -> str:
    """One row a figure, one column a plane, with 95 % intervals and below them what the trivial predictions reach."""
    planes, units = summary["planes"], summary["units"]
    numbers = summary["n_images"]
    head = "".join(
        f'<th scope="col">{html(plane_name(plane, unit))}<small>{some_of(summary, numbers[plane])}</small></th>'
        for plane, unit in zip(planes, units, strict=True)
    )
    rows = []
    for key, (name, _) in FIGURES.items():
        if not any(key in summary["figures"][plane] for plane in planes):
            continue
        cells = "".join(f"<td>{_cell(summary, plane, key)}</td>" for plane in planes)
        rows.append(
            f'<tr><th scope="row">{html(name)}<small>{html(meaning(key, summary))}</small></th>{cells}</tr>'
        )
    for name in summary["gain"]:
        cells = "".join(f"<td>{_gain(summary['gain'][name][plane]['rmse'])}</td>" for plane in planes)
        title = f"RMSE over that of {PREDICTORS.get(name, name)}"
        rows.append(
            f'<tr><th scope="row">{html(title)}<small>below 1: nearer to the truth</small></th>{cells}</tr>'
        )
    others = " and ".join(f"{PREDICTORS.get(name, name)} ({html(name)})" for name in summary["trivial"])
    note = f"Ranges are intervals ({html(summary['intervals'])})."
    note += f" In small type what {others} would reach." if others else ""
    table = f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table>{table}</table></div><p class="read">{note}</p>'


def image_summary_table(metrics: Mapping[str, Any]) -> Table:
    """The figures of the test set with their 95 % intervals: a column a plane, or a row where there are many planes.

    Args:
        metrics: contents of metrics.json.

    Raises:
        DataError: the metrics hold no split.
    """
    split, summary = shown_split(metrics)
    planes = list(zip(summary["planes"], summary["units"], strict=True))
    many = len(planes) > MOST_COLUMNS
    left_out = LEFT_TO_THE_PAGE_OF_MANY if many else LEFT_TO_THE_PAGE
    shown = {
        FIGURES[key][0]: [_text(key, summary["figures"][plane].get(key)) for plane, _ in planes]
        for key in FIGURES
        if key not in left_out and any(key in figures for figures in summary["figures"].values())
    }
    for name, gain in summary["gain"].items():
        title = f"RMSE over that of {PREDICTORS.get(name, name)}"
        shown[title] = [_text("ratio", gain[plane]["rmse"]) for plane, _ in planes]
    table = Table(
        title=escape(f"{split} set, {some_of(summary, summary['n'])}"),
        title_justify="left",
        caption="in brackets: 95 % intervals",
        caption_justify="left",
        show_lines=True,
    )
    named = [plane_name(plane, unit) for plane, unit in planes]
    for heading in ("", *(shown if many else named)):
        table.add_column(escape(heading))
    cells = zip(named, *shown.values(), strict=True) if many else ((key, *row) for key, row in shown.items())
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def print_image_summary(
    metrics: Mapping[str, Any],
    report_path: str | os.PathLike[str] | None = None,
    *,
    console: Console | None = None,
) -> None:
    """Print the table and where the report is, on standard output where no console is given."""
    console = console or Console()
    console.print(image_summary_table(metrics))
    if report_path is not None:
        console.print(Text(f"report: {os.fspath(report_path)}"), soft_wrap=True)


def _tile(name: str, key: str, figure: Mapping[str, Any], *, other: bool = False) -> str:
    return (
        f'<li><span class="name">{html(name)}</span><span class="value{" other" if other else ""}">'
        f"{figure_text(key, figure['value'])}</span>"
        f'<span class="interval">{interval_text(key, figure)}</span></li>'
    )


def _cell(summary: Mapping[str, Any], plane: str, key: str) -> str:
    figure = summary["figures"][plane].get(key)
    if figure is None:
        return figure_text(key, None)
    text = f"<b>{figure_text(key, figure['value'])}</b>"
    if interval := interval_text(key, figure):
        text += f'<span class="interval">{interval}</span>'
    others = [
        f"{html(name)} {figure_text(key, figures[plane][key]['value'])}"
        for name, figures in summary["trivial"].items()
        if key in figures[plane]
    ]
    return text + (f"<small>{' · '.join(others)}</small>" if others else "")


def _gain(figure: Mapping[str, Any]) -> str:
    interval = interval_text("ratio", figure)
    return f"<b>{figure_text('ratio', figure['value'])}</b>" + (
        f'<span class="interval">{interval}</span>' if interval else ""
    )


def _text(key: str, figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return figure_text(key, None)
    interval = interval_text(key, figure)
    return figure_text(key, figure["value"]) + (f"\n[{interval}]" if interval else "")
