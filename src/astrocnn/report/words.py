"""Words and numbers as the page and the terminal print them."""

import math
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

import numpy as np

__all__ = [
    "FIGURES",
    "Estimate",
    "axis_label",
    "caption_value",
    "condition",
    "count",
    "html",
    "moment",
    "number",
    "percent",
    "scientific",
    "short",
    "size",
    "some",
]

DASH = "–"
HUGE = 1e6  # from here on numbers are powers of ten
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LABELS = {  # truth columns that are met often: (name, unit, symbol in HTML)
    "theta_E": ("Einstein radius", "arcsec", "<i>θ</i><sub>E</sub>"),
    "snr_arc": ("S/N of the arcs", "", "S/N"),
    "z_l": ("lens redshift", "", "<i>z</i><sub>l</sub>"),
    "z_s": ("source redshift", "", "<i>z</i><sub>s</sub>"),
    "sigma_v": ("velocity dispersion", "km/s", "<i>σ</i><sub>v</sub>"),
}
FIGURES = {  # key of metrics.json: (name, what it is)
    "auroc": ("AUROC", "area under the ROC curve"),
    "average_precision": (
        "Average precision",
        "area under precision against recall, at this set's prevalence",
    ),
    "tpr_at_fpr_1e-1": ("TPR at FPR 10 %", "completeness when one negative in ten passes"),
    "tpr_at_fpr_1e-2": ("TPR at FPR 1 %", "completeness when one in a hundred passes"),
    "tpr_at_fpr_1e-3": ("TPR at FPR 0.1 %", "completeness when one in a thousand passes"),
    "tpr0": ("TPR0", "completeness before the first false positive"),
    "tpr10": ("TPR10", "completeness with fewer than ten false positives"),
    "accuracy": ("Accuracy", "fraction classified correctly"),
    "balanced_accuracy": ("Balanced accuracy", "mean over the classes of the fraction found"),
    "brier": ("Brier score", "mean squared error of the probability; smaller is better"),
    "nll": ("Negative log-likelihood", "mean, in nat; smaller is better"),
    "ece": ("Expected calibration error", "mean distance of probability and frequency; smaller is better"),
}


class Estimate:
    """A figure of the metrics: a number, null, or a mapping with value, low, high, note and n_negative."""

    def __init__(self, figure: Any) -> None:
        parts = figure if isinstance(figure, Mapping) else {"value": figure}
        self.value, self.low, self.high = (_real(parts.get(key)) for key in ("value", "low", "high"))
        self.note = str(parts.get("note") or "")
        self.n_negative: int | None = parts.get("n_negative")
        width = self.high - self.low if self.low is not None and self.high is not None else 1.0
        self.digits = 4 if 0 < width < 0.006 else 3

    def __str__(self) -> str:
        return number(self.value, self.digits)

    @property
    def interval(self) -> str:
        """'0.951–0.973', or nothing."""
        if self.low is None or self.high is None:
            return ""
        return f"{number(self.low, self.digits)}–{number(self.high, self.digits)}"


def number(value: Any, digits: int = 3) -> str:
    """``value`` with ``digits`` decimals, or a power of ten from a million on; a dash for None, NaN and infinities."""
    real = _real(value)
    if real is not None and abs(real) >= HUGE:
        return scientific(real, 3)
    return DASH if real is None else f"{real:.{digits}f}".replace("-", "−")


def count(value: Any) -> str:
    """A whole number with thin spaces between thousands; a dash for what is none."""
    real = _real(value)
    return DASH if real is None else f"{real:,.0f}".replace(",", "\u202f")


def percent(fraction: float) -> str:
    """'12 %', '0.30 %', '99.7 %', '< 0.01 %' or '0 %': the nearer to an end, the more digits; '5.99×10³² %'."""
    if 0 < fraction < 1e-4:
        return "< 0.01\u00a0%"
    if 0.9999 < fraction < 1:
        return "> 99.99\u00a0%"
    shown = 100 * fraction
    if shown >= HUGE:
        return f"{scientific(shown, 3)}\u00a0%"
    from_end = min(shown, 100 - shown) if shown <= 100 else shown
    digits = 0 if from_end >= 10 or from_end == 0 else 1 if from_end >= 1 else 2
    return f"{shown:.{digits}f}\u00a0%"


def scientific(value: Any, digits: int = 4) -> str:
    """``digits`` significant digits, with a power of ten where the number is very large or small."""
    real = _real(value)
    if real is None:
        return DASH
    if real == 0:
        return "0"
    mantissa, exponent = f"{real:.{digits - 1}e}".split("e")
    if not 1e-3 <= abs(real) < max(HUGE, 10 ** (digits + 1)):
        return f"{mantissa}×10{str(int(exponent)).translate(SUPERSCRIPT)}".replace("-", "−")
    decimals = max(digits - 1 - int(exponent), 0)
    shown = f"{real:,.{decimals}f}".replace(",", "\u202f")
    return shown.replace("-", "−")


def some(n: int, noun: str) -> str:
    """'1 object' or '12 objects'."""
    return f"{count(n)} {noun}{'s' * (n != 1)}"


def size(n_bytes: float) -> str:
    """'147 MB', in powers of 1,000."""
    units = ("B", "kB", "MB", "GB", "TB")
    power = min(max(math.floor(math.log10(max(n_bytes, 1) * 1.0005) / 3), 0), len(units) - 1)
    return f"{n_bytes / 1000**power:.3g} {units[power]}"


def moment(text: object) -> str:
    """'21 November 2026, 14:03' of an ISO 8601 time, with its zone where it states one; other text as it is."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return f"{time.day} {time:%B %Y}, {time:%H:%M} {time.tzname() or ''}".rstrip()


def html(text: object) -> str:
    """Any text, safe inside an element or a quoted attribute."""
    return escape(str(text), quote=True)


def short(text: object, most: int = 24) -> str:
    """At most ``most`` characters, so that a long name does not push a figure aside."""
    shown = str(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def axis_label(column: str, unit: str = "") -> str:
    """'Einstein radius (arcsec)' of 'theta_E'; an unknown column keeps its name."""
    name, known_unit, _ = LABELS.get(column, (column, "", ""))
    name = name[:1].upper() + name[1:] if column in LABELS else name
    unit = unit or known_unit
    return f"{name} ({unit})" if unit else name


def caption_value(column: str, value: Any) -> str:
    """'θ_E 1.42″' in HTML, for the caption of a picture."""
    real = _real(value)
    if real is None:
        return ""
    symbol = LABELS[column][2] if column in LABELS else html(column)
    shown = f"{real:.0f}" if abs(real) >= 20 else f"{real:.2f}"
    return f"{symbol}&nbsp;{shown}{'″' if column == 'theta_E' else ''}"


def condition(where: Mapping[str, Any]) -> str:
    """'theta_E > 1.2, snr_arc > 20' of a selection's lower bounds."""
    return ", ".join(f"{column} > {bound:g}" for column, bound in where.items())


def _real(value: Any) -> float | None:
    if value is np.ma.masked:
        return None
    try:
        real = float(value)
    except (TypeError, ValueError):
        return None
    return real if math.isfinite(real) else None
