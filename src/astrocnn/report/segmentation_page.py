"""The results of a segmentation run as one HTML file that needs nothing else."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from astrocnn.io.atomic import write_text
from astrocnn.report.document import Section, columns, document, plot, table
from astrocnn.report.figures import training_plots
from astrocnn.report.history import History
from astrocnn.report.page import SPLITS
from astrocnn.report.populations import figure_name, shown_split
from astrocnn.report.scene_pictures import scene_gallery
from astrocnn.report.scores import confusion, reliability
from astrocnn.report.segmentation_plots import against_magnitude, auroc_by_snr, distances, star_rates
from astrocnn.report.segmentation_words import FIGURES, TILES, figure_rows, figure_text, judged_on
from astrocnn.report.style import draw
from astrocnn.report.tables import duration, run_list
from astrocnn.report.words import Estimate, count, html, moment

__all__ = ["write_segmentation_report"]

KINDS_ARE = ("touch no other object", "touch another")


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
        ("figures", "Figures of merit", _tiles(summary) + _figures_table(summary)),
        ("classes", "Classes", _class_table(summary) + columns(_pixel_plots(summary, names))),
        ("objects", "Objects", columns(_object_plots(summary, pixel_scale_arcsec))),
        (
            "galleries",
            "Galleries",
            scene_gallery(examples, classes=names, bands=bands, pixel_scale_arcsec=pixel_scale_arcsec),
        ),
        training_plots(history or {}),
        ("run", "The run", run_list(run_info or {})),
    ]
    write_text(path, document(title, _lead(summary, split, run_info or {}), sections))
    return Path(path)


def _tiles(summary: Mapping[str, Any]) -> str:
    items = []
    for key, name in TILES.items():
        estimate = Estimate(summary["figures"].get(key))
        if estimate.value is not None:
            other = "" if key == "mean_iou" else " other"
            items.append(
                f'<li><span class="name">{html(name)}</span><span class="value{other}">{estimate}</span>'
                f'<span class="interval">{estimate.interval}</span></li>'
            )
    return f'<ul class="tiles">{"".join(items)}</ul>'


def _figures_table(summary: Mapping[str, Any]) -> str:
    """One row a figure, one column for all objects, for isolated and for blended ones."""
    names, found = figure_rows(summary)
    rows = []
    for key, estimates in found:
        name, meaning = FIGURES.get(key, (figure_name(key), ""))
        small = "; ".join(part for part in (meaning, estimates[0].note) if part)
        cells = [_cell(key, estimate) if estimate.value is not None else "" for estimate in estimates[1:]]
        rows.append([f"{html(name)}<small>{html(small)}</small>", _cell(key, estimates[0]), *cells])
    counts = summary.get("counts") or {}
    about = [judged_on(summary), *KINDS_ARE[: len(names) - 1]]
    head = [f"{name}<small>{html(text)}</small>" for name, text in zip(names, about, strict=True)]
    note = f"Ranges are intervals ({html(summary['intervals'])})."
    if counts:
        note += (
            f" Of {count(counts['n_true'])} true objects {count(counts['n_blended'])} touch another; "
            f"{count(counts['n_measured'])} were found. {count(counts['n_ignored'])} too faint ones, and "
            f"{count(counts['n_measured_ignored'])} that were found of them, count neither way. A pair lies "
            f"within {summary['radius_pix']:.3g} pixels."
        )
    return table(["", *head], rows, kind="figures-of-maps") + f'<p class="read">{note}</p>'


def _class_table(summary: Mapping[str, Any]) -> str:
    """One row a class, with what its pixels say."""
    kinds = {"iou": "IoU", "dice": "Dice", "recall": "Recall", "precision": "Precision"}
    rows = [
        [html(name), *(_cell(kind, Estimate(part[kind])) for kind in kinds), count(part["n_pixels"])]
        for name, part in summary["per_class"].items()
    ]
    note = "Of pixels whose true class counts: those of background, and of objects bright enough for their class."
    return table(["Class", *kinds.values(), "Pixels"], rows) + f'<p class="read">{note}</p>'


def _cell(key: str, estimate: Estimate) -> str:
    text = f"<b>{figure_text(key, estimate)}</b>"
    return text + (f'<span class="interval">{estimate.interval}</span>' if estimate.interval else "")


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


def _object_plots(summary: Mapping[str, Any], pixel_scale_arcsec: float | None) -> list[str]:
    shown = []
    for key, of, text in (
        ("completeness", "true magnitude", "Fraction of the true objects that were found"),
        ("purity", "measured magnitude", "Fraction of the found objects that are true"),
    ):
        if curve := summary.get(key):
            figure = draw(against_magnitude, curve, name=key.capitalize(), of=of)
            text += (
                ", in bins of half a magnitude with 95&nbsp;% intervals; in brackets the number of objects."
            )
            shown.append(plot(f"plot-{key}", key.capitalize(), figure, text))
    if stars := summary.get("stars"):
        whole = Estimate(summary["figures"].get("star_auroc")).value
        if whole is not None:
            figure = draw(auroc_by_snr, stars["auroc_by_snr"], whole=whole)
            text = (
                "How often a star that was found has a higher probability of being one than a galaxy that was "
                "found: 0.5 is guessing. In brackets the numbers of stars and galaxies."
            )
            shown.append(plot("plot-stars", "Stars against galaxies", figure, text))
        if stars.get("completeness") or stars.get("purity"):
            figure = draw(star_rates, stars)
            text = (
                "Fraction of the true stars that are found and called stars, against true magnitude, and of the "
                "objects called stars that are stars, against measured magnitude."
            )
            shown.append(plot("plot-star-rates", "Stars by label", figure, text))
    if classification := summary.get("classification"):
        total = int(np.sum(classification["confusion"]))
        figure = draw(confusion, classification["confusion"], classification["classes"], height_inch=4.1)
        text = (
            "Objects found, of those bright enough to be classed, by true (row) and predicted class. "
            f"From {count(total)} objects."
        )
        shown.append(plot("plot-object-classes", "Classes of objects", figure, text))
    if residuals := summary.get("residuals"):
        median = Estimate(summary["figures"].get("position_median_pix")).value
        figure = draw(distances, residuals, median=median, pixel_scale_arcsec=pixel_scale_arcsec)
        text = (
            f"Found against true positions. Median offsets: {residuals['median_dx_pix']:+.3f} pixels in x, "
            f"{residuals['median_dy_pix']:+.3f} in y. From {count(sum(residuals['n']))} objects."
        )
        shown.append(plot("plot-distances", "Positions", figure, text.replace("-", "−")))
    return shown


def _lead(summary: Mapping[str, Any], split: str, run_info: Mapping[str, Any]) -> str:
    """The run in one line, and what it is judged on."""
    parts = [html(moment(run_info[key])) for key in ("model", "data", "date") if run_info.get(key)]
    if run_info.get("n_parameters"):
        parts.append(f"{count(run_info['n_parameters'])} parameters")
    if run_info.get("training_seconds") is not None:
        parts.append(f"trained in {duration(run_info['training_seconds'])}")
    judged = f"Judged on the {html(SPLITS.get(split, split))} of {html(judged_on(summary))}."
    return (f'<p class="lead">{" · ".join(parts)}</p>' if parts else "") + f'<p class="lead">{judged}</p>'
