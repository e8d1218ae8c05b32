"""Windows of tiles of every packing against astropy's pixels; files that lie, break or change."""

import bz2
import gzip
import lzma
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from astrocnn.errors import DataError
from astrocnn.io.tiles import ImageHdu, image_hdus, select
from astrocnn.io.unpacking import is_packed
from astrocnn.io.windows import OpenImage, Unpacked, _merged, _portions

RNG = np.random.default_rng(3)
SKY = (RNG.normal(size=(150, 170)) * 30 + 1000).astype(np.float32)
BOXES = np.array([[140, 150, 0, 9], [0, 7, 160, 170], [33, 97, 40, 104], [34, 98, 41, 105], [5, 6, 0, 170]])


def write(path: Path, *hdus: Any) -> Path:
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def images(path: Path, hdu: str | int | None = None) -> list[ImageHdu]:
    return [image for image, _ in image_hdus(path, lambda found: select(path, found, hdu, "data.hdu"))]


def windows(path: Path, hdu: ImageHdu, boxes: np.ndarray = BOXES) -> list[Any]:
    unpack = Unpacked()
    with OpenImage(path, hdu, unpack(str(path)) if is_packed(path) else None) as image:
        found = [w if isinstance(w, DataError) else image.physical(w) for w in image.windows(boxes)]
    unpack.close()
    return found


@pytest.mark.parametrize(
    ("kind", "data", "options"),
    [
        ("RICE_1", SKY, {"quantize_level": 16}),
        ("RICE_1", SKY.astype(np.int16), {}),
        ("RICE_1", SKY.astype(np.int32), {"tile_shape": (50, 40)}),
        ("GZIP_1", SKY, {"quantize_level": 0}),
        ("GZIP_2", SKY, {"quantize_level": 0, "tile_shape": (7, 170)}),
        ("HCOMPRESS_1", SKY.astype(np.int16), {"tile_shape": (16, 170)}),
        ("PLIO_1", (SKY > 1030).astype(np.int16), {}),
        ("RICE_1", SKY.astype(np.uint16), {"uint": True}),
    ],
)
def test_compressed_windows_are_astropys(
    tmp_path: Path, kind: str, data: np.ndarray, options: dict[str, Any]
) -> None:
    path = write(tmp_path / "a.fits.fz", fits.CompImageHDU(data, compression_type=kind, **options))
    truth = fits.getdata(path, 1).astype(np.float64)
    (hdu,) = images(path)
    assert hdu.shape == data.shape
    assert hdu.start > 0
    for window, (y0, y1, x0, x1) in zip(windows(path, hdu), BOXES, strict=True):
        np.testing.assert_array_equal(window, truth[y0:y1, x0:x1])


@pytest.mark.parametrize(
    ("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u2", "u1"])
def test_plain_and_packed_windows(tmp_path: Path, suffix: str, pack: Any, dtype: str) -> None:
    data = (SKY / (8 if dtype == "u1" else 1)).astype(dtype)
    path = write(tmp_path / "a.fits", fits.ImageHDU(data[:5]), fits.ImageHDU(data, name="SCI"))
    packed = tmp_path / f"b.fits{suffix}"
    packed.write_bytes(pack(path.read_bytes()))
    (hdu,) = images(packed, "SCI")
    for window, (y0, y1, x0, x1) in zip(windows(packed, hdu), BOXES, strict=True):
        np.testing.assert_array_equal(window, data[y0:y1, x0:x1].astype(np.float64))


def test_blank_and_degenerate_axes(tmp_path: Path) -> None:
    hdu = fits.ImageHDU(np.arange(12, dtype=np.int16).reshape(1, 1, 3, 4))
    hdu.header["BLANK"] = 5
    path = write(tmp_path / "a.fits", hdu)
    window = windows(path, images(path)[0], np.array([[0, 3, 0, 4]]))[0]
    assert np.isnan(window[1, 1])
    assert np.nansum(window) == np.arange(12).sum() - 5
    compressed = fits.CompImageHDU(np.arange(12, dtype=np.int16).reshape(1, 3, 4))
    path = write(tmp_path / "b.fits", compressed)
    np.testing.assert_array_equal(
        windows(path, images(path)[0], np.array([[1, 3, 2, 4]]))[0], [[6, 7], [10, 11]]
    )


