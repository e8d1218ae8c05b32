"""Convolution arithmetic against PyTorch's layers and textbook numbers."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.functional.convolution import n_parameters, output_size, transposed_output_size


@pytest.mark.parametrize("size", [5, 7, 28, 101])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_output_size_is_that_of_the_layer(size, kernel, stride, padding, dilation):
    layer = nn.Conv1d(1, 1, kernel, stride, padding, dilation, device="meta")
    if dilation * (kernel - 1) + 1 > size + 2 * padding:
        with pytest.raises(ConfigError, match="does not fit"):
            output_size(size, kernel, stride=stride, padding=padding, dilation=dilation)
        return
    expected = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
    assert output_size(size, kernel, stride=stride, padding=padding, dilation=dilation) == expected


@pytest.mark.parametrize("size", [1, 4, 13])
@pytest.mark.parametrize(("kernel", "stride", "padding", "extra"), [(2, 2, 0, 0), (3, 2, 1, 1), (5, 3, 2, 2)])
def test_transposed_output_size_is_that_of_the_layer(size, kernel, stride, padding, extra):
    layer = nn.ConvTranspose1d(1, 1, kernel, stride, padding, extra, device="meta")
    expected = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
    ours = transposed_output_size(size, kernel, stride=stride, padding=padding, output_padding=extra)
    assert ours == expected


def test_transposing_undoes_the_size():
    assert output_size(transposed_output_size(13, 4, stride=2, padding=1), 4, stride=2, padding=1) == 13


@pytest.mark.parametrize(("size", "stride", "expected"), [(28, 1, 28), (28, 2, 14), (29, 2, 15), (7, 3, 3)])
def test_same_padding(size, stride, expected):
    assert output_size(size, 6, stride=stride, padding="same") == expected


def test_unknown_padding_and_least_size():
    with pytest.raises(ConfigError, match="padding='valid' is not known"):
        output_size(8, 3, padding="valid")
    with pytest.raises(ConfigError, match="the least size is 5"):
        output_size(4, 7, padding=1)


def test_textbook_numbers():
    assert n_parameters((5, 5), 3, 32) == 2432  # 32 filters 5×5 on colour
    assert n_parameters((3, 3), 3, 10) == 280
    assert n_parameters((3, 3, 3), 16, 32) == 13_856  # the 3-D network's second layer
    assert n_parameters((5, 5), 3, 32, bias=False) == 2400
    assert output_size(572, 3) == 570  # U-Net's first valid convolution
    assert output_size(227, 11, stride=4) == 55  # AlexNet's first layer
