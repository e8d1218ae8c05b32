import pytest
import torch
from scipy import ndimage

from astrocnn.errors import ConfigError
from astrocnn.functional.smoothing import gaussian_blur
from astrocnn.transforms.augment import Augment
from astrocnn.transforms.instrument import blur, drop_bands


def batch(n: int = 6, bands: int = 3, size: int = 33) -> dict[str, torch.Tensor]:
    image = torch.randn(n, bands, size, size, generator=torch.Generator().manual_seed(0))
    return {"image": image, "valid": torch.ones_like(image, dtype=torch.bool)}


def test_each_band_is_blurred_by_its_own_gaussian() -> None:
    source = batch(1, 2)
    sigma = torch.tensor([[0.0, 1.7]])
    found = gaussian_blur(source["image"], source["valid"], sigma)
    torch.testing.assert_close(found[0, 0], source["image"][0, 0])
    expected = ndimage.gaussian_filter(source["image"][0, 1].numpy(), 1.7, truncate=6 / 1.7, mode="constant")
    torch.testing.assert_close(
        found[0, 1, 8:-8, 8:-8], torch.from_numpy(expected)[8:-8, 8:-8], rtol=0, atol=1e-5
    )


def test_gaps_give_no_light_to_their_neighbours() -> None:
    source = batch(1, 1)
    source["image"][:] = 1.0
    source["valid"][..., 10:13] = False
    source["image"][..., 10:13] = 0.0
    found = blur(source, sigma_pix=2.0)["image"]
    assert torch.allclose(found[source["valid"]], torch.ones(()))
    assert bool((found[~source["valid"]] == 0).all())


def test_bands_are_lost_with_their_probability_and_never_all() -> None:
    torch.manual_seed(0)
    found = drop_bands(batch(4000, 3, 2), probability=0.6)
    kept = found["valid"].any(-1).any(-1)
    assert bool(kept.any(1).all())
    # one of three is kept where all would be lost, with probability 0.6³
    assert kept.float().mean().item() == pytest.approx(0.4 + 0.6**3 / 3, abs=0.01)
    assert bool((found["image"][~found["valid"]] == 0).all())


def test_losing_every_band_is_refused() -> None:
    with pytest.raises(ConfigError, match="loses every band"):
        Augment(band_dropout=1.0)
