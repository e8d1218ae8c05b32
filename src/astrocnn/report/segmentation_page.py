"""The results of a segmentation run as one HTML file that needs nothing else."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astrocnn.io.atomic import write_text
from astrocnn.report.document import Section, columns, document, plot, table
from astrocnn.report.figures import training_plots
from astrocnn.report.history import History
from astrocnn.report.populations import shown_split
from astrocnn.report.scene_pictures import scene_gallery
from astrocnn.report.scores import confusion, reliability
from astrocnn.report.segmentation_words import TILES
from astrocnn.report.source_sections import cell, figures_table, lead, object_plots, snr_table, tiles
from astrocnn.report.style import draw
from astrocnn.report.tables import run_list
from astrocnn.report.words import Estimate, count, html

__all__ = ["write_segmentation_report"]


def write_segmentation_report(
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
    """Write the page of a segmentation run. What the inputs do not hold is left out of it.

    Args:
        path: of the HTML file; its folder is made.
        title: the heading.
        metrics: contents of metrics.json; its 'test' split is shown, or the only one, as
            :func:`astrocnn.functional.segmentation.summarise_pixels` gives it, joined with what
            :func:`astrocnn.functional.source_scores.summarise_objects` says where objects are told apart.
        examples: images to show, the best first; see :func:`astrocnn.report.scene_pictures.scene_gallery`.
        history: of :func:`astrocnn.report.history.read_history`.
        run_info: as in :func:`astrocnn.report.page.write_report`.
        bands: names of the image's bands, from which their colours follow.
        pixel_scale_arcsec: for sizes and distances on the sky.
        classes: names of the classes; None takes those of the metrics.

    Returns:
        The path.

    Raises:
        DataError: no split in the metrics.
    """
    split, summary = shown_split(metrics)
    names = [str(name) for name in classes or summary["classes"]]
    sections: list[Section] = [
        ("figures", "Figures of merit", tiles(summary, TILES) + figures_table(summary)),
        ("classes", "Classes", _class_table(summary) + columns(_pixel_plots(summary, names))),
        ("objects", "Objects", columns(object_plots(summary, pixel_scale_arcsec)) + snr_table(summary)),
        (
            "galleries",
            "Galleries",
            scene_gallery(examples, classes=names, bands=bands, pixel_scale_arcsec=pixel_scale_arcsec),
        ),
        training_plots(history or {}),
        ("run", "The run", run_list(run_info or {})),
    ]
    write_text(path, document(title, lead(summary, split, run_info or {}), sections))
    return Path(path)


def _class_table(summary: Mapping[str, Any]) -> str:
    """One row a class, with what its pixels say."""
    kinds = {"iou": "IoU", "dice": "Dice", "recall": "Recall", "precision": "Precision"}
    rows = [
        [html(name), *(cell(kind, Estimate(part[kind])) for kind in kinds), count(part["n_pixels"])]
        for name, part in summary["per_class"].items()
    ]
    note = "Of pixels whose true class counts: those of background, and of objects bright enough for their class."
    return table(["Class", *kinds.values(), "Pixels"], rows) + f'<p class="read">{note}</p>'


def _pixel_plots(summary: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    n = count(summary["n_pixels"])
    figure = draw(confusion, summary["confusion"], classes, height_inch=4.1)
    text = f"Pixels of a true class (row) by the likeliest predicted class. From {n} pixels."
    shown = [plot("plot-confusion", "Confusion of pixels", figure, text)]
    figure = draw(reliability, summary["reliability"], panels=(3, 1), height_inch=4.1, unit="Pixels")
    text = (
        "Points on the diagonal are true probabilities: of all pixels whose likeliest class has p = 0.8, 80&nbsp;% "
        f"are of that class. From {n} pixels."
    )
    shown.append(plot("plot-reliability", "Reliability of pixels", figure, text))
    return shown
