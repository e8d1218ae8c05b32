"""Every stored number comes out as the nearest float32, or is refused where that would hurt."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrocnn.datasets.tile_placement import Targets
from astrocnn.datasets.tiles import TileCutouts
from astrocnn.errors import DataError
from astrocnn.io.fits import read
from astrocnn.io.float32 import LOSS, Scaling, to_float32
from astrocnn.io.layers import FluxScale

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
    np.testing.assert_array_equal(Scaling(0.1, 2.0, -5).physical(stored), [[np.nan, 2.0, 2.7]])
    floats = stored.astype("f4")  # BLANK is for integers only
    np.testing.assert_array_equal(Scaling(blank=-5).physical(floats), stored)


def asinh_stack(path: Path, flux: np.ndarray, **cards: float) -> Path:
    """A stack as Pan-STARRS writes it: asinh magnitudes in 16 bits, compressed by RICE, with BLANK."""
    header = fits.Header({"BSOFTEN": 120.0, "BOFFSET": 3.5, "EXPTIME": 1000.0, **cards})
    header["HIERARCH FPA.ZP"] = 25.0
    header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRPIX1=8.0, CRPIX2=8.0, CRVAL1=10.0, CRVAL2=20.0)
    header.update(CDELT1=-7e-5, CDELT2=7e-5)
    stored = np.rint(2.5 / np.log(10) * np.arcsinh((flux - 3.5) / 240.0) / 5e-4)
    stored[~np.isfinite(flux)] = -32768
    hdu = fits.CompImageHDU(stored.astype(np.int16), header, compression_type="RICE_1")
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 5e-4, 0.0, -32768
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


def test_asinh_scaled_stacks_are_read_as_linear_flux(tmp_path: Path) -> None:
    flux = np.random.default_rng(0).normal(10, 40, (16, 16)).astype(np.float64)
    flux[3, 4], flux[5, 6] = 9e4, np.nan
    path = asinh_stack(tmp_path / "stack.fits.fz", flux)
    sample = read(path)
    assert not sample.valid[0, 5, 6]
    assert sample.valid.sum() == 255
    # half a step of 5e-4 magnitudes is 2.3e-4 of the flux, or of the softening where that is fainter
    bound = 2.4e-4 * np.hypot(flux, 2 * 120.0)
    assert (np.abs(sample.flux[0] - flux) < bound)[sample.valid[0]].all()
    # magnitude 25 + 2.5 log10(EXPTIME) is 3631 Jy × 10^(-13) a thousandth
    in_njy = read(path, flux=FluxScale("nJy"))
    np.testing.assert_allclose(in_njy.flux, sample.flux * 3631e9 * 10**-10 / 1000, rtol=1e-6)
    targets = Targets(["a"], np.full(1, np.nan), np.full(1, np.nan), np.array([7.0]), np.array([7.0]))
    cut = TileCutouts(path, targets, size_pix=15, subpixel=False).read(0)
    np.testing.assert_array_equal(cut.flux[0], sample.flux[0][:15, :15])


def test_asinh_scaling_without_a_scale_is_refused(tmp_path: Path) -> None:
    path = asinh_stack(tmp_path / "stack.fits.fz", np.ones((16, 16)), BSOFTEN=0.0)
    with pytest.raises(DataError, match=r"stack\.fits\.fz, HDU 1.*BSOFTEN=0\.0 and BOFFSET=3\.5"):
        read(path)


@pytest.mark.parametrize("dtype", ["u2", "u4", "u8", "i1"])
def test_unsigned_integers_of_fits(tmp_path, dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.array([[info.min, info.max], [info.max // 2 + 1, 3]], dtype=dtype)
    fits.PrimaryHDU(values).writeto(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", do_not_scale_image_data=True) as hdus:
        assert hdus[0].header["BZERO"] != 0  # stored with an offset, as FITS has no such type
    np.testing.assert_array_equal(read(tmp_path / "a.fits").flux[0], values.astype(np.float32))
