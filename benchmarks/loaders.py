"""Loading and augmentation beside galaxy-datasets and a plain Dataset: python benchmarks/loaders.py.

All turn the same 64×64 JPEG colour images into augmented batches of 256 float32 images, epoch by epoch in turns: any
rotation, zoom between 1.2 and 1.4, shifts of up to a tenth, flips; what galaxy-datasets does by default, at the size of
the files and without its shear and its erasing of rectangles, which would slow it further. The others read with as many
worker processes as there are cores, which live on between epochs; ours packs the images once, before the first epoch.

galaxy-datasets needs packages that astrocnn does not, so give it an environment of its own; without it, its row is left
out:

    python -m venv --system-site-packages peers && peers/bin/pip install galaxy-datasets lightning pandas
    peers/bin/pip install -e . && peers/bin/python benchmarks/loaders.py
"""

import argparse
import logging
import os
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table
from common import cores, in_turns, machine, print_table, ratio
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from astrocnn.datamodules.cutouts import CutoutDataModule
from astrocnn.io.pictures import PictureWarning
from astrocnn.transforms.augment import Augment

BATCH, SIZE = 256, 64
ZOOM, SHIFT = (1.2, 1.4), 0.1


def write(folder: Path, n: int) -> list[str]:
    """``n`` colour JPEGs of something round on noise, and the table of their labels; gives their paths."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    paths = [str(folder / f"g{i:06d}.jpg") for i in range(n)]
    for path in paths:
        radius = rng.uniform(3, 15)
        light = 200 * np.exp(-np.hypot(x, y * rng.uniform(1, 3)) / radius)[..., None] * rng.uniform(0.3, 1, 3)
        picture = np.clip(light + rng.normal(20, 8, (SIZE, SIZE, 3)), 0, 255)
        Image.fromarray(picture.astype(np.uint8)).save(path)
    Table({"id": [Path(p).stem[1:] for p in paths], "label": np.arange(n) % 2, "split": ["train"] * n}).write(
        folder / "labels.csv"
    )
    return paths


class Files(Dataset[tuple[Tensor, int]]):
    """As one writes it: an image is opened, decoded and transformed when it is asked for."""

    def __init__(self, paths: list[str], transform: v2.Compose) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        with Image.open(self.paths[i]) as picture:
            return self.transform(picture), i % 2


class InMemory(Files):
    """The same with all images decoded and in memory from the start."""

    def __init__(self, paths: list[str], transform: v2.Compose) -> None:
        super().__init__(paths, transform)
        self.images = torch.stack([v2.functional.pil_to_tensor(Image.open(path)) for path in paths])

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.transform(self.images[i]), i % 2


def by_torchvision(kind: type[Files], paths: list[str], n_workers: int) -> DataLoader[Any]:
    transform = v2.Compose([
        v2.ToImage(),
        v2.RandomAffine(180, translate=(SHIFT, SHIFT), scale=ZOOM, interpolation=v2.InterpolationMode.BILINEAR),
        v2.RandomHorizontalFlip(),
        v2.RandomVerticalFlip(),
        v2.ToDtype(torch.float32, scale=True),
    ])  # fmt: skip
    return DataLoader(
        kind(paths, transform),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=n_workers,
        persistent_workers=True,
    )


def by_galaxy_datasets(paths: list[str], n_workers: int) -> Iterable[Any] | None:
    """Its own datamodule and transforms; None where it is not installed."""
    try:
        import pandas
        from galaxy_datasets.pytorch.galaxy_datamodule import CatalogDataModule
        from galaxy_datasets.transforms import default_view_config, get_galaxy_transform
    except ImportError as error:
        print(f"galaxy-datasets is left out ({error}); see the head of this file for how to install it.")
        return None
    view = default_view_config()
    view.output_size, view.erase_iterations = SIZE, 0
    view.random_affine = {"degrees": 180, "translate": (SHIFT, SHIFT), "scale": ZOOM}
    catalog = pandas.DataFrame({"id_str": [Path(p).stem for p in paths], "file_loc": paths})
    catalog["label"] = np.arange(len(paths)) % 2
    transform = get_galaxy_transform(view)
    data = CatalogDataModule(
        label_cols=["label"], train_catalog=catalog, val_catalog=catalog, train_transform=transform,
        test_transform=transform, batch_size=BATCH, num_workers=n_workers,
    )  # fmt: skip
    data.setup("fit")
    return data.train_dataloader()


class Ours:
    """The packed array, the keyed loader and the batched augmentation, as training uses them."""

    def __init__(self, folder: Path) -> None:
        data = CutoutDataModule(
            images=f"{folder}/g*.jpg", catalog=f"{folder}/labels.csv", batch_size=BATCH,
            duplicate_radius_arcsec=None,
        )  # fmt: skip
        data.prepare_data()
        self.loader = data.train_dataloader()
        self.augment = Augment(rotate="any", mirror=True, zoom=ZOOM, shift_pix=SHIFT * SIZE)

    def __iter__(self) -> Iterable[Any]:
        noise = torch.ones(3)
        for batch in self.loader:
            yield self.augment(batch, noise)


def epoch(batches: Iterable[Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in batches:
            pass

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=8192, help="images")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore", PictureWarning)
    n_workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        os.environ["ASTROCNN_CACHE"] = f"{name}/cache"
        paths = write(Path(name), options.n)
        sides: dict[str, Iterable[Any] | None] = {
            "astrocnn": Ours(Path(name)),
            "galaxy-datasets": by_galaxy_datasets(paths, n_workers),
            "Dataset of files, torchvision v2": by_torchvision(Files, paths, n_workers),
            "Dataset in memory, torchvision v2": by_torchvision(InMemory, paths, n_workers),
        }
        there = {side: epoch(batches) for side, batches in sides.items() if batches is not None}
        seconds = {side: times[1:] for side, times in in_turns(there, options.rounds + 1).items()}
        n = options.n // BATCH * BATCH
        rows = [
            [side, f"{n / statistics.median(times):,.0f}", ratio(times, seconds["astrocnn"])]
            for side, times in seconds.items()
        ]
        print(f"\n{machine()}, {cores()}; {options.n:,} images of 3×64×64, batches of {BATCH}\n")
        print_table(["loader and augmentation", "images/s", "astrocnn is faster by"], rows)
        del sides, there  # ends the workers before the folder goes


if __name__ == "__main__":
    main()
