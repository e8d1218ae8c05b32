"""The results of a detection run as one HTML file that needs nothing else."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astrocnn.io.atomic import write_text
from astrocnn.report.box_pictures import box_gallery
from astrocnn.report.detection_plots import counts_per_scene, precision_completeness, values
from astrocnn.report.detection_words import AVERAGES, TILES
from astrocnn.report.document import Section, columns, document, plot, table
from astrocnn.report.figures import training_plots
from astrocnn.report.history import History
from astrocnn.report.populations import shown_split
from astrocnn.report.source_sections import figures_table, lead, object_plots, snr_table, tiles
from astrocnn.report.style import draw
from astrocnn.report.tables import run_list
from astrocnn.report.words import html

__all__ = ["write_detection_report"]


def write_detection_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    metrics: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]] = (),
    history: History | None = None,
    run_info: Mapping[str, Any] | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale_arcsec: float | None = None,
    classes: Sequence[str] | None = None,
) -> Path:
    """Write the page of a detection run. What the inputs do not hold is left out of it.

    Args:
        path: of the HTML file; its folder is made.
        title: the heading.
        metrics: contents of metrics.json; its 'test' split is shown, or the only one.
        examples: images to show, the best first; see :func:`astrocnn.report.box_pictures.box_gallery`.
        history: of :func:`astrocnn.report.history.read_history`.
        run_info: as in :func:`astrocnn.report.page.write_report`.
        bands: names of the image's bands, from which their colours follow.
        pixel_scale_arcsec: for sizes and distances on the sky.
        classes: names of the classes of the objects; not needed.

    Returns:
        The path.

    Raises:
        DataError: no split in the metrics.
    """
    del classes
    split, summary = shown_split(metrics)
    sections: list[Section] = [
        ("figures", "Figures of merit", tiles(summary, TILES) + figures_table(summary) + _averages(summary)),
        (
            "objects",
            "Objects",
            columns(_plots(summary) + object_plots(summary, pixel_scale_arcsec)) + snr_table(summary),
        ),
        ("galleries", "Galleries", box_gallery(examples, bands=bands, pixel_scale_arcsec=pixel_scale_arcsec)),
        training_plots(history or {}),
        ("run", "The run", run_list(run_info or {})),
    ]
    write_text(path, document(title, lead(summary, split, run_info or {}), sections))
    return Path(path)


def _averages(summary: Mapping[str, Any]) -> str:
    found = summary.get("averages") or {}
    rows = [
        [f"{html(name)}<small>{html(meaning)}</small>", f"<b>{found[key]:.3f}</b>"]
        for key, (name, meaning) in AVERAGES.items()
        if found.get(key) is not None
    ]
    return table(["Average precision", ""], rows) if rows else ""


def _plots(summary: Mapping[str, Any]) -> list[str]:
    shown = []
    if curve := summary.get("average_precision"):
        figure = draw(precision_completeness, curve, threshold=summary.get("threshold"))
        text = "From the best score on; the point is the run's threshold. Pairs by the distance of their centres."
        shown.append(plot("plot-precision", "Precision and completeness", figure, text))
    if counts := summary.get("per_image"):
        figure = draw(counts_per_scene, counts)
        ratio = sum(counts["found"]) / max(sum(counts["true"]), 1)
        text = f"One point an image. Detections over true objects: {ratio:.3f} on the whole."
        shown.append(plot("plot-counts", "Objects an image", figure, text))
    for name, found in (summary.get("values") or {}).items():
        figure = draw(values, found, name=name)
        text = (
            f"Of the objects found. Median difference {found['bias']:.3g}, scatter (1.48 MAD) {found['scatter']:.3g}; "
            f"{100 * found['within']:.0f}&nbsp;% lie within one of their own deviations (68&nbsp;% if these are right)."
        )
        shown.append(plot(f"plot-value-{name}", html(name), figure, text.replace("-", "−")))
    return shown
