"""The sections of the values: their range and spread, where they are missing, and whether the variance is right."""

from astrocnn.report.data_facts import AXES, BandFacts
from astrocnn.report.data_plots import MOST_LINES, invalid_map, invalid_share, noise_ratios, spread
from astrocnn.report.document import columns, plot, table
from astrocnn.report.inspection import Inspection
from astrocnn.report.style import draw
from astrocnn.report.words import count, html, percent, scientific, short, some

__all__ = ["missing_section", "noise_section", "values_section"]

MOST_FEATURES = 24


def values_section(data: Inspection) -> str:
    """HTML of the figures of each band, and of their values before and after normalisation."""
    unit, factor = data.unit_and_factor
    what, n = data.what, some(data.pixels.n_objects, data.noun)
    text = _band_table(data, unit, factor)
    if data.n_spatial == 0:
        shown = _features(data)
    else:
        known = [(band.name, band.flux) for band in data.flux_bands if band.flux is not None]
        shown = []
        if known:
            label = f"Flux ({unit})" if unit else "Flux"
            figure = draw(spread, known, label=label, factor=factor, what=what)
            read = f"{what} with data of {n}, in bins that widen away from the median."
            read += _first(len(known))
            shown.append(plot("plot-flux", "Before normalisation", figure, read))
    normal = [(band.name, band.normalised) for band in data.flux_bands if band.normalised is not None]
    if normal:
        figure = draw(spread, normal, label="Normalised value", what=what)
        read = f"The same {what.lower()} as the network gets them, fitted on {html(data.fitted_on)}."
        read += _first(len(normal))
        shown.append(plot("plot-normalised", "After normalisation", figure, read))
    return text + columns(shown)


def _band_table(data: Inspection, unit: str, factor: float) -> str:
    """One row a band: its range, sky, noise and what is missing."""
    units = data.spec.units or (None,) * len(data.spec.bands)
    per_band = len(set(units)) > 1
    ratios = [band.median_noise_ratio for band in data.pixels.bands]
    has_ratio = any(ratio is not None for ratio in ratios)
    head = ["Feature" if data.n_spatial == 0 else "Band", *["Unit"] * per_band]
    head += ["No data", "Min", "1 %", "Median", "99 %", "Max"]
    head += list(data.levels) if data.sky is not None else []
    head += ["Noise /<br>stated"] if has_ratio else []
    rows = []
    for c, (band, ratio) in enumerate(zip(data.pixels.bands, ratios, strict=True)):
        row = [html(short(band.name)), *[html(units[c] or "–")] * per_band, percent(band.invalid_fraction)]
        unit_of_band = 1.0 if band.name in AXES else factor
        row += [scientific(q * unit_of_band, band.digits) for q in band.quantiles] or ["–"] * 5
        if data.sky is not None and data.noise is not None:
            row += [
                scientific(data.sky[c] * unit_of_band, band.digits),
                scientific(data.noise[c] * unit_of_band),
            ]
        row += [f"{ratio:.3f}" if ratio is not None else "–"] * has_ratio
        rows.append(row)
    in_unit = f" Values are in {'' if data.unit else 'units of '}{html(unit)}." if unit else ""
    level, width = data.levels
    fitted = f" {level} and {width.lower()} are those of the normalisation, fitted on {html(data.fitted_on)}."
    fitted = fitted if data.sky is not None else ""
    return f"{table(head, rows)}<p class='read'>{in_unit}{fitted}</p>"


def _first(n: int) -> str:
    """That not all of ``n`` lines are drawn, where that is so."""
    return f" The first {MOST_LINES} of {n} are drawn." if n > MOST_LINES else ""


def _features(data: Inspection) -> list[str]:
    classes = data.spec.classes
    shown = []
    for number, band in enumerate(data.pixels.bands[:MOST_FEATURES]):
        if band.flux is None:
            continue
        by_class = [pair for pair in zip(classes, band.by_class, strict=False) if pair[1].counts.any()]
        parts = by_class or [(band.name, band.flux)]
        figure = draw(spread, parts, label=band.name, what="Objects", height_inch=2.2)
        shown.append(plot(f"plot-feature-{number}", band.name, figure, _lacking(band)))
    return shown


def _lacking(band: BandFacts) -> str:
    lacking = f"; {percent(band.invalid_fraction)} have none" if band.n_valid < band.n else ""
    return f"{some(band.n_valid, 'object')}{lacking}."


def missing_section(data: Inspection) -> str:
    """HTML of how much is missing, and where."""
    fraction = data.valid_fraction
    n_lacking = int((fraction < 1).sum())
    if not n_lacking:
        return f"<p class='read'>Every value of all {count(len(fraction))} {data.noun}s holds data.</p>"
    text = (
        f"<p class='read'>{count(n_lacking)} of {count(len(fraction))} {data.noun}s lack some of their values; "
        f"{percent(1 - float(fraction.mean()))} of all values are missing.</p>"
    )
    figure = draw(invalid_share, fraction)
    read = f"Of the {some(n_lacking, data.noun)} that lack some."
    shown = [plot("plot-lacking", "How much is missing", figure, read)]
    if data.n_spatial in (1, 2) and data.pixels.invalid.any():
        figure = draw(invalid_map, data.pixels.invalid, data.spec.bands, data.place)
        where = "mean over the bands" if data.n_spatial == 2 and len(data.spec.bands) > 1 else "by band"
        read = f"Share of {some(data.pixels.n_objects, data.noun)} without data at each place"
        read += f", {where}." if len(data.spec.bands) > 1 else "."
        shown.append(plot("plot-invalid", "Where it is missing", figure, read))
    return text + columns(shown)


def noise_section(data: Inspection) -> str:
    """HTML of the noise compared with the variance; nothing without variance."""
    known = [
        (band.name, band.noise_ratio)
        for band in data.pixels.bands
        if band.noise_ratio is not None and band.median_noise_ratio is not None
    ]
    if not known:
        return ""
    figure = draw(noise_ratios, known)
    read = (
        "Noise in the border of each object, from second differences of pixels three apart, over what the variance "
        "states there. At 1 the variance is right; above, the noise is larger than stated."
    )
    return columns([plot("plot-noise", "Is the variance right?", figure, read)])
