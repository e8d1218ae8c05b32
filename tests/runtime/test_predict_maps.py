"""predict.py with data=mosaic: maps of a closed form, sources where they are, and every way to go on or to go wrong."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from map_runs import CLASSES, probabilities, save_run, sky_header, sources
from scipy.spatial import cKDTree

from astrocnn import __version__
from astrocnn.io.tables import read_table
from astrocnn.tasks.segmentation import SegmentationTask

SHAPE = (330, 130)
RNG = np.random.default_rng(3)
POSITIONS = np.array(
    [(x, y, RNG.uniform(6, 40)) for x in (12.3, 63.6, 100.2) for y in (15.1, 90.8, 127.6, 180.2, 290.5)]
)
Command = Callable[..., int]
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "predict.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(tmp_path_factory.mktemp("runs") / "maps", bands=["g", "r"], flux_unit="nJy")


@pytest.fixture
def image(tmp_path: Path) -> np.ndarray:
    """``field_g.fits`` and ``field_r.fits`` with a gap, and their pixels."""
    light = sources([tuple(position) for position in POSITIONS], SHAPE)
    image = np.stack([0.4 * light, 0.6 * light])
    image[:, 40:50, 30:90] = np.nan
    image[0, 70:75] = np.nan
    for band, plane in zip("gr", image, strict=True):
        fits.PrimaryHDU(plane, sky_header(SHAPE)).writeto(tmp_path / f"field_{band}.fits")
    return image


@pytest.fixture
def words(trained: Path, tmp_path: Path) -> list[str]:
    images = f"{{g: {tmp_path}/field_g.fits, r: {tmp_path}/field_r.fits}}"
    return [
        f"run={trained}", "data=mosaic", f"data.images={images}", "data.window=80", f"output={tmp_path}/maps",
        "device=cpu",
    ]  # fmt: skip


def read(path: Path, name: str) -> np.ndarray:
    with fits.open(path) as hdus:
        return np.array(hdus[name].data)


def test_maps_sources_and_regions(
    image: np.ndarray, words: list[str], command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("predict", *words, "instances=true") == 0
    rate = re.search(
        r"maps of 330 × 130 pixels in .*field_maps.fits: (\S+) unique Mpix/s", capsys.readouterr().out
    )
    assert rate is not None
    assert 0 < float(rate[1]) < 1000
    folder = tmp_path / "maps"
    assert sorted(path.name for path in folder.iterdir()) == [
        "field.reg", "field_catalog.fits", "field_instances.fits", "field_maps.fits",
    ]  # fmt: skip
    truth = probabilities(image)
    for name, plane in zip(CLASSES, truth, strict=True):
        np.testing.assert_allclose(read(folder / "field_maps.fits", f"P_{name.upper()}"), plane, atol=1e-5)
    classes = read(folder / "field_maps.fits", "CLASS")
    np.testing.assert_array_equal(classes < 0, np.isnan(truth[0]))

    with fits.open(folder / "field_maps.fits") as hdus:
        header = hdus["CLASS"].header
        assert [header[f"CLASS{n}"] for n in range(3)] == CLASSES
        corners = np.array([0, 129, 0, 129]), np.array([0, 0, 329, 329])
        there = WCS(hdus["P_STAR"].header).all_pix2world(*corners, 0)
        np.testing.assert_allclose(there, WCS(sky_header(SHAPE)).all_pix2world(*corners, 0), atol=1e-12)
        for hdu in hdus:
            assert hdu.header["CREATOR"] == f"astrocnn {__version__}"
            assert re.fullmatch("[0-9a-f]{32}", hdu.header["CKPTSHA"] + hdu.header["CFGSHA"])
            assert hdu.header["BAND2"] == "r"

    table = read_table(folder / "field_catalog.fits")
    assert table.meta["CLASSES"] == ",".join(CLASSES)
    expected = WCS(sky_header(SHAPE)).all_pix2world(POSITIONS[:, 0], POSITIONS[:, 1], 0)
    scale = 0.2 / 3600
    cosine = np.cos(np.radians(2.2))
    tree = cKDTree(np.stack([expected[0] * cosine, expected[1]], axis=1) / scale)
    off, nearest = tree.query(np.stack([table["ra"] * cosine, table["dec"]], axis=1) / scale)
    assert sorted(nearest) == list(range(len(POSITIONS)))
    assert np.median(off) < 0.1
    assert str(table["flux_g"].unit) == "nJy"
    numbers = read(folder / "field_instances.fits", "INSTANCE")
    np.testing.assert_array_equal(numbers == -1, classes == -1)
    np.testing.assert_array_equal(np.bincount(numbers[numbers > 0])[1:], table["area_pix"])
    assert (folder / "field.reg").read_text().count("circle(") == len(table)


def test_the_same_command_again_keeps_what_is_there(
    image: np.ndarray, words: list[str], command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("predict", *words) == 0
    maps, catalog = (tmp_path / "maps" / f"field_{name}.fits" for name in ("maps", "catalog"))
    before = maps.stat().st_mtime_ns, catalog.stat().st_mtime_ns
    assert command("predict", *words) == 0
    said = capsys.readouterr().out
    assert "is there already, by the same run from the same pixels" in said
    assert "overwrite=true lists them again" in said
    assert (maps.stat().st_mtime_ns, catalog.stat().st_mtime_ns) == before
    assert command("predict", *words, "catalog=votable") == 0
    assert maps.stat().st_mtime_ns == before[0]
    again = read_table(tmp_path / "maps" / "field_catalog.xml")
    np.testing.assert_allclose(again["ra"], read_table(catalog)["ra"])
    assert again.meta["CKPTSHA"] == read_table(catalog).meta["CKPTSHA"]

    other = [word for word in words if not word.startswith("data.window")]
    assert command("predict", *other, "data.window=72") == 1
    assert "exists, by another run or of other pixels; give another output=..., or" in capsys.readouterr().err
    assert command("predict", *other, "data.window=72", "overwrite=true") == 0
    assert maps.stat().st_mtime_ns != before[0]


class Stopped(BaseException):
    """Stands for a kill."""


def test_a_killed_command_goes_on_at_its_stripe(
    image: np.ndarray,
    words: list[str],
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    predict, seen = SegmentationTask.predict, []

    def counted(task: SegmentationTask, batch: dict) -> dict:
        seen.append(batch["image"].shape[-1])
        if len(seen) == stop:
            raise Stopped
        return predict(task, batch)

    monkeypatch.setattr(SegmentationTask, "predict", counted)
    stop = -1
    assert command("predict", *words) == 0
    in_one_go, n_all = read(tmp_path / "maps" / "field_maps.fits", "P_STAR"), len(seen)
    shutil.rmtree(tmp_path / "maps")

    seen.clear()
    stop = n_all - 1
    with pytest.raises(Stopped):
        command("predict", *words)
    assert not (tmp_path / "maps" / "field_maps.fits").exists()
    seen.clear()
    stop = -1
    assert command("predict", *words) == 0
    assert re.search(r"field: going on at row \d+ of \d+\.", capsys.readouterr().err)
    assert len(seen) < n_all - 1
    np.testing.assert_array_equal(read(tmp_path / "maps" / "field_maps.fits", "P_STAR"), in_one_go)
    assert not (tmp_path / "maps" / "field_maps.part").exists()


def test_what_other_pixels_began_is_not_gone_on_with(
    image: np.ndarray, words: list[str], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    predict, seen = SegmentationTask.predict, []

    def stopped(task: SegmentationTask, batch: dict) -> dict:
        seen.append(1)
        if len(seen) == 30:
            raise KeyboardInterrupt
        return predict(task, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentationTask, "predict", stopped)
        assert command("predict", *words) == 130
    assert re.search(r"Stopped with \d+ of 330 rows done; the same command goes on", capsys.readouterr().err)
    fits.PrimaryHDU(image[0] * 2, sky_header(SHAPE)).writeto(tmp_path / "field_g.fits", overwrite=True)
    assert command("predict", *words) == 0
    assert "field_maps.part was begun otherwise (INPSHA): starting anew" in capsys.readouterr().err
    truth = probabilities(np.stack([image[0] * 2, image[1]]))
    np.testing.assert_allclose(read(tmp_path / "maps" / "field_maps.fits", "P_STAR"), truth[1], atol=1e-5)


def test_without_a_wcs_positions_are_pixels(
    image: np.ndarray, words: list[str], command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for band, plane in zip("gr", image, strict=True):
        fits.PrimaryHDU(plane, fits.Header({"BUNIT": "nJy"})).writeto(
            tmp_path / f"field_{band}.fits", overwrite=True
        )
    assert command("predict", *words) == 0
    assert "field has no WCS: positions are pixels, the first is (0, 0)" in capsys.readouterr().err
    table = read_table(tmp_path / "maps" / "field_catalog.fits")
    assert "ra" not in table.colnames
    off, _ = cKDTree(POSITIONS[:, :2]).query(np.stack([table["x"], table["y"]], axis=1))
    assert np.median(off) < 0.1
    assert "\nimage\n" in (tmp_path / "maps" / "field.reg").read_text()


def test_what_the_mosaic_lacks_is_said(
    image: np.ndarray, words: list[str], command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("predict", *words) == 0
    said = capsys.readouterr().err
    assert "has no WCS" not in said
    assert "is missing" not in said
    fits.PrimaryHDU(image[1], fits.Header({"BUNIT": "nJy"})).writeto(
        tmp_path / "field_r.fits", overwrite=True
    )
    assert command("predict", *words, "overwrite=true") == 0
    said = capsys.readouterr().err
    assert (
        f"band r ({tmp_path}/field_r.fits) has no WCS: its pixels are taken for those of the other bands"
        in said
    )
    words = [word for word in words if not word.startswith("data.images")] + ["data.missing_band=invalid"]
    assert command("predict", *words, f"data.images={{g: {tmp_path}/field_g.fits}}", "overwrite=true") == 0
    said = capsys.readouterr().err
    assert (
        "band r is missing, and the network has never seen that: the run was trained without augment.band"
        in said
    )
    assert (
        command("predict", *words, f"data.images={{g: {tmp_path}/field_g.fits, q: {tmp_path}/field_r.fits}}")
        == 1
    )
    assert "data.images has the band q, and the bands that are wanted are g, r" in capsys.readouterr().err


def test_windows_that_are_mostly_overlap_are_told_of(
    image: np.ndarray, words: list[str], command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 330 × 130 pixels in windows of 60, of which 24 at each side are lost and 4 blended: 35 × 10 windows."""
    words = [word for word in words if not word.startswith("data.window")]
    assert command("predict", *words, "data.window=60") == 0
    share = 1 - 330 * 130 / (35 * 60 * 10 * 60)
    assert f"data.window=60: {100 * share:.0f} % of the pixels that the network sees are overlap" in (
        capsys.readouterr().err
    )
    assert command("predict", *words, "data.window=128", "overwrite=true") == 0
    assert "overlap" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["data.window=512"], r"data.window=512: a window is not larger than the mosaic, 330 × 130 pixels"),
        (["data.window=66"], r"data.window=66: .* the nearest are 64 and 68"),
        (["data.window=0"], r"data.window=0: .*, from 56 on here; the nearest are 56 and 60"),
        (["data.images={g: field_g.fits}"], r"has no band r; it has g; name the files of all bands"),
        (
            ["data.bands=[r,g]"],
            r"the run was trained on bands \['g', 'r'\], in this order, and the data have \['r'",
        ),
        (["catalog=fit"], r"catalog='fit' is not known; choose from fits, parquet, votable"),
        (["data.images={g: field_g.fits, r: none.fits}"], r"no file matches data.images.r='none.fits'"),
    ],
)
def test_what_cannot_be_is_said(
    more: list[str], message: str, image: np.ndarray, words: list[str], command: Command, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = {word.partition("=")[0] for word in more}
    kept = [word for word in words if word.partition("=")[0] not in given]
    assert command("predict", *kept, *more) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "maps").exists()


