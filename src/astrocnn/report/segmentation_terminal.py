"""The short table that ends a segmentation run."""

import os
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from astrocnn.report.detection_words import AVERAGES
from astrocnn.report.populations import figure_name, shown_split
from astrocnn.report.segmentation_words import FIGURES, figure_rows, figure_text, judged_on
from astrocnn.report.words import Estimate

__all__ = ["print_segmentation", "segmentation_table"]

LEFT_TO_THE_PAGE = ("mean_dice", "foreground_dice", "pixel_accuracy")


def segmentation_table(metrics: Mapping[str, Any]) -> Table:
    """The figures of the test set with their 95 % intervals, and the IoU of every class.

    Args:
        metrics: contents of metrics.json.

    Raises:
        DataError: the metrics hold no split.
    """
    split, summary = shown_split(metrics)
    table = Table(
        title=escape(f"{split} set, {judged_on(summary)}"),
        title_justify="left",
        caption="in brackets: 95 % intervals",
        caption_justify="left",
    )
    table.add_column("")
    table.add_column("")
    columns, rows = figure_rows(summary)
    for key, estimates in rows:
        if key in LEFT_TO_THE_PAGE:
            continue
        name = FIGURES[key][0] if key in FIGURES else figure_name(key)
        table.add_row(Text(name), Text(_cell(key, estimates[0])))
        for column, estimate in zip(columns[1:], estimates[1:], strict=True):
            if estimate.value is not None:
                table.add_row(Text(f"  {column.lower()}"), Text(_cell(key, estimate)))
        if key == "mean_iou":
            for of_class, part in summary["per_class"].items():
                table.add_row(Text(f"  {of_class}"), Text(_cell("iou", Estimate(part["iou"]))))
    averages = summary.get("averages") or {}
    for key, (name, _) in AVERAGES.items():
        if averages.get(key) is not None:
            table.add_row(Text(name), Text(f"{averages[key]:.3f}"))
    return table


def print_segmentation(
    metrics: Mapping[str, Any],
    report_path: str | os.PathLike[str] | None = None,
    *,
    console: Console | None = None,
) -> None:
    """Print the table and where the report is, on standard output where no console is given."""
    console = console or Console()
    console.print(segmentation_table(metrics))
    if report_path is not None:
        console.print(Text(f"report: {os.fspath(report_path)}"), soft_wrap=True)


def _cell(key: str, estimate: Estimate) -> str:
    return figure_text(key, estimate) + (f" [{estimate.interval}]" if estimate.interval else "")
