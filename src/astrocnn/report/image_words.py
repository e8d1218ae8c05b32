"""How the figures of predicted images are named and printed, on the page and in the terminal alike."""

from collections.abc import Mapping
from typing import Any

from astrocnn.report.words import DASH, number, percent, scientific, some

__all__ = [
    "FIGURES",
    "PREDICTORS",
    "figure_text",
    "headline",
    "interval_text",
    "meaning",
    "plane_name",
    "some_of",
]

FIGURES = {  # key of metrics.json: (name, what it is)
    "rmse": ("RMSE", "root mean square of the residuals, in the target's unit"),
    "mae": ("Mean absolute error", "in the target's unit"),
    "bias": ("Bias", "mean of predicted − true, in the target's unit"),
    "r2": ("R²", "share of the target's variance that is explained"),
    "psnr": ("PSNR", "range of a target over its RMSE, mean over the images, dB"),
    "ssim": ("SSIM", "structural similarity (Wang et al. 2004), mean over the images"),
    "flux_ratio": ("Flux, predicted over true", "of all images together"),
    "flux_error": ("Flux error, mean", "mean over the images of |predicted / true − 1|"),
    "flux_error_median": ("Flux error, median", "median over the images"),
}
PREDICTORS = {"mean": "the training mean", "input": "the input itself"}
IN_UNITS = ("rmse", "mae", "bias")
RATES = ("flux_error", "flux_error_median")


def meaning(key: str, summary: Mapping[str, Any]) -> str:
    """What a figure is, of images or of volumes."""
    return FIGURES[key][1].replace("image", noun_of(summary))


def some_of(summary: Mapping[str, Any], n: int) -> str:
    """'1 image' or '12 volumes'."""
    return some(n, noun_of(summary))


def noun_of(summary: Mapping[str, Any]) -> str:
    """What one of those that were judged is called."""
    return str(summary.get("noun", "image"))


def figure_text(key: str, value: float | None) -> str:
    """A figure's number, with the digits and the unit that suit it."""
    if value is None:
        return DASH
    if key in RATES:
        return percent(value)
    if key in IN_UNITS:
        return scientific(value, 3)
    return f"{number(value, 1)} dB" if key == "psnr" else number(value)


def interval_text(key: str, figure: Mapping[str, Any]) -> str:
    """'0.41–0.45', or nothing."""
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None:
        return ""
    between = " to " if low < 0 else "–"
    return f"{figure_text(key, low)}{between}{figure_text(key, high)}".replace(f" dB{between}", between)


def headline(figures: Mapping[str, Any]) -> str:
    """Which figure of a plane one looks for first."""
    return "flux_error_median" if "flux_error_median" in figures else "r2"


def plane_name(plane: str, unit: str | None) -> str:
    """'mass (dex(Msun))'."""
    return f"{plane} ({unit})" if unit else plane
