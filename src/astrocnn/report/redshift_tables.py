"""The tables of a run of redshifts, on the page and in the terminal."""

import os
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from astrocnn.report.document import table
from astrocnn.report.populations import shown_split
from astrocnn.report.redshift_words import PDF_FIGURES, POINT_FIGURES, figure_text, interval_text
from astrocnn.report.words import DASH, count, html, number, some

__all__ = [
    "pdf_table",
    "point_table",
    "print_redshift_summary",
    "redshift_summary_table",
    "redshift_tiles",
    "tomography_table",
]

TILES = (("points", "sigma_nmad"), ("points", "outliers_015"), ("figures", "cde_loss"), ("figures", "pit_ks"))
IN_TERMINAL = (
    "bias",
    "sigma_nmad",
    "outliers_015",
    "log_likelihood",
    "cde_loss",
    "crps",
    "coverage_68",
    "coverage_95",
    "pit_ks",
)
NOMINAL = {"coverage_68": 0.68, "coverage_95": 0.95}


def redshift_tiles(summary: Mapping[str, Any]) -> str:
    """The figures that one looks for first, large."""
    items: list[str] = []
    for group, key in TILES:
        figure = (summary["points"][summary["point"]] if group == "points" else summary["figures"])[key]
        name = {**POINT_FIGURES, **PDF_FIGURES}[key][0]
        other = "" if not items else " other"
        below = interval_text(key, figure)
        if key in summary["perfect"]:
            below += f" · true PDFs {figure_text(key, summary['perfect'][key]['mean'])}"
        items.append(
            f'<li><span class="name">{html(name)}</span><span class="value{other}">{figure_text(key, figure["value"])}'
            f'</span><span class="interval">{below}</span></li>'
        )
    return f'<ul class="tiles">{"".join(items)}</ul>'


def point_table(summary: Mapping[str, Any]) -> str:
    """One row a figure, one column a point estimate."""
    names = list(summary["points"])
    rows = [
        [
            f"{html(name)}<small>{html(meaning)}</small>",
            *(_cell(key, summary["points"][point].get(key)) for point in names),
        ]
        for key, (name, meaning) in POINT_FIGURES.items()
    ]
    return table(["Point estimates", *(f"{html(name)} of the PDF" for name in names)], rows)


def pdf_table(summary: Mapping[str, Any]) -> str:
    """One row a figure of the PDFs, beside it what true PDFs would give and the PDFs before their recalibration."""
    before = summary.get("before_recalibration")
    rows = []
    for key, (name, meaning) in PDF_FIGURES.items():
        cells = [_cell(key, summary["figures"].get(key)), html(_perfect(key, summary["perfect"]))]
        cells += [_cell(key, before.get(key))] if before else []
        rows.append([f"{html(name)}<small>{html(meaning)}</small>", *cells])
    for level, found in (summary.get("conformal") or {}).items():
        cells = [_cell("coverage_68", found["coverage"]), f"at least {100 * float(level):.0f}&nbsp;%"]
        width = "infinite" if found["width"] is None else f"{found['width']:.3g}"
        meaning = f"split-conformal intervals; median width {width} in redshift"
        rows.append(
            [
                f"Conformal, {100 * float(level):.0f}&nbsp;%<small>{meaning}</small>",
                *cells,
                *([""] if before else []),
            ]
        )
    head = ["PDFs", "this set", f"true PDFs<small>of {html(some(summary['n'], 'object'))}</small>"]
    notes = [f"Ranges are intervals ({html(summary['intervals'])})."] if summary["intervals"] else []
    if n_outside := summary.get("n_outside"):
        low, high = (DASH if end is None else f"{end:g}" for end in summary["support"])
        notes.append(
            f"{html(some(n_outside, 'true redshift'))} outside of the densities’ range, {low} to {high}: p(z) is 0."
        )
    if n_unknown := summary.get("n_unknown"):
        notes.append(f"{html(some(n_unknown, 'object'))} without a true redshift left out.")
    note = f'<p class="read">{" ".join(notes)}</p>' if notes else ""
    return table([*head, *(["before recalibration"] if before else [])], rows) + note


def tomography_table(tomography: Mapping[str, Any]) -> str:
    """One row a tomographic bin: mean redshift of the stacked PDFs and of the truth, and their difference."""
    rows = [
        [
            "–".join(number(edge) for edge in tomography["edges"][place : place + 2]),
            count(found["n"]),
            f"{found['mean_true']:.4f}",
            f"{found['mean_pdf']:.4f}",
            _cell("bias", found["bias"]),
        ]
        for place, found in enumerate(tomography["bins"])
    ]
    head = ["Tomographic bin", "objects", "mean true redshift", "mean of the stacked PDFs"]
    return table([*head, "difference<small>over 1 + mean true redshift</small>"], rows)


def redshift_summary_table(metrics: Mapping[str, Any]) -> Table:
    """The figures of the test set with their 95 % intervals and what true PDFs would give.

    Args:
        metrics: contents of metrics.json.

    Raises:
        DataError: the metrics hold no split.
    """
    split, summary = shown_split(metrics)
    shown = Table(
        title=escape(f"{split} set, {some(summary['n'], 'object')}; points: {summary['point']} of the PDF"),
        title_justify="left",
        caption="in brackets: 95 % intervals" if summary["intervals"] else None,
        caption_justify="left",
    )
    for heading in ("", "this set", "true PDFs"):
        shown.add_column(heading)
    figures = {**summary["points"][summary["point"]], **summary["figures"]}
    for key in IN_TERMINAL:
        interval = interval_text(key, figures[key])
        value = figure_text(key, figures[key]["value"]) + (f" [{interval}]" if interval else "")
        perfect = _perfect(key, summary["perfect"])
        shown.add_row(Text({**POINT_FIGURES, **PDF_FIGURES}[key][0]), Text(value), Text(perfect))
    return shown


def print_redshift_summary(
    metrics: Mapping[str, Any],
    report_path: str | os.PathLike[str] | None = None,
    *,
    console: Console | None = None,
) -> None:
    """Print the table and where the report is, on standard output where no console is given."""
    console = console or Console()
    console.print(redshift_summary_table(metrics))
    if report_path is not None:
        console.print(Text(f"report: {os.fspath(report_path)}"), soft_wrap=True)


def _perfect(key: str, perfect: Mapping[str, Mapping[str, float]]) -> str:
    if key in NOMINAL:
        return f"{100 * NOMINAL[key]:.0f}\u00a0%"
    if key not in perfect:
        return ""
    return f"{figure_text(key, perfect[key]['mean'])} (95\u00a0%: < {figure_text(key, perfect[key]['q95'])})"


def _cell(key: str, figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure.get("value") is None:
        return DASH
    interval = interval_text(key, figure)
    text = f"<b>{figure_text(key, figure['value'])}</b>"
    return text + (f'<span class="interval">{interval}</span>' if interval else "")
