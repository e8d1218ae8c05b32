"""Simulated blends against what can be measured on them by other means: fluxes, places, noise, footprints."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy import ndimage

from astrocnn.errors import ConfigError, DataError
from astrocnn.simulate.observe import Survey
from astrocnn.simulate.pair_chunk import PairChunk, PairOptions, make_pairs
from astrocnn.simulate.pairs import simulate_pairs

BANDS = ("r", "i")


def _chunk(max_neighbours: int, n: int = 60) -> PairChunk:
    return make_pairs(PairOptions(n, "year10", BANDS, 64, 0.2, max_neighbours, 5), 0, n)


@pytest.fixture(scope="module")
def pairs() -> PairChunk:
    return _chunk(1)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 galaxies without neighbours, as files."""
    folder = tmp_path_factory.mktemp("pairs") / "set"
    return simulate_pairs(folder, n_images=80, bands=BANDS, max_neighbours=0, seed=7, n_workers=1)


def _catalog(folder: Path) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Table.read(folder / "catalog.fits", character_as_bytes=False)


def _centroid(image: np.ndarray) -> np.ndarray:
    """(N, 2) x and y of light, (N, C, H, W)."""
    light = image.astype(float).sum(axis=1)
    y, x = np.mgrid[:64, :64]
    return np.stack([(light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (x, y)], axis=1)


def _compact(image: np.ndarray) -> np.ndarray:
    """Whose light is all within the cutout."""
    light = image.sum(axis=1)
    frame = np.concatenate([light[:, :4].reshape(len(light), -1), light[:, -4:].reshape(len(light), -1)], 1)
    return np.asarray(frame.max(1) < 1e-6 * light.max((1, 2)))


def test_image_is_the_galaxy_and_its_neighbours_and_the_noise_that_is_stated(pairs: PairChunk) -> None:
    survey = Survey.of("year10", BANDS, 0.2)
    clean = (pairs.target + pairs.neighbours).astype(float)
    variance = survey.sky_variance[:, None, None] + clean / survey.electrons_per_njy[:, None, None]
    score = ((pairs.image - clean) / np.sqrt(variance))[np.isfinite(pairs.image)]
    assert score.mean() == pytest.approx(0.0, abs=5 / np.sqrt(score.size))
    assert score.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * score.size))
    assert np.array_equal(np.isnan(pairs.image), np.isnan(pairs.variance))
    assert np.nanmean(pairs.variance / variance) == pytest.approx(1.0, abs=0.01)


def test_target_holds_the_flux_of_the_catalogue(pairs: PairChunk) -> None:
    compact = _compact(pairs.target)
    assert compact.mean() > 0.5
    for band, name in enumerate(BANDS):
        measured = pairs.target[:, band].sum((1, 2), dtype=float)
        assert measured[compact] == pytest.approx(pairs.columns[f"flux_{name}"][compact], rel=1e-4)
        assert np.all(measured < 1.001 * pairs.columns[f"flux_{name}"])
    assert 31.4 - 2.5 * np.log10(pairs.columns["flux_i"]) == pytest.approx(pairs.columns["mag"])


def test_galaxies_are_where_the_catalogue_says(pairs: PairChunk) -> None:
    here, there = _compact(pairs.target), _compact(pairs.neighbours)
    off = np.abs(_centroid(pairs.target) - pairs.place)[here]
    assert np.median(off) < 0.01
    assert off.max() < 0.2  # an irregular galaxy's knots shine in other bands than its body
    both = here & there
    apart = 0.2 * np.hypot(*(_centroid(pairs.neighbours)[both] - _centroid(pairs.target)[both]).T)
    assert np.abs(apart - pairs.columns["separation_arcsec"][both]).max() < 0.05


def test_neighbour_is_of_like_brightness_and_near(pairs: PairChunk) -> None:
    difference = pairs.columns["mag_neighbour"] - pairs.columns["mag"]
    assert np.all(np.abs(difference) <= 2)
    assert np.all((pairs.columns["separation_arcsec"] >= 0.6) & (pairs.columns["separation_arcsec"] <= 3.0))
    inside = _compact(pairs.neighbours)
    light = pairs.neighbours[:, 1].sum((1, 2), dtype=float)
    assert 31.4 - 2.5 * np.log10(light[inside]) == pytest.approx(
        pairs.columns["mag_neighbour"][inside], abs=0.01
    )


def test_blended_are_those_whose_footprints_are_of_one_piece(pairs: PairChunk) -> None:
    survey = Survey.of("year10", BANDS, 0.2)
    weight = (1 / survey.sky_variance)[:, None, None]
    sigma = np.sqrt(weight.sum())
    told = []
    for one, other in zip(pairs.target, pairs.neighbours, strict=True):
        first, second = ((image * weight).sum(axis=0) > sigma for image in (one, other))
        pieces, _ = ndimage.label(first | second, np.ones((3, 3)))
        told.append(bool(set(pieces[first]) & set(pieces[second])))
    assert pairs.columns["blended"].tolist() == told
    assert 0.6 < np.mean(told) < 1.0


