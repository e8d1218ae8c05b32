"""What the pages of maps and of detections have alike: figures, and plots of the objects found."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from astrocnn.functional.bootstrap import wilson_interval
from astrocnn.functional.source_figures import SNR_EDGES
from astrocnn.report.document import plot, table
from astrocnn.report.page import SPLITS
from astrocnn.report.populations import figure_name
from astrocnn.report.scores import confusion
from astrocnn.report.segmentation_plots import (
    against_magnitude,
    against_snr,
    auroc_by_snr,
    distances,
    has_points,
    pairs_against_separation,
    pairs_against_snr,
    star_rates,
)
from astrocnn.report.segmentation_words import FIGURES, figure_rows, figure_text, judged_on
from astrocnn.report.style import draw
from astrocnn.report.tables import duration, parameters
from astrocnn.report.words import Estimate, count, html, moment, some

__all__ = ["cell", "figures_table", "lead", "object_plots", "snr_table", "tiles"]

RATES = (  # key, the value that it is a function of, what it is
    ("completeness", "true", "Fraction of the true objects that were found"),
    ("purity", "measured", "Fraction of the found objects that are true"),
)
VALUE_OF = {key: value for key, value, _ in RATES}
SNR_COLUMNS = {"all": "all", "blended": "those that touch another"}
SNR_MEANS = {
    "true": "The S/N is that of the truth.",
    "measured": "The S/N is that of the light in a Gaussian window as wide as the object, of all bands.",
}
SNR_IS = {"true": "true S/N of the isolated object", "measured": "measured S/N"}
KINDS_ARE = ("touch no other object", "touch another")


def tiles(summary: Mapping[str, Any], shown: Mapping[str, str]) -> str:
    """The figures ``shown`` {key: name} in large type, the first one most of all."""
    items = []
    for key, name in shown.items():
        estimate = Estimate(summary["figures"].get(key))
        if estimate.value is not None:
            other = "" if key == next(iter(shown)) else " other"
            items.append(
                f'<li><span class="name">{html(name)}</span><span class="value{other}">{estimate}</span>'
                f'<span class="interval">{estimate.interval}</span></li>'
            )
    return f'<ul class="tiles">{"".join(items)}</ul>'


def figures_table(summary: Mapping[str, Any]) -> str:
    """One row a figure, one column for all objects, for isolated and for blended ones."""
    names, found = figure_rows(summary)
    rows = []
    for key, estimates in found:
        name, meaning = FIGURES.get(key, (figure_name(key), ""))
        small = "; ".join(part for part in (meaning, estimates[0].note) if part)
        cells = [cell(key, estimate) if estimate.value is not None else "" for estimate in estimates[1:]]
        rows.append([f"{html(name)}<small>{html(small)}</small>", cell(key, estimates[0]), *cells])
    counts = summary.get("counts") or {}
    about = [judged_on(summary), *KINDS_ARE[: len(names) - 1]]
    head = [f"{name}<small>{html(text)}</small>" for name, text in zip(names, about, strict=True)]
    note = f"Ranges are intervals ({html(summary['intervals'])})."
    if counts:
        n_blended = counts["n_blended"]
        touch = "" if n_blended is None else f"{count(n_blended)} touch another; "
        note += (
            f" Of {some(counts['n_true'], 'true object')} {touch}{count(counts['n_matched'])} were found, among "
            f"{count(counts['n_measured'])} that are said to be there. "
        )
        if counts["n_ignored"]:
            note += (
                f"{some(counts['n_ignored'], 'further true object')} (too faint, without data, or marked so), and "
                f"{count(counts['n_measured_ignored'])} that are said to be there in such places, count neither way. "
            )
        note += f"A pair lies within {summary['radius_pix']:.3g} pixels."
    return table(["", *head], rows, kind="figures-of-maps") + f'<p class="read">{note}</p>'


def object_plots(summary: Mapping[str, Any], pixel_scale_arcsec: float | None) -> list[str]:
    """Completeness, purity, stars, classes and positions of the objects, as far as the summary says them."""
    shown = []
    for key, value, text in RATES:
        name = key.capitalize()
        if has_points(curve := summary.get(key)):
            figure = draw(against_magnitude, curve, name=name, of=f"{value} magnitude")
            about = f"{text}, in bins of half a magnitude with 95&nbsp;% intervals; in brackets the number of objects."
            shown.append(plot(f"plot-{key}", name, figure, about))
        if has_points(curve := summary.get(f"{key}_by_snr")):
            figure = draw(against_snr, curve, name=name, of=SNR_IS[value])
            about = f"{text}, with 95&nbsp;% intervals; in brackets the number of objects. {SNR_MEANS[value]}"
            shown.append(plot(f"plot-{key}-snr", f"{name} and S/N", figure, about))
    shown += _pair_plots(summary, pixel_scale_arcsec)
    if stars := summary.get("stars"):
        whole = Estimate(summary["figures"].get("star_auroc")).value
        by_snr = stars["auroc_by_snr"]
        if whole is not None and any(part["value"] is not None for part in by_snr["bins"]):
            figure = draw(auroc_by_snr, by_snr, whole=whole)
            text = (
                "How often a star that was found has a higher probability of being one than a galaxy that was "
                "found: 0.5 is guessing. In brackets the numbers of stars and galaxies."
            )
            shown.append(plot("plot-stars", "Stars against galaxies", figure, text))
        if any(has_points(stars[name]) for name in ("completeness", "purity")):
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


def _pair_plots(summary: Mapping[str, Any], pixel_scale_arcsec: float | None) -> list[str]:
    shown = []
    pairs = summary.get("pairs")
    if pairs and sum(pairs["n"]):
        figure = draw(pairs_against_separation, pairs, pixel_scale_arcsec=pixel_scale_arcsec)
        text = (
            "Of pairs of true objects that are nearest neighbours, the share of which both are found, with 95&nbsp;% "
            f"intervals. From {count(sum(pairs['n']))} pairs."
        )
        shown.append(plot("plot-pairs", "Close pairs", figure, text))
    if pairs := summary.get("pairs_by_snr"):
        figure = draw(pairs_against_snr, pairs)
        text = (
            "Of such pairs, those whose objects both touch another one, by the S/N that the fainter of the two would "
            f"have alone. From {count(sum(pairs['n']))} pairs."
        )
        shown.append(plot("plot-pairs-snr", "Blended pairs and S/N", figure, text))
    return shown


def snr_table(summary: Mapping[str, Any]) -> str:
    """Completeness and purity, of all and of blended objects, in wide bins of S/N; '' without."""
    curves = [
        (name, kind, summary.get(f"{name}_by_snr") or {}) for name, _, _ in RATES for kind in SNR_COLUMNS
    ]
    curves = [(name, kind, curve) for name, kind, curve in curves if kind in curve]
    rows = []
    for low, high in pairwise((0.0, *SNR_EDGES)):
        cells = [_rate_within(curve["edges"], curve[kind], low, high) for _, kind, curve in curves]
        if any(cells):
            name = (
                f"below {high:g}"
                if not low
                else f"{low:g} to {high:g}"
                if np.isfinite(high)
                else f"above {low:g}"
            )
            rows.append([name, *cells])
    head = [
        f"{name.capitalize()}<small>{SNR_COLUMNS[kind]}, by {VALUE_OF[name]} S/N</small>"
        for name, kind, _ in curves
    ]
    return table(["S/N", *head], rows, kind="figures-of-maps") if rows else ""


def _rate_within(edges: Sequence[float], rate: Mapping[str, Any], low: float, high: float) -> str:
    """The cell of the bins between two of their edges, taken together; '' where they are empty."""
    inside = [k for k, edge in enumerate(edges[:-1]) if low <= edge < high and rate["n"][k]]
    n = sum(rate["n"][k] for k in inside)
    if not n:
        return ""
    hits = sum(round(rate["value"][k] * rate["n"][k]) for k in inside)
    ends = zip(("low", "high"), wilson_interval(hits, n), strict=True)
    figure = {"value": hits / n} | {name: float(end) for name, end in ends}
    return cell("rate", Estimate(figure)) + f"<small>{some(n, 'object')}</small>"


def lead(summary: Mapping[str, Any], split: str, run_info: Mapping[str, Any]) -> str:
    """The run in one line, and what it is judged on."""
    parts = [html(moment(run_info[key])) for key in ("model", "data", "date") if run_info.get(key)]
    if run_info.get("n_parameters"):
        parts.append(parameters(run_info))
    if run_info.get("training_seconds") is not None:
        parts.append(f"trained in {duration(run_info['training_seconds'])}")
    judged = f"Judged on the {html(SPLITS.get(split, split))} of {html(judged_on(summary))}."
    return (f'<p class="lead">{" · ".join(parts)}</p>' if parts else "") + f'<p class="lead">{judged}</p>'


def cell(key: str, estimate: Estimate) -> str:
    """A figure with its interval."""
    text = f"<b>{figure_text(key, estimate)}</b>"
    return text + (f'<span class="interval">{estimate.interval}</span>' if estimate.interval else "")
