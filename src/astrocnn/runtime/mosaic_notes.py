"""What ``scripts/predict.py`` tells of mosaics before and after it has predicted them."""

import sys

from omegaconf import DictConfig

from astrocnn.datamodules.mosaic import MosaicDataModule
from astrocnn.errors import listed
from astrocnn.inference.mosaic import Grid, grid_of
from astrocnn.tasks.base import BaseTask

__all__ = ["say", "unique_rate"]

LEAST_NEW = 0.25  # of the pixels that windows hold


def say(task: BaseTask, saved: DictConfig, data: MosaicDataModule, grids: list[Grid]) -> None:
    """What the user should know before: that seams show, that a WCS or a band is missing, that pixels are of another
    size, that windows are small.
    """
    if not all(grid.exact for grid in grids):
        print(
            f"{type(task.network).__name__} looks at the whole of a window: windows are blended, but the maps are not "
            "exactly those of a single pass.",
            file=sys.stderr,
        )
    for mosaic in data.mosaics:
        if mosaic.wcs is None:
            print(f"{mosaic.name} has no WCS: positions are pixels, the first is (0, 0).", file=sys.stderr)
            continue
        for band, tile in zip(mosaic.bands, mosaic.tiles, strict=True):
            if tile is not None and tile.scale_arcsec is None:
                print(
                    f"band {band} ({tile.image.path}) has no WCS: its pixels are taken for those of the other bands.",
                    file=sys.stderr,
                )
    missing = {
        band
        for mosaic in data.mosaics
        for band, tile in zip(mosaic.bands, mosaic.tiles, strict=True)
        if tile is None
    }
    if missing and not (saved.get("augment") or {}).get("band_dropout"):
        print(
            f"band {listed(sorted(missing))} is missing, and the network has never seen that: the run was trained "
            "without augment.band_dropout, so its maps may be wrong.",
            file=sys.stderr,
        )
    trained, scale = saved.data.get("pixel_scale_arcsec"), data.probe().pixel_scale_arcsec
    if trained and scale and abs(scale / trained - 1) > 0.05:
        print(
            f"the run was trained on pixels of {trained:.4g} arcsec, and {data.mosaics[0].name} has {scale:.4g}.",
            file=sys.stderr,
        )
    say_overlap(task, data, grids)


def say_overlap(task: BaseTask, data: MosaicDataModule, grids: list[Grid]) -> None:
    """Tell of windows that the user made so small that most of what the network sees it sees several times."""
    if data.window is None:
        return
    for mosaic, grid in zip(data.mosaics, grids, strict=True):
        usual = grid_of(task, mosaic.shape)
        if grid.new_fraction < min(LEAST_NEW, usual.new_fraction):
            ours, theirs = (100 * (1 - of.new_fraction) for of in (grid, usual))
            print(
                f"data.window={data.window}: {ours:.0f} % of the pixels that the network sees are overlap; larger "
                f"windows are faster: without data.window it is {theirs:.0f} %.",
                file=sys.stderr,
            )
            return


def unique_rate(n_pixels: int, seconds: float) -> str:
    """How fast pixels of a mosaic were predicted, each counted once however many windows saw it."""
    return f"{n_pixels / max(seconds, 1e-9) / 1e6:.3g} unique Mpix/s"
