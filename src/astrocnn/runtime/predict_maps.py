"""``scripts/predict.py`` of a run whose network is per pixel: maps of mosaics, and the sources in them."""

import hashlib
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.io import fits
from numpy.typing import NDArray
from omegaconf import DictConfig

from astrocnn import __version__
from astrocnn.datamodules.mosaic import MosaicDataModule
from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.datasets.mosaics import Mosaic
from astrocnn.errors import ConfigError, DataError, choose, several
from astrocnn.inference.map_planes import CLASS, MapPlanes
from astrocnn.inference.mosaic import Grid, grid_of, predict_mosaic
from astrocnn.inference.mosaic_sky import patches
from astrocnn.inference.source_table import source_table
from astrocnn.inference.sources import Sources, find_sources
from astrocnn.io.cache import fingerprint
from astrocnn.io.map_file import MapFile
from astrocnn.io.map_tiles import TILE, MapTiles, Plane, edges
from astrocnn.io.map_writer import Cards, write_maps
from astrocnn.io.regions import write_regions
from astrocnn.io.tables import write_table
from astrocnn.io.wcs_cards import finer_wcs, wcs_cards
from astrocnn.progress import track
from astrocnn.runtime.attach import attach, uses_own_data
from astrocnn.runtime.build import choice, class_of
from astrocnn.runtime.checkpoint import best_checkpoint, read_record
from astrocnn.runtime.mosaic_notes import say, unique_rate
from astrocnn.tasks.base import BaseTask

__all__ = ["predict_maps"]

LEVELS = {"training": False, "own": True}
CATALOGS = {"fits": ".fits", "parquet": ".parquet", "votable": ".xml", "ecsv": ".ecsv", "csv": ".csv"}
SAME = ("CKPTSHA", "CFGSHA", "INPSHA", "WINDOW", "LEVELS")  # cards of which other values mean other maps


@dataclass(frozen=True)
class Products:
    """The files of one mosaic: maps, and of tasks with classes instances (where asked for), catalogue, regions."""

    maps: Path
    part: Path
    instances: Path
    catalog: Path
    regions: Path


def predict_maps(cfg: DictConfig, saved: DictConfig, task: BaseTask) -> None:
    """Map every mosaic of ``data=mosaic``, and list its sources where the task has classes.

    What was begun by the same command is gone on with; what is there already, made by the same run from the same
    pixels, is kept.

    Raises:
        AstrocnnError: the mosaics do not fit the run, or other products are in the way.
    """
    suffix = choose("catalog", str(cfg.catalog), CATALOGS)
    data = mosaics_of(cfg, saved, "predicts maps; name the images to be mapped")
    folder = Path(cfg.output or "maps")
    own = choose("levels", str(cfg.levels), LEVELS)
    run = provenance(Path(cfg.run)) | {"LEVELS": (str(cfg.levels), "whose sky level and noise normalise")}
    planes = MapPlanes.of(task, len(data.probe().bands), read_record(cfg.run).get("target_units") or ())
    grids = [grid_of(task, mosaic.shape, data.window) for mosaic in data.mosaics]
    say(task, saved, data, grids)
    if not planes.classes and (cfg.instances or suffix != CATALOGS["fits"]):
        print(
            "instances and catalog have no effect: the run predicts images, and lists no sources.",
            file=sys.stderr,
        )
    for mosaic, grid in zip(data.mosaics, grids, strict=True):
        names = Products(
            folder / f"{mosaic.name}_maps.fits",
            folder / f"{mosaic.name}_maps.part",
            folder / f"{mosaic.name}_instances.fits",
            folder / f"{mosaic.name}_catalog{suffix}",
            folder / f"{mosaic.name}.reg",
        )
        header = run | described(mosaic, data, grid)
        with OpenMosaic(mosaic, data.layers, variance=False) as pixels:
            sky = wcs_cards(pixels.header.sky) if mosaic.wcs is not None else fits.Header()
            if planes.upscale > 1:
                sky = finer_wcs(sky, planes.upscale)
            if own:
                measure_levels(task, pixels, mosaic)
            made = map_one(task, pixels, mosaic, grid, planes, names, header=header, sky=sky, cfg=cfg)
        if not planes.classes:
            continue
        wanted = [names.catalog, names.regions, *([names.instances] if cfg.instances else [])]
        if not made and not cfg.overwrite and all(path.exists() for path in wanted):
            print(
                f"{mosaic.name}: the sources are in {names.catalog} already; overwrite=true lists them again."
            )
            continue
        with OpenMosaic(mosaic, data.layers, variance=True) as pixels:
            list_sources(task, pixels, mosaic, planes, names, header=header, sky=sky, instances=cfg.instances)


