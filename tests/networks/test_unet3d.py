"""The 3-D U-Net: its paper's widths, and volumes of any size."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.networks.unet3d import UNet3d


def test_the_papers_widths() -> None:
    with torch.device("meta"):
        network = UNet3d(in_channels=3, n_outputs=3, width=32)
    widths = [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv3d)]
    assert widths == [32, 64, 64, 128, 128, 256, 256, 512, 256, 256, 128, 128, 64, 64, 3]
    assert [layer.out_channels for layer in network.up] == [512, 256, 128]


def test_odd_volumes_are_padded_with_zeros() -> None:
    torch.manual_seed(0)
    network = UNet3d(in_channels=2, n_outputs=1, width=2, depth=2).eval()
    volumes = torch.randn(1, 2, 5, 9, 12)
    whole = torch.zeros(1, 2, 8, 12, 12)
    whole[..., :5, :9, :12] = volumes
    torch.testing.assert_close(network(volumes), network(whole)[..., :5, :9, :12])


def test_what_is_no_volume() -> None:
    network = UNet3d(in_channels=2, n_outputs=1, width=2)
    with pytest.raises(
        ConfigError, match=r"takes volumes of shape \(B, 2, D, H, W\) and got \(1, 2, 16, 16\)"
    ):
        network(torch.zeros(1, 2, 16, 16))
    with pytest.raises(ConfigError, match="at least 8×8×8 voxels and got 16×7×16"):
        network(torch.zeros(1, 2, 16, 7, 16))
    with pytest.raises(ConfigError, match="depth=0 and width=8"):
        UNet3d(in_channels=1, n_outputs=1, depth=0)
