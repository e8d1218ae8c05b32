"""Sets that are simulated when they are not there yet: what they are a function of, and where they lie."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SimulatedSet"]


@dataclass(frozen=True)
class SimulatedSet:
    """One choice of a simulation's options.

    Attributes:
        root: folder of all sets of this kind.
        label: begins the name of the set's own folder.
        options: what the simulation is called with.
        n_workers: processes that simulate; None for one a core.
    """

    root: str
    label: str
    options: Mapping[str, Any]
    n_workers: int | None

    @property
    def folder(self) -> Path:
        """The folder of the set, another for other options."""
        digest = hashlib.sha256(json.dumps(dict(self.options), sort_keys=True).encode()).hexdigest()
        return Path(self.root).expanduser() / f"{self.label}_{digest[:8]}"

    def made(self, simulate: Callable[..., Path]) -> Path:
        """The folder, simulated when it is not whole."""
        return simulate(self.folder, **self.options, n_workers=self.n_workers)
