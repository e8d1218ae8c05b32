"""The section of the objects: how many of each class and split, where on the sky, which were left out."""

from collections import Counter

import numpy as np

from astrocnn.report.data_plots import SPLIT_COLORS, balance, target
from astrocnn.report.document import columns, plot, table
from astrocnn.report.inspection import Counts, Inspection, split_counts
from astrocnn.report.sky_plot import MOST_POINTS, WIDE_DEG, sky, sky_centre
from astrocnn.report.style import draw
from astrocnn.report.words import count, html, percent, short

__all__ = ["counts_table", "objects_section"]

MOST_REASONS = 12
MOST_DUPLICATES = 12


def objects_section(data: Inspection, *, seed: int) -> str:
    """HTML of the counts, the balance, the sky, what was left out and what stands more than once."""
    counts = split_counts(data.catalog, data.spec.classes)
    text = counts_table(counts, positive=len(data.spec.classes) == 2 and bool((data.labels >= 0).any()))
    text += f"<p class='read'>Split {html(data.split_rule)}.</p>" if data.split_rule else ""
    shown: list[str] = []
    if data.spec.classes and (data.labels >= 0).any():
        height = float(np.clip(0.95 + 0.3 * len(counts.columns), 1.5, 9))
        figure = draw(balance, counts, height_inch=height)
        shown = [plot("plot-balance", "Balance of the classes", figure, "Objects of each class, by split.")]
    shown += _targets(data) + _sky(data, seed)
    return text + columns(shown) + _skipped(data) + _duplicates(data)


def counts_table(counts: Counts, *, positive: bool = False) -> str:
    """HTML of the counts with their shares of a row; '' of a single number. ``positive`` marks the second class."""
    whole = counts.numbers[:, -1]
    rows = [
        [
            html(name),
            *(
                f"{count(n)}<small>{percent(n / max(total, 1))}</small>"
                if column < len(counts.columns) - 1
                else count(n)
                for column, n in enumerate(numbers.tolist())
            ),
        ]
        for name, numbers, total in zip(counts.rows, counts.numbers, whole.tolist(), strict=True)
    ]
    head = [html(short(name)) for name in counts.columns]
    if positive:
        head[1] += "<small>the positive class</small>"
    return table(["", *head], rows) if counts.numbers.size > 1 else ""


def _targets(data: Inspection) -> list[str]:
    shown = []
    for number, (name, values) in enumerate(data.targets.items()):
        known = np.isfinite(values)
        if known.any():
            figure = draw(target, values, data.groups, label=name.replace("_", " "))
            read = f"{count(known.sum())} of {count(len(values))} objects have one."
            shown.append(plot(f"plot-target-{number}", name.replace("_", " ").capitalize(), figure, read))
    return shown


def _skipped(data: Inspection) -> str:
    if not len(data.skipped):
        return ""
    reasons, ids = np.asarray(data.skipped["reason"]).astype(str), np.asarray(data.skipped["id"]).astype(str)
    paths = np.asarray(data.skipped["path"]).astype(str)
    # a reason that names its file is one of its own: without the name like ones come together
    kinds = [
        reason.replace(path, "…") if path else reason for reason, path in zip(reasons, paths, strict=True)
    ]
    rows = []
    for kind, n in Counter(kinds).most_common(MOST_REASONS):
        example = next(i for i, other in enumerate(kinds) if other == kind)
        rows.append([html(kind), count(n), html(ids[example] or paths[example])])
    rest = len(set(kinds)) - MOST_REASONS
    more = f"<p class='read'>And {count(rest)} more reasons.</p>" if rest > 0 else ""
    return f"<h3>Left out</h3>{table(['Reason', 'Inputs', 'One of them'], rows, kind='reasons')}{more}"


def _duplicates(data: Inspection) -> str:
    if data.duplicates is None or not len(data.duplicates):
        return ""
    names = [*data.spec.classes, "–"]  # label −1 is the last
    rows = [
        [
            html(row["id"]),
            html(row["duplicate_of"]),
            html(row["by"]),
            html(row["split"] or "–"),
            html(names[row["label"]]),
        ]
        for row in data.duplicates[:MOST_DUPLICATES]
    ]
    n = len(data.duplicates)
    more = f"<p class='read'>{count(n)} in all; duplicates.csv lists them.</p>" if n > MOST_DUPLICATES else ""
    head = ["Object", "The same as", "Shown by", "Split", "Class"]
    return f"<h3>Objects that stand more than once</h3>{table(head, rows, kind='plain')}{more}"


def _sky(data: Inspection, seed: int) -> list[str]:
    ra, dec, known = data.position
    if not known.any():
        return []
    ra, dec = ra[known], dec[known]
    if (ra == ra[0]).all() and (dec == dec[0]).all():
        return []
    centre = sky_centre(ra, dec)
    groups = data.groups[known]
    wide = centre[2] > WIDE_DEG
    height = 2.7 if wide else 3.4
    figure = draw(sky, ra, dec, groups, colors=SPLIT_COLORS, centre=centre, seed=seed, height_inch=height)
    where = (
        f"declinations {_degrees(dec.min())} to {_degrees(dec.max())}"
        if wide
        else f"around {centre[0]:.4f}° {_degrees(centre[1], 4)}, {_reach(2 * centre[2])} across"
    )
    read = f"{count(known.sum())} positions (ICRS), {where}; east is to the left."
    if known.sum() > MOST_POINTS:
        read += f" {count(MOST_POINTS)} of them are drawn."
    return [plot("plot-sky", "Sky coverage", figure, read)]


def _degrees(value: float, digits: int = 1) -> str:
    return f"{value:+.{digits}f}°".replace("-", "−")


def _reach(degrees: float) -> str:
    """An angle in the unit that suits it."""
    if degrees >= 1:
        return f"{degrees:.3g}°"
    return f"{60 * degrees:.3g}′" if degrees >= 1 / 60 else f"{3600 * degrees:.3g}″"
