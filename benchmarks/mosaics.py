"""Maps of whole mosaics: python benchmarks/mosaics.py [--size 2816] [--width 16] [--rounds 3] [--large 20000].

Rate: a mosaic of --size² pixels and three bands from FITS to a finished file of maps (read, normalised, predicted,
blended, compressed, written, read back), in turns with the network's bare forward on the same windows: in the same
process, which uses its memory again as predict.py does, and in one of its own, with PyTorch as it is.

Memory (with --large): anonymous memory, sampled every 50 ms, while a mosaic of that many pixels a side goes through the
whole way, sources included. --large-width 2 takes a narrow network, so that it ends sooner. On disc the bands, which
are hard links to one file, take 4 bytes a pixel, the maps while they are made some 6 for each of --classes.

The weights are set by hand, so that the maps have about as many sources as the sky: pixels of more than five times the
noise. A network of other weights is as fast.
"""

import argparse
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from astrocnn.processes import share_cores

if __name__ == "__main__":
    share_cores()  # as predict.py does

import numpy as np
import torch
from astropy.io import fits
from common import cores, in_turns, machine, print_table, ratio
from numpy.typing import NDArray
from packing_memory import Peak
from torch import nn

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.datasets.mosaics import Layers, Mosaic, find_mosaics
from astrocnn.inference.map_planes import MapPlanes
from astrocnn.inference.mosaic import Grid, grid_of, predict_mosaic
from astrocnn.inference.sources import Sources, find_sources
from astrocnn.io.map_file import MapFile
from astrocnn.io.map_tiles import MapTiles
from astrocnn.io.map_writer import write_maps
from astrocnn.losses.centres import CentreLoss
from astrocnn.losses.object_classes import ObjectClassLoss
from astrocnn.networks.unet import UNet
from astrocnn.tasks.segmentation import FEW_CENTRES, INSTANCE_OUTPUTS, SegmentationTask
from astrocnn.transforms.normalize import Normalize

BANDS = ("g", "r", "i")
LEVEL = 5.0
CENTRE_SLOPE = 0.03  # so that a sigmoid of the brightest is less than 1
PATCH = 1000  # of sky that is repeated


