"""Whether the values of a configuration are of the kinds that its target takes."""

import inspect
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from astrocnn.errors import ConfigError

__all__ = ["check_types"]

WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Sequence: "a list [a, b]",
    Mapping: "a mapping {a: b}",
}
KINDS: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,)}
UNIONS = (Union, UnionType)


def check_types(target: Any, options: Mapping[str, Any], name: str) -> None:
    """Compare each of ``options`` with the annotation of the argument that ``target`` takes it as.

    Args:
        target: a class or function; ``**common`` of a class stands for the arguments of its parents.
        options: plain values; null is taken everywhere, what has a ``_target_`` is not looked at.
        name: of the node, for messages: 'data'.

    Raises:
        ConfigError: a value is of another kind, such as text where a number is meant.
    """
    hints = _hints(target)
    for key, value in options.items():
        hint = hints.get(key, Any)
        if value is None or (isinstance(value, Mapping) and "_target_" in value) or _fits(value, hint):
            continue
        option = f"{name}.{key}"
        if not isinstance(value, (list, Mapping)) and _fits([value], hint):
            raise ConfigError(f"{option}={value} takes a list; write '{option}=[{value}]'.")
        if not isinstance(value, (list, Mapping)) and _fits(str(value), hint):
            raise ConfigError(f"{option}={value} takes text; write '{option}=\"{value}\"'.")
        kinds = [words for kind, words in WORDS.items() if kind in _kinds(hint)]
        raise ConfigError(f"{option}={value} takes {' or '.join(kinds)}; see --cfg job for all options.")


def _hints(target: Any) -> dict[str, Any]:
    """The annotation of each argument, those of the parents where ``**options`` passes them on."""
    found: dict[str, Any] = {}
    for owner in target.__mro__ if inspect.isclass(target) else [target]:
        call = owner.__init__ if inspect.isclass(owner) else owner
        parameters = inspect.signature(call).parameters.values()
        try:
            known = get_type_hints(call)
        except (NameError, TypeError):  # of a class that is not ours
            known = {}
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(parameter.name, known.get(parameter.name, Any))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def _kinds(hint: Any) -> set[Any]:
    """The types and collections that an annotation is made of, on its first level."""
    if get_origin(hint) in UNIONS:
        return set().union(*(_kinds(part) for part in get_args(hint)))
    return {get_origin(hint) or hint}


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in UNIONS:
        return any(_fits(value, part) for part in inner)
    if hint in (None, NoneType):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint in KINDS:
        return isinstance(value, KINDS[hint]) and not isinstance(value, bool)
    if origin is Sequence:
        return isinstance(value, list) and all(_within(each, inner[0]) for each in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(_within(each, inner[1]) for each in value.values())
    return True  # of anything else the target itself judges


def _within(value: Any, hint: Any) -> bool:
    """As :func:`_fits`, of a value in a list or mapping, where a number may be a name: ``data.classes=[0,1]``."""
    return _fits(value, hint) or (not isinstance(value, (list, Mapping)) and _fits(str(value), hint))
