"""Simulated scenes on disk: format, truth that follows from the stamps, photometry, noise, reproducibility."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

import astrocnn.simulate.jobs as jobs
import astrocnn.simulate.scenes as module
from astrocnn.errors import ConfigError, DataError
from astrocnn.simulate.observe import MOFFAT_BETA, Survey, moffat_radius
from astrocnn.simulate.scenes import simulate_scenes

BANDS = ("g", "r", "i", "z")
SIZE = 96
N = 12
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small scenes as dense as by default."""
    folder = tmp_path_factory.mktemp("scenes") / "crowded"
    return simulate_scenes(folder, n_scenes=N, size=SIZE, seed=5, n_workers=1)


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes that are almost empty but for stars."""
    folder = tmp_path_factory.mktemp("scenes") / "sparse"
    return simulate_scenes(folder, n_scenes=8, density=1, depth="year1", seed=6, n_workers=1)


def _table(folder: Path, name: str) -> Table:
    return Table.read(folder / name, character_as_bytes=False, mask_invalid=False)


def _objects(folder: Path, name: str) -> Table:
    table = _table(folder, "objects.fits")
    return table[table["id"] == name]


def _stamps(folder: Path, name: str) -> list[tuple[slice, slice, Array]]:
    """Rows, columns and pixels of every object's stamp."""
    stamps = []
    for row in fits.getdata(folder / "stamps" / f"{name}.fits", "STAMPS"):
        xmin, ymin, nx, ny = (int(row[key]) for key in ("xmin", "ymin", "nx", "ny"))
        image = row["pixels"].astype(float).reshape(-1, ny, nx)
        stamps.append((slice(ymin, ymin + ny), slice(xmin, xmin + nx), image))
    return stamps


def _clean(folder: Path, name: str, size: int) -> Array:
    scene = np.zeros((len(BANDS), size, size))
    for rows, columns, image in _stamps(folder, name):
        scene[:, rows, columns] += image
    return scene


def _sky_variance(folder: Path) -> Array:
    """Of the least pixel in each band, where the image is not positive and the stated variance is the sky's alone."""
    variance = np.stack([fits.getdata(path, "VARIANCE") for path in sorted((folder / "images").iterdir())])
    return np.nanmin(variance, axis=(0, 2, 3)).astype(float)


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        total.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def test_every_scene_has_an_image_labels_stamps_and_a_row(crowded: Path) -> None:
    scenes = _table(crowded, "catalog.fits")
    assert scenes["id"].tolist() == [f"{n:06d}" for n in range(N)]
    for folder in ("images", "labels", "stamps"):
        assert [path.stem for path in sorted((crowded / folder).iterdir())] == scenes["id"].tolist()
    objects = _table(crowded, "objects.fits")
    for scene in scenes:
        mine = objects[objects["id"] == scene["id"]]
        assert mine["number"].tolist() == list(range(1, scene["n_objects"] + 1))
        assert len(_stamps(crowded, scene["id"])) == len(mine)
        assert np.mean(mine["blended"][~mine["ignore"]]) == pytest.approx(scene["blended"])
    assert set(objects["label"]) == {1, 2, 3, 4}
    assert objects["mag_i"] == pytest.approx(objects["mag"])
    assert objects["flux_r"] == pytest.approx(10 ** (0.4 * (31.4 - objects["mag_r"])))
    assert np.array_equal(objects["ignore"], objects["snr"] < 5)
    assert np.array_equal(objects["scored"], objects["snr"] > 30)
    units = {"ra": "deg", "x": "pix", "flux_g": "nJy", "mag_z": "mag", "radius": "arcsec"}
    assert {name: str(objects[name].unit) for name in units} == units
    assert json.loads((crowded / "simulation.json").read_text())["options"]["density"] == 80


def test_six_hundred_scenes_are_split_into_400_80_and_120(crowded: Path) -> None:
    split = module._split(600)
    assert (split[:400] == "train").all()
    assert (split[400:480] == "val").all()
    assert (split[480:] == "test").all()
    assert _table(crowded, "catalog.fits")["split"].tolist() == ["train"] * 8 + ["val"] * 2 + ["test"] * 2


