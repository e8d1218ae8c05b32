"""``scripts/predict.py`` of a run that detects: the objects of mosaics as catalogues and regions."""

import sys
import time
from pathlib import Path
from typing import Any

from astropy.table import Table
from omegaconf import DictConfig

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.datasets.mosaics import Mosaic
from astrocnn.errors import ConfigError, choose, several
from astrocnn.inference.detect_mosaic import detect_mosaic
from astrocnn.inference.mosaic import grid_of
from astrocnn.inference.source_table import source_table
from astrocnn.io.regions import write_regions
from astrocnn.io.tables import write_table
from astrocnn.runtime.mosaic_notes import say, unique_rate
from astrocnn.runtime.predict_maps import (
    CATALOGS,
    LEVELS,
    described,
    measure_levels,
    mosaics_of,
    provenance,
)
from astrocnn.tasks.detection import DetectionTask

__all__ = ["predict_objects"]


def predict_objects(cfg: DictConfig, saved: DictConfig, task: DetectionTask) -> None:
    """List the objects of every mosaic of ``data=mosaic``.

    Raises:
        AstrocnnError: the mosaics do not fit the run, or another catalogue is in the way.
    """
    suffix = choose("catalog", str(cfg.catalog), CATALOGS)
    if cfg.threshold is not None:
        task.threshold = _threshold(cfg.threshold)
    data = mosaics_of(cfg, saved, "detects objects in images; name these")
    folder = Path(cfg.output or "objects")
    own = choose("levels", str(cfg.levels), LEVELS)
    run = provenance(Path(cfg.run)) | {
        "LEVELS": (str(cfg.levels), "whose sky level and noise normalise"),
        "THRESH": (task.threshold, "least score"),
    }
    grids = [grid_of(task, mosaic.shape, data.window, blend=False) for mosaic in data.mosaics]
    say(task, saved, data, grids)
    if cfg.instances:
        print("instances=true has no effect: the run gives boxes, and no map.", file=sys.stderr)
    for mosaic, grid in zip(data.mosaics, grids, strict=True):
        catalog, regions = folder / f"{mosaic.name}_catalog{suffix}", folder / f"{mosaic.name}.reg"
        if catalog.exists() and not cfg.overwrite:
            raise ConfigError(f"{catalog} exists; give another output=..., or overwrite=true.")
        if own:
            with OpenMosaic(mosaic, data.layers) as pixels:
                measure_levels(task, pixels, mosaic)
        start = time.monotonic()
        with OpenMosaic(mosaic, data.layers, variance=True) as pixels:
            found = detect_mosaic(
                task,
                pixels,
                grid,
                n_bands=len(mosaic.bands),
                batch_size=cfg.data.batch_size,
                description=mosaic.name,
            )
            rate = unique_rate(mosaic.shape[0] * mosaic.shape[1], time.monotonic() - start)
            table = object_table(task, found, mosaic, pixels.surface)
        folder.mkdir(parents=True, exist_ok=True)
        scale = None if mosaic.wcs is None else mosaic.wcs.scale_arcsec
        write_regions(regions, table, classes=task.classes, pixel_scale_arcsec=scale)
        units = {f"UNIT{n}": unit for n, unit in enumerate(mosaic.units, start=1) if unit is not None}
        about = {name: card[0] for name, card in (run | described(mosaic, data, grid)).items()}
        write_table(table, catalog, header=about | {"CLASSES": ",".join(task.classes)} | units)
        print(f"{several(len(table), 'object')} in {catalog}, {regions}: {rate}")


def _threshold(given: Any) -> float:
    """The option as a score."""
    if not isinstance(given, int | float) or not 0 < given < 1:
        raise ConfigError(f"threshold={given}: give the least score of an object, between 0 and 1.")
    return float(given)


def object_table(task: DetectionTask, found: dict[str, Any], mosaic: Mosaic, surface: Any) -> Table:
    """The catalogue: that of sources, with the score, the edges of the box, and the further values."""
    table = source_table(found, mosaic, classes=("background", *task.classes), surface=surface)
    table.remove_column("p_background")
    table["score"] = found["score"]
    for k, name in enumerate(("x0", "y0", "x1", "y1")):
        table[name] = found["box"][:, k]
    for k, name in enumerate(task.box_values):
        table[f"pred_{name}"], table[f"pred_{name}_err"] = found["values"][:, k], found["value_errors"][:, k]
    return table
