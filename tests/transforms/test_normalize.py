import numpy as np
import pytest
import torch
from astropy.stats import mad_std
from scipy.ndimage import gaussian_filter

from astrocnn.errors import ConfigError, DataError
from astrocnn.functional.stretch import asinh
from astrocnn.transforms.normalize import Normalize


def fitted(image: torch.Tensor, valid: torch.Tensor | None = None, **options) -> Normalize:
    normalize = Normalize(n_bands=image.shape[1], **options)
    normalize.fit(image, torch.ones_like(image, dtype=torch.bool) if valid is None else valid)
    return normalize


@pytest.fixture
def image() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    sky = torch.tensor([10.0, -3.0]).view(1, 2, 1, 1)
    return sky + torch.tensor([2.0, 0.5]).view(1, 2, 1, 1) * torch.randn(50, 2, 16, 16, generator=generator)


def test_sky_and_noise_equal_astropys(image: torch.Tensor) -> None:
    normalize = fitted(image)
    for band in range(2):
        pixels = image[:, band].numpy()
        assert normalize.sky[band] == pytest.approx(np.median(pixels), rel=1e-3)
        assert normalize.noise[band] == pytest.approx(mad_std(pixels), rel=1e-3)


@pytest.mark.parametrize("stretch", ["asinh", "log", "sqrt", "linear"])
def test_training_pixels_have_mean_zero_and_deviation_one(image: torch.Tensor, stretch: str) -> None:
    y = fitted(image, stretch=stretch)(image, torch.ones_like(image, dtype=torch.bool))
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std((0, 2, 3)), torch.ones(2), atol=1e-3, rtol=0)


def test_asinh_is_that_of_numpy_and_of_torch() -> None:
    x = torch.cat([torch.linspace(-50, 50, 20001), torch.logspace(-37, 37, 500)])
    x = torch.cat([x, -x, torch.tensor([0.0, torch.inf, -torch.inf, torch.nan])])
    torch.testing.assert_close(asinh(x), torch.asinh(x), rtol=3e-7, atol=0, equal_nan=True)
    np.testing.assert_allclose(asinh(x.double()), np.arcsinh(x.double().numpy()), rtol=1e-15)
    given = x[:-3].clone().requires_grad_()  # finite ones
    asinh(given).sum().backward()
    torch.testing.assert_close(given.grad, (1 / torch.hypot(given.detach(), torch.ones(()))))


@pytest.mark.parametrize("factor", [1e-13, 1e-9, 1e12])
def test_units_do_not_matter(image: torch.Tensor, factor: float) -> None:
    everything = torch.ones_like(image, dtype=torch.bool)
    want = fitted(image)(image, everything)
    torch.testing.assert_close(fitted(image * factor)(image * factor, everything), want, atol=1e-4, rtol=1e-4)


def test_pixels_without_data_become_sky_and_are_not_measured(image: torch.Tensor) -> None:
    valid = torch.rand(image.shape, generator=torch.Generator().manual_seed(1)) > 0.3
    holes = torch.where(valid, image, 0)
    normalize = fitted(holes, valid)
    assert normalize.sky[0] == pytest.approx(image[:, 0][valid[:, 0]].median().item(), rel=1e-4)
    y = normalize(holes, valid)
    sky = normalize(normalize.sky.view(1, 2, 1, 1), torch.ones(1, 2, 1, 1, dtype=torch.bool))
    torch.testing.assert_close(y[~valid], sky.expand_as(y)[~valid])
    poisoned = normalize(torch.where(valid, image, float("nan")), valid)
    torch.testing.assert_close(poisoned, y)


def test_masked_out_frames_have_a_noise() -> None:
    image = torch.zeros(10, 1, 8, 8)
    image[..., 3:5, 3:5] = torch.randn(10, 1, 2, 2)  # more than half of the pixels are equal
    assert fitted(image).noise[0] > 0


def test_what_cannot_be_measured_is_refused(image: torch.Tensor) -> None:
    with pytest.raises(DataError, match="band r is constant"):
        Normalize(n_bands=1).fit(
            torch.ones(2, 1, 4, 4), torch.ones(2, 1, 4, 4, dtype=torch.bool), bands=("r",)
        )
    with pytest.raises(DataError, match="band 0 has no valid pixel"):
        Normalize(n_bands=1).fit(torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.bool))
    with pytest.raises(ConfigError, match=r"stretch='asin' is not known; .* Did you mean 'asinh'"):
        Normalize(n_bands=1, stretch="asin")


