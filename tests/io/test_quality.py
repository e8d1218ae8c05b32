"""Mask planes: bits by number and by the names that surveys write."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata.bitmask import bitfield_to_boolean_mask

from astrocnn.errors import DataError
from astrocnn.io.headers import Header
from astrocnn.io.quality import bit_names, good_pixels

LSST = fits.Header({"MP_BAD": 0, "MP_SAT": 1, "MP_CR": 3, "MP_EDGE": 4})
LSST["HIERARCH MP_DETECTED_NEGATIVE"] = 6
LSST["HIERARCH MP_NO_DATA"] = 8
RUBIN = fits.Header(
    {"MSKN0001": "BAD", "MSKM0001": 1, "MSKN0002": "SAT", "MSKM0002": 2, "MSKD0002": "saturated"}
)
ZTF = fits.Header(
    [("BIT00", 0, "AIRCRAFT/SATELLITE TRACK"), ("BIT08", 8, "SATURATED"), ("BITPIX", 16, "bits")]
)
PLANE = np.arange(512).reshape(16, 32)


def ours(header: fits.Header) -> Header:
    return Header(header.tostring(endcard=False, padding=False).encode())


@pytest.mark.parametrize("convert", [lambda header: header, ours], ids=["astropy", "ours"])
def test_names_of_three_conventions(convert) -> None:
    assert bit_names(convert(LSST)) == {
        "BAD": 0,
        "SAT": 1,
        "CR": 3,
        "EDGE": 4,
        "DETECTED_NEGATIVE": 6,
        "NO_DATA": 8,
    }
    assert bit_names(convert(RUBIN)) == {"BAD": 0, "SAT": 1}
    assert bit_names(convert(ZTF)) == {"AIRCRAFT/SATELLITE TRACK": 0, "SATURATED": 8}


@pytest.mark.parametrize("dtype", [">i2", "<u2", ">i4", "i8", "u8", ">f4", "f8"])
@pytest.mark.parametrize("bits", [[1, "3"], ["SAT", "mp_cr"], ["sat", 3]])
def test_bits_equal_astropys(dtype: str, bits: list[int | str]) -> None:
    expected = ~bitfield_to_boolean_mask(PLANE, ignore_flags=[2, 8], flip_bits=True)
    good = good_pixels(PLANE.astype(dtype), LSST, bits)
    assert good.dtype == np.bool_
    np.testing.assert_array_equal(good, expected)


def test_any_value_is_bad_without_bits() -> None:
    np.testing.assert_array_equal(good_pixels(PLANE.astype("i4"), fits.Header(), None), PLANE == 0)
    assert good_pixels(np.array([0, np.nan]), fits.Header(), None).tolist() == [True, False]
    np.testing.assert_array_equal(good_pixels(PLANE > 3, fits.Header(), None), PLANE <= 3)
    header = LSST.copy()
    header["HIERARCH MP_DETECTED"] = 5
    with pytest.raises(
        DataError, match=r"a bit DETECTED, which marks the sources.*of BAD, .*data\.mask\.bits"
    ):
        good_pixels(PLANE, header, None)
    assert good_pixels(PLANE, header, "BAD")[0].tolist() == [True, False] * 16


@pytest.mark.parametrize("dtype", ["u2", "u4", "u8"])
def test_unsigned_numbers_as_fits_stores_them(tmp_path, dtype: str) -> None:
    top = 8 * np.dtype(dtype).itemsize - 1
    plane = np.array([[0, 1, 1 << top, (1 << top) + 2]], dtype=dtype)
    fits.PrimaryHDU(plane).writeto(tmp_path / "mask.fits")
    with fits.open(tmp_path / "mask.fits", do_not_scale_image_data=True) as hdus:
        stored, header = hdus[0].data, hdus[0].header
        assert stored.dtype.kind == "i"
        assert header["BZERO"] == 2**top
        assert good_pixels(stored, header, [top]).tolist() == [[True, True, False, False]]
        assert good_pixels(stored, header, [1]).tolist() == [[True, True, True, False]]
        assert good_pixels(stored, header, None).tolist() == [[True, False, False, False]]
        assert good_pixels(plane, header, [top]).tolist() == [[True, True, False, False]]


def test_the_sign_bit_scaled_and_undefined_values() -> None:
    assert good_pixels(np.array([-(2**31), 0], "i4"), fits.Header(), [31]).tolist() == [False, True]
    assert good_pixels(np.array([0, -99, 2], "i2"), fits.Header({"BLANK": -99}), [0]).tolist() == [
        True,
        False,
        True,
    ]
    assert good_pixels(np.array([0.0, np.nan, 4.0]), fits.Header(), [2]).tolist() == [True, False, False]
    scaled = fits.Header({"BSCALE": 2.0, "BZERO": 4.0})
    assert good_pixels(np.array([-2, 0, 1], "i2"), scaled, [2]).tolist() == [True, False, False]


def test_what_cannot_be_used() -> None:
    with pytest.raises(DataError, match=r"names no bit 'SATUR'; it names BAD, CR, .*data\.mask\.bits"):
        good_pixels(PLANE, LSST, ["SATUR"])
    with pytest.raises(DataError, match="names no bit 'SAT'; it names none"):
        good_pixels(PLANE, fits.Header(), ["SAT"])
    with pytest.raises(DataError, match=r"bit 64 is asked for, but the mask has 16 bits"):
        good_pixels(PLANE.astype("i2"), LSST, [64])
    with pytest.raises(DataError, match=r"not whole numbers, such as .*0\.5.*data\.variance\.kind=weight"):
        good_pixels(np.array([0.5, 1.0]), LSST, [0])
