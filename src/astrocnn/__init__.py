"""astrocnn: survey FITS in, trusted science products out, through convolutional networks.

Importing the package imports nothing heavy; ``astrocnn.load`` is fetched when it is first used.
"""

from typing import Any

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "load":
        from astrocnn.runtime.checkpoint import load

        return load
    raise AttributeError(f"module 'astrocnn' has no attribute {name!r}")
