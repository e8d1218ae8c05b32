"""Errors of positions against the scatter of many noisy images, and against a Gaussian's closed form."""

import numpy as np
import pytest

from astrocnn.functional.objects import measure_objects

MIDDLE = 20.3


def gaussian(flux: float, sigma: tuple[float, float], angle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian of two widths, in pixels, on 41² pixels, and how many σ away from its middle they are."""
    y, x = np.indices((41, 41)) - MIDDLE
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    away2 = ((x * cos + y * sin) / sigma[0]) ** 2 + ((y * cos - x * sin) / sigma[1]) ** 2
    return flux * np.exp(-away2 / 2) / (2 * np.pi * sigma[0] * sigma[1]), np.sqrt(away2)


def measured(image: np.ndarray, labels: np.ndarray, variance: np.ndarray | None) -> dict[str, np.ndarray]:
    """What is measured of the objects of an image (C, H, W)."""
    p = np.stack([labels == 0, labels > 0])
    return measure_objects(labels, image, np.isfinite(image), p, variance=variance)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("flux", "sigma", "angle", "reach"),
    [(3000.0, (2.0, 2.0), 0.0, 3.0), (150.0, (2.0, 2.0), 0.0, 1.5), (1000.0, (4.0, 1.5), 30.0, 2.5)],
)
def test_the_scatter_of_noisy_images_is_the_error(
    flux: float, sigma: tuple[float, float], angle: float, reach: float, known: bool
) -> None:
    """Seen as a whole or cut where it is faint, round or long, in two bands of different noise."""
    rng = np.random.default_rng(0)
    light, away = gaussian(flux, sigma, angle)
    labels = (away < reach).astype(int)
    noise = np.array([1.0, 2.0])[:, None, None] * np.ones_like(light)
    found = []
    for _ in range(600):
        image = light + noise * rng.normal(size=noise.shape)
        one = measured(image, labels, noise**2 if known else None)
        found.append([one[name][0] for name in ("x", "y", "x_err", "y_err", "xy_covariance")])
    x, y, x_err, y_err, covariance = np.array(found).T
    np.testing.assert_allclose([x_err.mean(), y_err.mean()], [x.std(), y.std()], rtol=0.1)
    scatter = np.cov(x, y)[0, 1]
    assert covariance.mean() == pytest.approx(scatter, abs=0.15 * x.std() * y.std())
    assert (abs(angle) > 0) == (abs(covariance.mean()) > 0.3 * x.std() * y.std())


def test_noise_that_differs_from_pixel_to_pixel_is_weighed() -> None:
    """The right half is noisier: x and y of the scatter are those that are said."""
    rng = np.random.default_rng(1)
    light, away = gaussian(1000.0, (2.0, 2.0))
    noise = np.ones((1, *light.shape))
    noise[:, 22:] = 6.0
    found = [
        measured(light + noise * rng.normal(size=noise.shape), (away < 3).astype(int), noise**2)
        for _ in range(600)
    ]
    for name in "xy":
        scatter = np.std([each[name][0] for each in found])
        assert np.mean([each[f"{name}_err"][0] for each in found]) == pytest.approx(scatter, rel=0.1)


@pytest.mark.parametrize("unit", [1.0, 1e-11])
def test_a_round_gaussian_has_its_closed_form(unit: float) -> None:
    """ERRX2WIN = 4 Σ w² σ² (x − c)² / (Σ w s)² with w of the source's width is 8 π s⁴ σ² / flux²."""
    light, away = gaussian(500.0, (3.0, 3.0))
    found = measured(unit * light[None], (away < 6).astype(int), np.full((1, 41, 41), (0.2 * unit) ** 2))
    expected = np.sqrt(8 * np.pi) * 3.0**2 * 0.2 / 500
    np.testing.assert_allclose([found["x_err"][0], found["y_err"][0]], expected, rtol=0.01)
    assert abs(found["xy_covariance"][0]) < 1e-3 * expected**2


def test_no_error_is_greater_than_the_box_allows() -> None:
    """One pixel, a row of pixels, one without light, one of no valid pixel, and one far below its noise."""
    labels = np.zeros((30, 30), int)
    labels[2, 2], labels[5, 3:8], labels[10:13, 4:10], labels[20:24, 3:7], labels[20:25, 20:25] = (
        1,
        2,
        3,
        4,
        5,
    )
    image = np.ones((1, 30, 30))
    image[0, 10:13, 4:10], image[0, 20:24, 3:7] = -1.0, np.nan
    found = measured(image, labels, np.where(labels == 5, 1e6, 1e-4)[None])
    width, height = np.array([1, 5, 6, 4, 5]), np.array([1, 1, 3, 4, 5])
    anywhere_x, anywhere_y = width / np.sqrt(12), height / np.sqrt(12)
    at_most = np.array([True, False, True, True, True])
    np.testing.assert_allclose(found["x_err"][at_most], anywhere_x[at_most])
    np.testing.assert_allclose(found["y_err"], anywhere_y)
    assert found["x_err"][1] < 0.1
    np.testing.assert_allclose(found["xy_covariance"], 0, atol=1e-12)


def test_errors_are_unknown_where_no_noise_is_known() -> None:
    light, away = gaussian(500.0, (2.0, 2.0))
    labels = (away < 3).astype(int)
    without = measured(np.where(labels, light, 0)[None], labels, None)  # a sky that does not scatter
    assert np.isnan(without["x_err"]).all()
    assert np.isnan(without["xy_covariance"]).all()
    assert np.isfinite(without["x"]).all()
    image = np.stack([light, light])
    image[1] = np.nan
    variance = np.ones_like(image)
    variance[1] = np.nan
    found = measured(image, labels, variance)  # a band without data is no part of it
    alone = measured(image[:1], labels, variance[:1])
    np.testing.assert_allclose(found["x_err"], alone["x_err"])
    variance[0] = np.nan
    assert np.isnan(measured(image, labels, variance)["x_err"]).all()


@pytest.mark.parametrize("known", [True, False])
def test_the_s_n_of_a_gaussian_is_that_of_a_matched_filter(known: bool) -> None:
    """√Σ f² / σ², over two bands of one colour: F / (2 √π s σ) each."""
    rng = np.random.default_rng(2)
    light, away = gaussian(300.0, (2.0, 2.0))
    noise = np.array([1.0, 2.0])[:, None, None] * np.ones_like(light)
    found = [
        measured(
            light + noise * rng.normal(size=noise.shape), (away < 3).astype(int), noise**2 if known else None
        )
        for _ in range(300)
    ]
    one = 300 / (2 * np.sqrt(np.pi) * 2)
    snr = np.array([of["snr"][0] for of in found])
    assert snr.mean() == pytest.approx(np.hypot(one, one / 2), rel=0.05)
    if known:  # else that of the noise's own estimate comes to it
        assert snr.std() == pytest.approx(1, rel=0.15)
