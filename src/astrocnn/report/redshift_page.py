"""The results of a run of photometric redshifts as one HTML file that needs nothing else."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrocnn.errors import DataError, listed
from astrocnn.io.atomic import write_text
from astrocnn.report.document import Section, columns, document, plot
from astrocnn.report.figures import training_plots
from astrocnn.report.history import History
from astrocnn.report.page import SPLITS
from astrocnn.report.populations import shown_split
from astrocnn.report.redshift_plots import (
    MOST_POINTS,
    conditional_pit,
    coverage,
    in_bins,
    n_of_z,
    one_pdf,
    pit_histogram,
    points,
)
from astrocnn.report.redshift_tables import pdf_table, point_table, redshift_tiles, tomography_table
from astrocnn.report.redshift_words import figure_text, property_label
from astrocnn.report.style import draw
from astrocnn.report.tables import duration, parameters, run_list
from astrocnn.report.words import count, html, moment, number, some

__all__ = ["write_redshift_report"]


def write_redshift_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    metrics: Mapping[str, Any],
    predictions: Table,
    examples: Sequence[Mapping[str, Any]] = (),
    history: History | None = None,
    run_info: Mapping[str, Any] | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale_arcsec: float | None = None,
) -> Path:
    """Write the page of a run of redshifts. What the inputs do not hold is left out of it.

    Args:
        path: of the HTML file; its folder is made.
        title: the heading.
        metrics: contents of metrics.json; its 'test' split is shown, or the only one, as
            :func:`astrocnn.functional.redshift_summary.summarise_redshifts` gives it.
        predictions: one row an object of that split: ``z_spec`` and ``z_median``.
        examples: PDFs to show, in this order: {id, title, z_spec, z_phot, interval (low, high), pit, grid, density}.
        history: of :func:`astrocnn.report.history.read_history`.
        run_info: as in :func:`astrocnn.report.page.write_report`.
        bands: not needed.
        pixel_scale_arcsec: not needed.

    Returns:
        The path.

    Raises:
        DataError: no split in the metrics, or a column missing in the predictions.
    """
    del bands, pixel_scale_arcsec
    split, summary = shown_split(metrics)
    needed = ["z_spec", f"z_{summary['point']}"]
    if missing := [name for name in needed if name not in predictions.colnames]:
        raise DataError(
            f"the predictions lack the columns {listed(missing)}; take the table that evaluate wrote."
        )
    true, found = (np.asarray(predictions[name], dtype=float) for name in needed)
    known = np.isfinite(true) & np.isfinite(found)
    sections: list[Section] = [
        ("figures", "Figures of merit", redshift_tiles(summary) + point_table(summary) + pdf_table(summary)),
        ("points", "Point estimates", columns(_points(summary, true[known], found[known]))),
        ("pdfs", "PDFs", columns(_pdfs(summary))),
        ("nz", "Redshift distributions", _n_of_z(summary)),
        ("examples", "Examples", _examples(examples)),
        training_plots(history or {}),
        ("run", "The run", run_list(run_info or {})),
    ]
    write_text(path, document(title, _lead(summary, split, run_info or {}), sections))
    return Path(path)


def _points(summary: Mapping[str, Any], true: np.ndarray, found: np.ndarray) -> list[str]:
    some_shown = f" An even choice of {count(MOST_POINTS)} of them." if len(true) > MOST_POINTS else ""
    text = (
        f"The {summary['point']} of each PDF against the true redshift, below Δz = (z_phot − z_spec) / (1 + z_spec). "
        f"From {some(len(true), 'object')}.{some_shown}"
    )
    shown = [
        plot(
            "plot-points",
            "Estimated against true redshift",
            draw(points, true, found, panels=(2.4, 1), height_inch=4.9),
            text,
        )
    ]
    with_intervals = " with 95&nbsp;% intervals" if summary["intervals"] else ""
    for place, (name, bins) in enumerate(summary["bins"].items()):
        unknown = f" {some(bins['n_unknown'], 'object')} without it." if bins["n_unknown"] else ""
        text = (
            f"Bias, scatter and outliers of the {summary['point']} in {len(bins['n'])} bins{with_intervals}, about "
            f"{count(np.median(bins['n']))} objects each.{unknown}"
        )
        figure = draw(in_bins, bins, name=name, panels=(1, 1, 1), height_inch=4.6)
        shown.append(plot(f"plot-bins-{place}", f"Against {_in_words(name)}", figure, text))
    return shown


def _pdfs(summary: Mapping[str, Any]) -> list[str]:
    ks, perfect = summary["figures"]["pit_ks"], summary["perfect"]["pit_ks"]
    before = summary.get("pit_before_recalibration")
    text = (
        "Where in its PDF each true redshift lies: uniform if the PDFs are true, a valley if they are too narrow, a "
        f"hill if too wide. Kolmogorov–Smirnov distance {figure_text('pit_ks', ks['value'])}; true PDFs of as many "
        f"objects have {figure_text('pit_ks', perfect['mean'])} in the mean. From {some(summary['n'], 'object')}."
    )
    shown = [plot("plot-pit", "PIT", draw(pit_histogram, summary["pit"], before), text)]
    text = (
        "Of the equal-tailed intervals of each probability, how many more or fewer true redshifts they hold than they "
        "say. Above 0 the PDFs are too wide, below too narrow."
    )
    shown.append(plot("plot-coverage", "Coverage", draw(coverage, summary["coverage"], summary["n"]), text))
    for place, (name, bins) in enumerate(summary["bins"].items()):
        if "pit" not in bins:
            continue
        distances = [figures["pit_ks"]["value"] for figures in bins["figures"] if "pit_ks" in figures]
        perfect = np.median([each["pit_ks"]["mean"] for each in bins["perfect"] if each] or [np.nan])
        text = (
            "The histogram of the PIT in each bin, a column each; blue: more objects than true PDFs would have there, "
            f"red: fewer, full colour at a factor of 2. KS distances from {number(min(distances, default=0), 3)} to "
            f"{number(max(distances, default=0), 3)}; true PDFs have {number(perfect, 3)} in the mean."
        )
        figure = draw(conditional_pit, bins, name=name)
        shown.append(plot(f"plot-pit-{place}", f"PIT against {_in_words(name)}", figure, text))
    return shown


def _n_of_z(summary: Mapping[str, Any]) -> str:
    tomography = summary.get("tomography")
    if not tomography:
        return ""
    text = (
        f"Bins of about equal numbers in the {summary['point']}: the stacked PDFs (lines) and the true redshifts "
        f"(filled). From {some(sum(found['n'] for found in tomography['bins']), 'object')}."
    )
    figure = draw(n_of_z, tomography, height_inch=3.6)
    return columns([plot("plot-nz", "n(z) of tomographic bins", figure, text)]) + tomography_table(tomography)


def _examples(examples: Sequence[Mapping[str, Any]]) -> str:
    parts: dict[str, list[str]] = {}
    for place, example in enumerate(examples):
        figure = draw(one_pdf, example, height_inch=1.9)
        text = (
            f"z_spec {example['z_spec']:.4g} (red), z_phot {example['z_phot']:.4g} (dashed), PIT {example['pit']:.3g}. "
            "Shaded: 68&nbsp;% interval."
        )
        drawn = plot(f"pdf-{place}", str(example["id"]), figure, text)
        parts.setdefault(str(example["title"]), []).append(drawn)
    return "".join(f"<h3>{html(title)}</h3>{columns(drawn)}" for title, drawn in parts.items())


def _in_words(name: str) -> str:
    label = property_label(name)
    return label if label == name else label[:1].lower() + label[1:]


def _lead(summary: Mapping[str, Any], split: str, run_info: Mapping[str, Any]) -> str:
    """The run in one line, and what it is judged on."""
    parts = [html(moment(run_info[key])) for key in ("model", "data", "date") if run_info.get(key)]
    if run_info.get("n_parameters"):
        parts.append(parameters(run_info))
    if run_info.get("training_seconds") is not None:
        parts.append(f"trained in {duration(run_info['training_seconds'])}")
    objects = f"{html(some(summary['n'], 'object'))} of known redshift"
    judged = f"Judged on the {html(SPLITS.get(split, split))} of {objects}."
    return (f'<p class="lead">{" · ".join(parts)}</p>' if parts else "") + f'<p class="lead">{judged}</p>'
