"""DeepLens: what Lanusse+18 and the authors' code state beside the parameter count."""

import torch
from torch import nn

from astrocnn.networks.deeplens import DeepLens


def test_layers_and_buffers():
    network = DeepLens(in_channels=1, n_outputs=1)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    shortcuts = [name for name, _ in network.named_modules() if name.endswith("projection")]
    buffers = [b for name, b in network.named_buffers() if not name.endswith("num_batches_tracked")]
    assert len(convolutions) == 46 + 4
    assert len(shortcuts) == 4
    assert sum(b.numel() for b in buffers) == 10_944


def test_raw_shortcut_where_the_shape_stays():
    """With the last convolution of a block at zero, the block is the identity, or the projection alone."""
    network = DeepLens(in_channels=1, n_outputs=1).eval()
    for block in network.stages:
        nn.init.zeros_(block.residual[-1].weight)
        nn.init.zeros_(block.residual[-1].bias)
    x = torch.randn(2, 32, 11, 11)
    for block in network.stages[:3]:
        assert torch.equal(block(x), x)
    block = network.stages[3]
    torch.testing.assert_close(block(x), block.projection(nn.functional.elu(block.preactivation[0](x))))
    assert block(x).shape == (2, 64, 6, 6)


def test_strides():
    network = DeepLens(in_channels=4, n_outputs=1).eval()
    x = network.stem(torch.randn(1, 4, 101, 101))
    sizes = []
    for block in network.stages:
        x = block(x)
        sizes.append((x.shape[1], x.shape[2]))
    assert sizes == [
        (c, n) for c, n in ((32, 101), (64, 51), (128, 26), (256, 13), (512, 7)) for _ in range(3)
    ]
