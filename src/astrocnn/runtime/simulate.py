"""``scripts/simulate.py``: simulated FITS images and their catalogue."""

from omegaconf import DictConfig

from astrocnn.errors import ConfigError
from astrocnn.runtime.build import choice, instantiated

__all__ = ["simulate"]


def simulate(cfg: DictConfig) -> None:
    """Make the simulated set of ``data=`` where it is not there yet, and say where it is.

    Raises:
        ConfigError: the data are not simulated.
    """
    datamodule = instantiated(cfg.data, "data")
    if not hasattr(datamodule, "simulate"):
        raise ConfigError(f"data={choice('data')} is read, not simulated; choose data=lenses.")
    print(f"simulated data in {datamodule.simulate()}")
