"""A default is written once, in the signature; the configuration shows it. This test holds them together."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
GIVEN = {"optimizer", "total_steps", "steps_per_epoch"}  # by the task, to schedules
RECIPES = {"experiment", "hydra"}


def nodes() -> Iterator[Any]:
    for path in sorted(CONFIGS.rglob("*.yaml")):
        if path.relative_to(CONFIGS).parts[0] in RECIPES:
            continue
        config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        for name, node in within("", config):
            yield pytest.param(node, id=f"{path.relative_to(CONFIGS)}{':' if name else ''}{name}")


def within(name: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Every node of a configuration that makes something of ours, by its dotted name."""
    if not isinstance(node, dict):
        return
    if str(node.get("_target_", "")).startswith("astrocnn."):
        yield name, node
    for key, part in node.items():
        yield from within(f"{name}.{key}".lstrip("."), part)


def arguments(target: Any) -> dict[str, inspect.Parameter]:
    """Arguments of a function or class; ``**options`` stands for the parent's."""
    classes = target.__mro__ if inspect.isclass(target) else [target]
    found: dict[str, inspect.Parameter] = {}
    for cls in classes:
        call = cls.__init__ if inspect.isclass(cls) else cls
        parameters = dict(inspect.signature(call).parameters)
        parameters.pop("self", None)
        passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        for name, parameter in parameters.items():
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(name, parameter)
        if not passes_on:
            break
    return {name: p for name, p in found.items() if inspect.isclass(target) or name not in GIVEN}


def same(shown: Any, default: Any) -> bool:
    return shown == default or (isinstance(default, tuple) and shown == list(default))


@pytest.mark.parametrize("node", list(nodes()))
def test_configuration_mirrors_the_signature(node: dict[str, Any]) -> None:
    module, _, name = node["_target_"].rpartition(".")
    expected = arguments(getattr(import_module(module), name))
    shown = {key: value for key, value in node.items() if not key.startswith("_") and key != "defaults"}
    for key, parameter in expected.items():
        line = f"{key}: {'???' if parameter.default is parameter.empty else parameter.default}"
        assert key in shown, f"write the line  {line}"
    for key, value in shown.items():
        assert key in expected, f"{key} is not an argument of {node['_target_']}; remove the line"
        linked = isinstance(value, (str, dict)) and ("${" in str(value) or isinstance(value, dict))
        default = expected[key].default
        if default is inspect.Parameter.empty:
            assert linked or value == "???", f"{key} is required: link it to what gives it"
        elif not linked:
            assert same(value, default), f"{key}: {value} in the configuration, {default} in the signature"
