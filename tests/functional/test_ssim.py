"""Structural similarity against torchmetrics, and what missing pixels do to it."""

import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from astrocnn.functional.ssim import ssim


def pair(shape: tuple[int, ...], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = 1 + 3 * torch.randn(shape, generator=generator)
    return target + torch.randn(shape, generator=generator), target


def range_of(target: torch.Tensor) -> torch.Tensor:
    return target.flatten(2).amax(2) - target.flatten(2).amin(2)


@pytest.mark.parametrize("factor", [1.0, 1e-13])
def test_it_is_torchmetrics_where_every_pixel_is_valid(factor: float) -> None:
    p, t = (maps * factor for maps in pair((3, 2, 20, 31)))
    got = ssim(p, t, torch.ones_like(t, dtype=torch.bool), range_of(t))
    for b in range(3):
        for k in range(2):
            p1, t1 = p[b : b + 1, k : k + 1].double(), t[b : b + 1, k : k + 1].double()
            spread = float(t1.max() - t1.min())
            _, full = structural_similarity_index_measure(p1, t1, data_range=spread, return_full_image=True)
            want = full[..., 5:-5, 5:-5].mean()  # where the window lies inside, as in the paper's own program
            assert got[b, k].item() == pytest.approx(want.item(), abs=1e-6)


def test_a_volume_is_the_mean_of_its_slices() -> None:
    p, t = pair((2, 3, 4, 16, 16))
    everything = torch.ones_like(t, dtype=torch.bool)
    spread = range_of(t.flatten(2, 3))
    slices = [ssim(p[:, :, d], t[:, :, d], everything[:, :, d], spread) for d in range(4)]
    torch.testing.assert_close(ssim(p, t, everything, spread), torch.stack(slices).mean(0))


def test_pixels_that_are_not_valid_do_not_matter() -> None:
    p, t = pair((1, 1, 30, 30))
    valid = torch.ones_like(t, dtype=torch.bool)
    valid[..., 12:15, 10:20] = False
    want = ssim(p, t, valid, range_of(t))
    wild = torch.where(valid, p, 1e6), torch.where(valid, t, torch.nan)
    torch.testing.assert_close(ssim(*wild, valid, range_of(t)), want)
    assert ssim(t, t, valid, range_of(t)).item() == pytest.approx(1)


def test_what_has_no_pixel_or_no_range_has_no_index() -> None:
    p, t = pair((1, 2, 16, 16))
    valid = torch.ones_like(t, dtype=torch.bool)
    valid[:, 0] = False
    got = ssim(p, t, valid, torch.tensor([[1.0, 0.0]]))
    assert got.isnan().all()
