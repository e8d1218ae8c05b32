"""Measured objects against scipy.ndimage's sums, true positions and classes of drawn sources."""

import numpy as np
import pytest
from scipy import ndimage

from astrocnn.errors import DataError
from astrocnn.functional import centroids
from astrocnn.functional.objects import measure_objects


def sources(n=40, seed=0, noise=1.0, gap_pix=24, flux=(30.0, 3000.0)):
    """Isolated round Gaussians on a grid, in two bands of noise 1 and 3, each with the pixels where it exceeds 1σ."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    y, x = np.indices((side * gap_pix, side * gap_pix))
    y0, x0 = (gap_pix * (np.divmod(np.arange(n), side)[k] + 0.5) + rng.uniform(-3, 3, n) for k in (0, 1))
    total, width = 10 ** rng.uniform(*np.log10(flux), n), rng.uniform(1.5, 3, n)
    image, labels = np.zeros((2, *y.shape)), np.zeros(y.shape, dtype=np.int32)
    for k in range(n):
        one = (
            total[k]
            * np.exp(-((y - y0[k]) ** 2 + (x - x0[k]) ** 2) / 2 / width[k] ** 2)
            / 2
            / np.pi
            / width[k] ** 2
        )
        image += one * np.array([1.0, 2.0])[:, None, None]
        labels[one > 0.7] = 3 * k + 2
    image += noise * rng.normal(size=image.shape) * np.array([1.0, 3.0])[:, None, None]
    return image, labels, x0, y0, total


def measure(image, labels, **options):
    p = np.stack([labels == 0, labels > 0]).astype(np.float32)
    return measure_objects(labels, image, np.isfinite(image), p, **options)


def test_sums_are_those_of_ndimage():
    image, labels, *_ = sources()
    variance = np.abs(np.random.default_rng(1).normal(size=image.shape))
    image[1, ::7] = np.nan
    found = measure(image, labels, variance=variance)
    numbers = np.unique(labels)[1:]
    np.testing.assert_array_equal(found["number"], numbers)
    np.testing.assert_array_equal(found["area_pix"], ndimage.sum_labels(labels > 0, labels, numbers))
    usable = np.isfinite(image)
    for band in range(2):
        flux = ndimage.sum_labels(np.nan_to_num(image[band]), labels, numbers)
        error2 = ndimage.sum_labels(np.where(usable, variance, 0)[band], labels, numbers)
        np.testing.assert_allclose(found["flux"][:, band], flux)
        np.testing.assert_allclose(found["flux_err"][:, band], np.sqrt(error2))


def test_positions_without_noise_are_exact():
    image, labels, x, y, _ = sources(noise=0, flux=(100.0, 3000.0))
    found = measure(image, labels)
    np.testing.assert_allclose(found["x"], x, atol=0.05)
    np.testing.assert_allclose(found["y"], y, atol=0.05)


@pytest.mark.parametrize("unit", [1.0, 1e-11])
def test_positions_are_within_a_third_of_a_pixel_at_low_signal_to_noise(unit):
    image, labels, x, y, _ = sources(n=100, flux=(60.0, 120.0), seed=2)  # S/N 5 to 25
    found = measure(unit * image, labels)
    k = (found["number"] - 2) // 3
    assert np.median(np.hypot(found["x"] - x[k], found["y"] - y[k])) < 0.3
    # The noisier band weighs less than it would by its flux alone.
    alone = measure(unit * image[1:], labels)
    error = [np.median(np.hypot(m["x"] - x[k], m["y"] - y[k])) for m in (found, alone)]
    assert error[0] < error[1]


def test_known_variances_weigh_the_bands_as_their_scatter_does():
    image, labels, *_ = sources()
    variance = np.broadcast_to(np.array([1.0, 9.0])[:, None, None], image.shape)
    for axis in "xy":
        known, estimated = (measure(image, labels, **more)[axis] for more in ({"variance": variance}, {}))
        np.testing.assert_allclose(known, estimated, atol=0.02)


def test_few_iterations_reach_the_fixed_point(monkeypatch):
    image, labels, *_ = sources(flux=(60.0, 120.0))
    labels = np.where(np.roll(labels, 4, axis=1) > 0, 0, labels)  # whose left parts belong to others
    found = measure(image, labels)
    monkeypatch.setattr(centroids, "ITERATIONS", 200)
    for axis in "xy":
        assert np.median(np.abs(found[axis] - measure(image, labels)[axis])) < 0.002


def test_a_centre_stays_within_its_object():
    rng = np.random.default_rng(3)
    labels = np.zeros((20, 20), dtype=int)
    labels[4:7, 4:7], labels[12:14, 3:9] = 1, 2
    for _ in range(20):
        found = measure(rng.normal(size=(1, 20, 20)), labels)
        assert ((found["x"] >= [4, 3]) & (found["x"] <= [6, 8])).all()
        assert ((found["y"] >= [4, 12]) & (found["y"] <= [6, 13])).all()
    dark = measure(-np.ones((1, 20, 20)), labels)
    np.testing.assert_allclose(dark["x"], [5, 5.5])
    np.testing.assert_allclose(dark["y"], [5, 12.5])


def test_the_class_is_the_likeliest_but_background():
    labels = np.array([[1, 1, 2, 0]])
    p = np.array([[[0.6, 0.8, 0.1, 1.0]], [[0.1, 0.4, 0.2, 0.0]], [[0.3, 0.0, 0.7, 0.0]]])
    found = measure_objects(labels, np.ones((1, 1, 4)), np.ones((1, 1, 4), bool), p)
    np.testing.assert_allclose(found["p_class"], [[0.7, 0.25, 0.15], [0.1, 0.2, 0.7]], atol=1e-6)
    np.testing.assert_array_equal(found["label"], [1, 2])
    np.testing.assert_array_equal(found["blended"], [True, True])


def test_blended_objects_touch_at_an_edge_or_corner():
    labels = np.zeros((6, 8), dtype=int)
    labels[0, 0], labels[1, 1], labels[0, 6], labels[1, 5], labels[4, 2:4], labels[4, 5] = 1, 2, 3, 4, 5, 6
    found = measure(np.ones((1, 6, 8)), labels)
    np.testing.assert_array_equal(found["blended"], [True, True, True, True, False, False])


def test_the_level_of_the_sky_is_taken_away_first():
    image, labels, *_ = sources()
    level = np.array([5.0] * len(image), np.float32)
    expected, found = measure(image, labels), measure(image + level[:, None, None], labels, sky=level)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=2e-3, rtol=1e-3, err_msg=name)


def test_each_object_may_have_its_own_sky_and_noise():
    """A sky that rises: with its level at each object, positions and fluxes are those over a flat one."""
    image, labels, *_ = sources()
    rise = np.array([0.02, 0.05])[:, None, None] * np.arange(labels.shape[1])
    known = np.array([1.0, 3.0])
    flat = measure(image, labels, noise=known)
    level = np.zeros((labels.max(), 2))
    level[flat["number"] - 1] = np.stack([0.02 * flat["x"], 0.05 * flat["x"]], axis=1)
    found = measure(image + rise, labels, sky=level, noise=np.broadcast_to(known, level.shape))
    for name in ("x", "y"):
        np.testing.assert_allclose(found[name], flat[name], atol=0.15)
    for name in ("x_err", "snr"):
        np.testing.assert_allclose(found[name][flat["snr"] > 5], flat[name][flat["snr"] > 5], rtol=0.1)
    wrong = measure(image + rise, labels, noise=known)
    assert np.median(np.abs(wrong["flux"] - flat["flux"])) > 50 * np.median(
        np.abs(found["flux"] - flat["flux"])
    )
    assert set(measure_objects(labels, image, image < np.inf)) == set(found) - {"label", "p_class"}


def test_bands_without_data_have_no_flux_and_maps_without_objects_no_rows():
    image, labels, *_ = sources(n=4)
    image[0] = np.nan
    found = measure(image, labels, variance=np.ones_like(image))
    assert np.isnan(found["flux"][:, 0]).all()
    assert np.isnan(found["flux_err"][:, 0]).all()
    assert np.isfinite(found["flux"][:, 1]).all()
    assert np.isfinite(found["x"]).all()
    empty = measure(image, 0 * labels, variance=np.ones_like(image))
    assert {name: len(column) for name, column in empty.items()} == dict.fromkeys(empty, 0)
    assert empty["flux"].shape == (0, 2)


def test_shapes_that_do_not_go_together_are_refused():
    with pytest.raises(DataError, match=r"\(4, 4\), \(1, 4, 5\)"):
        measure_objects(
            np.zeros((4, 4), int), np.zeros((1, 4, 5)), np.ones((1, 4, 5), bool), np.zeros((2, 4, 4))
        )
