"""The frame of every page: sections under a heading, plots in columns, one file that needs nothing else."""

from collections.abc import Sequence
from importlib.resources import files

from matplotlib.figure import Figure

from astrocnn import __version__
from astrocnn.report.style import svg
from astrocnn.report.words import html

__all__ = ["Section", "columns", "document", "plot", "table"]

Section = tuple[str, str, str]
"""Anchor, heading, HTML."""


def document(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole page: no network, no script, no other file. A section without content is left out.

    Args:
        title: the heading, as text.
        lead: HTML of the lines below it.
        sections: in their order; headings are HTML.
    """
    sections = [section for section in sections if section[2]]
    links = "".join(f'<a href="#{anchor}">{heading}</a>' for anchor, heading, _ in sections)
    body = "".join(
        f'<section id="{anchor}"><h2>{heading}</h2>{content}</section>\n'
        for anchor, heading, content in sections
    )
    style = files("astrocnn.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html(title)}</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<header><h1>{html(title)}</h1>{lead}<nav>{links}</nav></header>\n"
        f"<main>\n{body}</main>\n<footer>Made by astrocnn {html(__version__)}</footer>\n</body>\n</html>\n"
    )


def plot(name: str, title: str, figure: Figure, text: str) -> str:
    """A figure with its heading and, in HTML, the sentence on how it is read; ``name`` is unique on the page."""
    drawing = svg(figure, name=name, description=title)
    return f'<figure class="plot" id="{name}"><h3>{html(title)}</h3>{drawing}<figcaption>{text}</figcaption></figure>'


def columns(shown: Sequence[str]) -> str:
    """Plots side by side where the screen is wide enough."""
    return f'<div class="figures">{"".join(shown)}</div>' if shown else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "numbers") -> str:
    """A table of HTML cells, the first of a row being its name; ``kind`` is its class in the style sheet."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