def test_each_stripe_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.fits.fz", fits.CompImageHDU(SKY.astype(np.int16), tile_shape=(10, 170)))
    (hdu,) = images(path)
    assert hdu.stripe == (10, 170)
    seen: list[tuple[int, int]] = []
    decoded = OpenImage._decoded
    monkeypatch.setattr(OpenImage, "_decoded", lambda *a: seen.append(a[1:3]) or decoded(*a))
    monkeypatch.setattr("astrocnn.io.windows.SLAB_BYTES", 8 * 170 * 30)
    order = RNG.integers(0, 100, 60)
    boxes = np.stack([order, order + 40, np.full(60, 3), np.full(60, 60)], axis=1)
    found = windows(path, hdu, boxes)
    rows = [row for y0, y1 in seen for row in range(y0, y1)]
    assert len(rows) == len(set(rows))  # none twice
    assert set(rows) == set(range(order.min() // 10 * 10, -(-(order.max() + 40) // 10) * 10))
    for window, y0 in zip(found, order, strict=True):
        np.testing.assert_array_equal(window, SKY.astype(np.int16)[y0 : y0 + 40, 3:60])


def test_parts_hold_every_box_and_no_stripe_twice() -> None:
    boxes = np.stack([RNG.integers(0, 900, 50), RNG.integers(0, 900, 50), np.zeros(50, int)], axis=1)
    boxes = np.stack([boxes[:, 0], boxes[:, 0] + 64, boxes[:, 1], boxes[:, 1] + 64], axis=1)
    covered = np.zeros((50, 964, 964), bool)
    once = np.zeros((964, 964), int)
    for y0, y1, x0, x1, members in _portions(boxes, (100, 100), (964, 964)):
        assert y0 % 100 == 0
        assert x0 % 100 == 0
        once[y0:y1, x0:x1] += 1
        covered[members, y0:y1, x0:x1] = True
    assert once.max() == 1
    assert all(covered[i, y0:y1, x0:x1].all() for i, (y0, y1, x0, x1) in enumerate(boxes))
    assert _merged(np.array([5, 0, 40]), np.array([8, 6, 40]), 1, 100) == [(0, 8)]


def test_memory_is_that_of_the_windows(tmp_path: Path) -> None:
    data = np.zeros((2048, 4096), np.int16)
    path = write(tmp_path / "a.fits.fz", fits.CompImageHDU(data))
    (hdu,) = images(path)
    boxes = np.array([[y, y + 16, 0, 16] for y in range(0, 2032, 16)])
    windows(path, hdu, boxes[:1])
    tracemalloc.start()
    with OpenImage(path, hdu) as image:
        image.windows(boxes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < data.nbytes


def test_choice_of_hdus(tmp_path: Path) -> None:
    parts = [fits.ImageHDU(SKY, name="SCI", ver=v) for v in (1, 2)]
    path = write(tmp_path / "a.fits", parts[0], fits.ImageHDU(SKY, name="DQ"), parts[1])
    assert [hdu.number for hdu in images(path)] == [1]
    assert [(hdu.number, hdu.version) for hdu in images(path, "sci")] == [(1, 1), (3, 2)]
    assert [hdu.number for hdu in images(path, 2)] == [2]
    assert [hdu.number for hdu in images(path, "all")] == [1, 2, 3]
    with pytest.raises(
        DataError, match=r"has no image HDU 'ERR'; it has HDU 1 \(SCI\): 150 × 170, .*data\.hdu="
    ):
        images(path, "ERR")
    cube = write(tmp_path / "b.fits", fits.ImageHDU(np.zeros((3, 5, 5), np.float32)))
    with pytest.raises(DataError, match=r"3 × 5 × 5 pixels; a tile is one plane"):
        images(cube)
    with pytest.raises(DataError, match="holds no image"):
        images(write(tmp_path / "c.fits"))


def test_unusual_cards_are_left_to_astropy(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", fits.ImageHDU(SKY))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"SIMPLE  =                    T", b"SIMPLE  =T                    ", 1))
    with pytest.warns(AstropyUserWarning, match="SIMPLE"):
        (hdu,) = images(path)
    assert hdu.start == -1
    np.testing.assert_array_equal(windows(path, hdu)[2], SKY[33:97, 40:104])


def test_files_that_break_or_lie(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", fits.ImageHDU(SKY))
    short = tmp_path / "short.fits"
    short.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(DataError, match=r"short\.fits, HDU 1: the header promises 102,000 bytes.*truncated"):
        images(short)
    (tmp_path / "e.fits").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        images(tmp_path / "e.fits")
    packed = tmp_path / "p.fits.gz"
    packed.write_bytes(gzip.compress(path.read_bytes())[:-5000])
    (hdu,) = images(packed)  # the header is whole
    with pytest.raises(DataError, match="cannot be unpacked"):
        windows(packed, hdu)
    fz = write(tmp_path / "c.fits.fz", fits.CompImageHDU(SKY.astype(np.int16)))
    lying = tmp_path / "lying.fits.fz"
    raw = fz.read_bytes()
    at = raw.index(b"ZNAXIS2 =                  150")
    lying.write_bytes(raw[:at] + b"ZNAXIS2 =            999999999" + raw[at + 30 :])
    with pytest.raises(DataError, match=r"needs 999,999,999 of them, but there are 150"):
        images(lying)
    with pytest.raises(DataError, match="cannot be read"):
        images(tmp_path / "gone.fits")
    (hdu,) = images(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"has changed while in use|no END card"):
        windows(path, hdu)


def test_a_damaged_stripe_spoils_only_what_touches_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits.fz", fits.CompImageHDU(SKY, compression_type="GZIP_1", quantize_level=0))
    (hdu,) = images(path)
    raw = bytearray(path.read_bytes())
    first = raw.index(b"\x1f\x8b")
    raw[first : first + 40] = bytes(40)
    path.write_bytes(bytes(raw))
    found = windows(path, hdu, np.array([[0, 4, 0, 4], [100, 104, 0, 4]]))
    assert isinstance(found[0], DataError)
    assert "cannot be decoded" in str(found[0])
    np.testing.assert_array_equal(found[1], SKY[100:104, :4])
