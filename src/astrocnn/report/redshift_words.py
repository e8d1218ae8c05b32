"""How the figures of redshifts are named and printed, on the page and in the terminal alike."""

from collections.abc import Mapping
from typing import Any

from astrocnn.report.words import DASH, axis_label, number, percent

__all__ = ["PDF_FIGURES", "POINT_FIGURES", "figure_text", "interval_text", "property_label"]

POINT_FIGURES = {  # key of metrics.json: (name, what it is)
    "bias": ("Bias", "mean of Δz = (z_phot − z_spec) / (1 + z_spec)"),
    "bias_median": ("Bias, median", "median of Δz"),
    "sigma_nmad": ("σ_NMAD", "1.4826 · median |Δz − median Δz|"),
    "sigma_68": ("σ_68", "half the range of Δz from its 16th to its 84th percentile"),
    "outliers_005": ("|Δz| > 0.05", "fraction of the objects"),
    "outliers_015": ("|Δz| > 0.15", "fraction of the objects"),
    "outliers_3sigma": ("|Δz| > 3 σ_NMAD", "fraction of the objects"),
}
PDF_FIGURES = {
    "log_likelihood": ("Log-likelihood", "mean of ln p(z_spec); larger is better"),
    "cde_loss": ("CDE loss", "mean of ∫ p² − 2 p(z_spec); smaller is better"),
    "crps": ("CRPS", "continuous ranked probability score, in redshift; smaller is better"),
    "coverage_68": ("Coverage of 68 %", "fraction of true redshifts in the equal-tailed interval"),
    "coverage_95": ("Coverage of 95 %", "fraction of true redshifts in the equal-tailed interval"),
    "pit_ks": (
        "PIT, KS distance",
        "Kolmogorov–Smirnov: largest distance of the PITs’ distribution from a uniform one",
    ),
    "pit_cvm": ("PIT, Cramér–von Mises", "W² of the PITs"),
    "pit_ad": ("PIT, Anderson–Darling", "A² of the PITs, which weighs the tails most"),
}
RATES = (*("outliers_005", "outliers_015", "outliers_3sigma"), *("coverage_68", "coverage_95"))
DIGITS = {"log_likelihood": 3, "cde_loss": 2, "pit_cvm": 2, "pit_ad": 1}
PROPERTIES = {"z_spec": "True redshift", "z_phot": "Estimated redshift"}


def figure_text(key: str, value: float | None) -> str:
    """A figure's number, with the digits and the unit that suit it."""
    if value is None:
        return DASH
    if key in RATES:
        return f"{100 * value:.1f}\u00a0%" if 0.001 <= value <= 0.9995 else percent(value)
    return number(value, DIGITS.get(key, 4))


def interval_text(key: str, figure: Mapping[str, Any]) -> str:
    """'0.0171–0.0184', or nothing."""
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None:
        return ""
    between = " to " if low < 0 else "–"
    return f"{figure_text(key, low)}{between}{figure_text(key, high)}".replace(f"\u00a0%{between}", between)


def property_label(name: str) -> str:
    """How an axis calls what figures are binned in."""
    return PROPERTIES.get(name) or axis_label(name)
