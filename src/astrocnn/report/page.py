"""The results of a run as one HTML file that needs nothing else: no network, no script, no other file."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrocnn.batch import Batch
from astrocnn.errors import DataError, listed
from astrocnn.io.atomic import write_text
from astrocnn.report.document import Section, document
from astrocnn.report.figures import plots, probabilities_of, training_plots
from astrocnn.report.gallery import (
    Gallery,
    Rows,
    binary_galleries,
    draw_galleries,
    kind_galleries,
    multiclass_galleries,
)
from astrocnn.report.history import History
from astrocnn.report.pictures import how_drawn
from astrocnn.report.populations import populations, shown_split
from astrocnn.report.tables import duration, figures_table, parameters, run_list, tiles
from astrocnn.report.truth import MOST_KINDS
from astrocnn.report.words import Estimate, count, html, moment

__all__ = ["write_report"]

SPLITS = {"test": "test set", "val": "validation set", "train": "training set", "all": "whole set"}


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    metrics: Mapping[str, Any],
    predictions: Table,
    images: Callable[[Rows], Batch],
    history: History | None = None,
    run_info: Mapping[str, Any] | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale_arcsec: float | None = None,
) -> Path:
    """Write the page of a classification run. What the inputs do not hold is left out of it.

    Args:
        path: of the HTML file; its folder is made.
        title: the heading.
        metrics: contents of metrics.json; its 'test' split is shown, or the only one.
        predictions: one row an object: ``id``, ``index`` (row of the catalogue), ``label`` (−1 unknown), ``p``
            (of the second class; of the predicted class where there are more, with ``p_0`` … ``p_{K-1}``), and
            as far as known ``split``, the kind of object and truth columns.
        images: gives the batch of some catalogue rows.
        history: of :func:`astrocnn.report.history.read_history`.
        run_info: 'model', 'data', 'date', 'n_parameters', 'training_seconds', 'git', 'command', 'versions' (a
            mapping) are printed in this order, then anything else by its own name.
        bands: names of the image's bands, from which their colours follow.
        pixel_scale_arcsec: for the size of the pictures on the sky.

    Returns:
        The path.

    Raises:
        DataError: no split in the metrics, or a column missing in the predictions.
    """
    split, summary = shown_split(metrics)
    classes = [str(name) for name in summary["classes"]]
    objects = _labelled(predictions, split, n_classes=len(classes))
    shown = populations(summary)
    headline = tiles(shown, multiclass=len(classes) > 2) + figures_table(shown, summary)
    sections: list[Section] = [
        ("figures", "Figures of merit", headline),
        *plots(summary, objects, classes=classes),
        *_galleries(
            summary, objects, classes, images=images, bands=bands, pixel_scale_arcsec=pixel_scale_arcsec
        ),
        training_plots(history or {}),
        ("run", "The run", run_list(run_info or {})),
    ]
    write_text(path, document(title, _lead(summary, split, classes, run_info or {}), sections))
    return Path(path)


def _labelled(predictions: Table, split: str, *, n_classes: int) -> Table:
    """Rows of the split that have a label; every row where the table does not know the split."""
    needed = ["id", "index", "label", "p", *(f"p_{k}" for k in range(n_classes) if n_classes > 2)]
    if missing := [name for name in needed if name not in predictions.colnames]:
        raise DataError(
            f"the predictions lack the columns {listed(missing)}; a report needs {listed(needed, most=20)}: "
            f"take the table that evaluate wrote."
        )
    keep = np.asarray(predictions["label"]) >= 0
    if "split" in predictions.colnames and split != "all":
        of_split = np.asarray(predictions["split"]).astype(str) == split
        keep &= of_split if of_split.any() else True
    return predictions[keep]


def _galleries(
    summary: Mapping[str, Any],
    objects: Table,
    classes: Sequence[str],
    *,
    images: Callable[[Rows], Batch],
    bands: Sequence[str] | None,
    pixel_scale_arcsec: float | None,
) -> list[Section]:
    """The sections of pictures: what was right and wrong, and each kind of negative."""
    if not len(objects):
        return []
    labels = np.asarray(objects["label"])
    kind, rates = _kinds(summary, objects)
    of_kinds: list[Gallery] = []
    if len(classes) > 2:
        main = multiclass_galleries(probabilities_of(objects, len(classes)), labels, classes=classes)
    else:
        p = np.asarray(objects["p"], dtype=float)
        threshold = (summary.get("threshold_fpr") or {}).get("threshold")
        main = binary_galleries(p, labels, classes=classes, threshold=0.5 if threshold is None else threshold)
        if kind is not None:
            of_kinds = kind_galleries(p, np.asarray(objects[kind]).astype(str), rates)
    drawn, shape = draw_galleries(
        [*main, *of_kinds],
        objects,
        images=images,
        bands=bands,
        classes=classes,
        truth=_truth_columns(summary, objects),
        kind=kind,
    )
    captions = "Bold: the probability, then the object's id, then the truth."
    note = how_drawn(bands, shape, pixel_scale_arcsec, captions) if shape else ""
    sections = [("galleries", "Galleries", note + "".join(map(drawn.__getitem__, (g.key for g in main))))]
    if of_kinds:
        text = (
            f"<p class='read'>Of each kind, evenly spaced in the order of p: the first is the one most like a "
            f"{html(classes[1])}, the last the least.</p>"
        )
        sections.append(
            ("kinds", f"Kinds of {html(classes[0])}", text + "".join(drawn[g.key] for g in of_kinds))
        )
    return sections


def _kinds(summary: Mapping[str, Any], objects: Table) -> tuple[str | None, dict[str, str]]:
    """The column of the kinds of negatives, and of each kind, the most deceptive first, what is said of it."""
    kinds = summary.get("false_positives") or {}
    columns = [name for name in ("kind", *objects.colnames) if name in objects.colnames]
    text_columns = [
        name for name in columns if objects[name].dtype.kind in "US" and name not in ("id", "split")
    ]
    column = next((c for c in text_columns if set(kinds) <= set(np.asarray(objects[c]).astype(str))), None)
    if not kinds or column is None:
        return None, {}
    rates = {name: Estimate(part["fpr"]).value or 0.0 for name, part in kinds.items()}
    order = sorted(kinds, key=lambda name: -rates[name])[:MOST_KINDS]
    return column, {
        name: f"{100 * rates[name]:.1f} % of {count(kinds[name].get('n'))} pass." for name in order
    }


def _truth_columns(summary: Mapping[str, Any], objects: Table) -> list[str]:
    """Columns that a caption states: the axes of the completeness map and what selections ask for."""
    grid = summary.get("completeness") or {}
    names = [grid[axis]["name"] for axis in ("x", "y") if axis in grid]
    names += [name for part in (summary.get("selections") or {}).values() for name in part.get("where") or {}]
    return [name for name in dict.fromkeys(names) if name in objects.colnames]


def _lead(summary: Mapping[str, Any], split: str, classes: Sequence[str], run_info: Mapping[str, Any]) -> str:
    """The run in one line: what, on what, when, how long, and how many objects it is judged by."""
    parts = [html(moment(run_info[key])) for key in ("model", "data", "date") if run_info.get(key)]
    if run_info.get("n_parameters"):
        parts.append(parameters(run_info))
    if run_info.get("training_seconds") is not None:
        parts.append(f"trained in {duration(run_info['training_seconds'])}")
    objects = f"{count(summary['n'])} objects"
    if len(classes) <= 2 and summary.get("n_positive") is not None:
        positive, negative = count(summary["n_positive"]), count(summary["n_negative"])
        objects += f" ({positive} {html(classes[1])}, {negative} {html(classes[0])})"
    judged = f"Judged on the {html(SPLITS.get(split, split))} of {objects}."
    return (f'<p class="lead">{" · ".join(parts)}</p>' if parts else "") + f'<p class="lead">{judged}</p>'
