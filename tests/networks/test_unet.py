"""The U-Net's sizes and its paper; its field of view is in test_field.py."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.networks.unet import UNet

SMALL = {"in_channels": 1, "n_outputs": 1, "width": 2}


def random_unet(**options: object) -> UNet:
    """With positive weights, so that nothing cancels and every path is open."""
    network = UNet(**{**SMALL, "batch_norm": False, **options}).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.rand_like(parameter) / parameter[0].numel())
    return network


def test_the_papers_sizes() -> None:
    with torch.device("meta"):
        network = UNet(in_channels=1, n_outputs=2, padding="valid", batch_norm=False)
        assert network(torch.empty(1, 1, 572, 572)).shape == (1, 2, 388, 388)
        assert network.border == (572 - 388) // 2
        with pytest.raises(ConfigError, match=r"cannot halve 570 pixels 4 times; .*are 556 and 572; or set"):
            network(torch.empty(1, 1, 572, 570))
        with pytest.raises(ConfigError, match="at least 188×188 pixels"):
            network(torch.empty(1, 1, 187, 187))


def test_valid_maps_are_the_middle_of_same_ones() -> None:
    same, valid = (
        random_unet(depth=1),
        random_unet(depth=1, padding="valid"),
    )  # deeper ones pool other pixels together
    valid.load_state_dict(same.state_dict())
    images, far = torch.rand(1, 1, 92, 92, dtype=torch.double), valid.border
    torch.testing.assert_close(valid(images), same(images)[..., far:-far, far:-far])


def test_odd_sizes_are_padded_with_zeros() -> None:
    network = random_unet(depth=3)
    images = torch.rand(1, 1, 41, 30, dtype=torch.double)
    whole = torch.zeros(1, 1, 48, 32, dtype=torch.double)
    whole[..., :41, :30] = images
    torch.testing.assert_close(network(images), network(whole)[..., :41, :30])


def test_transposed_convolutions_are_initialised_as_others() -> None:
    layer = nn.ConvTranspose2d(256, 128, 2, stride=2)
    torch.manual_seed(0)
    from astrocnn.functional.initialise import initialise

    initialise(layer, "he")
    assert layer.weight.std().item() == pytest.approx(
        (2 / 256) ** 0.5, rel=0.02
    )  # one position of four at each output


@pytest.mark.parametrize("upsampling", ["transposed", "nearest", "bilinear"])
def test_sizes_without_padding(upsampling: str) -> None:
    network = random_unet(depth=2, padding="valid", upsampling=upsampling)
    assert network(torch.rand(1, 1, network.least_size, network.least_size + 4).double()).shape[2] > 0
    with pytest.raises(ConfigError, match=r"the nearest sizes that work are (\d+) and") as caught:
        network(torch.rand(1, 1, 93, 92).double())
    below = int(str(caught.value).split("work are ")[1].split()[0])
    assert network(torch.rand(1, 1, below, below).double()).shape[2] == below - 2 * network.border


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "reflect"}, "padding='reflect' is not known"),
        ({"upsampling": "shuffle"}, "upsampling='shuffle' is not known"),
        ({"depth": 0}, "depth=0 and width=2: a U-Net has at least 1"),
    ],
)
def test_options_that_are_none(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        UNet(**{**SMALL, **options})


@pytest.mark.parametrize("size", [16, 13])
def test_finer_pixels_come_from_channels_in_their_order(size: int) -> None:
    plain = UNet(in_channels=2, n_outputs=4, depth=1, width=4).eval()
    finer = UNet(in_channels=2, n_outputs=1, depth=1, width=4, upscale=2).eval()
    finer.load_state_dict(plain.state_dict())
    images = torch.randn(1, 2, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        channels, maps = plain(images), finer(images)
    assert maps.shape == (1, 1, 2 * size, 2 * size)
    for number in range(4):  # left to right, then down, within a pixel
        torch.testing.assert_close(maps[:, 0, number // 2 :: 2, number % 2 :: 2], channels[:, number])
