"""The errors and warnings that a user can meet. Each says what came, what is allowed, and what to do."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import TypeVar

__all__ = [
    "AstrocnnError",
    "AstrocnnWarning",
    "ConfigError",
    "DataError",
    "RunError",
    "choose",
    "listed",
    "reason",
    "several",
]

T = TypeVar("T")
LONGEST_REASON = 200


class AstrocnnError(Exception):
    """Any error that the user can mend; the command line prints its message and exits with code 1."""


class ConfigError(AstrocnnError):
    """An option, or a combination of options, that cannot work."""


class DataError(AstrocnnError):
    """A file, table or image that cannot be used as it is."""


class RunError(AstrocnnError):
    """A run's folder that is missing, incomplete or in the way."""


class AstrocnnWarning(UserWarning):
    """Something that the user should know of; the command line prints its message without its place in the code."""


def choose(name: str, value: str, options: dict[str, T]) -> T:
    """``options[value]``, or a :class:`ConfigError` that names option, value, choices and the nearest one."""
    try:
        return options[value]
    except (KeyError, TypeError):
        near = get_close_matches(str(value), options, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{name}={value!r} is not known; choose from {listed(options)}.{hint}") from None


def listed(items: Collection[object], *, most: int = 5) -> str:
    """The first ``most`` items, comma separated, with the number of those left out."""
    shown = ", ".join(str(item) for item in list(items)[:most])
    rest = len(items) - most
    return f"{shown} and {rest} more" if rest > 0 else shown


def several(n: int, noun: str) -> str:
    """'1 object' or '12 objects'."""
    return f"{n} {noun}{'s' * (n != 1)}"


def reason(error: BaseException) -> str:
    """What a library's exception says, as a clause of our own sentence: its first sentence, without its full stop."""
    text = getattr(error, "strerror", None) or str(error).strip()
    if isinstance(error, KeyError):
        text = f"no {text}"
    return text.partition("\n")[0].partition(". ")[0].rstrip(" .:")[:LONGEST_REASON] or type(error).__name__
