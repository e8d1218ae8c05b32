"""The simulated set on disk: format, reproducibility, interruption, and that nothing but the form tells the class."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import astrocnn.simulate.jobs as jobs
import astrocnn.simulate.lenses as module
from astrocnn.errors import ConfigError, DataError
from astrocnn.simulate.lenses import simulate_lenses
from astrocnn.simulate.nonlenses import SHARES

CALL = """
import sys
import astrocnn.simulate.lenses as module
module.CHUNK = 40
if __name__ == "__main__":
    module.simulate_lenses(sys.argv[1], n_images=160, seed=3, n_workers=int(sys.argv[2]))
"""


def _digest(folder: Path) -> str:
    """One number for every byte of every file."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        total.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def _log(folder: Path) -> Path:
    return folder.parent.with_suffix(".log")


def _start(folder: Path, n_workers: int) -> subprocess.Popen[bytes]:
    """Simulate in a process group of its own, with its messages in a file."""
    with _log(folder).open("wb") as log:
        command = [sys.executable, "-c", CALL, str(folder), str(n_workers)]
        return subprocess.Popen(command, stderr=log, start_new_session=True)


def _alive(group: int) -> bool:
    """Whether any process of the group runs (one that ended and was not waited for does not)."""
    states = [Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split() for name in _processes()]
    return any(int(state[2]) == group and state[0] != "Z" for state in states)


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit() and Path(f"/proc/{name}/stat").exists()]


def _catalog(folder: Path) -> Table:
    table = Table.read(folder / "catalog.fits", character_as_bytes=False, mask_invalid=False)
    return table


def test_catalog_and_files(small_set: Path) -> None:
    table = _catalog(small_set)
    assert len(table) == 600
    assert set(table["label"]) == {0, 1}
    assert table["label"].sum() == 300
    assert set(table["kind"]) == {"lens", *SHARES}
    assert np.array_equal(table["kind"] == "lens", table["label"] == 1)
    assert sorted(path.stem for path in (small_set / "images").iterdir()) == list(table["id"])
    assert str(table["theta_E"].unit) == "arcsec"
    assert json.loads((small_set / "simulation.json").read_text())["options"]["seed"] == 11
    lens = table[table["label"] == 1]
    other = table[table["label"] == 0]
    assert np.all((lens["theta_E"] > 0.5) & (lens["theta_E"] < 3.0) & (lens["snr_arc"] > 10))
    assert np.all(np.isnan(other["theta_E"]) & np.isnan(other["snr_arc"]) & np.isnan(other["z_s"]))
    assert np.isfinite(other["z_l"][other["kind"] == "deflector"]).all()


def test_at_least_half_of_the_nonlenses_are_look_alikes() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)
    assert SHARES["deflector"] <= 0.5


def test_neither_id_nor_order_nor_header_tells_the_class(small_set: Path) -> None:
    table = _catalog(small_set)
    label = np.array(table["label"])
    runs = 1 + np.count_nonzero(np.diff(label))
    assert abs(runs - 300) < 4 * np.sqrt(600 / 4)  # Wald and Wolfowitz: as many runs as in a shuffled order
    headers = [set(fits.getheader(small_set / "images" / f"{name}.fits")) for name in table["id"][:20]]
    assert all(header == headers[0] for header in headers)


def test_cutout_has_units_bands_variance_and_the_place_of_its_target(small_set: Path) -> None:
    row = _catalog(small_set)[7]
    with fits.open(small_set / "images" / f"{row['id']}.fits") as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert (header["BUNIT"], header["MAGZERO"]) == ("nJy", 31.4)
        assert [header[f"BAND{n}"] for n in (1, 2, 3)] == ["g", "r", "i"]
        assert hdus["VARIANCE"].header["BUNIT"] == "nJy2"
        assert hdus[0].data.shape == hdus["VARIANCE"].data.shape == (3, 64, 64)
        assert np.array_equal(np.isnan(hdus[0].data), np.isnan(hdus["VARIANCE"].data))
        wcs = WCS(header).celestial
    x, y = wcs.world_to_pixel_values(row["ra"], row["dec"])
    assert (abs(x - 31.5) <= 0.51, abs(y - 31.5) <= 0.51) == (True, True)
    assert wcs.proj_plane_pixel_scales()[0].to_value("arcsec") == pytest.approx(0.2)
    east, _ = wcs.pixel_to_world_values(30.0, 31.5)
    west, _ = wcs.pixel_to_world_values(33.0, 31.5)
    assert (east - west) % 360 < 1


