"""The definitions, on scenes that are drawn by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from astrocnn.io.stamps import Stamp
from astrocnn.simulate.footprints import isolated_snr, truth
from astrocnn.simulate.observe import Survey
from astrocnn.simulate.population import Columns
from astrocnn.simulate.render import weights

pytest.importorskip("galsim")

SIZE = 20


@pytest.fixture(scope="module")
def survey() -> Survey:
    return Survey.of("year10", ("g", "i"), 0.2)


def _stamp(survey: Survey, xmin: int, ymin: int, sigma: NDArray[np.float64] | list[list[float]]) -> Stamp:
    """Light of equal significance in the two bands; ``sigma`` is its weighted sum over the noise."""
    light = np.asarray(sigma, dtype=float) / (2 * weights(survey)[:, None, None])
    return Stamp(xmin, ymin, light.astype(np.float32))


def _objects(stamps: list[Stamp], ignore: tuple[int, ...] = ()) -> Columns:
    n = len(stamps)
    return {
        "x": np.array([s.xmin + (s.image.shape[-1] - 1) / 2 for s in stamps]),
        "y": np.array([s.ymin + (s.image.shape[-2] - 1) / 2 for s in stamps]),
        "label": np.arange(n) % 4 + 1.0,
        "ignore": np.isin(np.arange(n), ignore).astype(float),
    }


def _boxes(columns: Columns) -> list[list[float]]:
    return np.stack([columns[name] for name in ("x0", "y0", "x1", "y1")], axis=1).tolist()


def test_the_brighter_one_has_the_pixel(survey: Survey) -> None:
    stamps = [_stamp(survey, 4, 6, [[0.9, 3.0, 1.1]]), _stamp(survey, 5, 6, [[2.0, 1.2, 1.3]])]
    found = truth(stamps, _objects(stamps), survey, SIZE)
    assert found.instances[6, 3:9].tolist() == [0, 0, 1, 2, 2, 0]
    assert found.class_map[6, 3:9].tolist() == [0, 0, 1, 2, 2, 0]
    assert found.instances.astype(bool).sum() == 3
    assert found.columns["area_pix"].tolist() == [2, 3]
    assert (found.class_map.dtype, found.instances.dtype) == (np.int16, np.int32)


def test_an_ignored_object_is_ignored_where_it_dominates(survey: Survey) -> None:
    stamps = [_stamp(survey, 4, 6, [[2.0, 3.0, 1.1]]), _stamp(survey, 6, 6, [[2.0, 1.5]])]
    found = truth(stamps, _objects(stamps, ignore=(1,)), survey, SIZE)
    assert found.instances[6, 3:9].tolist() == [0, 1, 1, -1, -1, 0]
    assert found.class_map[6, 3:9].tolist() == [0, 1, 1, -1, -1, 0]
    assert found.owner[6, 3:9].tolist() == [0, 1, 1, 2, 2, 0]


@pytest.mark.parametrize(
    ("xmin", "ymin", "blended"), [(6, 5, True), (6, 6, True), (7, 5, False), (6, 7, False), (5, 5, True)]
)
def test_touching_by_side_or_corner_is_blended(survey: Survey, xmin: int, ymin: int, blended: bool) -> None:
    stamps = [_stamp(survey, 4, 5, [[2.0, 2.0]]), _stamp(survey, xmin, ymin, [[2.0]])]
    found = truth(stamps, _objects(stamps), survey, SIZE)
    assert found.columns["blended"].tolist() == [blended, blended]


def test_parts_of_one_object_are_no_blend(survey: Survey) -> None:
    stamps = [_stamp(survey, 4, 5, [[2.0, 0.1, 2.0]])]
    assert truth(stamps, _objects(stamps), survey, SIZE).columns["blended"].tolist() == [0.0]


def test_boxes_are_bounds_and_at_least_five_pixels(survey: Survey) -> None:
    wide = np.zeros((3, 9))
    wide[1, 1:8] = 2.0
    stamps = [_stamp(survey, 4, 5, wide), _stamp(survey, 0, 19, [[2.0]]), _stamp(survey, 10, 10, [[0.5]])]
    found = truth(stamps, _objects(stamps), survey, SIZE)
    # edges of the pixels; where a side must grow it does so both ways, and stays inside the scene
    assert _boxes(found.columns) == [[4.5, 3.5, 11.5, 8.5], [-0.5, 14.5, 4.5, 19.5], [7.5, 7.5, 12.5, 12.5]]


def test_snr_is_that_of_a_matched_filter(survey: Survey) -> None:
    y, x = np.mgrid[:11, :11]
    shape = np.exp(-((x - 5) ** 2 + (y - 5) ** 2) / 6)
    stamp = _stamp(survey, 0, 0, 3 * shape)
    valid = np.ones((2, 11, 11), dtype=bool)
    valid[0, :, :4] = False
    snr = isolated_snr([stamp], valid, survey)[0]
    rng = np.random.default_rng(0)
    noise2 = survey.sky_variance[:, None, None] + stamp.image / survey.electrons_per_njy[:, None, None]
    noisy = stamp.image + np.sqrt(noise2) * rng.standard_normal((20_000, 2, 11, 11))
    kernel = np.where(valid, stamp.image / noise2, 0.0)
    amplitude = (noisy * kernel).sum(axis=(1, 2, 3)) / (stamp.image * kernel).sum()
    assert amplitude.mean() == pytest.approx(1, abs=0.01)
    assert 1 / amplitude.std() == pytest.approx(snr, rel=0.02)


def test_an_empty_scene(survey: Survey) -> None:
    found = truth([], _objects([]), survey, SIZE)
    assert not found.instances.any()
    assert all(len(values) == 0 for values in found.columns.values())
