"""The tables of the page: figures of merit, and what was run."""

import json
from collections.abc import Mapping
from typing import Any

from astrocnn.report.populations import Population, figure_name, figure_rows
from astrocnn.report.words import FIGURES, Estimate, count, html, moment

__all__ = ["duration", "figures_table", "parameters", "run_list", "tiles"]

BINARY_TILES = ("auroc", "tpr_at_fpr_1e-2")
MULTICLASS_TILES = ("accuracy", "balanced_accuracy", "auroc")
NEED_NEGATIVES = ("tpr0", "tpr10")


def tiles(shown: list[Population], *, multiclass: bool = False) -> str:
    """The two or three figures that one looks for first, large, for the whole set and its first selection."""
    keys = MULTICLASS_TILES if multiclass else BINARY_TILES
    items = []
    for population in shown[:2]:
        for key in keys:
            estimate = population.estimate(key)
            if estimate.value is None:
                continue
            whole = population is shown[0]
            name = _name(key) if whole else f"{_name(key)}, {html(population.name)}"
            other = "" if whole else " other"
            items.append(
                f'<li><span class="name">{name}</span><span class="value{other}">{estimate}</span>'
                f'<span class="interval">{estimate.interval}</span></li>'
            )
    return f'<ul class="tiles">{"".join(items)}</ul>' if items else ""


def figures_table(shown: list[Population], summary: Mapping[str, Any]) -> str:
    """One row a figure, one column a population, with 95 % intervals."""
    binary = shown[0].n_negative is not None
    head = "".join(f'<th scope="col">{_heading(population, summary)}</th>' for population in shown)
    rows = []
    for key in figure_rows(shown):
        meaning = FIGURES[key][1] if key in FIGURES else ""
        if key == "auroc" and not binary:
            meaning = "one class against the rest, mean over the classes"
        small = f"<small>{html(meaning)}</small>" if meaning else ""
        cells = "".join(f"<td>{_cell(population, key)}</td>" for population in shown)
        rows.append(f'<tr><th scope="row">{_name(key)}{small}</th>{cells}</tr>')
    if recall := summary.get("recall"):
        rows += [_recall_row(str(name), part) for name, part in recall.items()]
    how = html(summary.get("intervals") or "95 %")
    note = (
        f"<p class='read'>Ranges are intervals ({how})."
        + (" A selection scores its positives against all negatives." if len(shown) > 1 else "")
        + "</p>"
    )
    table = f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table>{table}</table></div>{note}'


def run_list(run_info: Mapping[str, Any]) -> str:
    """A definition list of the run, the known entries first, anything else by its own name."""
    known: dict[str, tuple[str, Any]] = {
        "model": ("Model", html),
        "data": ("Data", html),
        "date": ("Date", lambda value: html(moment(value))),
        "n_parameters": ("Parameters", lambda _: parameters(run_info).replace(" parameters", "")),
        "training_seconds": ("Training time", lambda value: duration(value)),
        "git": ("Git state", html),
        "command": ("Command", lambda value: f"<code>{html(value)}</code>"),
        "versions": ("Versions", lambda value: _plain(value)),
    }
    entries = []
    for key in [key for key in known if key in run_info] + [
        key for key in run_info if key not in (*known, "title", "n_trained")
    ]:
        if run_info[key] is None or run_info[key] in ("", {}, []):
            continue
        name, show = known.get(key, (str(key).replace("_", " "), _plain))
        entries.append(f"<dt>{html(name)}</dt><dd>{show(run_info[key])}</dd>")
    return f"<dl>{''.join(entries)}</dl>" if entries else ""


def parameters(run_info: Mapping[str, Any]) -> str:
    """'5 065 170 parameters, 2 239 628 of them trained' of a run; all are trained where it says nothing else."""
    n, n_trained = run_info["n_parameters"], run_info.get("n_trained")
    trained = "" if n_trained in (None, n) else f", {count(n_trained)} of them trained"
    return f"{count(n)} parameters{trained}"


def duration(seconds: Any) -> str:
    """'2 h 05 min', '4 min 12 s' or '38 s'."""
    try:
        whole = round(float(seconds))
    except (TypeError, ValueError, OverflowError):
        return html(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return html(", ".join(f"{key} {part}" for key, part in value.items()))
    return html(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))


def _name(key: str) -> str:
    return html(figure_name(key)).replace(" %", "&nbsp;%")


def _heading(population: Population, summary: Mapping[str, Any]) -> str:
    name = "All" if population.name == "all" else population.name
    details = [html(population.where)] if population.where else []
    if population.n_negative is not None:
        negative, positive = (str(c) for c in summary["classes"])
        details.append(
            f"{count(population.n_positive)} {html(positive)}, {count(population.n_negative)} {html(negative)}"
        )
    else:
        details.append(f"{count(summary['n'])} objects")
    return f"{html(name)}<small>{'<br>'.join(details)}</small>"


def _recall_row(name: str, part: Mapping[str, Any]) -> str:
    estimate = Estimate(part)
    interval = f'<span class="interval">{estimate.interval}</span>' if estimate.interval else ""
    small = f"<small>of {count(part.get('n'))} objects</small>" if "n" in part else ""
    return f'<tr><th scope="row">Recall, {html(name)}{small}</th><td><b>{estimate}</b>{interval}</td></tr>'


def _cell(population: Population, key: str) -> str:
    estimate: Estimate = population.estimate(key)
    text = f"<b>{estimate}</b>"
    if estimate.interval:
        text += f'<span class="interval">{estimate.interval}</span>'
    note = html(estimate.note)
    if key in NEED_NEGATIVES and estimate.value is not None:
        n = estimate.n_negative if estimate.n_negative is not None else population.n_negative
        note = f"of {count(n)} negatives" + (f"; {note}" if note else "")
    return text + (f"<small>{note}</small>" if note else "")
