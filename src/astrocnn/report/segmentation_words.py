"""How the figures of predicted maps are named, on the page and in the terminal alike."""

from collections.abc import Mapping
from typing import Any

from astrocnn.report.words import Estimate, some

__all__ = ["FIGURES", "TILES", "figure_rows", "figure_text", "judged_on"]

FIGURES = {  # key of metrics.json: (name, what it is)
    "mean_iou": ("Mean IoU", "intersection over union of a class's pixels, mean over the classes"),
    "mean_dice": ("Mean Dice", "2 · intersection over the sum of both areas, mean over the classes"),
    "pixel_accuracy": ("Pixel accuracy", "fraction of the pixels whose likeliest class is the true one"),
    "foreground_iou": ("Source IoU", "of all sources together against background"),
    "foreground_dice": ("Source Dice", "of all sources together against background"),
    "ece": ("Calibration error", "mean distance of a pixel's probability and frequency; smaller is better"),
    "completeness": ("Completeness", "fraction of the true objects that were found"),
    "purity": ("Purity", "fraction of the objects found that are true"),
    "f1": ("F1", "harmonic mean of completeness and purity"),
    "instance_iou": (
        "Object IoU",
        "of a true object's pixels and its partner's, 0 where it was missed; mean",
    ),
    "star_auroc": ("Star–galaxy AUROC", "area under the ROC curve of p(star) among the objects found"),
    "star_completeness": ("Star completeness", "fraction of the true stars that are found and called stars"),
    "star_purity": ("Star purity", "fraction of the objects called stars that are stars"),
    "class_accuracy": ("Class accuracy", "fraction of the objects found that have the right class"),
    "class_balanced_accuracy": ("Class accuracy, balanced", "mean over the classes of that fraction"),
    "position_median_pix": ("Position error", "median distance of found and true positions, pixels"),
}
KINDS = {"isolated_": "Isolated", "blended_": "Blended"}  # touching no other object, or some
TILES = {  # key: name
    "mean_iou": "Mean IoU",
    "completeness": "Completeness",
    "purity": "Purity",
    "blended_completeness": "Completeness, blended",
    "star_auroc": "Star–galaxy AUROC",
}


def figure_rows(summary: Mapping[str, Any]) -> tuple[list[str], list[tuple[str, list[Estimate]]]]:
    """Columns, and rows of a figure's key with an estimate a column: of all objects, isolated ones, blended ones.

    The known figures come in a fixed order, then others; what there is not is empty. Only where objects are told
    apart is there more than one column.
    """
    figures = summary["figures"]
    parts = ["", *(part for part in KINDS if any(f"{part}{key}" in figures for key in FIGURES))]
    of_parts = {f"{part}{key}" for part in KINDS for key in FIGURES}
    keys = [key for key in FIGURES if key in figures]
    keys += [key for key in figures if key not in FIGURES and key not in of_parts]
    rows = [(key, [Estimate(figures.get(f"{part}{key}")) for part in parts]) for key in keys]
    return [KINDS.get(part, "All") for part in parts], rows


def figure_text(key: str, estimate: Estimate) -> str:
    """A figure's number with its unit."""
    return f"{estimate} pix" if key.endswith("_pix") and estimate.value is not None else str(estimate)


def judged_on(summary: Mapping[str, Any]) -> str:
    """'120 images, 9 812 objects'."""
    counts = summary.get("counts") or {}
    objects = f", {some(counts['n_true'], 'object')}" if counts.get("n_true") else ""
    return f"{some(summary['n_scenes'], 'image')}{objects}"
