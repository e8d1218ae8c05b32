"""Packing by real processes: at once, killed, interrupted, and over a cache that was tampered with."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.packed import PackedArray, pack
from astrocnn.errors import DataError

Write = Callable[..., np.ndarray]
PACK = """
import sys, time
import numpy as np
from astrocnn.datasets.cutouts import CutoutFiles
from astrocnn.datasets.packing import packed_folder

class Slow(CutoutFiles):
    def read(self, number, *, sky=False):
        if number == 40:
            print("reading", flush=True)
            time.sleep({seconds})
        return super().read(number, sky=sky)

files = Slow("{images}")
print(packed_folder(files, np.arange(len(files)), shape=(2, 5, 7), bands=("g", "r")))
"""


@pytest.fixture
def images(tmp_path: Path, write_cubes: Write, monkeypatch: pytest.MonkeyPatch) -> str:
    """The pattern of 70 files, with a cache of their own."""
    monkeypatch.setenv("ASTROCNN_CACHE", str(tmp_path / "cache"))
    write_cubes(70, nan=True)
    return f"{tmp_path}/img/*.fits"


def start(images: str, seconds: float) -> subprocess.Popen[str]:
    code = PACK.format(images=images, seconds=seconds)
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)


def until_reading(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix == ".part"]


def test_two_processes_share_one_result(tmp_path: Path, images: str) -> None:
    both = [start(images, 1.0) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    folders = {out.split()[-1] for out, _ in said}
    assert len(folders) == 1
    assert "".join(out for out, _ in said).count("reading") == 1
    assert sum("another process is at it; waiting" in err for _, err in said) == 1
    assert len(PackedArray(folders.pop())) == 70


def test_a_killed_packing_is_done_again(tmp_path: Path, images: str) -> None:
    process = start(images, 60)
    until_reading(process)
    process.kill()
    process.communicate()
    cache = tmp_path / "cache" / "packed"
    assert len(hidden(cache)) == 1
    # of the same set, and of any other, what was left goes
    again = start(images, 0)
    assert again.communicate(timeout=60)[0].startswith("reading")
    assert not hidden(cache)
    files = CutoutFiles(images)
    shutil.copytree(next(cache.glob("[!.]*")), cache / ".0123abcd.99.part")
    pack(files, np.arange(9), shape=(2, 5, 7), bands=("g", "r"))
    assert not hidden(cache)


def test_what_another_process_builds_stays(tmp_path: Path, images: str) -> None:
    process = start(images, 60)
    until_reading(process)
    cache = tmp_path / "cache" / "packed"
    pack(CutoutFiles(images), np.arange(9), shape=(2, 5, 7), bands=("g", "r"))
    assert len(hidden(cache)) == 1
    process.kill()
    process.communicate()


def test_an_interrupted_packing_leaves_nothing(tmp_path: Path, images: str) -> None:
    process = start(images, 60)
    until_reading(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    assert [path.name for path in (tmp_path / "cache" / "packed").iterdir() if path.suffix != ".lock"] == []


def changed_meta(folder: Path, **values: object) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | values))


def foreign(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "image.npy").write_bytes(b"somebody's")
    (folder / "meta.json").write_text('{"format": "another program", "sizes": {}}')


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: os.truncate(folder / "image.npy", 5000),
        lambda folder: os.truncate(folder / "valid.npy", 0),
        lambda folder: (folder / "valid_fraction.npy").unlink(),
        lambda folder: os.truncate(folder / "meta.json", 20),
        lambda folder: changed_meta(folder, shape=[2, 7, 5]),
        lambda folder: changed_meta(folder, bad=[[3, "a reason"]]),
        lambda folder: changed_meta(folder, version=0),
        foreign,
    ],
    ids=["cut", "emptied", "file gone", "cut meta", "shape", "bad", "version", "foreign"],
)
def test_a_damaged_cache_is_made_again(images: str, harm: Callable[[Path], object]) -> None:
    files = CutoutFiles(images)
    options = {"shape": (2, 5, 7), "bands": ("g", "r"), "sky": True}
    first = pack(files, np.arange(70), **options)  # type: ignore[arg-type]
    before = first(np.arange(70))
    harm(first.folder)
    with pytest.raises(DataError, match="not a whole packed folder"):
        PackedArray(first.folder)
    again = pack(files, np.arange(70), **options)  # type: ignore[arg-type]
    assert again.folder == first.folder
    assert all((again(np.arange(70))[key] == before[key]).all() for key in before)


def test_what_the_key_holds(images: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = CutoutFiles(images)

    def folder(numbers: np.ndarray, files: CutoutFiles = files, **options: object) -> Path:
        given = {"shape": (2, 5, 7), "bands": ("g", "r"), **options}
        return pack(files, numbers, **given).folder  # type: ignore[arg-type]

    numbers = np.arange(9)
    first = folder(numbers)
    assert folder(numbers) == first
    others = [
        folder(numbers[::-1]),
        folder(numbers[1:]),
        folder(numbers, bands=("r", "g")),
        folder(numbers, sky=True),
        folder(numbers, files=CutoutFiles(images, hdu=0)),
    ]
    path = Path(files.paths[0][0])
    moved = path.rename(path.with_name("obj00-b.fits"))
    others.append(folder(numbers, files=CutoutFiles(images)))
    moved.rename(path)
    assert folder(numbers) == first
    os.utime(path, ns=(0, time.time_ns()))
    others.append(folder(numbers))
    with open(path, "ab") as file:
        file.write(bytes(2880))
    others.append(folder(numbers))
    monkeypatch.setattr("astrocnn.datasets.packing.VERSION", 99)
    monkeypatch.setattr("astrocnn.datasets.packed.VERSION", 99)
    others.append(folder(numbers))
    assert len({first, *others}) == len(others) + 1
