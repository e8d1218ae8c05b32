"""The simulator's own libraries, loaded when a scene is made and not before."""

from functools import lru_cache
from importlib import import_module
from typing import Any

from astrocnn.errors import ConfigError

__all__ = ["caustics", "galsim", "load"]


@lru_cache(maxsize=1)
def galsim() -> Any:
    """The module ``galsim``, or a :class:`ConfigError` that says how to install it."""
    return load("galsim")


@lru_cache(maxsize=1)
def caustics() -> Any:
    """The module ``caustics``, or a :class:`ConfigError` that says how to install it."""
    return load("caustics")


def load(name: str) -> Any:
    """The module, or a :class:`ConfigError` that says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"simulating needs {name} ({error}); run: pip install 'astrocnn[sim]'") from error
