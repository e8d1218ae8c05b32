"""Every stored number comes out as the nearest float32, or is refused where that would hurt."""

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.errors import DataError
from astrocnn.io.fits import read
from astrocnn.io.float32 import LOSS, physical, to_float32

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("scale", [1e-30, 1e-11, 1.0, 1e11, 1e30])
def test_the_loss_is_half_a_step_at_most(scale: float) -> None:
    values = RNG.normal(size=(2, 30, 30)) * scale
    single = to_float32(values)
    assert single.dtype == np.float32
    assert (np.abs(single - values) <= 2.0**-24 * np.abs(values)).all()


def test_a_level_that_drowns_the_signal_is_refused() -> None:
    noise = RNG.normal(size=(40, 40))
    rounding = np.spacing(np.float32(1e6)) / 2
    assert rounding < LOSS * np.median(np.abs(noise))  # a sky of a million times the noise is still fine
    np.testing.assert_allclose(to_float32(noise + 1e6) - np.float32(1e6), noise, atol=rounding * 1.01)
    with pytest.raises(
        DataError, match=r"about 100000000\d* and scatter by 0\.6.*round by up to 4; subtract the constant"
    ):
        to_float32(noise + 1e8)
    assert (to_float32(np.full((4, 4), 1.0 + 1e-12)) == 1).all()  # a constant has no signal to lose


def test_what_does_not_fit() -> None:
    with pytest.raises(DataError, match=r"its largest value, 1e\+300, is outside the range of float32"):
        to_float32(np.array([[1e300, 0.0]]))
    with pytest.raises(DataError, match=r"its largest value, 1e-50"):
        to_float32(np.array([[-1e-50, 0.0]]))
    assert to_float32(np.array([[np.nan, np.inf, 2.0]]))[0, 2] == 2
    assert to_float32(np.array([[1e-60, 2.0]])).tolist() == [[0, 2]]


def test_physical_values() -> None:
    stored = np.array([[-5, 0, 7]], dtype=">i2")
    np.testing.assert_array_equal(physical(stored, 0.1, 2.0, -5), [[np.nan, 2.0, 2.7]])
    np.testing.assert_array_equal(
        physical(stored.astype("f4"), 1.0, 0.0, -5), stored
    )  # BLANK is for integers only


@pytest.mark.parametrize("dtype", ["u2", "u4", "u8", "i1"])
def test_unsigned_integers_of_fits(tmp_path, dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.array([[info.min, info.max], [info.max // 2 + 1, 3]], dtype=dtype)
    fits.PrimaryHDU(values).writeto(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", do_not_scale_image_data=True) as hdus:
        assert hdus[0].header["BZERO"] != 0  # stored with an offset, as FITS has no such type
    np.testing.assert_array_equal(read(tmp_path / "a.fits").flux[0], values.astype(np.float32))