def test_an_unsharp_mask_lifts_a_faint_arc_out_of_its_galaxy() -> None:
    y, x = np.indices((65, 65)) - 32.0
    r = np.hypot(x, y)
    galaxy, arc = 5000 * np.exp(-r / 6), 20 * np.exp(-((r - 14) ** 2) / 3) * (x > 9)
    rng = np.random.default_rng(0)
    both = torch.tensor(
        np.stack([galaxy, galaxy + arc])[:, None] + rng.normal(0, 0.1, (1, 1, 65, 65))
    ).float()
    everything = torch.ones_like(both, dtype=torch.bool)
    plain, sharp = (fitted(both, sharpen=weight) for weight in (0.0, 6.0))
    lifted = [(n(both, everything)[1] - n(both, everything)[0]).abs().max() for n in (plain, sharp)]
    assert lifted[1] > 3 * lifted[0]


def test_an_unsharp_mask_is_what_its_formula_says(image: torch.Tensor) -> None:
    normalize = fitted(image, stretch="linear", softening=1.0, sharpen=2.0, sharpen_sigma_pix=1.5)
    s = (image.numpy() - normalize.sky.view(-1, 1, 1).numpy()) / normalize.noise.view(-1, 1, 1).numpy()
    want = s + 2 * (s - gaussian_filter(s, (0, 0, 1.5, 1.5), truncate=10 / 3))  # out to 5 pixels
    got = normalize(image, torch.ones_like(image, dtype=torch.bool))
    got = got * normalize.std.view(-1, 1, 1) + normalize.mean.view(-1, 1, 1)
    np.testing.assert_allclose(got[..., 5:-5, 5:-5], want[..., 5:-5, 5:-5], atol=1e-4)


def test_half_precision_around_it_does_not_touch_it(image: torch.Tensor) -> None:
    normalize, everything = fitted(image), torch.ones_like(image, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        got = normalize(image, everything)
    torch.testing.assert_close(got, normalize(image, everything))


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"normalize.sharpen=-1.* at least 0"):
        Normalize(n_bands=1, sharpen=-1.0)


def test_it_travels_in_the_state(image: torch.Tensor) -> None:
    normalize = fitted(image)
    twin = Normalize(n_bands=2)
    twin.load_state_dict(normalize.state_dict())
    everything = torch.ones_like(image, dtype=torch.bool)
    torch.testing.assert_close(twin(image, everything), normalize(image, everything))


@pytest.mark.parametrize("shape", [(400, 3), (40, 3, 50)])
def test_tables_and_series_are_normalised_feature_by_feature(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    size = (-1,) + (1,) * (len(shape) - 2)
    level, scale = torch.tensor([20.0, 1e-17, 5.0]).view(size), torch.tensor([1.0, 1e-18, 0.01]).view(size)
    values = level + scale * torch.randn(shape, generator=generator)
    valid = torch.rand(shape, generator=generator) > 0.2
    values = torch.where(valid, values, 0)
    normalize = fitted(values, valid, stretch="linear", sharpen=0.0)
    y = normalize(values, valid)
    assert y.shape == values.shape
    for k in range(3):
        known = values[:, k][valid[:, k]].double().numpy()
        assert normalize.noise[k] == pytest.approx(mad_std(known), rel=0.01)
        got = y[:, k][valid[:, k]]
        assert got.mean().item() == pytest.approx(0, abs=1e-3)
        assert got.std().item() == pytest.approx(1, rel=1e-2)
        median = (np.median(known) - known.mean()) / known.std()
        torch.testing.assert_close(
            y[:, k][~valid[:, k]], torch.full_like(y[:, k][~valid[:, k]], median), atol=0.02, rtol=0
        )


def test_only_images_are_sharpened() -> None:
    spectra = torch.randn(4, 1, 30, generator=torch.Generator().manual_seed(0))
    with pytest.raises(
        ConfigError, match=r"sharpen=6 .* are for images, but these data are 1 × 30 an object; .*=linear"
    ):
        fitted(spectra)
    with pytest.raises(ConfigError, match="these data are 1 × 30 an object"):
        Normalize(n_bands=1)(spectra, torch.ones_like(spectra, dtype=torch.bool))


def test_differences_of_bands_do_not_depend_on_units(image: torch.Tensor) -> None:
    everything = torch.ones_like(image, dtype=torch.bool)
    want = fitted(image, difference_radius_pix=5.0)(image, everything)
    assert not torch.allclose(want, fitted(image)(image, everything), atol=0.1)
    for factor in (1e-25, 1e9):
        got = fitted(image * factor, difference_radius_pix=5.0)(image * factor, everything)
        torch.testing.assert_close(got, want, atol=1e-3, rtol=1e-3)


def test_other_images_are_measured_by_their_own_sky_and_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(20, 2, 32, 32, generator=generator)
    valid = torch.ones_like(image, dtype=torch.bool)
    normalize = Normalize(n_bands=2, sharpen=0.0)
    normalize.fit(image, valid)
    before = normalize(image, valid)
    elsewhere = 1e-9 * (image + 3)  # in another unit, on another sky
    normalize.measure(elsewhere, valid)
    torch.testing.assert_close(normalize(elsewhere, valid), before, rtol=1e-3, atol=1e-3)