def sky(rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of 1 and two hundred Gaussians."""
    patch = rng.normal(size=(PATCH, PATCH)).astype(np.float32)
    rows, columns = np.mgrid[-12:13, -12:13]
    for y, x in rng.integers(12, PATCH - 13, (200, 2)):
        peak, sigma = rng.uniform(5, 100), rng.uniform(1.2, 2.5)
        light = peak * np.exp(-(rows**2 + columns**2) / (2 * sigma**2))
        patch[y - 12 : y + 13, x - 12 : x + 13] += light
    return patch


def write(folder: Path, size: int) -> Mosaic:
    """One file a band, written by stripes."""
    files = {band: folder / f"field_{band}.fits" for band in BANDS}
    header = fits.PrimaryHDU().header
    header.update(BITPIX=-32, NAXIS=2, NAXIS1=size, NAXIS2=size, CTYPE1="RA---TAN", CTYPE2="DEC--TAN")
    header.update(CRVAL1=150.0, CRVAL2=2.0, CRPIX1=size / 2, CRPIX2=size / 2, CDELT1=-5e-5, CDELT2=5e-5)
    patch = np.tile(sky(np.random.default_rng(0)), (1, -(-size // PATCH)))[:, :size].astype(">f4")
    first, *others = files.values()
    for path in files.values():
        path.unlink(missing_ok=True)
    with open(first, "wb") as file:
        file.write(header.tostring().encode("ascii"))
        for top in range(0, size, PATCH):
            file.write(patch[: min(PATCH, size - top)].tobytes())
        file.write(b"\0" * (-file.tell() % 2880))
    for path in others:
        path.hardlink_to(first)
    return find_mosaics({band: str(path) for band, path in files.items()})[0]


def task_of(width: int, n_classes: int) -> SegmentationTask:
    """The default U-Net, whose logits are 0 of the background, and of the other classes what the bands sum to."""
    network = UNet(in_channels=len(BANDS), n_outputs=n_classes + INSTANCE_OUTPUTS, width=width)
    with torch.no_grad():  # the first channel goes through as it is, beside the others
        for block, n in ((network.down[0], len(BANDS)), (network.join[-1], 1)):
            for conv, seen in zip(
                (layer for layer in block if isinstance(layer, nn.Conv2d)), (n, 1), strict=True
            ):
                conv.weight[0] = 0
                conv.weight[0, :seen, 1, 1] = 1
        network.head.weight.zero_()
        network.head.bias.zero_()
        network.head.weight[1:n_classes, 0, 0, 0] = torch.linspace(1, 1.5, n_classes - 1)
        network.head.bias[1:n_classes] = -LEVEL * len(BANDS) ** 0.5
        network.head.weight[n_classes, 0, 0, 0] = CENTRE_SLOPE  # centres are the peaks
        network.head.bias[n_classes] = -CENTRE_SLOPE * LEVEL * len(BANDS) ** 0.5 - FEW_CENTRES
    normalize = Normalize(n_bands=len(BANDS), stretch="linear", softening=1.0, sharpen=0.0)
    return SegmentationTask(
        classes=["background", *(f"kind{n}" for n in range(1, n_classes))], n_outputs=n_classes + INSTANCE_OUTPUTS,
        centres=CentreLoss(), object_classes=ObjectClassLoss(), network=network, loss=nn.Identity(),
        optimizer=partial(torch.optim.SGD, lr=0.1), normalize=normalize,
    ).eval()  # fmt: skip


def maps(task: SegmentationTask, mosaic: Mosaic, grid: Grid, planes: MapPlanes, path: Path) -> None:
    """From the files to the file of maps, silently."""
    part, threads = path.with_suffix(".part"), torch.get_num_threads()
    with (
        redirect_stderr(StringIO()),
        OpenMosaic(mosaic, Layers()) as pixels,
        MapTiles(
            part, planes.written, mosaic.shape, key={"begun": time.time_ns()}, n_threads=threads
        ) as tiles,
    ):
        predict_mosaic(task, pixels, grid, planes, tiles)
        write_maps(path, tiles, header={}, sky=fits.Header())
        tiles.remove()


class ByItself:
    """The bare forward in a process of its own, with PyTorch as it is; used in a ``with`` statement."""

    def __init__(self, size: int, width: int, n_classes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        policy = os.environ.pop("OMP_WAIT_POLICY", None)
        self.process = context.Process(target=_forwards, args=(theirs, size, width, n_classes), daemon=True)
        self.process.start()
        if policy is not None:
            os.environ["OMP_WAIT_POLICY"] = policy

    def __call__(self) -> None:
        self.ours.send(True)
        self.ours.recv()

    def __enter__(self) -> "ByItself":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()


def _forwards(connection: Any, size: int, width: int, n_classes: int) -> None:
    task = task_of(width, n_classes)
    while connection.recv():
        forward(task, grid_of(task, (size, size)))
        connection.send(True)


@torch.inference_mode()
def forward(task: SegmentationTask, grid: Grid) -> None:
    """The network alone, on as many windows of the same sizes."""
    for row in grid.rows:
        for column in grid.columns:
            shape = len(BANDS), row.end - row.start, column.end - column.start
            task.network(torch.zeros(1, *shape).contiguous(memory_format=task.memory_format))


def rate(folder: Path, size: int, width: int, n_classes: int, rounds: int) -> None:
    mosaic, task = write(folder, size), task_of(width, n_classes)
    planes, grid = MapPlanes.of(task, len(BANDS)), grid_of(task, mosaic.shape)
    with ByItself(size, width, n_classes) as by_itself:
        sides = {
            "by itself": by_itself,
            "forward": lambda: forward(task, grid),
            "maps": lambda: maps(task, mosaic, grid, planes, folder / "m.fits"),
        }
        in_turns(sides, 1)  # warm
        seconds = in_turns(sides, rounds)
    n = len(grid.rows) * len(grid.columns)
    shown = sum((r.end - r.start) * (c.end - c.start) for r in grid.rows for c in grid.columns)
    print(
        f"\n{machine()}, {cores()}; {size}² pixels, {len(BANDS)} bands, U-Net of width {width}, {n} windows of 1024²\n"
    )
    rows = []
    for name, what in (
        ("by itself", "bare forward of the windows, PyTorch as it is"),
        ("forward", "bare forward of the windows, memory used again"),
        ("maps", "FITS to finished maps"),
    ):
        median = statistics.median(seconds[name])
        unique = f"{size**2 / 1e6 / median:.3f}" if name == "maps" else ""
        rows.append([what, f"{median:.1f}", f"{shown / 1e6 / median:.3f}", unique])
    print_table(["", "s", "Mpix/s of windows", "unique Mpix/s"], rows)
    print(f"\nrate of the maps over that of the bare forward: {ratio(seconds['forward'], seconds['maps'])}")
    print(f"over that of PyTorch as it is: {ratio(seconds['by itself'], seconds['maps'])}\n")


def memory(folder: Path, size: int, width: int, n_classes: int) -> None:
    mosaic, task = write(folder, size), task_of(width, n_classes)
    planes, grid = MapPlanes.of(task, len(BANDS)), grid_of(task, mosaic.shape)
    path, peak, rows = folder / "m.fits", Peak(), []
    rows.append(["python and its libraries", "", f"{peak.take():,.0f}"])

    def sources() -> None:
        numbers = np.memmap(folder / "numbers", np.int32, "w+", shape=mosaic.shape)
        with (
            redirect_stderr(StringIO()),
            OpenMosaic(mosaic, Layers()) as pixels,
            MapFile(path, [plane.name for plane in planes.written]) as file,
        ):
            of = Sources(
                file, planes, pixels, n_bands=len(BANDS), shape=mosaic.shape, normalize=task.normalize
            )
            found = find_sources(of, numbers)
        print(f"{len(found['x']):,} sources")

    for what, step in (
        ("maps: read, predict, write, read back", lambda: maps(task, mosaic, grid, planes, path)),
        ("sources", sources),
    ):
        start = time.perf_counter()
        step()
        taken = time.perf_counter() - start
        rows.append([what, f"{taken:.0f} ({size**2 / 1e6 / taken:.2f} Mpix/s)", f"{peak.take():,.0f}"])
    print(f"\n{machine()}, {cores()}; {size}² pixels, {len(BANDS)} bands, U-Net of width {width}\n")
    print_table(["step", "s", "most anonymous memory, MiB"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2816, help="pixels a side for the rate; 0 leaves it out")
    parser.add_argument("--width", type=int, default=16, help="of the U-Net")
    parser.add_argument("--rounds", type=int, default=3, help="of the rate")
    parser.add_argument("--large", type=int, default=0, help="pixels a side for the memory")
    parser.add_argument("--large-width", type=int, default=2, help="of the U-Net then")
    parser.add_argument("--classes", type=int, default=5, help="that are mapped")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if shutil.disk_usage(name).free < (8 + 6 * options.classes) * max(options.size, options.large) ** 2:
            raise SystemExit(f"{name} is too small; set TMPDIR to a larger disc, or a smaller --large.")
        if options.size:
            rate(Path(name), options.size, options.width, options.classes, options.rounds)
        if options.large:
            memory(Path(name), options.large, options.large_width, options.classes)


if __name__ == "__main__":
    main()
