"""Rate of detection in mosaics: python benchmarks/detection_rate.py --run RUN [--size 4096] [--rounds 3].

A mosaic of --size² pixels of the run's own test scenes, side by side, from FITS to a catalogue (read, normalised,
detected, near ones removed, measured, matched at the seams, written), in turns with the network's bare forward on the
same windows. Where other work shares the machine, processor time says more than the clock on the wall. Peak memory is
that of a process of its own, which lists the objects once.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from astrocnn.processes import share_cores

if __name__ == "__main__":
    share_cores()  # as predict.py does

import numpy as np
import torch
from astropy.io import fits
from common import cores, cpu_seconds, in_turns, machine, print_table, ratio
from numpy.typing import NDArray

import astrocnn
from astrocnn.datamodules.scene_boxes import SceneBoxDataModule
from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.datasets.mosaics import Layers, Mosaic, find_mosaics
from astrocnn.inference.detect_mosaic import detect_mosaic
from astrocnn.inference.mosaic import Grid, grid_of
from astrocnn.io.tables import write_table
from astrocnn.runtime.predict_objects import object_table
from astrocnn.tasks.detection import DetectionTask


def sky(size: int) -> NDArray[np.float32]:
    """Scenes of the test split side by side, NaN where not valid (C, size, size)."""
    data = SceneBoxDataModule()
    data.prepare_data()
    data.setup()
    batch = data.gather(data.rows("test"))
    scenes = torch.where(batch["valid"], batch["image"], torch.nan).numpy()
    side = scenes.shape[-1]
    across = -(-size // side)
    pixels = np.empty((scenes.shape[1], size, size), np.float32)
    for place in range(across**2):
        y, x = (side * k for k in divmod(place, across))
        part = pixels[:, y : y + side, x : x + side]
        part[:] = scenes[place % len(scenes)][:, : part.shape[1], : part.shape[2]]
    return pixels


def write(folder: Path, pixels: NDArray[np.float32], bands: tuple[str, ...]) -> Mosaic:
    """One file a band."""
    header = fits.Header()
    header.update(
        CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=150.0, CRVAL2=2.0, CDELT1=-5.6e-5, CDELT2=5.6e-5
    )
    header.update(CRPIX1=pixels.shape[2] / 2, CRPIX2=pixels.shape[1] / 2)
    files = {}
    for band, plane in zip(bands, pixels, strict=True):
        files[band] = str(folder / f"field_{band}.fits")
        fits.writeto(files[band], plane, header)
    return find_mosaics(files)[0]


def detect(task: DetectionTask, mosaic: Mosaic, grid: Grid, path: Path) -> int:
    """From the files to the catalogue, silently."""
    with redirect_stderr(StringIO()), OpenMosaic(mosaic, Layers()) as pixels:
        found = detect_mosaic(task, pixels, grid, n_bands=len(mosaic.bands))
        table = object_table(task, found, mosaic, pixels.surface)
    write_table(table, path)
    return len(table)


def peak_gib(run: Path, folder: Path) -> str:
    """The most memory that a process takes which lists the objects, and how much of it before the first pixel."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[3]); import detection_rate as own; "
        "print(*own.peaks(own.Path(sys.argv[1]), own.Path(sys.argv[2])))"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, str(run), str(folder), here], check=True, capture_output=True, text=True
    )
    before, after = (int(part) / 2**20 for part in done.stdout.split()[-2:])
    return f"{after:.2f} GiB ({before:.2f} before the first pixel)"


def peaks(run: Path, folder: Path) -> tuple[int, int]:
    """Greatest resident memory of this process in KiB before and after the mosaic in ``folder`` is listed (Linux)."""

    def most() -> int:  # getrusage would tell of the process that started this one
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    share_cores()
    task = astrocnn.load(run).eval()
    files = {path.stem.removeprefix("field_"): str(path) for path in sorted(folder.glob("field_*.fits"))}
    mosaic = find_mosaics(files, bands=tuple("griz"))[0]
    before = most()
    detect(task, mosaic, grid_of(task, mosaic.shape, blend=False), folder / "peak.fits")
    return before, most()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="of model=yolo_dense data=scenes_detection")
    parser.add_argument("--size", type=int, default=4096, help="pixels a side")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    task = astrocnn.load(options.run).eval()
    pixels = sky(options.size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mosaic = write(folder, pixels, tuple("griz"))
        grid = grid_of(task, mosaic.shape, blend=False)
        n_windows = len(grid.rows) * len(grid.columns)
        side = grid.rows[0].end - grid.rows[0].start
        first = task.inputs(task.batch_of(pixels[None, :, :side, :side], None))

        @torch.inference_mode()
        def bare() -> None:
            for row in grid.rows:
                for column in grid.columns:
                    task.network(first[..., : row.end - row.start, : column.end - column.start])

        found: list[int] = []
        busy: dict[str, list[float]] = {"forward": [], "detect": []}

        def timed(name: str, work: Callable[[], object]) -> None:
            start = cpu_seconds()
            work()
            busy[name].append(cpu_seconds() - start)

        def to_catalogue() -> None:
            found.append(detect(task, mosaic, grid, folder / "c.fits"))

        bare()
        seconds = in_turns(
            {"forward": lambda: timed("forward", bare), "detect": lambda: timed("detect", to_catalogue)},
            options.rounds,
            between=lambda: (folder / "c.fits").unlink(missing_ok=True),
        )
        peak = peak_gib(options.run, folder)
    print(
        f"\n{machine()}, {cores()}; {options.size}² pixels, 4 bands, {n_windows} windows, {found[0]:,} objects\n"
    )
    rows = []
    for key, what in (("forward", "bare forward of the windows"), ("detect", "FITS to catalogue")):
        median = statistics.median(seconds[key])
        rate = f"{60 * options.size**2 / 1e6 / median:.0f}"
        rows.append([what, f"{median:.1f}", rate, f"{statistics.median(busy[key]):.1f}"])
    print_table(["", "s", "Mpix/min", "s of processors"], rows)
    print(f"\nrate over that of the bare forward: {ratio(seconds['forward'], seconds['detect'])}")
    for what, taken in (("time", seconds), ("processor time", busy)):
        outside = [1 - a / b for a, b in zip(taken["forward"], taken["detect"], strict=True)]
        print(f"share of the {what} outside the forward: {statistics.median(outside):.1%}")
    print(f"peak memory: {peak}\n")


if __name__ == "__main__":
    main()
