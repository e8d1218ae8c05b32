"""Boxes of images that are rows of one stack: whose they are is said by the ids of the rows, not by any order."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrocnn.datamodules.boxes import BoxDataModule
from astrocnn.errors import AstrocnnWarning, DataError

N, SIDE = 12, 16
WAYS = ("stack.npz", "stack.h5", "stack.fits", "stack.npy")


def stacked(folder: Path, name: str) -> str:
    """The images of N rows in two bands; all pixels of row i are i."""
    images = np.broadcast_to(np.arange(N)[:, None, None, None], (N, 2, SIDE, SIDE)).astype(np.float32).copy()
    images += np.random.default_rng(0).normal(scale=0.01, size=images.shape).astype(np.float32)
    path = folder / name
    if name.endswith(".npz"):
        np.savez(path, images=images)
    elif name.endswith(".npy"):
        np.save(path, images)
    elif name.endswith(".h5"):
        with h5py.File(path, "w") as file:
            file["images"] = images
    else:
        fits.PrimaryHDU(images).writeto(path)
    return str(path)


def boxes(folder: Path, ids: list[Any]) -> str:
    """Row i has i % 3 boxes, whose left edge is i / 2; those of all images in a random order."""
    rows = [(ids[i], i / 2, k + 0.5, i / 2 + 4, k + 3.5) for i in range(N) for k in range(i % 3)]
    table = Table(rows=rows, names=["id", "x0", "y0", "x1", "y1"])
    table = table[np.random.default_rng(1).permutation(len(table))]
    table.write(folder / "objects.ecsv")
    return str(folder / "objects.ecsv")


def check(data: BoxDataModule) -> None:
    """Every image has its own boxes."""
    data.probe()
    batch = data.gather(data.rows("all"))
    assert len(batch["image"]) == N
    for image, own in zip(batch["image"], batch["boxes"], strict=True):
        i = round(float(image.mean()))
        own = own[own.isfinite().all(-1)]
        assert len(own) == i % 3
        np.testing.assert_allclose(own[:, 0], i / 2)
        assert sorted(own[:, 1].tolist()) == [k + 0.5 for k in range(i % 3)]
    for row in range(N):
        assert len(data.objects_of(row)) == row % 3


@pytest.mark.parametrize("name", WAYS)
def test_rows_are_named_by_their_number(tmp_path: Path, name: str) -> None:
    check(
        BoxDataModule(images=stacked(tmp_path, name), boxes=boxes(tmp_path, list(range(N))), bands=["g", "r"])
    )


@pytest.mark.parametrize("name", WAYS)
def test_rows_are_named_by_the_catalogue(tmp_path: Path, name: str) -> None:
    """Of ids whose order is not that of the rows."""
    ids = [f"f{(7 * i) % N}" for i in range(N)]
    Table({"id": ids, "depth": np.arange(N)}).write(tmp_path / "fields.csv")
    check(
        BoxDataModule(
            images=stacked(tmp_path, name),
            catalog=f"{tmp_path}/fields.csv",
            boxes=boxes(tmp_path, ids),
            bands=["g", "r"],
        )
    )


def test_rows_are_named_by_the_stacks_own_table(tmp_path: Path) -> None:
    ids = [f"f{(7 * i) % N}" for i in range(N)]
    path = stacked(tmp_path, "stack.h5")
    with h5py.File(path, "a") as file:
        file["id"] = np.array(ids, dtype="S8")
    check(BoxDataModule(images=path, hdu="images", boxes=boxes(tmp_path, ids), bands=["g", "r"]))


def test_ids_of_no_row_are_refused(tmp_path: Path) -> None:
    """Though they are as many as there are rows; some are left out with a warning."""
    path = stacked(tmp_path, "stack.npz")
    (tmp_path / "a").mkdir()
    data = BoxDataModule(images=path, boxes=boxes(tmp_path / "a", [f"f{i}" for i in range(N)]))
    with pytest.raises(
        DataError, match=r"none is that of an image: boxes have ids like f\d+, .* like 0, 1, 2"
    ):
        data.probe()
    some = BoxDataModule(images=path, boxes=boxes(tmp_path, [0, 1, 2, 3, *range(50, 58)]))
    with pytest.warns(
        AstrocnnWarning, match=r"objects\.ecsv: \d+ objects of images beyond data\.images \(5\d"
    ):
        some.probe()
    assert len(some.objects()) == 3


def test_boxes_on_the_sky_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "objects.ecsv"
    Table({"id": [0], "ra": [10.0], "dec": [1.0], "size_arcsec": [2.0]}).write(path)
    data = BoxDataModule(images=stacked(tmp_path, "stack.npz"), boxes=str(path))
    with pytest.raises(
        DataError, match=r"the rows of the stack .*stack\.npz have no WCS; give the boxes in pixels"
    ):
        data.probe()
