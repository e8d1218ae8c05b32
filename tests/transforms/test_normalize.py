import numpy as np
import pytest
import torch
from astropy.stats import mad_std

from astrocnn.errors import ConfigError, DataError
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


def test_it_travels_in_the_state(image: torch.Tensor) -> None:
    normalize = fitted(image)
    twin = Normalize(n_bands=2)
    twin.load_state_dict(normalize.state_dict())
    everything = torch.ones_like(image, dtype=torch.bool)
    torch.testing.assert_close(twin(image, everything), normalize(image, everything))