def test_images_and_labels_have_the_sky_of_the_catalogues(crowded: Path) -> None:
    for scene in _table(crowded, "catalog.fits")[:3]:
        with fits.open(crowded / "images" / f"{scene['id']}.fits") as hdus:
            hdus.verify("exception")
            header = hdus[0].header
            assert [header[f"BAND{n}"] for n in range(1, 5)] == list(BANDS)
            assert (header["BUNIT"], header["MAGZERO"]) == ("nJy", 31.4)
            assert np.array_equal(np.isnan(hdus[0].data), np.isnan(hdus["VARIANCE"].data))
            wcs = WCS(header).celestial
        objects = _objects(crowded, scene["id"])
        x, y = wcs.world_to_pixel_values(objects["ra"], objects["dec"])
        assert x == pytest.approx(objects["x"], abs=1e-4)
        assert y == pytest.approx(objects["y"], abs=1e-4)
        middle = wcs.world_to_pixel_values(scene["ra"], scene["dec"])
        assert np.array(middle) == pytest.approx((SIZE - 1) / 2, abs=1e-4)
        with fits.open(crowded / "labels" / f"{scene['id']}.fits") as hdus:
            hdus.verify("exception")
            for name in ("CLASS", "INSTANCE"):
                there = WCS(hdus[name].header).world_to_pixel_values(scene["ra"], scene["dec"])
                assert np.array(there) == pytest.approx((SIZE - 1) / 2, abs=1e-4)


def test_truth_follows_from_the_stamps(crowded: Path) -> None:
    """Footprints, dominance, boxes and blends are worked out anew, pixel by pixel, from what is on disk."""
    weight = 1 / _sky_variance(crowded)
    sigma = np.sqrt(weight.sum())  # of the weighted sum of the sky
    for name in _table(crowded, "catalog.fits")["id"][:4]:
        objects, light = _objects(crowded, name), []
        for rows, columns, image in _stamps(crowded, name):
            alone = np.zeros((SIZE, SIZE))
            alone[rows, columns] = np.tensordot(weight, image, axes=1) / sigma
            light.append(alone)
        light_of = np.array(light)  # (N, H, W)
        footprints = light_of > 1
        assert objects["area_pix"] == pytest.approx(footprints.sum(axis=(1, 2)), abs=1)
        owner = np.where(footprints.any(axis=0), light_of.argmax(axis=0) + 1, 0)
        ignored = np.concatenate([[False], objects["ignore"]])
        label = np.concatenate([[0], objects["label"]])
        with fits.open(crowded / "labels" / f"{name}.fits") as hdus:
            instances, classes = hdus["INSTANCE"].data, hdus["CLASS"].data
        # a pixel within rounding of 1σ or of a tie may fall either way
        assert np.mean(instances != np.where(ignored[owner], -1, owner)) < 2e-4
        assert np.mean(classes != np.where(ignored[owner], -1, label[owner])) < 2e-4
        for n, footprint in enumerate(footprints):
            near = binary_dilation(footprint, np.ones((3, 3)))
            touches = any((near & other).any() for k, other in enumerate(footprints) if k != n)
            assert objects["blended"][n] == touches
            y, x = np.nonzero(footprint)
            row = objects[n]
            if np.ptp(x) >= 5 and np.ptp(y) >= 5:
                box = (x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5)
                assert [row[key] for key in ("x0", "y0", "x1", "y1")] == pytest.approx(box, abs=1)
            assert min(row["x1"] - row["x0"], row["y1"] - row["y0"]) >= 5


def test_a_scene_is_the_sum_of_its_stamps_and_noise(crowded: Path) -> None:
    gain = Survey.of("year10", BANDS, 0.2).electrons_per_njy[:, None, None]
    sky = _sky_variance(crowded)[:, None, None]
    pulls, bright = [], []
    for name in _table(crowded, "catalog.fits")["id"]:
        clean = _clean(crowded, name, SIZE)
        image = fits.getdata(crowded / "images" / f"{name}.fits")
        pull = (image - clean) / np.sqrt(sky + np.maximum(clean, 0) / gain)
        pulls.append(pull)
        bright.append(clean > 10 * np.sqrt(sky))
    pull, on_objects = np.array(pulls), np.array(bright)
    for band in range(len(BANDS)):
        assert np.nanmean(pull[:, band]) == pytest.approx(0, abs=0.02)
        assert np.nanstd(pull[:, band]) == pytest.approx(1, abs=0.02)
    assert np.nanmean(pull[on_objects]) == pytest.approx(0, abs=0.03)
    assert np.nanstd(pull[on_objects]) == pytest.approx(1, abs=0.03)


