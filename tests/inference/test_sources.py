"""Sources of a mosaic: each once, wherever blocks meet, as if the mosaic were one block."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.spatial import cKDTree
from small_tasks import mosaic_of

from astrocnn.datasets.mosaic_rows import OpenMosaic
from astrocnn.datasets.mosaics import Layers, Mosaic
from astrocnn.inference import sources as module
from astrocnn.inference.map_planes import MapPlanes
from astrocnn.inference.source_table import source_table
from astrocnn.inference.sources import Sources, find_sources
from astrocnn.io.map_file import MapFile
from astrocnn.io.map_tiles import MapTiles, Plane
from astrocnn.io.map_writer import write_maps
from astrocnn.transforms.normalize import Normalize

CLASSES = ("background", "star", "galaxy")
RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr(module, "HALO", 16)
    monkeypatch.setattr(module, "MOST_HALO", 64)


def gaussians(
    positions: np.ndarray, peak: np.ndarray, shape: tuple[int, int], sigma: float = 1.6
) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for (x, y), height in zip(positions, peak, strict=True):
        image += height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return image


def on_seams() -> tuple[np.ndarray, np.ndarray]:
    """Positions on, and next to, every edge and corner of blocks of 64 pixels, and their peaks."""
    line = np.array([20.0, 63.5, 107.0, 127.9, 148.1])
    x, y = np.meshgrid(line, line)
    positions = np.stack([x.ravel(), y.ravel()], axis=1)
    return positions + RNG.choice([-0.3, 0.0, 0.2], positions.shape), RNG.uniform(8, 30, len(positions))


def found_in(
    folder: Path,
    image: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    variance: bool = False,
) -> tuple[dict[str, np.ndarray], np.ndarray, Mosaic]:
    """The sources of a mosaic whose maps are drawn by its light: a source is what is above 3; a star above 15.

    With positions of the ``truth`` the maps have centres and offsets too.
    """
    shape = image.shape[1:]
    light = np.nan_to_num(image).sum(0)
    source, star = light > 3, light > 15
    p = np.stack([np.where(source, 0.1, 0.9), np.where(source, np.where(star, 0.8, 0.2), 0.05)]).astype(
        np.float32
    )
    maps = dict(zip(("P_BACKGROUND", "P_STAR", "P_GALAXY"), [*p, 1 - p.sum(0)], strict=True))
    if truth is not None:
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        _, nearest = cKDTree(truth).query(np.stack([columns.ravel(), rows.ravel()], axis=1))
        x, y = truth[nearest].T.reshape(2, *shape)
        maps |= {"CENTRE": np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4)}
        maps |= {"OFFSET_Y": y - rows, "OFFSET_X": x - columns}
    maps = {
        name: np.where(np.isnan(image).all(0), np.nan, of).astype(np.float32) for name, of in maps.items()
    }
    planes = MapPlanes(tuple(Plane(name) for name in maps), (), CLASSES)
    mosaic = mosaic_of(folder, image, HEADER)
    with MapTiles(folder / "part", planes.predicted, shape, key={}) as tiles:
        tiles.put(0, 0, list(maps.values()))
        tiles.commit(shape[0])
        write_maps(folder / "maps.fits", tiles, header={}, sky=fits.Header())
    numbers = np.zeros(shape, np.int32)
    with OpenMosaic(mosaic, Layers()) as pixels, MapFile(folder / "maps.fits", list(maps)) as file:
        normalize = Normalize(n_bands=len(image))
        of = Sources(file, planes, pixels, n_bands=len(image), shape=shape, normalize=normalize)
        return find_sources(of, numbers), numbers, mosaic


HEADER = fits.Header(
    {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 40.0, "BUNIT": "nJy"}
)
HEADER.update(CRPIX1=50.0, CRPIX2=60.0, CD1_1=-1e-4, CD1_2=3e-5, CD2_1=3e-5, CD2_2=1e-4, RADESYS="ICRS")


@pytest.mark.parametrize("centres", [False, True])
def test_sources_on_every_seam_are_found_once(tmp_path: Path, centres: bool) -> None:
    positions, peak = on_seams()
    light = gaussians(positions, peak, (170, 170))
    found, numbers, _ = found_in(
        tmp_path, np.stack([light * 0.4, light * 0.6]), truth=positions if centres else None
    )
    assert len(found["x"]) == len(positions)
    off, nearest = cKDTree(positions).query(np.stack([found["x"], found["y"]], axis=1))
    assert sorted(nearest) == list(range(len(positions)))
    assert off.max() < 0.1
    np.testing.assert_array_equal(found["number"], np.arange(1, len(positions) + 1))
    np.testing.assert_array_equal(np.bincount(numbers.ravel())[1:], found["area_pix"])
    np.testing.assert_array_equal(numbers > 0, light.astype(np.float32) > 3)
    # a star is bright in more than half of its pixels
    assert set(found["label"]) <= {1, 2}


def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    positions, peak = on_seams()
    positions = np.concatenate([positions, positions + np.array([4.0, 3.0])])  # blended pairs
    image = gaussians(positions, np.concatenate([peak, peak[::-1]]), (170, 170))[None]
    blocks, numbers, _ = found_in(tmp_path / "a", image)
    monkeypatch.setattr(module, "BLOCK", 1000)
    whole, _, _ = found_in(tmp_path / "b", image)
    assert blocks["blended"].any()
    order, other = (np.lexsort((of["x"], of["y"])) for of in (blocks, whole))
    for name in ("x", "y", "area_pix", "flux", "label", "p_class", "blended"):
        np.testing.assert_allclose(blocks[name][order], whole[name][other], rtol=1e-6)
    np.testing.assert_array_equal(np.unique(numbers), np.arange(len(order) + 1))


def test_a_source_larger_than_the_surroundings_of_a_block_is_one(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:200, :220]
    for x, y in ((100.0, 100.0), (64.0, 128.0), (70.2, 65.7)):
        disc = 20.0 * (np.hypot(columns - x, rows - y) < 45)
        found, numbers, _ = found_in(tmp_path / f"{x}", disc[None])
        assert len(found["x"]) == 1
        assert found["area_pix"][0] == (disc > 0).sum() == (numbers == 1).sum()
        np.testing.assert_allclose([found["x"][0], found["y"][0]], [x, y], atol=0.2)


def test_a_mosaic_without_sources_has_none(tmp_path: Path) -> None:
    image = np.zeros((2, 80, 90))
    image[:, 10:30] = np.nan
    found, numbers, mosaic = found_in(tmp_path, image)
    assert not numbers.any()
    table = source_table(found, mosaic, classes=CLASSES, surface=(False, False))
    assert len(table) == 0
    assert {"ra", "dec_err", "x_err", "flux_b1", "flux_b2", "class", "p", "p_star"} <= set(table.colnames)


def test_fluxes_are_over_the_sky_and_gaps_are_none(tmp_path: Path) -> None:
    positions = np.array([[40.3, 50.8], [90.0, 50.0]])
    star = gaussians(positions, np.array([20.0, 20.0]), (120, 130), sigma=2.0)
    image = np.stack([star, 2 * star + 0.5])  # the second has a level
    image[1, :, 80:] = np.nan
    found, _, mosaic = found_in(tmp_path, image)
    inside = star > (3 - 0.5) / 3
    table = source_table(found, mosaic, classes=CLASSES, surface=(False, True))
    assert str(table["flux_b1"].unit) == "nJy"
    assert str(table["flux_b2"].unit) == "nJy pix"
    first = table[np.argmin(table["x"])]
    assert first["flux_b2"] == pytest.approx(2 * star[:, :80][inside[:, :80]].sum(), rel=1e-3)
    assert np.isnan(table["flux_b2"][np.argmax(table["x"])])


def test_the_catalogue_is_where_astropy_says(tmp_path: Path) -> None:
    positions, peak = on_seams()
    found, _, mosaic = found_in(tmp_path, gaussians(positions, peak, (170, 170))[None])
    table = source_table(found, mosaic, classes=CLASSES, surface=(False,))
    sky = WCS(HEADER).pixel_to_world(table["x"], table["y"])
    assert np.abs(table["ra"] - sky.ra.deg).max() < 1e-9
    assert np.abs(table["dec"] - sky.dec.deg).max() < 1e-9
    np.testing.assert_allclose(table["area_arcsec2"] / table["area_pix"], (1e-8 + 9e-10) * 3600**2, rtol=1e-5)
    chances = np.stack([table[f"p_{name}"] for name in CLASSES], axis=1)
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-5)
    label = 1 + chances[:, 1:].argmax(1)
    np.testing.assert_array_equal(np.array(CLASSES)[label], table["class"])
    np.testing.assert_array_equal(chances[np.arange(len(label)), label], table["p"])


def test_errors_of_fluxes_come_from_the_variance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    positions, peak = on_seams()
    image = gaussians(positions, peak, (170, 170))[None].astype(np.float32)
    rows = OpenMosaic.rows

    def with_variance(self: Any, top: int, bottom: int) -> np.ndarray:
        pixels = rows(self, top, bottom)
        return np.concatenate([pixels, np.full_like(pixels, 0.25)])

    monkeypatch.setattr(OpenMosaic, "rows", with_variance)
    found, _, mosaic = found_in(tmp_path, image)
    np.testing.assert_allclose(found["flux_err"][:, 0], 0.5 * np.sqrt(found["area_pix"]))
    table = source_table(found, mosaic, classes=CLASSES, surface=(False,))
    assert "flux_err_b1" in table.colnames
    np.testing.assert_array_equal(table["x_err"], found["x_err"])
    assert (table["x_err"] > 0).all()
    assert (table["x_err"] < 0.2).all()
    scale = np.hypot(1e-4, 3e-5) * 3600  # arcsec a pixel
    total = np.hypot(table["x_err"], table["y_err"]) * scale
    np.testing.assert_allclose(np.hypot(table["ra_err"], table["dec_err"]), total, rtol=1e-5)
    assert [str(table[name].unit) for name in ("x_err", "ra_err", "dec_err")] == ["pix", "arcsec", "arcsec"]
    assert table["ra_err"].description == "1 sigma of ra, times cos(dec), by the pixels' variances"
