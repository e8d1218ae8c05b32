"""The plots of a classification page, each with a sentence on how it is read and from how many objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from astrocnn.report.curves import losses, one_vs_rest, roc, schedule, split_history
from astrocnn.report.document import Section, columns, plot
from astrocnn.report.history import History
from astrocnn.report.scores import confusion, histogram, reliability
from astrocnn.report.style import ACCENT, WARM, draw
from astrocnn.report.truth import completeness, false_positives
from astrocnn.report.words import count, html, number

__all__ = ["plots", "probabilities_of", "training_plots"]


def plots(summary: Mapping[str, Any], objects: Table, *, classes: Sequence[str]) -> list[Section]:
    """Sections of what the metrics hold; ``objects`` are the labelled rows of the split that is shown."""
    return [
        (
            "performance",
            "Performance",
            columns(_ranking(summary, objects, classes) + _scores(summary, objects, classes)),
        )
    ]


def training_plots(history: History) -> Section:
    """The learning curves; empty where nothing was logged."""
    loss, figures, rate = split_history(history)
    shown = []
    if loss:
        n = max(len(values) for _, values in loss.values())
        text = f"Mean loss of a batch; validation well above training means overfitting. From {count(n)} logged points."
        shown.append(plot("plot-loss", "Loss", draw(losses, loss), text))
    if figures or rate:
        figure = draw(schedule, figures, rate, panels=(2.2, 1) if figures and rate else (1,))
        n = max((len(values) for _, values in figures.values()), default=0)
        text = (
            f"Figures of the validation set, {count(n)} times during the training" if n else "Learning rate"
        )
        text += ", over the learning rate at that step." if n and rate else "."
        shown.append(plot("plot-validation", "Validation" if figures else "Learning rate", figure, text))
    return ("training", "Training", columns(shown))


def probabilities_of(objects: Table, n_classes: int) -> np.ndarray:
    """(N, K) probabilities of the columns ``p_0`` … ``p_{K-1}``."""
    return np.stack([np.asarray(objects[f"p_{k}"], dtype=float) for k in range(n_classes)], axis=1)


def _ranking(summary: Mapping[str, Any], objects: Table, classes: Sequence[str]) -> list[str]:
    shown = []
    at = summary.get("threshold_fpr") or {}
    fpr = at.get("fpr")
    if len(classes) > 2:
        figure = draw(
            one_vs_rest, probabilities_of(objects, len(classes)), np.asarray(objects["label"]), classes
        )
        text = (
            "Each class against all others: the higher to the left, the fewer contaminants in a complete sample. "
            f"From {count(len(objects))} objects."
        )
        shown.append(plot("plot-roc", "ROC of each class", figure, text))
    elif summary.get("roc"):
        n_positive, n_negative = summary["n_positive"], summary["n_negative"]
        figure = draw(roc, summary["roc"], n_negative=n_negative, operating_fpr=fpr)
        text = (
            f"Fraction of class {html(classes[1])} that is found, against the fraction of class "
            f"{html(classes[0])} that passes as well; the axis begins at one false positive. From "
            f"{count(n_positive)} {html(classes[1])} and {count(n_negative)} {html(classes[0])} objects."
        )
        shown.append(plot("plot-roc", "ROC", figure, text))
    if summary.get("completeness"):
        grid = summary["completeness"]
        units = {name: str(objects[name].unit or "") for name in objects.colnames}
        height = float(np.clip(0.8 + 0.36 * (len(grid["y"]["edges"]) - 1), 3.2, 4.6))
        figure = draw(completeness, grid, units=units, height_inch=height)
        total = int(np.sum([n or 0 for row in grid["n"] for n in row]))
        text = (
            f"Fraction of class {html(classes[1])} that is found at a false-positive rate of "
            f"{100 * (grid.get('fpr') or 0):.3g}&nbsp;%, and in brackets the number of objects. "
            f"From {count(total)} {html(classes[1])} objects."
        )
        shown.append(plot("plot-completeness", "Completeness map", figure, text))
    if summary.get("false_positives"):
        kinds = summary["false_positives"]
        height = float(np.clip(0.75 + 0.33 * len(kinds), 1.6, 7))
        total = sum(kind.get("n") or 0 for kind in kinds.values())
        text = (
            f"How often each kind passes the threshold p = {number(at.get('threshold'))}, with 95&nbsp;% interval; "
            f"in brackets the number of objects. From {count(total)} {html(classes[0])} objects."
        )
        figure = draw(false_positives, kinds, whole_fpr=fpr, height_inch=height)
        shown.append(plot("plot-kinds", "False positives by kind", figure, text))
    return shown


def _scores(summary: Mapping[str, Any], objects: Table, classes: Sequence[str]) -> list[str]:
    shown = []
    labels, p = np.asarray(objects["label"]), np.asarray(objects["p"], dtype=float)
    n = count(summary["n"])
    multiclass = len(classes) > 2
    if len(objects):
        threshold = (summary.get("threshold_fpr") or {}).get("threshold")
        if multiclass:
            right = probabilities_of(objects, len(classes)).argmax(axis=1) == labels
            figure = draw(histogram, [p[right], p[~right]], ["right", "wrong"])
            text = "Probability of the predicted class where it is right and where it is wrong"
        else:
            figure = draw(
                histogram,
                [p[labels == 0], p[labels == 1]],
                classes,
                colors=(WARM, ACCENT),
                threshold=threshold,
            )
            text = "Probability given to each class; what lies on the wrong side of the line is missed or a false alarm"
        shown.append(
            plot("plot-scores", "Distribution", figure, f"{text}. From {count(len(objects))} objects.")
        )
    if summary.get("reliability"):
        figure = draw(reliability, summary["reliability"], panels=(3, 1), height_inch=4.1)
        text = (
            "Points on the diagonal are true probabilities: of all objects given p = 0.8, 80&nbsp;% are "
            f"{'classified rightly' if multiclass else html(classes[1])}. Bars are 95&nbsp;% intervals. "
            f"From {n} objects."
        )
        shown.append(plot("plot-reliability", "Reliability", figure, text))
    if summary.get("confusion"):
        figure = draw(confusion, summary["confusion"], classes, height_inch=4.1)
        rule = "the likeliest class" if multiclass else f"{html(classes[1])} from p = 0.5 on"
        text = f"Objects of a true class (row) by what they are taken for ({rule}). From {n} objects."
        shown.append(plot("plot-confusion", "Confusion matrix", figure, text))
    return shown
