"""Stacks are read in portions: every row once, whatever is compressed or can only be read forward."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from stack_files import (
    CUBES,
    FILES,
    write_compressed_fits,
)

from astrocnn.datasets.stacks import CutoutStack
from astrocnn.errors import DataError
from astrocnn.io.compressed import check_parts
from astrocnn.io.layers import Variance
from astrocnn.io.sample import Sample
from astrocnn.io.stack import Row, Stack
from astrocnn.io.stack_hdf5 import Hdf5Stack
from astrocnn.io.stack_numpy import NpzStack
from astrocnn.io.stack_parquet import ParquetStack


def test_portions_cover_every_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("stack", "stack_numpy", "stack_hdf5", "stack_fits"):
        monkeypatch.setattr(f"astrocnn.io.{module}.BLOCK_BYTES", 5 * 3 * 20 * 16 * 4)
    for name, size in (("a.npy", 5), ("a.npz", 5), ("compressed.npz", 40), ("a.h5", 7), ("a.fits", 2)):
        FILES[name](tmp_path / name)
        stack = CutoutStack(str(tmp_path / name))
        tasks = stack.tasks(np.arange(40))
        assert max(len(rows) for rows in tasks) == size
        assert np.concatenate(tasks).tolist() == list(range(40))
        flux = [sample.flux for rows in tasks for sample in stack.read_many(rows)]
        np.testing.assert_array_equal(flux, np.nan_to_num(CUBES))


def test_what_is_read_forward_is_passed_over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("stack", "stack_numpy", "stack_hdf5"):
        monkeypatch.setattr(f"astrocnn.io.{module}.BLOCK_BYTES", 5 * 3 * 20 * 16 * 4)
    variance = np.full_like(CUBES, 4)
    np.save(tmp_path / "a.npy", CUBES)
    np.savez_compressed(tmp_path / "v.npz", variance)
    groups = pa.table({"image": pa.FixedShapeTensorArray.from_numpy_ndarray(variance)})
    pq.write_table(groups, tmp_path / "v.parquet", row_group_size=20)
    for i, part in enumerate(np.split(variance, [30])):
        np.savez_compressed(tmp_path / f"p{i}.npz", part)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("v", data=variance, chunks=(16, 3, 20, 16), compression="gzip")
    asked: list[tuple[int, int]] = []
    for kind in (NpzStack, ParquetStack, Hdf5Stack):

        def rows(self: Stack, start: int, stop: int, read: Any = kind.rows) -> Iterator[Row]:
            asked.append((start, stop))
            return read(self, start, stop)

        monkeypatch.setattr(kind, "rows", rows)
    expected = {
        "v.npz": [(0, 40)],
        "v.parquet": [(0, 20), (20, 40)],
        "p*.npz": [(0, 30), (0, 10)],
        "v.h5": [(0, 16), (16, 32), (32, 40)],
    }
    for name, portions in expected.items():
        stack = CutoutStack(f"{tmp_path}/a.npy", variance=Variance(files=f"{tmp_path}/{name}"))
        asked.clear()
        tasks = stack.tasks(np.arange(40))
        assert np.concatenate(tasks).tolist() == list(range(40))
        samples = [sample for numbers in tasks for sample in stack.read_many(numbers)]
        assert asked == portions
        np.testing.assert_array_equal(
            [s.flux for s in samples if isinstance(s, Sample)], np.nan_to_num(CUBES)
        )
    np.save(tmp_path / "g.npy", CUBES[:, 0])
    np.savez_compressed(tmp_path / "r.npz", CUBES[:, 1])
    bands = CutoutStack({"g": f"{tmp_path}/g.npy", "r": f"{tmp_path}/r.npz"})
    assert [len(rows) for rows in bands.tasks(np.arange(40))] == [40]


def test_the_table_of_a_compressed_stack_is_checked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("astrocnn.io.stack_fits.BLOCK_BYTES", 5 * 3 * 20 * 16 * 4)
    checked: list[int] = []

    def counted(*arguments: Any) -> None:
        checked.append(1)
        check_parts(*arguments)

    monkeypatch.setattr("astrocnn.io.hdus.check_parts", counted)
    path = tmp_path / "a.fits.fz"
    write_compressed_fits(path)
    stack = CutoutStack(str(path))
    tasks = stack.tasks(np.arange(40))
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(lambda rows: list(stack.read_many(rows)), tasks))
    flux = [sample.flux for samples in read for sample in samples if isinstance(sample, Sample)]
    np.testing.assert_array_equal(flux, np.nan_to_num(CUBES))
    assert len(tasks) > 4
    assert len(checked) == 1
    raw = bytearray(path.read_bytes())
    with fits.open(path, disable_image_compression=True) as hdus:
        last = hdus[1].fileinfo()["datLoc"] + hdus[1].header["NAXIS1"] * (hdus[1].header["NAXIS2"] - 1)
    raw[last + 4 : last + 8] = (2**30).to_bytes(4, "big")  # where the last part lies: beyond the file
    path.write_bytes(raw)
    os.utime(path, ns=(0, 0))
    with pytest.raises(DataError, match=r"a\.fits\.fz, HDU 1: the table of the compressed image says"):
        stack.read(0)
    with pytest.raises(DataError, match=r"a\.fits\.fz, HDU 1: the table of the compressed image says"):
        CutoutStack(str(path))