def mosaics_of(cfg: DictConfig, saved: DictConfig, does: str) -> Any:
    """The data of ``data=mosaic``, joined to the run.

    Raises:
        ConfigError: other data were named, or none; ``does`` says what the run does with mosaics.
    """
    own = uses_own_data(cfg)
    if own or class_of(cfg.data) is not MosaicDataModule:
        came = "" if own else f"; data={choice('data')} came"
        raise ConfigError(f"the run in {cfg.run} {does} with data=mosaic data.images=...{came}.")
    return attach(cfg, saved)


def provenance(run: Path) -> dict[str, tuple[str | int | float | bool, str]]:
    """What made the maps, as cards."""
    checkpoint = best_checkpoint(run)
    return {
        "CREATOR": (f"astrocnn {__version__}", "what wrote this file"),
        "RUN": (str(run)[-60:], "folder of the run"),
        "CKPTSHA": (sha256(checkpoint), f"SHA-256 of {checkpoint.name}, begin"),
        "CFGSHA": (sha256(run / "config.yaml"), "SHA-256 of config.yaml, begin"),
    }


def sha256(path: Path) -> str:
    """The first 16 hexadecimal digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def described(
    mosaic: Mosaic, data: MosaicDataModule, grid: Grid
) -> dict[str, tuple[str | int | float | bool, str]]:
    """What the maps are of, as cards: the files, their fingerprint, and the windows."""
    planes = [[str(plane) for plane in tile.planes] if tile else [] for tile in mosaic.tiles]
    options = {"layers": asdict(data.layers), "planes": planes, "bands": mosaic.bands}
    window = " ".join(f"{side[0].end - side[0].start}/{len(side)}" for side in (grid.rows, grid.columns))
    cards: dict[str, tuple[str | int | float | bool, str]] = {
        "INPSHA": (fingerprint(mosaic.paths, options), "fingerprint of the input and its options"),
        "WINDOW": (window, "rows/number, columns/number of windows"),
        "EXACT": (grid.exact, "whether the maps are those of a single pass"),
    }
    for n, (band, tile) in enumerate(zip(mosaic.bands, mosaic.tiles, strict=True), start=1):
        cards[f"BAND{n}"] = (band, Path(tile.image.path).name[:40] if tile else "not there")
    return cards


def measure_levels(task: BaseTask, pixels: OpenMosaic, mosaic: Mosaic) -> None:
    """Have the task normalise by the sky level and noise of this mosaic, from parts that are spread over it."""
    parts = [patch for row in patches(pixels) for patch in row]
    image = torch.from_numpy(np.stack(parts)).to(task.device)
    there = {band for band, tile in zip(mosaic.bands, mosaic.tiles, strict=True) if tile is not None}
    valid = image.isfinite()
    task.normalize.measure(
        torch.where(valid, image, 0), valid, bands=mosaic.bands, only=there, what=f"mosaic {mosaic.name}"
    )


def map_one(
    task: BaseTask,
    pixels: OpenMosaic,
    mosaic: Mosaic,
    grid: Grid,
    planes: MapPlanes,
    names: Products,
    *,
    header: Cards,
    sky: fits.Header,
    cfg: DictConfig,
) -> bool:
    """Write the maps of a mosaic, unless they are there; whether they were written.

    Raises:
        ConfigError: other maps are there.
    """
    if names.maps.exists():
        if made_by(names.maps, header):
            print(f"{names.maps} is there already, by the same run from the same pixels.")
            return False
        if not cfg.overwrite:
            raise ConfigError(
                f"{names.maps} exists, by another run or of other pixels; give another output=..., or overwrite=true."
            )
    key = {name: header[name][0] for name in SAME} | {"version": __version__}
    threads = torch.get_num_threads()
    height, width = (planes.upscale * side for side in mosaic.shape)
    with MapTiles(names.part, planes.written, (height, width), key=key, n_threads=threads) as tiles:
        if tiles.other_key is not None:
            other = [name for name in key if tiles.other_key.get(name) != key[name]]
            print(f"{names.part} was begun otherwise ({', '.join(other)}): starting anew.", file=sys.stderr)
        elif tiles.rows:
            print(f"{mosaic.name}: going on at row {tiles.rows} of {height}.", file=sys.stderr)
        n_rows, start = height - tiles.rows, time.monotonic()
        try:
            predict_mosaic(
                task, pixels, grid, planes, tiles, batch_size=cfg.data.batch_size, description=mosaic.name
            )
            rate = unique_rate(n_rows * width // planes.upscale**2, time.monotonic() - start)
            classes = {f"CLASS{n}": (name, "") for n, name in enumerate(planes.classes)}
            write_maps(names.maps, tiles, header=header, sky=sky, planes={CLASS: classes})
        except KeyboardInterrupt:
            print(
                f"\nStopped with {tiles.rows} of {height} rows done; the same command goes on.",
                file=sys.stderr,
            )
            raise
        tiles.remove()
    print(f"{len(planes.written)} maps of {height} × {width} pixels in {names.maps}: {rate}")
    return True


def made_by(path: Path, header: Cards) -> bool:
    """Whether maps are of this run and these pixels."""
    try:
        there = fits.getheader(path)
    except (OSError, ValueError):
        return False
    return all(there.get(name) == header[name][0] for name in SAME)


def list_sources(
    task: BaseTask,
    pixels: OpenMosaic,
    mosaic: Mosaic,
    planes: MapPlanes,
    names: Products,
    *,
    header: Cards,
    sky: fits.Header,
    instances: bool,
) -> None:
    """Write the catalogue of a mosaic, its region file and, where asked for, its instance map."""
    scratch = names.maps.with_name(f".{names.maps.stem}.numbers")
    try:
        numbers = np.memmap(scratch, np.int32, "w+", shape=mosaic.shape)
        with MapFile(names.maps, [plane.name for plane in planes.written]) as maps:
            sources = Sources(
                maps, planes, pixels, n_bands=len(mosaic.bands), shape=mosaic.shape, normalize=task.normalize
            )
            found = find_sources(sources, numbers, description=f"{mosaic.name}: sources")
            if instances:
                write_instances(numbers, maps, names, header=header, sky=sky)
    except OSError as error:
        raise DataError(
            f"{scratch} cannot be written: {error.strerror or error}; make room there and give the same command again."
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    table = source_table(found, mosaic, classes=planes.classes, surface=pixels.surface)
    scale = None if mosaic.wcs is None else mosaic.wcs.scale_arcsec
    write_regions(names.regions, table, classes=planes.classes[1:], pixel_scale_arcsec=scale)
    units = {f"UNIT{n}": unit for n, unit in enumerate(mosaic.units, start=1) if unit is not None}
    about = {name: card[0] for name, card in header.items()} | {"CLASSES": ",".join(planes.classes)} | units
    write_table(table, names.catalog, header=about)
    print(f"{several(len(table), 'source')} in {names.catalog}, {names.regions}")


def write_instances(
    numbers: NDArray[np.int32], maps: MapFile, names: Products, *, header: Cards, sky: fits.Header
) -> None:
    """Write the instance map: the number of each pixel's source in the catalogue, 0 for none, −1 without data."""
    plane = Plane("INSTANCE", "i4", None, "number in the catalogue, -1 no data")
    part = names.instances.with_suffix(".part")
    height, width = numbers.shape
    with MapTiles(part, [plane], (height, width), key={"begun": time.time_ns()}) as tiles:
        for top, bottom in track(edges(height, 16 * TILE[0]), "instance map"):
            nowhere = maps.read([CLASS], top, bottom, 0, width)[0] < 0
            tiles.put(top, 0, [np.where(nowhere, -1, numbers[top:bottom])])
        tiles.commit(height)
        write_maps(names.instances, tiles, header=header, sky=sky)
        tiles.remove()
    print(f"instance map in {names.instances}")
