import numpy as np
import pytest

from astrocnn.errors import DataError
from astrocnn.report.lupton import NO_DATA, fit_scaling, lupton_rgb, wavelength_order


def scene(n_images=4, n_bands=3, side=32, seed=0):
    """Unit noise over a sky of 3, with a source of 50 sigma that is twice as bright in the last band."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2
    source = 50 * np.exp(-(x**2 + y**2) / 10)
    tint = np.linspace(1, 2, n_bands)[:, None, None]
    return 3 + rng.normal(0, 1, (n_images, n_bands, side, side)) + source * tint


def test_scaling_finds_sky_and_noise():
    scaling = fit_scaling(scene(n_images=30))
    np.testing.assert_allclose(scaling.sky, 3, atol=0.1)
    np.testing.assert_allclose(scaling.noise, 1, rtol=0.1)


@pytest.mark.parametrize("factor", [1e-13, 1e-11, 1e3, 1e12])
@pytest.mark.parametrize("n_bands", [1, 2, 3, 5])
def test_the_unit_of_the_flux_does_not_matter(factor, n_bands):
    images = scene(n_bands=n_bands)
    difference = lupton_rgb(images * factor).astype(int) - lupton_rgb(images).astype(int)
    assert np.abs(difference).max() <= 1  # a last bit of the 8


def test_values_near_1e_minus_11_in_float32_use_the_range_from_sky_to_white():
    pictures = lupton_rgb((scene() * 1e-11).astype(np.float32))
    assert pictures.max() > 200
    assert 5 < np.median(pictures) < 70


def test_one_band_is_grey_and_the_reddest_of_several_is_red():
    grey = lupton_rgb(scene(n_bands=1))
    assert (grey[..., 0] == grey[..., 1]).all()
    assert (grey[..., 0] == grey[..., 2]).all()
    red_source = np.zeros((1, 5, 32, 32)) + np.random.default_rng(1).normal(0, 1, (1, 5, 32, 32))
    red_source[:, 4, 14:18, 14:18] += 100
    by_order = lupton_rgb(red_source)[0, 16, 16].astype(int)
    assert by_order[0] > 2 * by_order[2]
    backwards = lupton_rgb(red_source[:, ::-1], bands=("y", "z", "i", "r", "g"))[0, 16, 16].astype(int)
    np.testing.assert_array_equal(backwards, by_order)


def test_two_bands_give_red_and_blue():
    images = np.random.default_rng(1).normal(0, 1, (1, 2, 32, 32))
    images[:, 0, 8, 16] += 60
    images[:, 1, 24, 16] += 60
    picture = lupton_rgb(images, bands=("g", "i"))[0].astype(int)
    assert picture[8, 16, 2] > picture[8, 16, 0] + 50
    assert picture[24, 16, 0] > picture[24, 16, 2] + 50


def test_pixels_without_data_have_their_colour_and_change_nothing_else():
    images = scene()
    picture = lupton_rgb(images)
    holed = images.copy()
    holed[0, 1, 20:22, 20:22] = np.nan  # one band is enough
    valid = np.ones(images.shape, dtype=bool)
    valid[1, :, 0, 0] = False
    with_holes = lupton_rgb(holed, valid, scaling=fit_scaling(images))
    assert (with_holes[0, 20:22, 20:22] == NO_DATA).all()
    assert (with_holes[1, 0, 0] == NO_DATA).all()
    holes = (with_holes == NO_DATA).all(axis=-1)
    assert holes.sum() == 4 + 1
    difference = np.abs(with_holes.astype(int) - picture)[~holes]
    assert difference.max() <= 2  # the sky's median moves by a hair
    assert not (picture == NO_DATA).all(axis=-1).any()


def test_no_data_at_all_is_one_colour_and_nothing_to_scale_by():
    empty = np.full((2, 3, 8, 8), np.nan)
    assert (lupton_rgb(empty) == NO_DATA).all()
    with pytest.raises(DataError, match="no pixel"):
        fit_scaling(empty)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_image_gives_a_picture(value):
    assert lupton_rgb(np.full((1, 3, 16, 16), value)).shape == (1, 16, 16, 3)


def test_a_brighter_source_is_brighter_and_never_wraps_around():
    images = np.random.default_rng(0).normal(0, 1, (1, 1, 32, 32))
    images[0, 0, 16, :] += np.geomspace(1, 1e6, 32)
    row = lupton_rgb(images)[0, 16, :, 0].astype(int)
    assert (np.diff(row) >= -12).all()  # rises, but for the noise
    assert row[-1] == 255


def test_shape_and_band_names_are_checked():
    with pytest.raises(DataError, match=r"\(N, C, H, W\)"):
        lupton_rgb(np.zeros((3, 8, 8)))
    with pytest.raises(DataError, match="2 band names"):
        lupton_rgb(scene(), bands=("g", "r"))


@pytest.mark.parametrize(
    ("bands", "order"),
    [
        ("RIGU", [3, 2, 0, 1]),
        (("LSST_y", "LSST_u"), [1, 0]),
        (("F160W", "F606W", "F814W"), [1, 2, 0]),  # Hubble: infrared in 10 nm, optical in nm
        (("F444W", "F150W", "F090W"), [2, 1, 0]),  # Webb
        (("VIS", "NISP-H", "NISP-J"), [0, 2, 1]),
        (("a", "g", "b"), [0, 1, 2]),  # unknown: as they stand
    ],
)
def test_order_of_wavelength(bands, order):
    assert wavelength_order(tuple(bands)) == order


def test_real_images_of_1e_minus_11_are_neither_black_nor_white(realdata):
    from astropy.io import fits

    folder = realdata("lens_challenge") / "space_based"
    images = np.stack([fits.getdata(file) for file in sorted(folder.glob("*/*.fits"))])[:, None]
    pictures = lupton_rgb(images)
    assert 10 < np.median(pictures) < 90
    assert 0.0005 < (pictures > 150).mean() < 0.2
