"""Simulated galaxies of a photometric-redshift survey against what can be measured on them by other means."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from astrocnn.errors import ConfigError, DataError
from astrocnn.simulate.observe import Survey
from astrocnn.simulate.photoz import simulate_photoz
from astrocnn.simulate.photoz_chunk import PhotozChunk, PhotozOptions, completeness, make_galaxies
from astrocnn.simulate.templates import BANDS, to_flux


@pytest.fixture(scope="module")
def chunk() -> PhotozChunk:
    return make_galaxies(PhotozOptions(300, "year10", BANDS, 48, 3), 0, 300)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_photoz(tmp_path_factory.mktemp("photoz") / "set", n_images=240, seed=7, n_workers=1)


def _catalog(folder: Path) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Table.read(folder / "catalog.fits", character_as_bytes=False)


def _true_flux(chunk: PhotozChunk) -> np.ndarray:
    return np.stack([to_flux(chunk.columns[f"true_{band}"]) for band in BANDS], axis=1)


def test_galaxy_alone_has_the_catalogues_flux_and_place(chunk: PhotozChunk) -> None:
    small = chunk.columns["true_radius_arcsec"] < 0.4
    light = chunk.clean.astype(float)
    flux = light.sum(axis=(2, 3))
    assert flux[small] == pytest.approx(_true_flux(chunk)[small], rel=0.02)
    y, x = np.mgrid[:48, :48]
    total = light.sum(axis=1)
    found = np.stack([(total * axis).sum((1, 2)) / total.sum((1, 2)) for axis in (x, y)], axis=1)
    assert np.abs(found - chunk.place)[small].max() < 0.15  # wings beyond the stamp


def test_noise_is_as_stated_far_from_all_light(chunk: PhotozChunk) -> None:
    survey = Survey.of("year10", BANDS, 0.2)
    assert np.isfinite(chunk.image).all()
    # Pixels that the stated variance knows as sky alone, in stamps without bright galaxies.
    for b in range(len(BANDS)):
        sky = survey.sky_variance[b]
        corner = chunk.image[:, b, :6, :6].astype(float)
        quiet = np.median(corner, axis=(1, 2)) < 0.5 * np.sqrt(sky)
        assert quiet.mean() > 0.6
        spread = 1.4826 * np.median(np.abs(corner[quiet] - np.median(corner[quiet])))
        assert spread == pytest.approx(np.sqrt(sky), rel=0.06)
        assert np.median(chunk.variance[:, b, :6, :6][quiet]) == pytest.approx(sky, rel=0.06)


def test_photometry_scatters_about_the_truth_by_its_errors(chunk: PhotozChunk) -> None:
    alone = (chunk.columns["blending"] < 0.003) & (chunk.columns["true_radius_arcsec"] < 0.25)
    assert alone.sum() > 60
    for band in "griz":
        mag, error = chunk.columns[f"mag_{band}"][alone], chunk.columns[f"mag_err_{band}"][alone]
        away = mag - chunk.columns[f"true_{band}"][alone]
        assert np.median(away) == pytest.approx(0.0, abs=0.06)
        assert np.median(np.abs(away / np.hypot(error, 0.03))) < 1.2


def test_depth_is_that_of_ten_years(chunk: PhotozChunk) -> None:
    # A compact galaxy's error at the 5 sigma depth of Ivezic et al. (2019) is 0.2 mag or, in a wider aperture, more.
    for band, depth in zip("griz", (27.4, 27.5, 26.8, 26.1), strict=True):
        mag, error = chunk.columns[f"mag_{band}"], chunk.columns[f"mag_err_{band}"]
        compact = (chunk.columns["true_radius_arcsec"] < 0.2) & (mag > 24) & (mag < 26)
        at_depth = error[compact] * 10 ** (0.4 * (depth - mag[compact]))
        assert 0.2 < np.median(at_depth) < 0.45


def test_spectra_are_found_of_bright_and_of_blue_galaxies() -> None:
    flat = np.full((3, 6), 22.8)
    flat[:, BANDS.index("g")] = [23.8, 22.8, 23.8]
    flat[2, BANDS.index("i")] = 22.8 + 0.35 * np.log(3)
    flat[2, BANDS.index("g")] = flat[2, BANDS.index("i")] + 1.0
    assert completeness(flat) == pytest.approx([0.5, 1 / (1 + np.exp(-0.5 / 0.35)), 0.25])


def test_share_of_galaxies_with_spectra(chunk: PhotozChunk) -> None:
    mags = np.stack([chunk.columns[f"true_{band}"] for band in BANDS], axis=1)
    p = completeness(mags)
    spread = np.sqrt((p * (1 - p)).sum())
    assert abs(chunk.columns["in_spec"].sum() - p.sum()) < 4 * spread
    found = chunk.columns["in_spec"]
    assert np.median(mags[found, 3]) < np.median(mags[~found, 3]) - 1


def test_neighbours_are_never_in_the_middle(chunk: PhotozChunk) -> None:
    assert 0.3 < (chunk.columns["blending"] < 0.01).mean() < 0.95
    assert np.all((chunk.columns["blending"] >= 0) & (chunk.columns["blending"] <= 1))


def test_files_have_sky_and_units(small_set: Path) -> None:
    table = _catalog(small_set)
    assert len(table) == 240
    assert {name: str(table[name].unit) for name in ("mag_u", "size_arcsec", "seeing_y", "ebv")} == {
        "mag_u": "mag",
        "size_arcsec": "arcsec",
        "seeing_y": "arcsec",
        "ebv": "mag",
    }
    for row in table[:5]:
        with fits.open(small_set / "images" / f"{row['id']}.fits") as hdus:
            header = hdus[0].header
            assert hdus[0].data.shape == hdus["VARIANCE"].data.shape == (6, 32, 32)
        assert [header[f"BAND{n}"] for n in range(1, 7)] == list(BANDS)
        assert header["BUNIT"] == "nJy"
        place = np.array(WCS(header).celestial.world_to_pixel_values(row["ra"], row["dec"]))
        assert np.abs(place - 15.5).max() <= 0.5 + 1e-6


def test_equal_options_give_equal_bytes_for_any_number_of_workers(small_set: Path, tmp_path: Path) -> None:
    again = simulate_photoz(tmp_path / "set", n_images=240, seed=7, n_workers=2)
    for name in ("catalog.fits", "images/000003.fits", "images/000237.fits"):
        assert (again / name).read_bytes() == (small_set / name).read_bytes()


def test_galaxies_are_the_same_in_any_bands(chunk: PhotozChunk) -> None:
    red = make_galaxies(PhotozOptions(300, "year10", ("r", "i"), 48, 3), 0, 300)
    assert red.columns["redshift"].tolist() == chunk.columns["redshift"].tolist()
    assert red.columns["true_i"].tolist() == chunk.columns["true_i"].tolist()
    assert "mag_u" not in red.columns


def test_same_set_is_used_again_and_another_refused(small_set: Path) -> None:
    assert simulate_photoz(small_set, n_images=240, seed=7) == small_set
    with pytest.raises(DataError, match=r"depth='year10' \(asked for: 'year1'\)"):
        simulate_photoz(small_set, n_images=240, seed=7, depth="year1")


@pytest.mark.parametrize("options", [{"n_images": 0}, {"size": 16}, {"seed": -1}, {"bands": ("K",)}])
def test_options_out_of_range(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="cannot be simulated"):
        simulate_photoz(tmp_path / "set", **options)  # type: ignore[arg-type]