def test_without_data_the_images_are_asked_for(
    trained: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("predict", f"run={trained}") == 1
    assert "name the images to be mapped with data=mosaic data.images=..." in capsys.readouterr().err


def test_cutouts_are_not_mapped(trained: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("predict", f"run={trained}", "data=cutouts", "data.images=x/*.fits") == 1
    said = capsys.readouterr().err
    assert "name the images to be mapped with data=mosaic data.images=...; data=cutouts came." in said
    assert len(said.splitlines()) == 1


def test_radio_images_with_gaps_run_through(
    realdata: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    """40 % of the pixels are NaN; the projection's reference is the south pole; fluxes are by the beam."""
    run = save_run(tmp_path / "run", bands=["any"])
    path = realdata("radio") / "1904-66_SIN.fits"
    words = [f"run={run}", "data=mosaic", f"data.images={path}", "data.window=128", "device=cpu"]
    assert command("predict", *words, f"output={tmp_path}/maps") == 0
    p = read(tmp_path / "maps" / "1904-66_SIN_maps.fits", "P_STAR")
    np.testing.assert_array_equal(np.isnan(p), np.isnan(fits.getdata(path)))
    assert 0.38 < np.isnan(p).mean() < 0.42


def test_galactic_coordinates_become_ra_and_dec(
    realdata: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    """The Spitzer image is GLON-CAR; sources are where its own catalogue, made by others, has them."""
    run = save_run(tmp_path / "run", bands=["ch1"])
    folder = realdata("fits/photutils")
    pixels = fits.getdata(folder / "spitzer_example_image.fits")
    sky, noise = np.nanmedian(pixels), 1.4826 * np.nanmedian(np.abs(pixels - np.nanmedian(pixels)))
    import torch

    from astrocnn.runtime.checkpoint import best_checkpoint

    state = torch.load(best_checkpoint(run), weights_only=True)
    state["state_dict"]["normalize.sky"].fill_(float(sky))
    state["state_dict"]["normalize.noise"].fill_(float(noise))
    torch.save(state, best_checkpoint(run))
    path = folder / "spitzer_example_image.fits"
    words = [f"run={run}", "data=mosaic", f"data.images={path}", "device=cpu", f"output={tmp_path}/maps"]
    assert command("predict", *words) == 0
    found = read_table(tmp_path / "maps" / "spitzer_example_image_catalog.fits")
    known = read_table(folder / "spitzer_example_catalog.xml")
    from astropy.coordinates import SkyCoord

    theirs = SkyCoord(known["l"], known["b"], unit="deg", frame="galactic").icrs
    ours = SkyCoord(found["ra"], found["dec"], unit="deg")
    bright = theirs[np.argsort(-np.asarray(known["f4_5"]))[:40]] if "f4_5" in known.colnames else theirs
    _, distance, _ = bright.match_to_catalog_sky(ours)
    assert np.median(distance.arcsec) < 0.4  # a third of a pixel
    assert str(found["flux_ch1"].unit) == "MJy pix / sr"


@pytest.mark.slow
def test_kill_9_and_again(image: np.ndarray, words: list[str], command: Command, tmp_path: Path) -> None:
    """As the terminal has it: killed three times while the windows run, the command ends with the same maps."""
    light = sources([(x, y, 20.0) for x in range(10, 900, 37) for y in range(10, 900, 41)], (900, 900))
    for band in "gr":
        path = tmp_path / f"field_{band}.fits"
        fits.PrimaryHDU(light / 2, sky_header(light.shape)).writeto(path, overwrite=True)
    words = [word.replace("window=80", "window=200") for word in words]
    assert command("predict", *words) == 0
    expected = read(tmp_path / "maps" / "field_maps.fits", "P_STAR")
    shutil.rmtree(tmp_path / "maps")
    state = tmp_path / "maps" / "field_maps.part" / "state.json"
    for _ in range(3):
        before = state.read_text() if state.exists() else ""
        process = subprocess.Popen([sys.executable, str(SCRIPT), *words])
        while process.poll() is None and (not state.exists() or state.read_text() == before):
            time.sleep(0.01)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < json.loads(state.read_text())["rows"] < 900
    subprocess.run([sys.executable, str(SCRIPT), *words], check=True)
    np.testing.assert_array_equal(read(tmp_path / "maps" / "field_maps.fits", "P_STAR"), expected)
    assert (tmp_path / "maps" / "field_catalog.fits").exists()


def test_a_mosaic_of_another_unit_and_band_is_mapped_by_its_own_noise(
    image: np.ndarray, words: list[str], command: Command, tmp_path: Path, trained: Path
) -> None:
    """The same sky in another unit, on another sky level and without a band gives maps by its own levels."""
    for band in "gr":
        with fits.open(tmp_path / f"field_{band}.fits", mode="update") as hdus:
            hdus[0].data = (hdus[0].data + RNG.normal(0, 0.05, SHAPE)) * 1e-9 + 7e-9
            hdus[0].header["BUNIT"] = "nJy"
    own = [word for word in words if not word.startswith("output")]
    assert command("predict", *own, "levels=own", f"output={tmp_path}/own") == 0
    header = fits.getheader(tmp_path / "own" / "field_maps.fits")
    assert header["LEVELS"] == "own"
    found = read_table(tmp_path / "own" / "field_catalog.fits")
    assert len(found) >= len(POSITIONS)
    alone = [
        word if not word.startswith("data.images") else f"data.images={{g: {tmp_path}/field_g.fits}}"
        for word in own
    ]
    assert command("predict", *alone, "levels=own", f"output={tmp_path}/alone") == 1
    assert (
        command("predict", *alone, "levels=own", "data.missing_band=invalid", f"output={tmp_path}/alone") == 0
    )
    with fits.open(next((tmp_path / "alone").glob("*_maps.fits"))) as hdus:
        assert hdus["CLASS"].header.comments["BAND2"] == "not there"
        assert np.isfinite(hdus["P_STAR"].data).any()


def test_levels_of_another_kind_are_refused(
    words: list[str], image: np.ndarray, command: Command, capsys
) -> None:
    assert command("predict", *words, "levels=mine") == 1
    assert "levels='mine' is not known; choose from" in capsys.readouterr().err
