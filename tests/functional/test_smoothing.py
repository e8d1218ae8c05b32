import numpy as np
import torch
from astropy.convolution import Gaussian2DKernel, convolve
from scipy.ndimage import gaussian_filter

from astrocnn.functional.smoothing import gaussian_smooth


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_without_gaps_and_away_from_the_edges_it_is_scipys() -> None:
    image = noise(2, 3, 40, 50)
    got = gaussian_smooth(image, torch.ones_like(image, dtype=torch.bool), 2.0)
    want = gaussian_filter(image.numpy(), (0, 0, 2, 2), truncate=3)
    np.testing.assert_allclose(got[..., 6:-6, 6:-6], want[..., 6:-6, 6:-6], atol=1e-5)


def test_gaps_are_bridged_as_astropys_convolution_does() -> None:
    image, valid = noise(1, 1, 41, 41), noise(1, 1, 41, 41) > -1
    kernel = Gaussian2DKernel(2.0, x_size=13, y_size=13)  # cut off at 3σ
    holes = np.where(valid[0, 0], image[0, 0], np.nan)
    want = convolve(holes, kernel, nan_treatment="interpolate", boundary="extend")
    got = gaussian_smooth(torch.where(valid, image, torch.nan), valid, 2.0)[0, 0]
    np.testing.assert_allclose(got[6:-6, 6:-6], want[6:-6, 6:-6], atol=1e-5)


def test_a_constant_stays_constant_up_to_the_edges() -> None:
    image, valid = torch.full((1, 2, 9, 9), 7.0), noise(1, 2, 9, 9) > 0
    torch.testing.assert_close(gaussian_smooth(image, valid, 3.0), image)


def test_nothing_within_reach_gives_zero() -> None:
    image, valid = torch.ones(1, 1, 8, 64), torch.zeros(1, 1, 8, 64, dtype=torch.bool)
    valid[..., 0] = True
    got = gaussian_smooth(image, valid, 1.0)
    torch.testing.assert_close(got[..., :4], torch.ones(1, 1, 8, 4))
    assert (got[..., 4:] == 0).all()
