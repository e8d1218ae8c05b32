"""FITS headers written directly (FITS standard 4.0, sections 3 and 4)."""

__all__ = ["Cards", "card", "filled", "header"]

Cards = dict[str, tuple[float | str, str]]
"""Header lines: {name: (value, comment)}."""

BLOCK = 2880
CARD = 80


def header(lines: list[str]) -> bytes:
    """A whole header of lines that :func:`card` made."""
    return filled("".join([*lines, "END".ljust(CARD)]).encode("ascii"), b" ")


def filled(content: bytes, filler: bytes = b"\0") -> bytes:
    """The content filled up to whole blocks."""
    return content + filler * (-len(content) % BLOCK)


def card(name: str, value: bool | int | float | str, comment: str = "") -> str:
    """One header line in fixed format."""
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        quoted = value.replace("'", "''")
        text = f"'{quoted:<8}'".ljust(20)
    elif isinstance(value, int):
        text = f"{value:>20d}"
    else:
        digits = f"{value:.15G}"
        text = f"{digits if '.' in digits or 'E' in digits else digits + '.0':>20}"
    line = f"{name:<8}= {text} / {comment}" if comment else f"{name:<8}= {text}"
    return line[:CARD].ljust(CARD)
