"""Stamps against GalSim's own drawing of the same light."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from astrocnn.io.stamps import Stamp
from astrocnn.simulate.observe import MOFFAT_BETA, Survey
from astrocnn.simulate.render import draw_stamps, weights
from astrocnn.simulate.sources import IRREGULAR, STAR, Parts, draw_sources
from astrocnn.simulate.templates import Colours

galsim = pytest.importorskip("galsim")

BANDS = ("g", "i")
SCALE = 0.2
SIZE = 700
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def survey() -> Survey:
    return Survey.of("year10", BANDS, SCALE)


@pytest.fixture(scope="module")
def drawn(survey: Survey) -> dict[str, Any]:
    """Objects of all forms in the middle of a large scene."""
    rng = np.random.default_rng(1)
    objects, parts = draw_sources(rng, 24, 8, Colours(BANDS))
    x, y = rng.uniform(340, 360, (2, len(objects["mag"])))
    seeing = np.array([0.75, 0.6])
    stamps = draw_stamps(x, y, parts, seeing, survey, SIZE)
    return {"objects": objects, "parts": parts, "x": x, "y": y, "seeing": seeing, "stamps": stamps}


def _by_galsim(parts: Parts, n: int, band: int, x: float, y: float, seeing: float, stamp: Stamp) -> Array:
    light = []
    for m in np.flatnonzero(parts.owner == n):
        p, flux = {name: float(values[m]) for name, values in parts.columns.items()}, parts.flux[m, band]
        if p["radius"] == 0:
            profile = galsim.DeltaFunction(flux=flux)
        else:
            profile = galsim.Sersic(
                n=p["index"], half_light_radius=p["radius"] * np.sqrt(p["q"]), flux=flux
            ).shear(q=p["q"], beta=p["phi"] * galsim.radians)
        light.append(profile.shift(p["x"], p["y"]))
    exact = galsim.GSParams(folding_threshold=1e-3, maxk_threshold=1e-4)
    psf = galsim.Moffat(beta=MOFFAT_BETA, fwhm=seeing)
    ny, nx = stamp.image.shape[-2:]
    image = galsim.ImageD(
        galsim.BoundsI(stamp.xmin, stamp.xmin + nx - 1, stamp.ymin, stamp.ymin + ny - 1), scale=SCALE
    )
    offset = (x - image.true_center.x, y - image.true_center.y)
    galsim.Convolve([galsim.Add(light), psf], gsparams=exact).drawImage(image, offset=offset)
    return np.asarray(image.array)


def test_every_form_is_drawn_as_galsim_draws_it(drawn: dict[str, Any], survey: Survey) -> None:
    assert len(set(drawn["objects"]["label"])) == 4
    for n, stamp in enumerate(drawn["stamps"]):
        for band in range(len(BANDS)):
            place = (drawn["x"][n], drawn["y"][n], drawn["seeing"][band])
            expected = _by_galsim(drawn["parts"], n, band, *place, stamp)
            noise = np.sqrt(survey.sky_variance[band])
            error = np.abs(stamp.image[band] - expected)
            # to a thousandth of the peak, where the light that was cut off is less than the sky's noise by far
            assert error.max() < 1e-3 * expected.max() + 0.1 * noise


def test_a_stamp_holds_all_the_light(drawn: dict[str, Any]) -> None:
    for n, stamp in enumerate(drawn["stamps"]):
        total = drawn["parts"].flux[drawn["parts"].owner == n].sum(axis=0)
        assert stamp.image.astype(float).sum(axis=(1, 2)) == pytest.approx(total, rel=1e-5)


def test_a_stamp_ends_far_below_the_noise(drawn: dict[str, Any], survey: Survey) -> None:
    for stamp in drawn["stamps"]:
        light = np.tensordot(weights(survey), stamp.image.astype(float), axes=1)
        edge = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
        assert edge.max() < 0.3  # in σ of the weighted sum


def test_weighted_sum_of_the_bands_has_unit_noise(survey: Survey) -> None:
    noise = np.random.default_rng(0).standard_normal((len(BANDS), 200_000))
    assert (weights(survey) @ (noise * np.sqrt(survey.sky_variance)[:, None])).std() == pytest.approx(
        1, rel=0.01
    )


def test_an_object_at_the_edge_is_cut(drawn: dict[str, Any], survey: Survey) -> None:
    _, parts = draw_sources(np.random.default_rng(2), 0, 1, Colours(BANDS))
    corner = draw_stamps(np.zeros(1), np.zeros(1), parts, drawn["seeing"], survey, 64)[0]
    middle = draw_stamps(np.full(1, 100.0), np.full(1, 100.0), parts, drawn["seeing"], survey, 200)[0]
    assert (corner.xmin, corner.ymin) == (0, 0)
    ny, nx = corner.image.shape[-2:]
    low = 100 - middle.xmin
    assert np.allclose(corner.image, middle.image[:, low : low + ny, low : low + nx], rtol=1e-4, atol=1e-4)


def test_the_brightest_comes_first_and_has_its_magnitude() -> None:
    colours = Colours(("i",))
    objects, parts = draw_sources(np.random.default_rng(3), 300, 60, colours)
    assert np.all(np.diff(objects["mag"]) >= 0)
    flux = np.bincount(parts.owner, parts.flux[:, 0])
    assert 31.4 - 2.5 * np.log10(flux) == pytest.approx(objects["mag"], abs=1e-9)
    assert np.array_equal(np.isnan(objects["z"]), objects["label"] == STAR)
    assert np.array_equal(objects["radius"] == 0, objects["label"] == STAR)


def test_an_irregular_galaxy_lies_at_its_centre_of_light() -> None:
    objects, parts = draw_sources(np.random.default_rng(4), 300, 0, Colours(("i",)))
    for axis in ("x", "y"):
        middle = np.bincount(parts.owner, parts.flux[:, 0] * parts.columns[axis]) / np.bincount(
            parts.owner, parts.flux[:, 0]
        )
        assert middle[objects["label"] == IRREGULAR] == pytest.approx(0.0, abs=1e-9)


def test_counts_and_sizes_follow_the_magnitude() -> None:
    objects, _ = draw_sources(np.random.default_rng(5), 40_000, 0, Colours(("i",)))
    counts = np.histogram(objects["mag"], np.arange(21.0, 26.1))[0]
    assert np.diff(np.log10(counts)) == pytest.approx(0.3, abs=0.05)
    disc = (objects["label"] == 3) & (np.abs(objects["mag"] - 24) < 0.2)
    # van der Wel et al. (2014), Table 1: a late type of 10^9.5 solar masses at z = 0.75 has 3.3 kpc, or 0.45 arcsec
    assert np.median(objects["radius"][disc]) == pytest.approx(0.35, abs=0.1)
