"""The results of an image-to-image run as one HTML file that needs nothing else."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astrocnn.io.atomic import write_text
from astrocnn.report.document import Section, columns, document, plot
from astrocnn.report.figures import training_plots
from astrocnn.report.history import History
from astrocnn.report.image_gallery import image_gallery
from astrocnn.report.image_plots import power, values
from astrocnn.report.image_tables import image_figures_table, image_tiles
from astrocnn.report.image_words import plane_name, some_of
from astrocnn.report.page import SPLITS
from astrocnn.report.populations import shown_split
from astrocnn.report.style import draw
from astrocnn.report.tables import duration, parameters, run_list
from astrocnn.report.words import count, html, moment

__all__ = ["write_image_report"]

MOST_PLANES = 8  # whose values have a figure of their own


def write_image_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    metrics: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]] = (),
    history: History | None = None,
    run_info: Mapping[str, Any] | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale_arcsec: float | None = None,
) -> Path:
    """Write the page of an image-to-image run. What the inputs do not hold is left out of it.

    Args:
        path: of the HTML file; its folder is made.
        title: the heading.
        metrics: contents of metrics.json; its 'test' split is shown, or the only one, as
            :func:`astrocnn.functional.image_summary.summarise_images` gives it.
        examples: predictions to show, in this order; see :func:`astrocnn.report.image_gallery.image_gallery`.
        history: of :func:`astrocnn.report.history.read_history`.
        run_info: as in :func:`astrocnn.report.page.write_report`.
        bands: names of the image's bands, from which their colours follow.
        pixel_scale_arcsec: for the size of the pictures on the sky.

    Returns:
        The path.

    Raises:
        DataError: no split in the metrics.
    """
    split, summary = shown_split(metrics)
    edges = {plane: table["edges"] for plane, table in summary["density"].items()}
    gallery = image_gallery(
        examples, bands=bands, planes=summary["planes"], units=summary["units"], edges=edges
    )
    if gallery and pixel_scale_arcsec:
        width = pixel_scale_arcsec * examples[0]["image"].shape[-1]
        gallery = f'<p class="read">A picture is {width:.3g}″ wide.</p>{gallery}'
    sections: list[Section] = [
        ("figures", "Figures of merit", image_tiles(summary) + image_figures_table(summary)),
        ("values", "Values and scales", columns(_plots(summary))),
        ("galleries", "Galleries", gallery),
        training_plots(history or {}),
        ("run", "The run", run_list(run_info or {})),
    ]
    write_text(path, document(title, _lead(summary, split, run_info or {}), sections))
    return Path(path)


def _plots(summary: Mapping[str, Any]) -> list[str]:
    units = dict(zip(summary["planes"], summary["units"], strict=True))
    shown = []
    for number, (plane, table) in enumerate(list(summary["density"].items())[:MOST_PLANES]):
        n = sum(map(sum, table["counts"]))
        text = (
            "Each pixel of the targets by its true and its predicted value; the darker, the more of them. What lies "
            f"beyond the range of the training is at the edge. From {count(n)} pixels."
        )
        figure = draw(values, table, name=plane_name(plane, units[plane]), height_inch=3.9)
        shown.append(plot(f"plot-values-{number}", f"Predicted against true, {plane}", figure, text))
    if summary["power"]:
        n = max(found["n"] for found in summary["power"].values())
        text = (
            "Power spectrum of the predictions over that of the targets, and the correlation of both, which no "
            "rescaling can raise: 1 is perfect. Where the ratio falls, detail is smoothed away. Bands are 95&nbsp;% "
            f"intervals. From {some_of(summary, n)} without missing pixels, all with the same weight."
        )
        figure = draw(power, summary["power"], panels=(1, 1), height_inch=4.1)
        shown.append(plot("plot-power", "Agreement by scale", figure, text))
    return shown


def _lead(summary: Mapping[str, Any], split: str, run_info: Mapping[str, Any]) -> str:
    """The run in one line, and what it is judged on."""
    parts = [html(moment(run_info[key])) for key in ("model", "data", "date") if run_info.get(key)]
    if run_info.get("n_parameters"):
        parts.append(parameters(run_info))
    if run_info.get("training_seconds") is not None:
        parts.append(f"trained in {duration(run_info['training_seconds'])}")
    judged = (
        f"Predicts {html(', '.join(summary['planes']))}. Judged on the {html(SPLITS.get(split, split))} of "
        f"{some_of(summary, summary['n'])}."
    )
    return (f'<p class="lead">{" · ".join(parts)}</p>' if parts else "") + f'<p class="lead">{judged}</p>'
