"""The level of the sky against medians of all its pixels."""

import numpy as np
import pytest

from astrocnn.functional.sky_level import pixels_of, sky_level


@pytest.mark.parametrize("shape", [(40, 30), (900, 1100)])
def test_levels_are_medians_of_what_is_blank(shape):
    rng = np.random.default_rng(0)
    image = rng.normal([[[3.0]], [[-2.0]]], 0.1, (2, *shape)).astype(np.float32)
    blank = rng.random(shape) < 0.6
    image[:, ~blank] += 50
    image[0, :10] = np.nan
    expected = [np.nanmedian(plane[blank]) for plane in image]
    np.testing.assert_allclose(sky_level(image, blank), expected, atol=0.1 / 100 * 3)
    assert len(pixels_of(image[1], blank)) >= min(image[1][blank].size, 10_000)


def test_rare_pixels_are_all_taken():
    plane, where = np.arange(4e6).reshape(2000, 2000), np.zeros((2000, 2000), bool)
    where[1, 1::2] = True  # where no thinned row is
    np.testing.assert_array_equal(pixels_of(plane, where), plane[where])


def test_without_blank_pixels_all_count_and_without_any_the_level_is_0():
    image = np.stack([np.full((4, 4), 2.0), np.full((4, 4), np.nan)])
    assert sky_level(image, np.zeros((4, 4), bool)).tolist() == [2.0, 0.0]
