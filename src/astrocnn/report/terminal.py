"""The short table that ends a run."""

import os
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from astrocnn.report.populations import Population, figure_name, figure_rows, populations, shown_split
from astrocnn.report.words import count

__all__ = ["print_summary", "summary_table"]

LEFT_TO_THE_PAGE = ("brier", "nll")
NEED_NEGATIVES = ("tpr0", "tpr10")


def summary_table(metrics: Mapping[str, Any]) -> Table:
    """The figures of the test set with their 95 % intervals, one column for each population.

    Args:
        metrics: contents of metrics.json.

    Raises:
        DataError: the metrics hold no split.
    """
    split, summary = shown_split(metrics)
    shown = populations(summary)
    classes = [str(name) for name in summary.get("classes", ())]
    title = f"{split} set, {count(summary['n'])} objects"
    if len(classes) == 2 and "n_positive" in summary:
        title += (
            f" ({count(summary['n_positive'])} {classes[1]}, {count(summary['n_negative'])} {classes[0]})"
        )
    table = Table(
        title=escape(title),
        title_justify="left",
        caption="in brackets: 95 % intervals",
        caption_justify="left",
    )
    table.add_column("")
    for population in shown:
        heading = population.name + (f"\n{population.where}" if population.where else "")
        table.add_column(escape(heading), justify="left")
    for key in figure_rows(shown):
        if key not in LEFT_TO_THE_PAGE:
            table.add_row(Text(figure_name(key)), *(Text(_cell(population, key)) for population in shown))
    return table


def print_summary(
    metrics: Mapping[str, Any],
    report_path: str | os.PathLike[str] | None = None,
    *,
    console: Console | None = None,
) -> None:
    """Print the table and where the report is, on standard output where no console is given."""
    console = console or Console()
    console.print(summary_table(metrics))
    if report_path is not None:
        console.print(Text(f"report: {os.fspath(report_path)}"), soft_wrap=True)


def _cell(population: Population, key: str) -> str:
    estimate = population.estimate(key)
    text = f"{estimate} [{estimate.interval}]" if estimate.interval else str(estimate)
    if key in NEED_NEGATIVES:
        negatives = estimate.n_negative if estimate.n_negative is not None else population.n_negative
        text += f" ({count(negatives)} negatives)"
    return text