def test_brightest_of_several_neighbours_is_in_the_catalogue() -> None:
    several = _chunk(3, n=30)
    assert set(several.columns["n_neighbours"]) == {1, 2, 3}
    light = several.neighbours[:, 1].sum((1, 2), dtype=float)
    share = several.columns["flux_neighbour_i"] / light
    one, more = several.columns["n_neighbours"] == 1, several.columns["n_neighbours"] > 1
    inside = _compact(several.neighbours)
    assert share[one & inside] == pytest.approx(1.0, rel=1e-4)
    assert np.all(share[more & inside] < 1)
    assert np.all(share[more & inside] > 1 / several.columns["n_neighbours"][more & inside])


def test_photometry_of_the_files_by_their_variance_gives_the_catalogue(alone: Path) -> None:
    table, pulls = _catalog(alone), []
    for row in table:
        with fits.open(alone / "images" / f"{row['id']}.fits") as hdus:
            image, variance = hdus[0].data.astype(float), hdus["VARIANCE"].data.astype(float)
        target = fits.getdata(alone / "targets" / f"{row['id']}.fits").astype(float)
        assert np.isfinite(target).all()
        for band, name in enumerate(BANDS):
            seen = np.isfinite(image[band])
            shape = target[band][seen] / row[f"flux_{name}"]
            sky = np.median(variance[band][seen])
            noise = np.sqrt((shape**2 * variance[band][seen]).sum()) / (shape**2).sum()
            pulls.append(((image[band][seen] * shape).sum() / (shape**2).sum() - row[f"flux_{name}"]) / noise)
            assert sky == pytest.approx(Survey.of("year10", BANDS, 0.2).sky_variance[band], rel=0.2)
    assert np.mean(pulls) == pytest.approx(0.0, abs=4 / np.sqrt(len(pulls)))
    assert np.std(pulls) == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(pulls)))


def test_files_share_their_place_on_the_sky(alone: Path) -> None:
    table = _catalog(alone)
    assert sorted(path.stem for path in (alone / "targets").iterdir()) == list(table["id"])
    assert {name: str(table[name].unit) for name in ("mag", "flux_i", "seeing_i")} == {
        "mag": "mag",
        "flux_i": "nJy",
        "seeing_i": "arcsec",
    }
    for row in table[:5]:
        headers = [fits.getheader(alone / folder / f"{row['id']}.fits") for folder in ("images", "targets")]
        assert headers[0]["BUNIT"] == headers[1]["BUNIT"] == "nJy"
        assert [headers[1][f"BAND{n}"] for n in (1, 2)] == list(BANDS)
        places = [WCS(header).celestial.world_to_pixel_values(row["ra"], row["dec"]) for header in headers]
        assert np.array_equal(*places)
        assert np.abs(np.array(places[0]) - 31.5).max() <= 0.5


def test_galaxies_alone_have_no_neighbour(alone: Path) -> None:
    table = _catalog(alone)
    assert not table["n_neighbours"].any()
    assert not table["blended"].any()
    for name in ("mag_neighbour", "separation_arcsec", "flux_neighbour_r"):
        assert np.isnan(np.ma.filled(table[name].astype(float), np.nan)).all()


def test_galaxies_are_the_same_for_any_number_of_neighbours(pairs: PairChunk) -> None:
    alone = _chunk(0).target
    assert np.allclose(alone, pairs.target, rtol=1e-4, atol=1e-5 * alone.max())


def test_eight_tenths_train() -> None:
    split = make_pairs(PairOptions(200, "year10", ("i",), 32, 0.2, 0, 1), 0, 200).columns["split"]
    shares = {name: (split == name).mean() for name in ("train", "val", "test")}
    assert shares == {
        "train": pytest.approx(0.8, abs=0.09),
        "val": pytest.approx(0.1, abs=0.07),
        "test": pytest.approx(0.1, abs=0.07),
    }


def test_same_set_is_used_again_and_another_refused(alone: Path) -> None:
    options = {"n_images": 80, "bands": BANDS, "seed": 7}
    assert simulate_pairs(alone, max_neighbours=0, **options) == alone  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"max_neighbours=0 \(asked for: 1\)"):
        simulate_pairs(alone, max_neighbours=1, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"n_images": 0},
        {"size": 16},
        {"max_neighbours": -1},
        {"max_neighbours": 11},
        {"seed": -1},
        {"bands": ("K",)},
    ],
)
def test_options_out_of_range(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="cannot be simulated"):
        simulate_pairs(tmp_path / "set", **options)  # type: ignore[arg-type]
