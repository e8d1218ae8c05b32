"""Batches of packed cutouts beside numpy.take on an array in memory: python benchmarks/batches.py.

Ours are those of the loader that trains: rows of the epoch's permutation, gathered from the memory map with validity,
label and catalogue row. numpy.take gathers the same rows of the same values, and nothing else.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from common import cores, in_turns, machine, print_table, ratio
from numpy.typing import NDArray

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.datamodules.loaders import EpochBatches

BATCH = 256


def write(folder: Path, n: int, *, gaps: float) -> str:
    """``n`` cutouts with variance, of which a share has 300 pixels without data; gives their pattern."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(n):
        image = rng.normal(size=(3, 64, 64)).astype(np.float32)
        if i < gaps * n:
            image.reshape(-1)[rng.integers(0, image.size, 300)] = np.nan
        hdus = [fits.PrimaryHDU(image), fits.ImageHDU(image**2, name="VARIANCE")]
        fits.HDUList(hdus).writeto(folder / f"c{i:06d}.fits")
    table = Table({"id": [f"{i:06d}" for i in range(n)], "label": np.arange(n) % 2, "split": ["train"] * n})
    table.write(f"{folder}.csv")
    return f"{folder}/c*.fits"


def loader_of(pattern: str, *, variance: Mapping[str, str] | None) -> EpochBatches:
    data = CutoutDataModule(
        images=pattern, catalog=f"{Path(pattern).parent}.csv", variance=variance, batch_size=BATCH,
        duplicate_radius_arcsec=None,
    )  # fmt: skip
    data.prepare_data()
    return data.train_dataloader()


def drained(batches: Iterable[object]) -> Callable[[], None]:
    def run() -> None:
        for _ in batches:
            pass

    return run


def taken(blocks: NDArray[np.int64], arrays: list[NDArray[np.float32]]) -> Callable[[], None]:
    def run() -> None:
        for rows in blocks:
            _ = [
                np.take(array, rows, axis=0) for array in arrays
            ]  # kept while the next is made, as a batch is

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=8192, help="cutouts")
    parser.add_argument("--rounds", type=int, default=15, help="epochs of each")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ASTROCNN_CACHE"] = f"{folder}/cache"
        whole = write(Path(folder) / "whole", options.n, gaps=0)
        some = write(Path(folder) / "some", options.n, gaps=0.1)
        every = write(Path(folder) / "every", options.n, gaps=1)
        for name, pattern, variance in (
            ("image, all pixels valid", whole, None),
            ("image, gaps in a tenth of them", some, None),
            ("image, gaps in all", every, None),
            ("image and variance, gaps in all", every, {"hdu": "VARIANCE"}),
        ):
            loader = loader_of(pattern, variance=variance)
            full = next(iter(loader))
            arrays = [
                np.zeros((options.n, *full[key].shape[1:]), np.float32)
                for key in ("image", "variance")
                if key in full
            ]
            for array in arrays:
                array[:] = 1  # so that it is in memory
            sides = {"ours": drained(loader), "take": taken(loader.blocks(0), arrays)}
            seconds = {side: times[1:] for side, times in in_turns(sides, options.rounds + 1).items()}
            rates = [
                f"{len(loader) * BATCH / statistics.median(seconds[side]):,.0f}" for side in ("take", "ours")
            ]
            rows.append([name, *rates, ratio(seconds["take"], seconds["ours"])])
    print(f"\n{machine()}, {cores()}; batches of {BATCH} of {options.n:,} cutouts of 3×64×64 float32\n")
    print_table(["batches", "numpy.take, cutouts/s", "loader, cutouts/s", "ratio, epoch by epoch"], rows)


if __name__ == "__main__":
    main()