def test_stars_measured_in_an_aperture_have_their_catalogued_flux(sparse: Path) -> None:
    radius = 8.0
    pulls = []
    scenes = _table(sparse, "catalog.fits")
    for scene in scenes:
        objects = _objects(sparse, scene["id"])
        with fits.open(sparse / "images" / f"{scene['id']}.fits") as hdus:
            image, variance = hdus[0].data.astype(float), hdus["VARIANCE"].data.astype(float)
        y, x = np.mgrid[: image.shape[1], : image.shape[2]]
        away = np.hypot(objects["x"][:, None] - objects["x"], objects["y"][:, None] - objects["y"])
        alone = (away + 999 * np.eye(len(objects))).min(axis=1) > 30
        inside = np.all([(objects[k] > radius) & (objects[k] < 255 - radius) for k in "xy"], axis=0)
        for star in objects[(objects["label"] == 1) & alone & inside & (objects["mag"] > 17)]:
            # a pixel counts by its part inside the circle, taken as linear over the pixel's width
            part = np.clip(radius + 0.5 - np.hypot(x - star["x"], y - star["y"]), 0, 1)
            for band, flux in enumerate(image):
                a = moffat_radius(scene[f"seeing_{BANDS[band]}"]) / 0.2
                enclosed = 1 - (1 + (radius / a) ** 2) ** (1 - MOFFAT_BETA)
                error = np.sqrt((part**2 * variance[band]).sum() + (0.002 * star[f"flux_{BANDS[band]}"]) ** 2)
                pulls.append(((part * flux).sum() - enclosed * star[f"flux_{BANDS[band]}"]) / error)
    measured = np.array(pulls)[np.isfinite(pulls)]
    assert len(measured) > 60
    assert np.mean(measured) == pytest.approx(0, abs=4 / np.sqrt(len(measured)))
    assert 0.75 < np.std(measured) < 1.25


def test_sky_noise_gives_the_stated_depth(sparse: Path) -> None:
    """Ivezić et al. (2019): 5σ point sources of ten years' i band are 26.8 mag; a tenth of the visits, 1.25 less."""
    image = np.stack([fits.getdata(path) for path in sorted((sparse / "images").iterdir())])
    clean = np.stack([_clean(sparse, name, 256) for name in _table(sparse, "catalog.fits")["id"]])
    sky = image[:, 2][(clean[:, 2] < 0.1) & np.isfinite(image[:, 2])].astype(float)
    a = moffat_radius(Survey.of("year1", BANDS, 0.2).seeing_arcsec[2]) / 0.2
    # the integral of the squared profile: 1 / effective area, in pixels
    squared = (MOFFAT_BETA - 1) ** 2 / (np.pi * a**2 * (2 * MOFFAT_BETA - 1))
    depth = 31.4 - 2.5 * np.log10(5 * sky.std() / np.sqrt(squared))
    assert depth == pytest.approx(26.8 - 1.25, abs=0.06)


def test_faint_objects_are_ignored(sparse: Path) -> None:
    objects = _table(sparse, "objects.fits")
    assert 0 < objects["ignore"].sum() < len(objects) / 2
    assert objects["mag"][objects["ignore"]].min() > 24
    labels = [fits.getdata(path, "CLASS") for path in sorted((sparse / "labels").iterdir())]
    assert set(np.unique(labels)) >= {-1, 0, 1}


def test_equal_bytes_with_two_workers_and_after_an_interruption(
    crowded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"n_scenes": N, "size": SIZE, "seed": 5}
    assert _digest(simulate_scenes(tmp_path / "two", n_workers=2, **options)) == _digest(crowded)

    write, written = module.write_stamps, []

    def interrupted(path: Path, *args: Any, **kwargs: Any) -> None:
        written.append(path)
        write(path, *args, **kwargs)
        if len(written) == 9:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_stamps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate_scenes(tmp_path / "cut", n_workers=1, **options)
    assert not (tmp_path / "cut").exists()
    written.clear()
    assert _digest(simulate_scenes(tmp_path / "cut", n_workers=1, **options)) == _digest(crowded)
    assert len(written) == N // 2  # the chunk that was whole is not made again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "two"]


def test_an_empty_sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("astrocnn.simulate.survey_scene.STARS_PER_ARCMIN2", 0.0)
    folder = simulate_scenes(
        tmp_path / "set", n_scenes=1, size=32, density=0, correlated_noise=True, n_workers=1
    )
    assert len(_table(folder, "objects.fits")) == 0
    assert not fits.getdata(folder / "labels" / "000000.fits", "CLASS").any()


def test_a_set_of_other_options_or_with_missing_files(crowded: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"density=80.0 \(asked for: 65.0\)"):
        simulate_scenes(crowded, n_scenes=N, size=SIZE, seed=5, density=65)
    folder = simulate_scenes(tmp_path / "set", n_scenes=2, size=32, n_workers=1)
    (folder / "labels" / "000001.fits").unlink()
    with pytest.raises(DataError, match="holds 1 of 2 simulated labels: files were removed"):
        simulate_scenes(folder, n_scenes=2, size=32)


def test_disc_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda path: jobs.shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(DataError, match=r"or simulate fewer scenes \(n_scenes=...\)"):
        simulate_scenes(tmp_path / "set", n_scenes=2, n_workers=1)


@pytest.mark.parametrize(
    "options",
    [
        {"n_scenes": 0},
        {"size": 63},
        {"pixel_scale_arcsec": 1.0},
        {"density": -1},
        {"seed": -1},
        {"n_workers": 0},
        {"bands": ("r", "r")},
        {"depth": "year2"},
    ],
)
def test_options_out_of_range(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"cannot be simulated|is not known"):
        simulate_scenes(tmp_path / "set", **options)
