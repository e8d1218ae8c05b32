"""What redshift networks do with their branches, differences and further inputs, against other arithmetic."""

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.networks.dcmdn import DCMDN
from astrocnn.networks.mdn import MDN
from astrocnn.networks.pasquet import Inception, Pasquet
from astrocnn.networks.table_mlp import TableMLP

torch.manual_seed(0)


def test_channels_of_the_inception_modules() -> None:
    x = torch.randn(2, 7, 6, 5)
    assert Inception(7, 48, 64)(x).shape == (2, 240, 6, 5)
    assert Inception(7, 92, 128, five=False)(x).shape == (2, 348, 6, 5)


def test_means_leave_the_padding_out() -> None:
    module = Inception(1, 1, 1)
    x = torch.rand(1, 1, 3, 4)
    values = module.mean(x)[0, 0]
    expected = torch.stack(
        [torch.stack([values[i : i + 2, j : j + 2].mean() for j in range(4)]) for i in range(3)]
    )
    torch.testing.assert_close(module(x)[0, -1], expected)


def test_slopes_and_biases_begin_as_in_the_paper() -> None:
    network = Pasquet(in_channels=2, n_outputs=3, image_size=16, n_scalars=1)
    assert network.dense[0].in_features == 348 * 2 * 2 + 1
    layers = [of for of in network.modules() if isinstance(of, nn.Conv2d | nn.Linear)]
    assert all((of.bias == 0.1).all() for of in layers)
    slopes = [of for of in network.modules() if isinstance(of, nn.PReLU)]
    assert len(slopes) == sum(isinstance(of, nn.Conv2d) for of in layers) == 1 + 4 * 6 + 4


def test_differences_are_further_channels() -> None:
    network = DCMDN(in_channels=5, n_outputs=3, image_size=16).eval()
    assert network.layers[0].in_channels == 15
    assert list(zip(network.first, network.second, strict=True))[:4] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    with torch.no_grad():
        network.layers[0].weight[:, :5] = (
            0  # what is left are differences, which a level of all bands does not change
        )
    images = torch.randn(2, 5, 16, 16)
    torch.testing.assert_close(network(images + 3), network(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [Pasquet, DCMDN, MDN])
def test_scalars_join(kind) -> None:
    network = kind(in_channels=2, n_outputs=3, image_size=32, n_scalars=2).eval()
    images, scalars = torch.randn(4, 2, 32, 32), torch.randn(4, 2)
    given = network(images, scalars)
    assert (given - network(images, scalars + 1)).abs().min() > 0
    torch.testing.assert_close(network(images), network(images, torch.zeros(4, 2)))
    with pytest.raises(ConfigError, match=r"scalars of shape \(4, 2\) and got \(4, 3\)"):
        network(images, torch.zeros(4, 3))


@pytest.mark.parametrize(
    ("trunk", "options"), [("resnet", {"small_stem": True}), ("dcmdn", {}), ("pasquet", {})]
)
def test_trunks_have_their_options(trunk, options) -> None:
    network = MDN(in_channels=2, n_outputs=9, trunk=trunk, options=options, image_size=16)
    assert network(torch.randn(2, 2, 16, 16)).shape == (2, 9)
    with pytest.raises(ConfigError, match=f"do not fit trunk={trunk}"):
        MDN(in_channels=2, n_outputs=9, trunk=trunk, options={"depht": 3})


def test_unknown_trunk() -> None:
    with pytest.raises(ConfigError, match=r"model\.trunk='resnett' is not known.*'resnet'"):
        MDN(in_channels=2, n_outputs=9, trunk="resnett")


def test_tables_tell_missing_values_and_errors_apart() -> None:
    network = TableMLP(in_channels=3, n_outputs=2).eval()
    x, valid, errors = torch.randn(4, 3), torch.ones(4, 3, dtype=torch.bool), torch.zeros(4, 3)
    torch.testing.assert_close(network(x), network(x, valid, errors))
    assert not torch.equal(network(x, ~valid), network(x))
    assert not torch.equal(network(x, valid, errors + 1), network(x))
