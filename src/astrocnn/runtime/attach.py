"""Data to predict, read as the run that is to predict them needs them."""

import sys
from pathlib import Path

from hydra.utils import get_class
from omegaconf import DictConfig

from astrocnn.batch import DataSpec
from astrocnn.datamodules.objects import ObjectDataModule
from astrocnn.errors import ConfigError
from astrocnn.io.flux_units import same_unit
from astrocnn.runtime.build import build_data, plain, set_values, task_class_of
from astrocnn.runtime.checkpoint import read_record

__all__ = ["attach", "uses_own_data"]


def attach(cfg: DictConfig, saved: DictConfig) -> ObjectDataModule:
    """The data of ``cfg.data``, or the run's own, read for a trained task: its bands by name, its classes.

    Raises:
        AstrocnnError: the data do not fit the run.
    """
    run, batch_size = Path(cfg.run), cfg.batch_size
    if uses_own_data(cfg):
        cfg = saved
    else:
        own = plain(saved.data)
        carried = getattr(get_class(cfg.data._target_), "carried", ())
        missing = [key for key in carried if cfg.data.get(key) is None and own.get(key) is not None]
        set_values(cfg, {f"data.{key}": own[key] for key in missing})
        if own.get("mask") and not cfg.data.get("mask", own["mask"]):
            print(
                "the run was trained with data.mask; without one, bad pixels of these data count as good.",
                file=sys.stderr,
            )
    if batch_size is not None:
        set_values(cfg, {"data.batch_size": batch_size})
    datamodule, spec = build_data(cfg, task_class_of(saved))
    trained = list(saved.data.bands)
    if list(spec.bands) != trained:
        raise ConfigError(
            f"the run was trained on bands {trained}, in this order, and the data have {list(spec.bands)}; leave "
            "data.bands out where the files name their bands, or give them in the run's order."
        )
    if cfg.get("levels") != "own":
        check_units(run, spec)
    datamodule.prepare_data()
    datamodule.setup("predict")
    return datamodule


def check_units(run: Path, spec: DataSpec) -> None:
    """Raise a :class:`ConfigError` where a band is in another unit than that of the run's own data."""
    trained = read_record(run).get("units", {})
    for band, unit in zip(spec.bands, spec.units, strict=True):
        before = trained.get(band)
        if before is not None and unit is not None and not same_unit(before, unit):
            raise ConfigError(
                f"the run was trained on band {band} in {before}, and the data have it in {unit}; bring them to that "
                "unit with data.flux_unit=..., or train on such data; maps can be made by the noise of the images "
                "themselves (levels=own)."
            )


def uses_own_data(cfg: DictConfig) -> bool:
    """Whether no ``data=`` came, so that the run's own data are meant.

    Raises:
        ConfigError: options of the data came without the data.
    """
    if data := cfg.get("data"):
        if "_target_" in data:
            return False
        raise ConfigError(
            f"data.{next(iter(data))} came without data=..., and the run's own data are used as they were; "
            "name the data too, as data=cutouts, to use others."
        )
    return True
