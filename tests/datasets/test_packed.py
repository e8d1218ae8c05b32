"""Packed cutouts equal the files, and survive what can happen to a cache."""

import os
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits

from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.packed import PackedArray, pack
from astrocnn.datasets.source import Source
from astrocnn.errors import DataError
from astrocnn.io.layers import Variance
from astrocnn.io.sample import Sample, SampleInfo

Write = Callable[..., np.ndarray]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASTROCNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "packed"


def packed(folder: Path, *, variance: bool = False, **options: object) -> PackedArray:
    files = CutoutFiles(f"{folder}/img/*.fits", variance=Variance("VARIANCE") if variance else None)
    given = {"shape": (2, 5, 7), "bands": ("g", "r"), **options}
    return pack(files, np.arange(len(files)), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("nan", [False, True])
def test_equals_the_files(tmp_path: Path, cache: Path, write_cubes: Write, nan: bool) -> None:
    cubes = write_cubes(70, nan=nan)  # more than two tasks of the packer
    data = packed(tmp_path, variance=True, sky=True)
    rows = np.array([1, 69, 1, 40])
    batch = data(rows)
    valid = np.isfinite(cubes[rows])
    assert {key: value.dtype for key, value in batch.items()} == {
        "image": torch.float32,
        "valid": torch.bool,
        "variance": torch.float32,
    }
    np.testing.assert_array_equal(batch["valid"], valid)
    np.testing.assert_array_equal(batch["image"], np.where(valid, cubes[rows], 0))
    np.testing.assert_array_equal(batch["variance"], np.where(valid, np.abs(cubes[rows]) + 1, 0))
    np.testing.assert_allclose(data.valid_fraction, np.isfinite(cubes).mean((1, 2, 3)), rtol=1e-6)
    assert data.position is not None
    np.testing.assert_allclose(data.position, [(10 + i, -5) for i in range(70)])
    assert (data.folder / "valid.npy").exists() == nan  # the bits are kept only where they say something
    assert data._image.dtype.isnative


def test_some_images_with_gaps_among_others_without(tmp_path: Path, cache: Path, write_cubes: Write) -> None:
    cubes = write_cubes(9, nan=True)
    data = packed(tmp_path)
    for rows in (np.array([0, 1, 2, 1]), np.array([0, 2]), np.array([1])):
        np.testing.assert_array_equal(data(rows)["valid"], np.isfinite(cubes[rows]))


def test_one_pixel_of_twenty_million_is_not_forgotten(cache: Path) -> None:
    shape = (1, 4200, 4800)

    class Large(Source):
        ids, paths, options = ["a"], [(__file__,)], {}  # type: ignore[assignment]

        def probe(self, number: int) -> SampleInfo:
            return SampleInfo(shape)

        def read(self, number: int, *, sky: bool = False) -> Sample:
            valid = np.ones(shape, np.bool_)
            valid[0, 7, 8] = False
            return Sample(self.probe(number), valid.astype(np.float32), valid)

    data = pack(Large(), np.arange(1), shape=shape, bands=("g",))
    assert (~data(np.arange(1))["valid"]).nonzero().tolist() == [[0, 0, 7, 8]]


def test_bands_are_taken_by_name(tmp_path: Path, cache: Path, write_cubes: Write) -> None:
    cubes = write_cubes()
    data = packed(tmp_path, bands=("r", "g"))
    np.testing.assert_array_equal(data(np.arange(6))["image"], cubes[:, ::-1])
    one = packed(tmp_path, bands=("r",), shape=(1, 5, 7))
    np.testing.assert_array_equal(one(np.arange(6))["image"], cubes[:, 1:])


def test_found_again_and_made_again(tmp_path: Path, cache: Path, write_cubes: Write) -> None:
    write_cubes()
    first = packed(tmp_path)
    inode = os.stat(first.folder).st_ino
    assert os.stat(packed(tmp_path).folder).st_ino == inode
    (first.folder / "image.npy").write_bytes(b"short")
    again = packed(tmp_path)
    assert again.folder == first.folder
    assert len(again) == 6
    path = tmp_path / "img" / "obj00.fits"
    fits.PrimaryHDU(np.full((2, 5, 7), 3.0, np.float32)).writeto(path, overwrite=True)
    changed = packed(tmp_path)
    assert changed.folder != first.folder
    assert (changed(np.array([0]))["image"] == 3).all()


def test_bad_images_are_listed_by_name(tmp_path: Path, cache: Path, write_cubes: Write) -> None:
    cubes = write_cubes()
    image = tmp_path / "img"
    fits.PrimaryHDU(np.full((2, 5, 7), np.nan, np.float32)).writeto(image / "obj01.fits", overwrite=True)
    (image / "obj02.fits").write_bytes((image / "obj02.fits").read_bytes()[:3000])
    (image / "obj03.fits").write_text("not FITS")
    fits.PrimaryHDU(np.ones((2, 5, 8), np.float32)).writeto(image / "obj04.fits", overwrite=True)
    fits.PrimaryHDU(np.ones((3, 5, 7), np.float32)).writeto(image / "obj05.fits", overwrite=True)
    data = packed(tmp_path)
    assert [row for row, _ in data.bad] == [1, 2, 3, 4, 5]
    expected = ("no pixel is valid", "truncated", "cannot be read as FITS", "is 2 × 5 × 8", "holds 3 planes")
    for (row, reason), part in zip(data.bad, expected, strict=True):
        assert part in reason
        assert f"obj{row:02d}.fits" in reason
    np.testing.assert_array_equal(data(np.array([0]))["image"][0], cubes[0])
    with pytest.raises(DataError, match="more than 2 objects cannot be used"):
        packed(tmp_path, max_bad=2, bands=("g", "r"), sky=True)


def test_missing_band_is_named(tmp_path: Path, cache: Path, write_cubes: Write) -> None:
    write_cubes(1)
    _, reason = packed(tmp_path, bands=("g", "z")).bad[0]
    assert "has no band z; it holds g, r" in reason


def test_a_worker_maps_the_files_itself(tmp_path: Path, cache: Path, write_cubes: Write) -> None:
    write_cubes()
    data = packed(tmp_path)
    sent = pickle.dumps(data)
    assert len(sent) < 1000
    torch.testing.assert_close(pickle.loads(sent)(np.array([2])), data(np.array([2])))


def test_writes_that_the_system_cuts_short_go_on(
    tmp_path: Path, cache: Path, write_cubes: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    cubes = write_cubes(nan=True)
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: whole(file, data[:100], offset))
    monkeypatch.setattr(os, "pwritev", lambda file, data, offset: whole(file, b"".join(data)[:100], offset))
    np.testing.assert_array_equal(packed(tmp_path)(np.arange(6))["image"], np.nan_to_num(cubes))


def no_space(*args: object) -> int:
    raise OSError(28, "No space left on device")


def test_disc_full_while_packing(
    tmp_path: Path, cache: Path, write_cubes: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cubes()
    whole = packed(tmp_path)
    before = {path: path.read_bytes() for path in whole.folder.iterdir()}
    monkeypatch.setattr(os, "pwritev", no_space)
    with pytest.raises(DataError, match=r"packing 6 objects needs .* GB .* are free;.*ASTROCNN_CACHE"):
        packed(tmp_path, bands=("g",), shape=(1, 5, 7))
    assert [path.name for path in cache.iterdir() if path.name[0] != "."] == [whole.folder.name]
    assert not list(cache.glob(".*.part"))
    assert {path: path.read_bytes() for path in whole.folder.iterdir()} == before


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root can mount a small disc")
def test_a_really_full_disc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_cubes: Write) -> None:
    write_cubes(6)
    disc = tmp_path / "disc"
    disc.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disc)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        monkeypatch.setenv("ASTROCNN_CACHE", str(disc))
        monkeypatch.setattr("astrocnn.io.room.SPARE_BYTES", 0)
        whole = packed(tmp_path)
        (disc / "ballast").write_bytes(bytes(shutil.disk_usage(disc).free - 4096))
        monkeypatch.setattr("astrocnn.io.cache.make_room", lambda *args: None)  # filled after the check
        with pytest.raises(DataError, match="ASTROCNN_CACHE"):
            packed(tmp_path, variance=True)
        assert len(packed(tmp_path)) == len(whole)
        assert not list((disc / "packed").glob(".*.part"))
    finally:
        # lazily, for the arrays are still mapped
        subprocess.run(["umount", "--lazy", str(disc)], check=True)
