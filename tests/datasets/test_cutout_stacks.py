"""Stacks of every kind hold the same objects; what cannot be a stack is said so."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from PIL import Image
from stack_files import (
    COLUMNS,
    CUBES,
    FILES,
    LISTS,
    NAMES,
    RNG,
    npy_bytes,
    write_compressed_npz,
    write_parquet,
)

from astrocnn.datasets.packed import pack
from astrocnn.datasets.stacks import CutoutStack, is_stacked
from astrocnn.errors import DataError
from astrocnn.io.layers import FluxScale, Mask, Variance
from astrocnn.io.sample import Sample

RealData = Callable[[str], Path]


@pytest.mark.parametrize("name", list(FILES))
def test_every_kind_of_stack_holds_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FILES[name](path)
    assert is_stacked(str(path), None)
    stack = CutoutStack(str(path))
    assert len(stack) == 40
    assert stack.ids[:2] == ["0", "1"]
    assert stack.probe(3).shape == (3, 20, 16)
    numbers = np.array([0, 7, 8, 9, 22, 39])
    samples = [sample for rows in stack.tasks(numbers) for sample in stack.read_many(numbers[rows])]
    for number, sample in zip(numbers, samples, strict=True):
        assert isinstance(sample, Sample)
        valid = np.isfinite(CUBES[number])
        np.testing.assert_array_equal(sample.valid, valid)
        np.testing.assert_array_equal(sample.flux, np.where(valid, CUBES[number], 0))
        assert sample.flux.dtype == np.float32
        assert sample.flux.dtype.isnative
    np.testing.assert_array_equal(stack.read(38).flux, CUBES[38])
    packed = pack(stack, np.arange(40), shape=(3, 20, 16), bands=("a", "b", "c"))
    np.testing.assert_array_equal(packed(np.arange(40))["image"], np.nan_to_num(CUBES))
    if not name.endswith(".npy"):
        table = stack.table()
        assert table is not None
        assert table.colnames == ["name"]
        assert list(table["name"]) == NAMES


def test_chunks_of_hdf5_that_were_never_written_are_no_images_of_zeros(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        images = file.create_dataset("images", (10, 3, 20, 16), "f4", chunks=(2, 3, 10, 16))
        images[:3] = CUBES[:3]  # of rows 2 and 3 the chunks are there
        images[6:8, :, :10] = CUBES[6:8, :, :10]  # one chunk of two
        file.create_dataset("empty/images", (10, 3, 20, 16), "f4")
        file.create_dataset("gaps/images", (10, 3, 20, 16), "f4", chunks=(1, 3, 20, 16), fillvalue=np.nan)[
            0
        ] = 1
    stack = CutoutStack(str(tmp_path / "a.h5"), hdu="images")
    rows = list(stack.read_many(np.arange(10)))
    assert [isinstance(row, Sample) for row in rows] == [True] * 4 + [False] * 6
    assert "a.h5, images: the pixels of this row were never written" in str(rows[7])
    for name, message in (("empty/images", "were never written"), ("gaps/images", "no pixel is valid")):
        with pytest.raises(DataError, match=message):
            CutoutStack(str(tmp_path / "a.h5"), hdu=name).read(5)


@pytest.mark.parametrize("dtype", ["u1", "b1", "i2", ">u2", "f2", "f8", "i8"])
def test_types_of_numbers(tmp_path: Path, dtype: str) -> None:
    values = (np.abs(np.nan_to_num(CUBES)) * 50).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(
        CutoutStack(str(tmp_path / "a.npy")).read(3).flux, values[3].astype(np.float32)
    )


@pytest.mark.parametrize("form", [fits.PrimaryHDU, fits.CompImageHDU])
def test_unsigned_and_scaled_fits(tmp_path: Path, form: type) -> None:
    values = (np.abs(np.nan_to_num(CUBES)) * 20000).astype(np.uint16)
    form(values).writeto(tmp_path / "a.fits")
    stack = CutoutStack(str(tmp_path / "a.fits"))
    np.testing.assert_array_equal(stack.read(3).flux, values[3].astype(np.float32))


def test_channels_last_are_found_or_told(tmp_path: Path) -> None:
    last = np.ascontiguousarray(CUBES.transpose(0, 2, 3, 1))
    np.save(tmp_path / "last.npy", last)
    np.testing.assert_array_equal(CutoutStack(str(tmp_path / "last.npy")).read(2).flux, CUBES[2])
    np.save(tmp_path / "small.npy", last[:, :3])
    with pytest.raises(
        DataError, match=r"an image is 3 × 16 × 3, .*data\.channels=first or data\.channels=last"
    ):
        CutoutStack(str(tmp_path / "small.npy"))
    told = CutoutStack(str(tmp_path / "small.npy"), channels="last")
    np.testing.assert_array_equal(told.read(2).flux, CUBES[2, :, :3])
    np.save(tmp_path / "one.npy", CUBES[:, 0])
    assert CutoutStack(str(tmp_path / "one.npy")).probe(0).shape == (1, 20, 16)
    np.save(tmp_path / "rgb.npy", np.zeros((64, 64, 3)))
    with pytest.raises(
        DataError, match=r"rgb\.npy is 64 × 64 × 3, which looks like one image.*data\.stacked=false"
    ):
        CutoutStack(str(tmp_path / "rgb.npy"))


def test_a_band_by_array_or_by_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", g=CUBES[:, 0], r=CUBES[:, 1])
    stack = CutoutStack(str(tmp_path / "a.npz"), hdu=["r", "g"])
    info = stack.probe(0)
    assert info.bands == ("r", "g")
    assert info.named_planes
    np.testing.assert_array_equal(stack.read(5).flux, CUBES[5, [1, 0]])
    for band, i in (("g", 0), ("r", 1)):
        np.save(tmp_path / f"{band}.npy", CUBES[:, i])
    files = CutoutStack({band: f"{tmp_path}/{band}.npy" for band in "gr"})
    np.testing.assert_array_equal(files.read(5).flux, CUBES[5, :2])


def test_parts_are_one_after_the_other(tmp_path: Path) -> None:
    for i in range(4):
        rows = slice(10 * i, 10 * i + 10)
        pq.write_table(
            pa.table({"name": NAMES[rows], "image": pa.array(CUBES[rows].tolist(), LISTS)}),
            tmp_path / f"part-{i}.parquet",
        )
    stack = CutoutStack(f"{tmp_path}/part-*.parquet")
    assert len(stack) == 40
    np.testing.assert_array_equal(stack.read(25).flux, CUBES[25])
    table = stack.table()
    assert table is not None
    assert list(table["name"]) == NAMES
    numbers = np.array([8, 9, 10, 31])
    samples = [s for rows in stack.tasks(numbers) for s in stack.read_many(numbers[rows])]
    np.testing.assert_array_equal([s.flux for s in samples if isinstance(s, Sample)], CUBES[numbers])


def test_masks_variances_and_units(tmp_path: Path) -> None:
    bits = RNG.integers(0, 4, (40, 20, 16))
    sigma = RNG.uniform(1, 2, CUBES.shape)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["mask"], file["rms"] = CUBES, bits, sigma
        file["images"].attrs["unit"] = "uJy"
        file["images"].attrs["bands"] = ["g", "r", "i"]
    stack = CutoutStack(
        str(tmp_path / "a.h5"),
        hdu="images",
        mask=Mask("mask", bits=[1]),
        variance=Variance("rms", kind="rms"),
        flux=FluxScale("nJy"),
    )
    assert stack.probe(0).bands == ("g", "r", "i")
    sample = stack.read(4)
    good = np.broadcast_to(bits[4] & 2 == 0, (3, 20, 16))
    np.testing.assert_array_equal(sample.valid, good)
    np.testing.assert_allclose(sample.flux, np.where(good, CUBES[4] * 1e3, 0), rtol=1e-6)
    np.testing.assert_allclose(sample.variance, np.where(good, (sigma[4] * 1e3) ** 2, 0), rtol=1e-6)
    assert CutoutStack(str(tmp_path / "a.h5"), hdu="images").probe(0).unit == "uJy"
    with pytest.raises(
        DataError, match=r"a\.h5, mask: its rows are 1 × 20 × 16 but the images are 3 × .*variance\.hdu"
    ):
        CutoutStack(str(tmp_path / "a.h5"), hdu="images", variance=Variance("mask"))
    np.save(tmp_path / "short.npy", bits[:30])
    with pytest.raises(DataError, match=r"short\.npy holds 30 rows but .*a\.h5, images 40"):
        CutoutStack(str(tmp_path / "a.h5"), hdu="images", mask=Mask(files=f"{tmp_path}/short.npy"))
    np.save(tmp_path / "plain.npy", CUBES)
    told = CutoutStack(str(tmp_path / "plain.npy"), flux=FluxScale("uJy", zero_point=25.0))
    np.testing.assert_allclose(told.read(1).flux, CUBES[1] * (25 * u.ABmag).to_value(u.uJy), rtol=1e-4)
    with pytest.raises(DataError, match=r"plain\.npy: data\.flux_unit=uJy is asked for, but the header"):
        CutoutStack(str(tmp_path / "plain.npy"), flux=FluxScale("uJy"))


def test_pictures_in_a_column(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
    cells = []
    for image in pixels:
        Image.fromarray(image).save(buffer := BytesIO(), "png")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    pq.write_table(pa.table({"image": cells, "label": [0, 1] * 3}), tmp_path / "a.parquet")
    stack = CutoutStack(str(tmp_path / "a.parquet"))
    assert stack.probe(0).bands == ("R", "G", "B")
    assert stack.pictures
    np.testing.assert_array_equal(stack.read(4).flux, pixels[4].transpose(2, 0, 1)[:, ::-1])
    table = stack.table()
    assert table is not None
    assert table.colnames == ["label"]


def test_rows_that_cannot_be_used_are_told_one_by_one(tmp_path: Path) -> None:
    rows = [cube.tolist() for cube in CUBES[:6]]
    rows[1], rows[2], rows[3] = None, [[[1.0, 2.0], [3.0]]], CUBES[0, :, :5].tolist()
    rows[4] = np.full((3, 20, 16), np.nan).tolist()
    pq.write_table(pa.table({"image": pa.array(rows, LISTS)}), tmp_path / "a.parquet")
    stack = CutoutStack(str(tmp_path / "a.parquet"))
    got = list(stack.read_many(np.arange(6)))
    assert [isinstance(each, Sample) for each in got] == [True, False, False, False, False, True]
    parts = (
        "row 1: ",
        "there is no image",
        "not of one length",
        "row 3: it is 3 × 5 × 16",
        "row 4: no pixel is valid",
    )
    for each, part in zip([got[1], *got[1:5]], parts, strict=True):
        assert part in str(each)


def test_columns_of_parquet_with_another_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(tmp_path / "a.parquet", **COLUMNS["nested lists"]())
    stack = CutoutStack(str(tmp_path / "a.parquet"))
    # what a file says whose row groups are damaged
    monkeypatch.setattr(
        "astrocnn.io.stack_parquet.read_parquet", lambda *_, **__: Table({"name": NAMES[:15]})
    )
    with pytest.raises(
        DataError, match=r"a\.parquet: its columns hold 15 rows but image holds 40; .*damaged"
    ):
        stack.table()


@pytest.mark.parametrize(("n", "n_read"), [(2, 10), (4, 15)])
def test_row_groups_of_another_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int, n_read: int
) -> None:
    write_parquet(tmp_path / "a.parquet", **COLUMNS["nested lists"]())
    stack = CutoutStack(str(tmp_path / "a.parquet"))
    # what arrow gives where the numbers of rows in a file contradict each other: batches of 5 for groups of 15
    batch = pa.record_batch({"image": pa.array(CUBES[:5].tolist(), LISTS)})
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *_, **__: iter([batch] * n))
    rows = list(stack.read_many(np.arange(30)))
    assert [isinstance(row, Sample) for row in rows] == [i < n_read for i in range(30)]
    assert "a.parquet, image: the row group 0 does not hold the 15 rows" in str(rows[-1])


def test_a_damaged_array_in_a_cell_says_what_to_do(tmp_path: Path) -> None:
    cells = [npy_bytes(cube) for cube in CUBES[:3]]
    cells[1] = cells[1].replace(b"(3, 20", b"(3, 2\xff")
    pq.write_table(pa.table({"image": pa.array(cells)}), tmp_path / "a.parquet")
    _, bad, _ = CutoutStack(str(tmp_path / "a.parquet")).read_many(np.arange(3))
    assert isinstance(bad, DataError)
    assert "a damaged .npy: " in str(bad)
    assert str(bad).endswith("; copy or download the file again, or set data.on_bad=skip.")


def damaged(folder: Path, name: str) -> Path:
    path = folder / name
    FILES[name](path)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.npy", "cannot be read: "),
        ("a.npz", "cannot be read: File is not a zip file"),
        ("a.h5", "cannot be read as HDF5: "),
        ("a.fits", "truncated"),
        ("nested lists.parquet", "cannot be read as Parquet: "),
    ],
)
def test_truncated_files(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        CutoutStack(str(damaged(tmp_path, name)))
    assert name in str(caught.value)


def test_damage_within_a_compressed_archive(tmp_path: Path) -> None:
    path = tmp_path / "compressed.npz"
    write_compressed_npz(path)
    raw = bytearray(path.read_bytes())
    raw[60_000:60_200] = bytes(200)
    path.write_bytes(raw)
    got = list(CutoutStack(str(path)).read_many(np.arange(40)))
    assert len(got) == 40
    assert isinstance(got[0], Sample)
    assert isinstance(got[-1], DataError)
    assert "compressed.npz cannot be read" in str(got[-1])


def test_what_is_no_stack(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=CUBES, b=CUBES, label=np.arange(40))
    with pytest.raises(
        DataError, match=r"two\.npz holds 2 arrays .*a \(40 × 3 × 20 × 16\).*data\.hdu=<name>"
    ):
        CutoutStack(str(tmp_path / "two.npz"))
    with pytest.raises(DataError, match=r"two\.npz has no array 'c'; it holds a \(40"):
        CutoutStack(str(tmp_path / "two.npz"), hdu="c")
    with pytest.raises(DataError, match=r"two\.npz, label is 40; a stack is objects × rows"):
        CutoutStack(str(tmp_path / "two.npz"), hdu="label")
    np.save(tmp_path / "text.npy", np.full((4, 5, 5), "x"))
    with pytest.raises(DataError, match=r"text\.npy: its values are <U1, not numbers"):
        CutoutStack(str(tmp_path / "text.npy"))
    np.save(tmp_path / "pickle.npy", np.array([{}] * 3, dtype=object))
    with pytest.raises(DataError, match=r"pickle\.npy cannot be read: "):
        CutoutStack(str(tmp_path / "pickle.npy"))
    with pytest.raises(DataError, match=r"holds one array; leave out data\.hdu=x"):
        CutoutStack(str(tmp_path / "text.npy"), hdu="x")
    pq.write_table(
        pa.table({"image": pa.array(CUBES.reshape(40, -1).tolist()), "id": NAMES}), tmp_path / "flat.pq"
    )
    with pytest.raises(
        DataError, match=r"a row holds 960 numbers.*data\.n_bands and data\.image_size.*image_shape"
    ):
        CutoutStack(str(tmp_path / "flat.pq"))
    shaped = CutoutStack(str(tmp_path / "flat.pq"), row_shape=(3, 20, 16))
    np.testing.assert_array_equal(shaped.read(1).flux, CUBES[1])
    with pytest.raises(DataError, match=r"has no column 'cut'; it has image \(list<.*data\.hdu=<column>"):
        CutoutStack(str(tmp_path / "flat.pq"), hdu="cut")
    with pytest.raises(DataError, match=r"the column 'id' holds string, no images; choose among image"):
        CutoutStack(str(tmp_path / "flat.pq"), hdu="id")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(5)
    with pytest.raises(
        DataError, match=r"holds no array that can be a stack of images; its content is x \(5\)"
    ):
        CutoutStack(str(tmp_path / "a.h5"))
    fits.PrimaryHDU(CUBES).writeto(tmp_path / "a.fits.gz")
    with pytest.raises(DataError, match=r"a\.fits\.gz holds all objects and is gzipped.*gunzip it"):
        CutoutStack(str(tmp_path / "a.fits.gz"))
    fits.PrimaryHDU(CUBES[0, 0]).writeto(tmp_path / "flat.fits")
    with pytest.raises(DataError, match=r"flat\.fits, HDU 0 is 20 × 16; a stack is"):
        CutoutStack(str(tmp_path / "flat.fits"))
    np.save(tmp_path / "other.npy", CUBES[:, :2])
    np.save(tmp_path / "others.npy", CUBES)
    with pytest.raises(
        DataError, match=r"the rows of .*others\.npy are 3 × 20 × 16 but those of .*other\.npy are 2"
    ):
        CutoutStack(f"{tmp_path}/other*.npy")


def test_signs_of_a_stack(tmp_path: Path) -> None:
    fits.PrimaryHDU(CUBES[0]).writeto(tmp_path / "cube.fits")
    fits.PrimaryHDU(CUBES[:1]).writeto(tmp_path / "degenerate.fits")
    assert not is_stacked(f"{tmp_path}/cube.fits", None)
    assert not is_stacked(f"{tmp_path}/degenerate.fits", None)
    for i in (1, 2):
        np.save(tmp_path / f"o{i}.npy", CUBES[i])
        np.save(tmp_path / f"part{i}.npy", CUBES[:5])
    assert not is_stacked(f"{tmp_path}/o*.npy", None)
    assert is_stacked(f"{tmp_path}/part*.npy", None)


def test_real_galaxies_of_sdss(realdata: RealData) -> None:
    path = realdata("galaxy_zoo/gz1_dev.npz")
    stack = CutoutStack(str(path))
    assert len(stack) == 3000
    assert stack.probe(0).shape == (3, 64, 64)
    table = stack.table()
    assert table is not None
    assert sorted(table.colnames) == ["label", "objid", "split"]
    with np.load(path) as archive:
        images = archive["images"]
        np.testing.assert_array_equal(table["label"], archive["label"])
    numbers = np.array([0, 17, 2999])
    for number, sample in zip(numbers, stack.read_many(numbers), strict=True):
        assert isinstance(sample, Sample)
        np.testing.assert_array_equal(sample.flux, images[number].transpose(2, 0, 1))


def test_real_blend_of_hsc_with_mask_and_variance(realdata: RealData) -> None:
    path = realdata("scarlet/hsc_cosmos_35.npz")
    stack = CutoutStack(str(path), hdu="images", mask=Mask("mask", bits=[5]), variance=Variance("variance"))
    assert stack.probe(0).shape == (1, 58, 48)
    with np.load(path) as archive:
        for number in range(5):
            sample = stack.read(number)
            good = archive["mask"][number] & 32 == 0
            np.testing.assert_array_equal(sample.valid[0], good)
            np.testing.assert_array_equal(sample.flux[0][good], archive["images"][number][good])
            np.testing.assert_array_equal(sample.variance[0][good], archive["variance"][number][good])
