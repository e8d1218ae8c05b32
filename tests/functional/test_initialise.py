"""Variances of the initialisations: measured on one large layer against the published formulae."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.functional.initialise import initialise

N_IN, N_OUT = 128 * 9, 256 * 9
VARIANCE = {
    "he": 2 / N_IN,
    "glorot": 2 / (N_IN + N_OUT),
    "lecun": 1 / N_IN,
    "truncated_normal": 2 / N_IN,
    "default": 1 / (3 * N_IN),
}
# Fourth moment over squared variance: normal 3, uniform 9/5, normal cut at 2σ 2.37 (its closed form).
KURTOSIS = {"he": 3.0, "glorot": 1.8, "lecun": 3.0, "truncated_normal": 2.366, "default": 1.8}


@pytest.mark.parametrize("init", VARIANCE)
def test_moments_of_a_convolution(init):
    torch.manual_seed(0)
    layer = nn.Conv2d(128, 256, 3)  # 294,912 weights: variance known to 0.3 % (1σ)
    initialise(layer, init)
    weight = layer.weight.detach().double()
    assert weight.mean().abs() < 5 * (VARIANCE[init] / weight.numel()) ** 0.5
    assert weight.var().item() == pytest.approx(VARIANCE[init], rel=0.015)
    assert (weight**4).mean().item() / weight.var().item() ** 2 == pytest.approx(KURTOSIS[init], rel=0.03)


def test_a_linear_layer_has_no_kernel():
    torch.manual_seed(0)
    layer = nn.Linear(300, 700)
    initialise(layer, "glorot")
    assert layer.weight.var().item() == pytest.approx(2 / 1000, rel=0.02)


def test_biases_and_normalisations():
    module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Conv1d(8, 8, 3, bias=False))
    nn.init.constant_(module[1].weight, 0.7)
    initialise(module, "he")
    assert torch.equal(module[0].bias, torch.zeros(8))
    assert (module[1].weight == 0.7).all()


def test_default_leaves_the_module_as_it_was():
    module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Linear(4, 4))
    before = [p.clone() for p in module.parameters()]
    initialise(module, "default")
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_unknown_name():
    with pytest.raises(ConfigError, match=r"init='kaiming' is not known; choose from he, glorot"):
        initialise(nn.Linear(1, 1), "kaiming")
