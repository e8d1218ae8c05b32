"""Maps written tile by tile: read by astropy as they were, after any death of the program, or refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.errors import ConfigError, DataError
from astrocnn.io import map_tiles
from astrocnn.io.map_tiles import MapTiles, Plane
from astrocnn.io.map_writer import write_maps

SHAPE = (321, 900)
RNG = np.random.default_rng(0)
PLANES = [
    Plane("P_STAR", comment="probability"),
    Plane("FLUX", unit="nJy"),
    Plane("CLASS", "i2"),
    Plane("N", "i4"),
]
MAPS = [
    np.where(RNG.random(SHAPE) < 0.2, np.nan, RNG.random(SHAPE)).astype(np.float32),
    (RNG.normal(size=SHAPE) * 1e-11).astype(np.float32),
    RNG.integers(-1, 5, SHAPE).astype(np.int16),
    RNG.integers(-1, 2**31 - 1, SHAPE).astype(np.int32),
]  # fmt: skip
EDGES = (0, 128, 256, SHAPE[0])


def put(tiles: MapTiles, first: int, end: int) -> None:
    for number in range(first, end):
        top, bottom = EDGES[number : number + 2]
        for left, right in ((512, 900), (0, 512)):
            tiles.put(top, left, [plane[top:bottom, left:right] for plane in MAPS])
        tiles.commit(bottom)


@pytest.fixture
def begin(tmp_path: Path) -> Callable[..., MapTiles]:
    return lambda key="a", planes=PLANES: MapTiles(tmp_path / "part", planes, SHAPE, key={"key": key})


def check(path: Path) -> None:
    with fits.open(path) as hdus:
        hdus.verify("exception")
        for plane, values in zip(PLANES, MAPS, strict=True):
            np.testing.assert_array_equal(hdus[plane.name].data, values)
            assert hdus[plane.name].data.dtype.newbyteorder("=") == values.dtype
            assert hdus[plane.name].header["CTYPE1"] == "RA---TAN"
            assert hdus[plane.name].header.get("BUNIT") == plane.unit
        assert hdus[0].header["CREATOR"] == "me"
        assert hdus["CLASS"].header["CLASS1"] == "star"


def write(tiles: MapTiles, path: Path) -> None:
    cards = {"CREATOR": ("me", "")}
    sky = fits.Header({"CTYPE1": "RA---TAN"})
    write_maps(path, tiles, header=cards, sky=sky, planes={"CLASS": {"CLASS1": ("star", "")}})


def test_what_astropy_reads_is_what_was_put(begin: Callable[..., MapTiles], tmp_path: Path) -> None:
    with begin() as tiles:
        put(tiles, 0, 3)
        write(tiles, tmp_path / "a.fits")
        tiles.remove()
    check(tmp_path / "a.fits")
    assert [path.name for path in tmp_path.iterdir()] == ["a.fits"]


def test_what_was_committed_survives(begin: Callable[..., MapTiles], tmp_path: Path) -> None:
    with begin() as tiles:
        put(tiles, 0, 1)
        tiles.put(128, 0, [plane[128:256] for plane in MAPS])  # not committed
        tiles._drain()
    with begin() as tiles:
        assert tiles.rows == 128
        put(tiles, 1, 2)
    with begin() as tiles:
        assert tiles.rows == 256
        assert tiles.other_key is None
        put(tiles, 2, 3)
        write(tiles, tmp_path / "a.fits")
    check(tmp_path / "a.fits")


def test_another_key_begins_anew(begin: Callable[..., MapTiles]) -> None:
    with begin() as tiles:
        put(tiles, 0, 1)
    with begin("b") as tiles:
        assert tiles.rows == 0
        assert tiles.other_key == {"key": "a"}
        assert len(tiles.index(PLANES[0])) == 0
    for name in ("state.json", "N.heap"):  # lost, or cut off by a full disc
        with begin() as tiles:
            put(tiles, 0, 1)
            file = tiles.folder / name
        file.write_bytes(b"")
        with begin() as tiles:
            assert tiles.rows == 0


def test_two_programs_do_not_write_one_map(begin: Callable[..., MapTiles]) -> None:
    with begin(), pytest.raises(ConfigError, match=r"another program is writing .*part; wait for it"):
        begin()


def test_a_map_that_is_read_back_otherwise_is_refused(begin: Callable[..., MapTiles], tmp_path: Path) -> None:
    with begin() as tiles:
        put(tiles, 0, 3)
        heap = bytearray(tiles.heap(PLANES[1]).read_bytes())
        heap[len(heap) // 2] ^= 4
        tiles.heap(PLANES[1]).write_bytes(heap)
        with pytest.raises(
            DataError, match=r"a.fits, FLUX: rows \d+ to \d+ read back differ from what was written"
        ):
            write(tiles, tmp_path / "a.fits")
    assert not (tmp_path / "a.fits").exists()


def test_a_full_disc_is_told(
    begin: Callable[..., MapTiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with begin() as tiles:
        put(tiles, 0, 1)
        monkeypatch.setattr(map_tiles.os, "fsync", full)
        with pytest.raises(
            DataError, match=r"part cannot be written: No space left .* it goes on where it was"
        ):
            put(tiles, 1, 2)
        monkeypatch.undo()
    with begin() as tiles:
        assert tiles.rows == 128
