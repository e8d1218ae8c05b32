"""The three FCNs: what they add, and interpolation that is one."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.networks.fcn import FCN, make_bilinear

SMALL = {"in_channels": 2, "n_outputs": 3, "width": 2}


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_transposed_convolutions_begin_as_interpolation(factor: int) -> None:
    layer = nn.ConvTranspose2d(3, 3, 2 * factor, stride=factor, padding=factor // 2, bias=False)
    make_bilinear(layer.weight)
    maps = torch.randn(2, 3, 6, 9)
    expected = nn.functional.interpolate(maps, scale_factor=factor, mode="bilinear")
    inside = slice(factor, -factor)  # the edge is interpolated with zeros
    torch.testing.assert_close(layer(maps)[..., inside, inside], expected[..., inside, inside])


def test_transposed_convolutions_of_the_network_are_such() -> None:
    network = FCN(**SMALL, init="glorot")
    maps = torch.randn(1, 3, 5, 5)
    for enlarge in network.enlarge:
        expected = nn.functional.interpolate(maps, scale_factor=2, mode="bilinear")
        torch.testing.assert_close(enlarge(maps)[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2])
        assert enlarge.weight.requires_grad  # to be learned


def test_finer_scores_are_added_to_coarser_ones() -> None:
    """Without finer scores FCN-8s gives what FCN-32s gives, interpolated in steps."""
    torch.manual_seed(0)
    coarse, fine = FCN(**SMALL, stride=32).eval(), FCN(**SMALL, stride=8).eval()
    fine.load_state_dict(coarse.state_dict(), strict=False)
    images = torch.randn(1, 2, 256, 256)
    maps = fine(images)
    for score in fine.score_finer:
        nn.init.zeros_(score.weight)
    steps = coarse.score(coarse.dense(deepest(coarse, images)))
    for factor in (2, 2, 8):
        steps = nn.functional.interpolate(steps, scale_factor=factor, mode="bilinear")
    inside = slice(64, -64)
    torch.testing.assert_close(fine(images)[..., inside, inside], steps[..., inside, inside])
    assert not torch.allclose(fine(images), maps)  # which they would add to


def deepest(network: FCN, images: torch.Tensor) -> torch.Tensor:
    for level in network.levels:
        images = nn.functional.max_pool2d(level(images), 2)
    return images


def test_scores_of_a_stride() -> None:
    """A map of stride s is linear between centres s pixels apart."""
    torch.manual_seed(0)
    for stride in (32, 16, 8):
        maps = FCN(**SMALL, stride=stride).eval()(torch.randn(1, 2, 128, 128))[0, 0]
        bends = maps.diff(n=2, dim=1).abs().amax(0) > 1e-5 * maps.abs().max()
        where = bends.nonzero().flatten() + 1
        assert set((where % stride).tolist()) == {stride // 2 - 1, stride // 2}


def test_the_levels_are_those_of_vgg() -> None:
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        theirs = torchvision.models.vgg16().features
        ours = FCN(in_channels=3, n_outputs=21, width=64, batch_norm=False).levels
    shapes = [
        [tuple(layer.weight.shape) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
        for network in (ours, theirs)
    ]
    assert shapes[0] == shapes[1]


def test_another_stride() -> None:
    with pytest.raises(
        ConfigError, match=r"stride=4 is not one of FCN's; choose 32, 16 or 8 \(model.stride=8\)"
    ):
        FCN(**SMALL, stride=4)
    with pytest.raises(ConfigError, match="width=0: an FCN has at least 1 channel"):
        FCN(**{**SMALL, "width": 0})
