"""ResNet against torchvision's, which was written by others and is the field's reference."""

import pytest
import torch
import torchvision

from astrocnn.errors import ConfigError
from astrocnn.networks.resnet import ResNet


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_equal_to_torchvision(depth):
    torch.manual_seed(depth)
    theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    ours = ResNet(in_channels=3, n_outputs=1000, depth=depth)
    images = torch.randn(2, 3, 75, 64)
    theirs(images)  # running statistics that differ from their initial values
    ours.load_state_dict(theirs.state_dict())  # strict: the same keys and shapes
    assert list(ours.state_dict()) == list(theirs.state_dict())

    outputs = []
    for network in (theirs.eval(), ours.eval()):
        output = network(images)
        output.sum().backward()
        outputs.append((output, network.conv1.weight.grad))
    torch.testing.assert_close(outputs[1][0], outputs[0][0])
    torch.testing.assert_close(outputs[1][1], outputs[0][1], rtol=1e-4, atol=1e-4)


def test_small_stem_keeps_the_resolution():
    network = ResNet(in_channels=1, n_outputs=1, small_stem=True).eval()
    shapes = {}
    for name in ("layer1", "layer4"):
        layer = getattr(network, name)
        layer.register_forward_hook(lambda _m, _i, out, name=name: shapes.update({name: tuple(out.shape)}))
    network(torch.randn(1, 1, 32, 40))
    assert shapes == {"layer1": (1, 64, 32, 40), "layer4": (1, 512, 4, 5)}
    assert network.conv1.weight.shape == (64, 1, 3, 3)


def test_unknown_depth():
    with pytest.raises(ConfigError, match="depth='101' is not known; choose from 18, 34, 50"):
        ResNet(in_channels=3, n_outputs=1, depth=101)
