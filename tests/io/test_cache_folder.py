"""Cached folders: whole or absent, one builder at a time, never an old one for new inputs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from astrocnn.errors import DataError
from astrocnn.io.cache import cached_folder, fingerprint, seal, sealed


def make(folder: Path, *, content: str = "x", n_bytes: int = 1) -> Path:
    def build(part: Path) -> None:
        (part / "data").write_text(content)
        seal(part, {"key": 1})

    whole = lambda f: sealed(f, key=1) is not None  # noqa: E731
    return cached_folder(folder, whole=whole, build=build, n_bytes=n_bytes, what="packing")


def test_fingerprint_follows_files_and_options(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("abc")
    first = fingerprint([file], {"hdu": None})
    assert fingerprint([file], {"hdu": None}) == first
    assert fingerprint([file], {"hdu": "SCI"}) != first
    os.utime(file, ns=(0, os.stat(file).st_mtime_ns + 1))
    assert fingerprint([file], {"hdu": None}) != first
    with pytest.raises(DataError, match="gone"):
        fingerprint([tmp_path / "gone"], {})


@pytest.mark.parametrize("harm", ["truncated", "no meta", "foreign", "other key", "a file"])
def test_what_is_not_whole_is_made_again(tmp_path: Path, harm: str) -> None:
    folder = make(tmp_path / "c" / "f")
    if harm == "truncated":
        (folder / "data").write_text("")
    elif harm == "no meta":
        (folder / "meta.json").unlink()
    elif harm == "foreign":
        (folder / "meta.json").write_text("[1]")
    elif harm == "other key":
        seal(folder, {"key": 2})
    else:
        import shutil

        shutil.rmtree(folder)
        folder.write_text("in the way")
    assert (make(folder, content="new") / "data").read_text() == "new"


def test_processes_at_once_share_one_result(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from astrocnn.io.cache import cached_folder
def build(part):
    print('building', flush=True)
    time.sleep(1)
    (part / 'data').write_text('x')
options = dict(whole=Path.exists, build=build, n_bytes=1, what='packing')
folder = cached_folder(Path({str(tmp_path)!r}) / 'f', **options)
assert (folder / 'data').read_text() == 'x'
"""
    start = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", code], **start) for _ in range(3)]
    results = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], results
    assert "".join(out for out, _ in results) == "building\n"


def test_left_overs_of_a_killed_process_go(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from astrocnn.io.cache import cached_folder
def build(part):
    (part / 'data').write_text('half'); os.kill(os.getpid(), 9)
cached_folder(Path({str(tmp_path)!r}) / 'f', whole=lambda f: f.exists(), build=build, n_bytes=1, what='packing')
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert any(p.suffix == ".part" for p in tmp_path.iterdir())
    make(tmp_path / "f")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".f.lock", "f"]


def test_space_is_checked_before_anything_is_written(tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    with pytest.raises(DataError, match=r"packing needs 1e\+09 GB.*ASTROCNN_CACHE"):
        make(tmp_path / "f", n_bytes=10**18)
    assert sealed(other, key=1)
    assert not (tmp_path / "f").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="ASTROCNN_CACHE"):
        make(tmp_path / "file" / "f")
