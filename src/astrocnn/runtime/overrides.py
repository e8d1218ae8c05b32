"""What is wrong with the words of a command, in one sentence with a remedy."""

from difflib import get_close_matches
from typing import Any

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from astrocnn.errors import listed

__all__ = ["explained"]

MOST = 60  # options that are listed


def explained(error: Exception) -> str:
    """What Hydra or OmegaConf raised about the command's words, as we say it."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(cause, MissingMandatoryValue):
        return f"{cause.full_key} is not given; give it with {cause.full_key}=..."
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        return _unknown_option(cause)
    if isinstance(error, MissingConfigException) and error.options:
        return _unknown_choice(str(error.missing_cfg_file), list(error.options))
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override))
    text = " ".join(str(error).split())
    if text.startswith("Ambiguous value for argument '"):
        return _several(text.split("'")[1])
    if isinstance(cause, OmegaConfBaseException):
        where = f"{cause.full_key}: " if cause.full_key else ""
        text = where + str(cause).partition("\n")[0]
    return f"{text.rstrip('.')}; check the words of the command (--help shows what there is)."


def _unknown_option(error: Any) -> str:
    """An option that there is not: ``data.image=...``."""
    name = str(error.full_key or error.key)
    parent, _, last = name.rpartition(".")
    node = error.parent_node
    own = _names(node)
    inside = [f"{key}.{child}" for key in own for child in _names(_child(node, key))]
    exact = [dotted for dotted in inside if dotted.endswith(f".{last}")]  # lr is optimizer.lr
    near = get_close_matches(last, own + inside, n=1, cutoff=0.6)
    near = near or [d for d in inside if get_close_matches(last, [d.rpartition(".")[2]], n=1, cutoff=0.6)]
    found = [".".join(filter(None, (parent, dotted))) for dotted in (exact or near)[:1]]
    hint = f"; did you mean {found[0]}?" if found else "."
    return f"there is no option {name}{hint} {parent or 'The command'} has {listed(own, most=MOST)}."


def _names(node: Any) -> list[str]:
    """The options of a node, without what is Hydra's."""
    found = [str(key) for key in node] if isinstance(node, DictConfig) and node else []
    return [name for name in found if name not in ("_target_", "_partial_", "hydra")]


def _child(node: Any, key: str) -> Any:
    return None if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key) else node.get(key)


def _unknown_choice(file: str, options: list[str]) -> str:
    """A choice that there is not: ``data=cutout``."""
    group, _, name = file.rpartition("/")
    near = get_close_matches(name, options, n=1)
    hint = f" Did you mean {group}={near[0]}?" if near else ""
    return f"{group}={name} is not known; choose from {listed(options, most=MOST)}.{hint}"


def _unreadable(word: str) -> str:
    name, sign, value = word.partition("=")
    if not sign:
        return (
            f"{word!r} is no option=value; a pattern without quotes, which the shell replaced by what it matches? "
            "Quote it, as data.images='my/*.fits'."
        )
    if value[:1] in ("[", "{"):
        return (
            f"{word} cannot be read; write a list as '{name}=[a, b]' and a mapping as '{name}={{a: b}}', all of it in "
            "quotes, and text with =, brackets or commas in quotes of its own."
        )
    quote = "'" if '"' in value else '"'
    shown = f"{name}={quote}{value}{quote}"
    outer = '"' if quote == "'" else "'"
    return f"{word} cannot be read; put the value in quotes of its own: {outer}{shown}{outer}"


def _several(word: str) -> str:
    name, _, value = word.partition("=")
    return (
        f"{word} are several values; write a list as '{name}=[{value}]', or run one after the other with -m."
    )
