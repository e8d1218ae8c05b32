"""The tables of compressed images, read in blocks: what is true passes, and a lie is found wherever it stands."""

import tracemalloc
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.errors import DataError
from astrocnn.io.compressed import check_parts
from astrocnn.io.headers import header_at

RNG = np.random.default_rng(8)


def written(path: Path, kind: str) -> tuple[bytearray, int, int]:
    """Bytes of a file, where its table begins, and the length of a row of it; parts at the edges are smaller."""
    data = RNG.integers(0, 100, (3, 2, 11, 9)).astype(np.int16)
    tile = (1, 1, 7, 5) if kind == "HCOMPRESS_1" else (2, 1, 4, 5)
    fits.CompImageHDU(data, compression_type=kind, tile_shape=tile).writeto(path)
    with fits.open(path, disable_image_compression=True) as hdus:
        return bytearray(path.read_bytes()), hdus[1].fileinfo()["datLoc"], hdus[1].header["NAXIS1"]


def check(raw: bytes) -> None:
    file = BytesIO(raw)
    _, second = header_at("a.fits", file, 0, 0)
    header, data = header_at("a.fits", file, second, 1)
    assert header is not None
    check_parts("a.fits", header, 1, file, data)


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"])
@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_a_lie_is_found_in_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows: int
) -> None:
    raw, data, width = written(tmp_path / "a.fits", kind)
    monkeypatch.setattr("astrocnn.io.compressed.BLOCK_BYTES", rows * width)
    check(raw)
    with fits.open(tmp_path / "a.fits", disable_image_compression=True) as hdus:
        n, heap = hdus[1].header["NAXIS2"], hdus[1].fileinfo()["datLoc"] + hdus[1].header["NAXIS2"] * width
    for row in range(n):
        place = data + row * width
        for start, value in ((place, 2**30), (place + 4, 2**30), (place, 0)):  # length, offset, no data
            lie = raw.copy()
            lie[start : start + 4] = value.to_bytes(4, "big")
            with pytest.raises(DataError, match="says of its parts what cannot be"):
                check(lie)
        if kind == "HCOMPRESS_1":  # a part that says that it has another row
            lie = raw.copy()
            lie[heap + int.from_bytes(raw[place + 4 : place + 8], "big") + 5] += 1
            with pytest.raises(DataError, match="says of its parts what cannot be"):
                check(lie)


def test_a_long_table_takes_little_memory() -> None:
    n = 1_000_000
    table = np.zeros((n, 2), ">i4")
    table[:, 0] = 1
    cards = {
        "XTENSION": "'BINTABLE'", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 8, "NAXIS2": n, "PCOUNT": 1, "GCOUNT": 1,
        "TFIELDS": 1, "TTYPE1": "'COMPRESSED_DATA'", "TFORM1": "'1PB(1)'", "ZIMAGE": "T", "ZBITPIX": 16, "ZNAXIS": 2,
        "ZNAXIS1": 4, "ZNAXIS2": n, "ZTILE1": 4, "ZTILE2": 1, "ZCMPTYPE": "'RICE_1'",
    }  # fmt: skip
    raw = "".join(f"{key:8}= {value}".ljust(80) for key, value in cards.items()) + "END"
    header, data = header_at("a.fits", BytesIO(raw.ljust(2880).encode()), 0, 1)
    assert header is not None
    file = BytesIO(table.tobytes() + b"\0")
    tracemalloc.start()
    check_parts("a.fits", header, 1, file, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data == 2880
    assert peak < table.nbytes
