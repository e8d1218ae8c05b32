"""The loss of centres and offsets against sums done by hand."""

import math

import pytest
import torch

from astrocnn.errors import ConfigError
from astrocnn.losses.centres import CentreLoss


def maps(logit: float, size: int = 9):
    """One object of 3 × 3 pixels around (4, 4), and a heat map that says the same everywhere."""
    instances = torch.zeros(1, size, size, dtype=torch.int64)
    instances[0, 3:6, 3:6] = 7
    return torch.full((1, size, size), logit), torch.zeros(1, 2, size, size), instances


def test_the_heat_map_has_the_focal_loss_of_centernet():
    sigma, logit = 1.5, -1.0
    heat, offset, instances = maps(logit)
    p = 1 / (1 + math.exp(-logit))
    expected = 0.0
    for y in range(9):
        for x in range(9):
            r2 = (y - 4) ** 2 + (x - 4) ** 2
            wanted = math.exp(-r2 / (2 * sigma**2)) if max(abs(y - 4), abs(x - 4)) <= 3 * sigma else 0.0
            if r2 == 0:
                expected -= (1 - p) ** 2 * math.log(p)
            else:
                expected -= (1 - wanted) ** 4 * p**2 * math.log(1 - p)
    found = CentreLoss(sigma_pix=sigma, centre_weight=1.0)(heat, offset, instances)["centre"]
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_offsets_are_judged_by_their_mean_distance_along_the_axes_inside_objects():
    heat, offset, instances = maps(0.0)
    # from the pixels of a 3 × 3 square to its middle: |dy| + |dx| is 0 once, 1 four times, 2 four times
    found = CentreLoss(offset_weight=2.0)(heat, offset, instances)["offset"]
    assert found.item() == pytest.approx(2.0 * 12 / 9)
    offset[:] = 100.0
    offset[0, :, 3:6, 3:6] = torch.stack(
        torch.meshgrid(torch.tensor([1.0, 0, -1]), torch.tensor([1.0, 0, -1]), indexing="ij")
    )
    assert CentreLoss()(heat, offset, instances)["offset"].item() == 0  # whatever it says elsewhere


def test_ignored_pixels_and_empty_images_cost_nothing():
    heat, offset, _ = maps(3.0)
    nothing = CentreLoss()(heat, offset, torch.full((1, 9, 9), -1))
    assert nothing["centre"].item() == nothing["offset"].item() == 0
    empty = CentreLoss()(heat.neg() * 10, offset, torch.zeros(1, 9, 9, dtype=torch.int64))
    assert empty["centre"].item() == pytest.approx(0, abs=1e-6)


def test_a_centre_between_pixels_is_one():
    instances = torch.zeros(1, 8, 8, dtype=torch.int64)
    instances[0, 2:6, 2:6] = 1  # around the corner of four pixels
    heat = torch.full((1, 8, 8), -12.0)
    heat[0, 3:5, 3:5] = 12.0
    found = CentreLoss(centre_weight=1.0)(heat, torch.zeros(1, 2, 8, 8), instances)["centre"]
    assert found.item() == pytest.approx(0, abs=1e-3)


def test_gradients_are_finite_for_any_logit():
    heat, offset, instances = maps(0.0)
    heat = torch.linspace(-80, 80, heat.numel()).view_as(heat).requires_grad_()
    sum(CentreLoss()(heat, offset, instances).values()).backward()
    assert torch.isfinite(heat.grad).all()


def test_options_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="sigma_pix=0"):
        CentreLoss(sigma_pix=0)
