"""Image losses against PyTorch's, on the pixels that count."""

import pytest
import torch
import torch.nn.functional as F

from astrocnn.errors import ConfigError
from astrocnn.losses.image_losses import ImageBCE, ImageHuber, ImageL1, ImageL2

LOSSES = {
    "l1": (ImageL1(), F.l1_loss),
    "l2": (ImageL2(), F.mse_loss),
    "huber": (ImageHuber(delta=0.7), lambda y, t: F.huber_loss(y, t, delta=0.7)),
    "bce": (ImageBCE(), F.binary_cross_entropy_with_logits),
}


def draw(shape=(4, 2, 6, 6)):
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(shape, generator=generator)
    target = torch.rand(shape, generator=generator)
    return outputs, target, torch.rand(shape, generator=generator) > 0.3


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(4, 2, 6, 6), (2, 1, 3, 4, 5)])
def test_they_are_pytorchs_on_the_valid_pixels(name, shape):
    outputs, target, valid = draw(shape)
    loss, expected = LOSSES[name]
    hidden = torch.where(valid, target, torch.nan)
    torch.testing.assert_close(loss(outputs, hidden, valid), expected(outputs[valid], target[valid]))


@pytest.mark.parametrize("name", LOSSES)
def test_no_gradient_comes_from_what_is_not_valid(name):
    outputs, target, valid = draw()
    outputs.requires_grad_()
    loss = LOSSES[name][0]
    loss(outputs, torch.where(valid, target, torch.inf), valid).backward()
    assert torch.equal(outputs.grad != 0, valid)
    outputs.grad = None
    nothing = loss(outputs, target, torch.zeros_like(valid))
    nothing.backward()
    assert nothing.item() == 0
    assert not outputs.grad.any()


def test_weights_of_images_and_planes():
    outputs, target, valid = draw()
    weight = torch.tensor([0.0, 1.0, 2.0, 0.5])
    got = ImageL2(plane_weights=[3.0, 1.0])(outputs, target, valid, weight)
    each = (outputs - target).square().double()
    share = valid.double() * weight.view(-1, 1, 1, 1) * torch.tensor([3.0, 1.0]).view(-1, 1, 1)
    torch.testing.assert_close(got.double(), (each * share).sum() / share.sum())


def test_half_precision_outputs_are_compared_in_single():
    outputs = torch.full((1, 1, 2, 2), 300.0, dtype=torch.bfloat16)
    loss = ImageL2()(outputs, torch.full((1, 1, 2, 2), 299.9), torch.ones(1, 1, 2, 2, dtype=torch.bool))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.01, rel=1e-2)


def test_what_does_not_go_together_is_refused():
    outputs, target, valid = draw()
    with pytest.raises(ConfigError, match="must have one shape"):
        ImageL1()(outputs, target[:, :1], valid)
    with pytest.raises(ConfigError, match="has 3 numbers for 2 planes"):
        ImageL1(plane_weights=[1, 1, 1])(outputs, target, valid)
    with pytest.raises(ConfigError, match="≥ 0 a plane"):
        ImageL1(plane_weights=[-1, 1])
    with pytest.raises(ConfigError, match=r"loss\.delta=0"):
        ImageHuber(delta=0)
