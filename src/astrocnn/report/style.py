"""How every figure looks, in one place, and how a figure becomes part of a page.

Figures are drawn with named colours that stand for a role; in the page they become CSS variables, so that the
same figure is right on a light screen, on a dark one and on paper.
"""

import io
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["ACCENT", "CELL", "CLASS_COLORS", "INK", "MUTED", "PAPER", "RULE", "WARM", "draw", "svg"]

# Roles; the values are for figures outside a page. Blue and orange-red of Okabe & Ito are told apart by all eyes.
INK, MUTED, RULE, PAPER = "#1d2430", "#667080", "#d8dde5", "#fefefe"
ACCENT, WARM, CELL = "#0a6aa8", "#cf5a12", "#0a6aa9"
CLASS_COLORS = (ACCENT, WARM, "#0b8a68", "#b4508e", "#a97700", "#2f8fce", "#7356b5", "#6b7480")
ROLES = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", CELL: "cell"} | {
    color: f"c{number}" for number, color in enumerate(CLASS_COLORS)
}

WIDTH_INCH = 4.6  # a column of the page; a telephone shows it at three quarters of this size
STYLE: Any = {  # matplotlib types the keys of its settings one by one
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.visible": False,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.4,
    "text.parse_math": False,  # a dollar in a class name is a dollar
    "svg.fonttype": "none",  # text stays text: it can be selected, searched and read aloud
    "svg.hashsalt": "astrocnn",  # the same figure gives the same bytes
    "path.simplify": True,
}
_rc_lock = threading.Lock()  # rc_context changes matplotlib's one dict of settings while it lasts


def draw(
    plot: Callable[..., None],
    *args: Any,
    height_inch: float = 3.2,
    panels: Sequence[float] = (1,),
    **options: Any,
) -> Figure:
    """A figure on which ``plot(axes, *args, **options)`` has drawn.

    ``panels`` are relative heights; with more than one, ``axes`` is a list of panels with a common x axis.

    Neither pyplot nor any other state that outlives the figure is involved.
    """
    with _rc_lock, mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's browser will have it
        figure = Figure(figsize=(WIDTH_INCH, height_inch), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=panels)[:, 0]
        plot(list(axes) if len(panels) > 1 else axes[0], *args, **options)
    return figure


def svg(figure: Figure, *, name: str, description: str) -> str:
    """An inline ``<svg>`` of a figure, its colours being variables of the page's style sheet.

    Args:
        figure: of :func:`draw`.
        name: unique on the page; every id within the picture begins with it.
        description: what the picture shows, for those who do not see it.
    """
    buffer = io.StringIO()
    with _rc_lock, mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    view_box = re.search(r'viewBox="([^"]+)"', text)
    opening = (
        f'<svg role="img" aria-label="{escape(description)}" viewBox="{view_box[1] if view_box else ""}">'
    )
    text = re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'xlink:href="#', f'href="#{name}-', text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", text)
    text = re.sub(r"font-family: [^;\"]+;? ?", "", text)
    for color, role in ROLES.items():
        text = text.replace(color, f"var(--{role})")
    return re.sub(r"\n\s*", "\n", text).strip()
