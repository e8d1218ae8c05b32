"""SimpleCNN: parameters layer by layer (Domínguez Sánchez+18), padding, dropout, image sizes."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.networks.blocks import same_conv2d, sides
from astrocnn.networks.simple_cnn import SimpleCNN


def test_parameters_of_every_layer():
    network = SimpleCNN(in_channels=3, n_outputs=1, image_size=69)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    counts = [sum(p.numel() for p in layer.parameters()) for layer in layers]
    assert counts == [3_488, 51_264, 32_896, 147_584, 2_367_552, 65]


def test_order_of_the_paper():
    network = SimpleCNN(in_channels=3, n_outputs=1, image_size=69)
    rates = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
    kinds = [type(m).__name__ for m in network.features if not isinstance(m, nn.Sequential)]
    assert rates == [0.5, 0.25, 0.25, 0.25, 0.5]
    assert kinds == [
        *("ReLU", "Dropout"),
        *("ReLU", "MaxPool2d", "Dropout"),
        *("ReLU", "MaxPool2d", "Dropout"),
        *("ReLU", "Dropout"),
    ]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 6])
def test_same_padding_is_that_of_the_library(kernel):
    """PyTorch's own 'same' (which warns for even kernels) pads the surplus row below and right too."""
    ours = same_conv2d(3, 4, kernel)
    theirs = nn.Conv2d(3, 4, kernel, padding="same")
    theirs.load_state_dict(ours[1].state_dict())
    images = torch.randn(2, 3, 9, 12)
    torch.testing.assert_close(ours(images), theirs(images))


def test_an_impulse_shows_where_the_even_kernel_is_padded():
    conv = same_conv2d(1, 1, 2)
    nn.init.ones_(conv[1].weight)
    nn.init.zeros_(conv[1].bias)
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0, 0, 0] = 1
    assert conv(image)[0, 0].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]  # nothing before the first pixel
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0, 2, 2] = 1
    assert conv(image)[0, 0].tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]


def test_another_size_than_built_for():
    network = SimpleCNN(in_channels=1, n_outputs=1, image_size=(20, 31))
    assert network(torch.randn(2, 1, 20, 31)).shape == (2, 1)
    with pytest.raises(ConfigError, match=r"built for images of 20×31 .* image_size=\[20,20\]"):
        network(torch.randn(2, 1, 20, 20))


def test_bad_options():
    with pytest.raises(ConfigError, match="give five"):
        SimpleCNN(in_channels=1, n_outputs=1, image_size=16, dropout=[0.5])
    with pytest.raises(ConfigError, match="at least 4×4"):
        SimpleCNN(in_channels=1, n_outputs=1, image_size=3)
    for wrong in (0, -4, (3, 4, 5), "69", (6.5, 6)):
        with pytest.raises(ConfigError, match="is not a size in pixels"):
            sides(wrong)
