"""Tasks and mosaics of a few pixels, for the tests of maps."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from torch import nn

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.datasets.mosaics import Layers, Mosaic, find_mosaics
from astrocnn.inference.map_planes import MapPlanes
from astrocnn.inference.mosaic import grid_of, predict_mosaic
from astrocnn.io.map_tiles import MapTiles
from astrocnn.io.map_writer import write_maps
from astrocnn.losses.centres import CentreLoss
from astrocnn.losses.object_classes import ObjectClassLoss
from astrocnn.networks.unet import UNet
from astrocnn.tasks.base import BaseTask
from astrocnn.tasks.segmentation import SegmentationTask
from astrocnn.transforms.normalize import Normalize

CLASSES = ["background", "star", "galaxy"]


def segmentation(
    network: nn.Module, *, n_outputs: int = 6, n_bands: int = 2, sharpen: float = 0.0
) -> SegmentationTask:
    """A task around any network; 3 outputs are classes, 6 also tell objects apart."""
    task = SegmentationTask(
        classes=CLASSES,
        centres=CentreLoss(),
        object_classes=ObjectClassLoss(),
        n_outputs=n_outputs,
        network=network,
        loss=nn.Identity(),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        normalize=Normalize(n_bands=n_bands, sharpen=sharpen),
    )
    return task.eval()


def random_unet(*, depth: int = 2, n_outputs: int = 6, **options: object) -> UNet:
    """A U-Net as after a training: its norms have statistics."""
    torch.manual_seed(1)
    network = UNet(in_channels=2, n_outputs=n_outputs, depth=depth, width=4, **options)  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def mosaic_of(folder: Path, image: np.ndarray, header: fits.Header | None = None) -> Mosaic:
    """A mosaic (C, H, W) in a file of planes."""
    names = {f"BAND{n}": f"b{n}" for n in range(1, len(image) + 1)}
    cards = (header or fits.Header()).copy()
    cards.update(names)
    folder.mkdir(exist_ok=True)
    fits.PrimaryHDU(image.astype(np.float32), cards).writeto(folder / "field.fits", overwrite=True)
    return find_mosaics(str(folder / "field.fits"))[0]


def maps_of(
    task: BaseTask, mosaic: Mosaic, folder: Path, *, window: int | None = None, batch_size: int = 1
) -> Path:
    """The file of the maps of a mosaic."""
    planes, grid = MapPlanes.of(task, len(mosaic.bands)), grid_of(task, mosaic.shape, window)
    shape = planes.upscale * mosaic.shape[0], planes.upscale * mosaic.shape[1]
    with (
        OpenMosaic(mosaic, Layers()) as pixels,
        MapTiles(folder / "part", planes.written, shape, key={}) as tiles,
    ):
        predict_mosaic(task, pixels, grid, planes, tiles, batch_size=batch_size)
        write_maps(folder / "maps.fits", tiles, header={}, sky=fits.Header())
        tiles.remove()
    return folder / "maps.fits"
