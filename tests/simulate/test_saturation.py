import numpy as np
import pytest

from astrocnn.simulate.observe import Survey
from astrocnn.simulate.saturation import saturated

pytest.importorskip("galsim")


@pytest.fixture(scope="module")
def survey() -> Survey:
    return Survey.of("year10", ("r", "i"), 0.2)


def test_charge_fills_the_column_evenly_both_ways(survey: Survey) -> None:
    image = np.zeros((2, 41, 9), dtype=np.float32)
    image[1, 20, 4] = survey.saturation[1] * 10.9  # almost ten pixels' worth too much
    lost = saturated(image, survey)
    assert not lost[0].any()
    assert np.flatnonzero(lost[1].any(axis=0)).tolist() == [4]
    assert np.flatnonzero(lost[1, :, 4]).tolist() == list(range(15, 26))


def test_light_in_the_way_makes_the_trail_longer(survey: Survey) -> None:
    image = np.zeros((2, 41, 3), dtype=np.float32)
    image[0, 20, 1] = survey.saturation[0] * 8.9
    image[0, 21:, 1] = survey.saturation[0] / 2  # only half a pixel of room above
    trail = np.flatnonzero(saturated(image, survey)[0, :, 1])
    assert (trail[0], trail[-1]) == (16, 28)


def test_charge_leaves_at_the_edge(survey: Survey) -> None:
    image = np.zeros((2, 21, 3), dtype=np.float32)
    image[0, 18, 1] = survey.saturation[0] * 8.9
    assert np.flatnonzero(saturated(image, survey)[0, :, 1]).tolist() == list(range(14, 21))


def test_nothing_is_lost_below_saturation(survey: Survey) -> None:
    image = np.broadcast_to(0.99 * survey.saturation.astype(np.float32)[:, None, None], (2, 5, 5))
    assert not saturated(image, survey).any()
