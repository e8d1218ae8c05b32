import pytest
import torch

from astrocnn.functional.enlarge import enlarged


@pytest.mark.parametrize(("shape", "factor"), [((2, 3, 8, 10), 2), ((1, 2, 7, 7), 4), ((1, 1, 4, 5, 6), 2)])
def test_flux_is_conserved_on_the_finer_grid(shape: tuple[int, ...], factor: int) -> None:
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    finer = enlarged(images, factor)
    assert finer.shape[2:] == tuple(factor * side for side in shape[2:])
    axes = tuple(range(2, len(shape)))
    torch.testing.assert_close(finer.sum(axes), images.sum(axes))


def test_a_slope_stays_a_slope() -> None:
    images = torch.arange(10.0).expand(1, 1, 4, 10)
    finer = 4 * enlarged(images, 2)[0, 0, 0]
    torch.testing.assert_close(finer[1:-1], torch.arange(18) / 2 + 0.25)
    assert enlarged(images, 1) is images