def test_some_pixels_are_lost(small_set: Path) -> None:
    lost = [np.isnan(fits.getdata(path)).any() for path in (small_set / "images").iterdir()]
    assert 0.03 < np.mean(lost) < 0.2


def test_the_whole_set_is_used_again_at_once(small_set: Path) -> None:
    start = time.perf_counter()
    assert simulate_lenses(small_set, n_images=600, seed=11) == small_set
    assert time.perf_counter() - start < 1.0


def test_same_bytes_for_one_and_two_workers_and_after_a_kill(tmp_path: Path) -> None:
    assert _start(tmp_path / "one", 1).wait(300) == 0
    digest = _digest(tmp_path / "one")
    killed = _start(tmp_path / "two", 2)
    while not list((tmp_path / "two.partial").glob("chunks/*.npz")):
        assert killed.poll() is None
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "two").exists()
    done = sorted((tmp_path / "two.partial" / "chunks").iterdir())
    written = done[0].stat().st_mtime_ns
    again = _start(tmp_path / "two", 2)
    while again.poll() is None and done[0].exists():
        assert done[0].stat().st_mtime_ns == written  # what was done is not done again
        time.sleep(0.05)
    assert again.wait(300) == 0
    assert _digest(tmp_path / "two") == digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_two_processes_make_one_set(tmp_path: Path) -> None:
    both = [_start(tmp_path / "set", 1) for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
    assert len(_catalog(tmp_path / "set")) == 160
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


def test_interrupt_ends_the_workers_at_once(tmp_path: Path) -> None:
    process = _start(tmp_path / "set", 2)
    while not (tmp_path / "set.partial" / "chunks").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(2.0)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(10)
    assert b"KeyboardInterrupt" in _log(tmp_path / "set").read_bytes()
    deadline = time.monotonic() + 5
    while _alive(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 12}, "seed=11 \\(asked for: 12\\)"),
        ({"depth": "year1"}, "depth='year10' \\(asked for: 'year1'\\)"),
    ],
)
def test_folder_of_another_set(small_set: Path, options: dict[str, int | str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        simulate_lenses(small_set, **({"n_images": 600, "seed": 11} | options))  # type: ignore[arg-type]


def test_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match="holds no simulated set"):
        simulate_lenses(tmp_path, n_images=4)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_images_that_went_missing(tmp_path: Path) -> None:
    folder = simulate_lenses(tmp_path / "set", n_images=4, n_workers=1)
    (folder / "images" / "000002.fits").unlink()
    with pytest.raises(DataError, match="holds 3 of 4 simulated images"):
        simulate_lenses(folder, n_images=4)


def test_disc_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda path: jobs.shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(DataError, match="has 0 MB free and the set needs"):
        simulate_lenses(tmp_path / "set", n_images=4, n_workers=1)


def test_disc_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(module, "write_cutout", full)
    with pytest.raises(DataError, match=r"000000\.fits \(No space left on device\); free some space"):
        simulate_lenses(tmp_path / "set", n_images=4, n_workers=1)
    assert not (tmp_path / "set").exists()


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="check that the folder may be written"):
        simulate_lenses(tmp_path / "file" / "set", n_images=4)


@pytest.mark.parametrize(
    "options",
    [
        {"n_images": 1},
        {"size": 63},
        {"pixel_scale_arcsec": 0.0},
        {"seed": -1},
        {"n_workers": 0},
        {"bands": ("K",)},
    ],
)
def test_options_out_of_range(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="cannot be simulated"):
        simulate_lenses(tmp_path / "set", **options)  # type: ignore[arg-type]


def test_bands_without_i_and_another_size(tmp_path: Path) -> None:
    folder = simulate_lenses(
        tmp_path / "set", n_images=6, bands=("u", "y"), size=48, depth="year1", n_workers=1
    )
    assert fits.getdata(folder / "images" / "000000.fits").shape == (2, 48, 48)
    assert np.isfinite(_catalog(folder)["mag_arc_i"][_catalog(folder)["label"] == 1]).all()
    assert {"seeing_u", "seeing_y"} < set(_catalog(folder).colnames)
