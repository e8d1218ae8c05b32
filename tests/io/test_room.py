"""Which cached folders go when room is needed, and which never do."""

import os
import time
from pathlib import Path

import pytest

from astrocnn.errors import ConfigError, DataError
from astrocnn.io.cache import cached_folder, seal, sealed
from astrocnn.io.room import make_room, mark_used

MB = 10**6


def kept(parent: Path, name: str, *, days: float, n_bytes: int = MB) -> Path:
    """A finished folder of that size, last used so many days ago."""
    folder = parent / name
    folder.mkdir()
    (folder / "data").write_bytes(bytes(n_bytes))
    seal(folder, {})
    when = time.time() - days * 86400
    os.utime(folder / "meta.json", (when, when))
    return folder


def names(parent: Path) -> list[str]:
    return sorted(path.name for path in parent.iterdir())


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four folders of 1 MB, in a cache of at most 5 MB."""
    monkeypatch.setenv("ASTROCNN_CACHE_GB", "0.005")
    for name, days in (("a", 30), ("b", 90), ("c", 8), ("d", 6)):
        kept(tmp_path, name, days=days)
    return tmp_path


def test_what_was_not_used_for_longest_goes_first(parent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_room(parent, MB // 2, "packing")
    assert names(parent) == ["a", "b", "c", "d"]
    make_room(parent, 2 * MB, "packing")
    assert names(parent) == ["c", "d"]
    said = capsys.readouterr().err.splitlines()
    assert [line.split("removing ")[1].split(" (")[0] for line in said] == [f"{parent}/b", f"{parent}/a"]
    assert "0.001 GB, last used 2" in said[0]


def test_use_counts(parent: Path) -> None:
    mark_used(parent / "b")
    make_room(parent, int(1.9 * MB), "packing")
    assert names(parent) == ["b", "c", "d"]


def test_what_was_used_within_a_week_stays_and_nothing_goes_in_vain(parent: Path) -> None:
    with pytest.raises(DataError) as caught:
        make_room(parent, int(4.5 * MB), "packing 9 cutouts")
    assert names(parent) == ["a", "b", "c", "d"]
    message = str(caught.value)
    assert message.startswith(f"packing 9 cutouts needs 0.0045 GB in {parent}, where ")
    assert (
        "ASTROCNN_CACHE_GB=0.005 is the most for all; the 4 folders there take 0.004 GB, the largest"
        in message
    )
    assert message.endswith("or set ASTROCNN_CACHE to a folder on a larger disc.")


def test_a_full_disc_makes_old_folders_go_too(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASTROCNN_CACHE_GB")
    free = {"free": 64 * 2**20}
    monkeypatch.setattr("astrocnn.io.room.shutil.disk_usage", lambda _: type("Usage", (), free))
    make_room(parent, MB, "packing")
    assert names(parent) == ["a", "c", "d"]
    with pytest.raises(DataError, match=r"needs 0.003 GB in .* where 0 GB are free; the 3 folders"):
        make_room(parent, 3 * MB, "packing")


def test_what_is_no_finished_folder_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTROCNN_CACHE_GB", "0.0001")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("x")
    with pytest.raises(DataError):
        make_room(tmp_path, MB, "packing")
    assert names(tmp_path) == ["notes"]


def test_room_is_made_for_what_is_built(parent: Path) -> None:
    def build(part: Path) -> None:
        assert "b" not in names(parent)
        (part / "data").write_bytes(bytes(MB))
        seal(part, {"key": 1})

    def whole(folder: Path) -> bool:
        return sealed(folder, key=1) is not None

    made = cached_folder(parent / "e", whole=whole, build=build, n_bytes=int(1.5 * MB), what="packing")
    assert whole(made)
    assert [name for name in names(parent) if name[0] != "."] == ["a", "c", "d", "e"]


@pytest.mark.parametrize("limit", ["much", "-1", "0", "nan"])
def test_a_limit_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setenv("ASTROCNN_CACHE_GB", limit)
    with pytest.raises(ConfigError, match="ASTROCNN_CACHE_GB"):
        make_room(tmp_path, 1, "packing")
