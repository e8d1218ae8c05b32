"""Equal rows: told by their values and validity, never by padding."""

from pathlib import Path

import numpy as np
import pytest

from astrocnn.datasets import equal_rows as module
from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.equal_rows import equal_rows, probes
from astrocnn.datasets.packed import pack

SHAPES = [(3, 8, 8), (2, 37), (9,), (11, 1, 1), (1, 64, 64)]


def compared(image: np.ndarray, valid: np.ndarray | None = None, rows: np.ndarray | None = None) -> list[int]:
    bits = None if valid is None else np.packbits(valid.reshape(len(valid), -1), axis=1)
    rows = np.arange(len(image)) if rows is None else rows
    return equal_rows(image, bits, rows, probes(image)).tolist()


@pytest.mark.parametrize("shape", SHAPES)
def test_finds_what_a_comparison_of_all_with_all_finds(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(40, *shape)).astype(np.float32)
    for copy, original in ((7, 3), (20, 3), (39, 38), (12, 11)):
        image[copy] = image[original]
    image[12].reshape(-1)[0] += 1  # far from the middle
    truth = [int(np.flatnonzero((image == row).reshape(40, -1).all(1))[0]) for row in image]
    assert truth[20] == 3
    assert truth[12] == 12
    assert compared(image) == truth


def test_the_tiniest_difference_counts() -> None:
    image = np.repeat(np.random.default_rng(0).normal(size=(1, 2, 6, 6)), 2, axis=0).astype(np.float32)
    assert compared(image) == [0, 0]
    image[1, 1, 5, 5] = np.nextafter(image[1, 1, 5, 5], np.float32(9))
    assert compared(image) == [0, 1]


def test_rows_that_differ_in_validity_only_are_not_equal() -> None:
    image = np.repeat(np.random.default_rng(0).normal(size=(1, 1, 6, 6)), 3, axis=0).astype(np.float32)
    image[:, 0, 0, 0] = 0  # a flux of 0, and in row 1 no data
    valid = np.ones(image.shape, bool)
    valid[1, 0, 0, 0] = False
    assert compared(image, valid) == [0, 1, 0]


def test_padding_makes_no_duplicates() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((6, 2, 16, 16), np.float32)
    image[2:4, :, :3] = rng.normal(size=(2, 2, 3, 16))  # zeros in the middle, data at the edge
    image[4:, 0, 0, :5] = 1, 2, 3, 4, 5  # too few values to tell anything
    assert compared(image) == list(range(6))
    valid = np.zeros(image.shape, bool)
    valid[:, :, 0] = True
    assert compared(image, valid) == list(range(6))
    image[3] = image[2]
    assert compared(image, valid) == [0, 1, 2, 2, 4, 5]


def test_only_the_rows_that_are_asked_for_are_compared() -> None:
    image = np.random.default_rng(0).normal(size=(5, 1, 5, 5)).astype(np.float32)
    image[1] = image[3] = image[0]
    assert compared(image, rows=np.array([4, 3, 1])) == [4, 3, 3]


def test_a_packed_array_looks_at_its_rows_once(write_cubes, tmp_path: Path, monkeypatch) -> None:
    write_cubes()
    first = tmp_path / "img" / "obj00.fits"
    (tmp_path / "img" / "obj04.fits").write_bytes(first.read_bytes())
    files = CutoutFiles(f"{tmp_path}/img/obj*.fits")
    packed = pack(files, np.arange(6), shape=(2, 5, 7), bands=("g", "r"))
    assert packed.equal_rows(np.arange(6)).tolist() == [0, 1, 2, 3, 0, 5]
    with monkeypatch.context() as patch:
        patch.setattr("astrocnn.datasets.packed.probes", None)
        again = pack(files, np.arange(6), shape=(2, 5, 7), bands=("g", "r"))
        assert again.equal_rows(np.arange(6)).tolist() == [0, 1, 2, 3, 0, 5]
    (packed.folder / "probes.npy").write_bytes(b"\x93NUMPY damaged")
    assert packed.equal_rows(np.arange(6)).tolist() == [0, 1, 2, 3, 0, 5]


def test_probes_do_not_depend_on_the_portion(monkeypatch) -> None:
    image = np.random.default_rng(0).normal(size=(50, 1, 9, 9)).astype(np.float32)
    whole = probes(image)
    monkeypatch.setattr(module, "CHUNK", 7)
    np.testing.assert_array_equal(probes(image), whole)
    assert len(np.unique(whole)) == 50
