"""Splines between pixels against SciPy's, and what an invalid pixel reaches."""

import numpy as np
import pytest
from scipy import ndimage

from astrocnn.functional.resample import filled, spline_at, spline_shift, touches_only

RNG = np.random.default_rng(4)
IMAGE = RNG.normal(size=(40, 47))


@pytest.mark.parametrize("shift", [(8.3, 7.71), (9.0, 8.5), (0.2, 0.0), (10.999, 3.4), (21.5, 14.6)])
def test_a_shift_is_scipys_spline(shift: tuple[float, float]) -> None:
    rows, columns = np.mgrid[:25, :25]
    truth = ndimage.map_coordinates(IMAGE, [rows + shift[1], columns + shift[0]], order=3, mode="mirror")
    np.testing.assert_allclose(spline_shift(IMAGE, *shift, 25), truth, atol=1e-12)
    np.testing.assert_allclose(spline_at(IMAGE, columns + shift[0], rows + shift[1]), truth, atol=1e-12)


def test_values_far_below_one_keep_their_digits() -> None:
    np.testing.assert_allclose(
        spline_shift(1e-11 * IMAGE, 8.3, 7.7, 20), 1e-11 * spline_shift(IMAGE, 8.3, 7.7, 20), rtol=1e-12
    )


def test_holes_are_filled_with_the_nearest() -> None:
    good = np.ones(IMAGE.shape, bool)
    good[10, 10:13] = False
    whole = filled(np.where(good, IMAGE, 1e30), good)
    np.testing.assert_array_equal(whole[good], IMAGE[good])
    assert whole[10, 10] in (IMAGE[10, 9], IMAGE[9, 10], IMAGE[11, 10])
    nothing = np.zeros(IMAGE.shape, bool)
    assert filled(IMAGE, nothing) is IMAGE


def test_a_position_needs_the_pixels_around_it() -> None:
    good = np.ones((6, 6), bool)
    good[2, 3] = False
    rows, columns = (a.ravel() for a in np.mgrid[-0.5:6:0.25, -0.5:6:0.25])
    found = touches_only(good, columns, rows)
    for x, y, ok in zip(columns, rows, found, strict=True):
        around = {
            (i, j) for i in (int(np.floor(y)), int(np.ceil(y))) for j in (int(np.floor(x)), int(np.ceil(x)))
        }
        inside = all(0 <= i < 6 and 0 <= j < 6 for i, j in around)
        assert ok == (inside and (2, 3) not in around)
    assert touches_only(good, np.array([2.0005]), np.array([2.0])).all()
