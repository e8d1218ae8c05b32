"""Where the configuration and the cache are."""

import os
from pathlib import Path

from astrocnn.errors import ConfigError

__all__ = ["cache_dir", "config_dir"]


def config_dir() -> Path:
    """The folder of the Hydra configuration: inside the installed package, or beside ``src`` in a checkout.

    Raises:
        ConfigError: neither place holds a ``train.yaml``.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "configs", package.parent.parent / "configs"):
        if (folder / "train.yaml").is_file():
            return folder
    raise ConfigError(f"no configuration found in {package} or beside it; reinstall astrocnn.")


def cache_dir() -> Path:
    """``$ASTROCNN_CACHE``, or ``astrocnn`` in the user's cache folder (``$XDG_CACHE_HOME``, ``~/.cache``)."""
    if folder := os.environ.get("ASTROCNN_CACHE"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "astrocnn"
