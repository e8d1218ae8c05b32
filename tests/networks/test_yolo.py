"""The two grids of boxes: which sizes they take, and how many cells come out."""

import pytest
import torch

from astrocnn.errors import ConfigError
from astrocnn.networks.yolo import Yolo
from astrocnn.networks.yolo_dense import FEW_OBJECTS, YoloDense

SMALL = {"in_channels": 2, "n_outputs": 8, "width": 4, "features": 4}


def test_the_papers_numbers():
    """Redmon et al. 2016: 448² pixels, 7 × 7 cells, 2 boxes, 20 classes; Darknet's file has 271,703,550 parameters."""
    with torch.device("meta"):
        for batch_norm, expected in ((False, 271_703_550), (True, 271_716_734)):
            network = Yolo(in_channels=3, n_outputs=25, image_size=448, batch_norm=batch_norm)
            assert sum(p.numel() for p in network.parameters()) == expected
        assert network(torch.empty(2, 3, 448, 448)).shape == (2, 30, 7, 7)


@pytest.mark.parametrize(("size", "grid"), [(64, 1), (65, 2), (128, 2), ((100, 129), None), (448, 7)])
def test_one_cell_for_each_64_pixels_begun(size, grid):
    options = {"in_channels": 1, "n_outputs": 6, "image_size": size}
    with torch.device("meta"):
        if grid is None:
            with pytest.raises(ConfigError, match=r"makes 2 × 3 cells of 100 × 129 pixels"):
                Yolo(**options, grid=2)
            return
        side = size
        assert Yolo(**options, grid=grid)(torch.empty(2, 1, side, side)).shape == (2, 11, grid, grid)
        with pytest.raises(ConfigError, match=rf"model\.grid={grid + 1}|at least"):
            Yolo(**options, grid=grid + 1)


@pytest.mark.parametrize(("size", "boxes"), [((70, 95), 1), (64, 3)])
def test_the_residual_backbone_takes_any_size(size, boxes):
    network = Yolo(in_channels=1, n_outputs=6, image_size=size, grid=3, boxes=boxes, backbone="resnet")
    height, width = (size, size) if isinstance(size, int) else size
    assert network(torch.randn(2, 1, height, width)).shape == (2, 6 + 5 * (boxes - 1), 3, 3)
    assert network(torch.randn(2, 1, 50, 50)).shape[2:] == (3, 3)
    with pytest.raises(ConfigError, match="at least 32×32 pixels"):
        network(torch.randn(2, 1, 31, 50))


def test_the_papers_backbone_takes_its_size_only():
    with torch.device("meta"):
        network = Yolo(in_channels=1, n_outputs=6, image_size=100, grid=2)
        with pytest.raises(ConfigError, match="built for images of 100×100 pixels and got 100×101"):
            network(torch.empty(1, 1, 100, 101))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "vgg"}, r"model\.backbone='vgg'"),
        ({"grid": 0}, r"model\.grid=0"),
        ({"boxes": 0}, r"model\.boxes=0"),
        ({"image_size": 60, "grid": 1}, "at least 64×64 pixels"),
    ],
)
def test_options_of_yolo_that_are_none(options, message):
    with torch.device("meta"), pytest.raises(ConfigError, match=message):
        Yolo(**({"in_channels": 1, "n_outputs": 6, "image_size": 128, "grid": 2} | options))


@pytest.mark.parametrize("stride", [2, 4, 8])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (61, 40)])
def test_a_cell_for_each_stride_begun(stride, size):
    network = YoloDense(**SMALL, stride=stride).eval()
    images = torch.randn(1, 2, *size)
    expected = (1, 8, *(-(-side // stride) for side in size))
    assert network(images).shape == expected
    whole = torch.zeros(1, 2, 64, 64)
    whole[..., : size[0], : size[1]] = images
    height, width = (-(-side // network.multiple) * network.multiple for side in size)
    part = network(whole[..., :height, :width])
    torch.testing.assert_close(network(images), part[..., : expected[2], : expected[3]])


def test_a_training_begins_with_few_objects():
    network = YoloDense(**SMALL)
    assert network.head.bias[0].item() == pytest.approx(FEW_OBJECTS)
    assert network.head.bias[1:].abs().max() == 0
    torch.testing.assert_close(torch.tensor(FEW_OBJECTS).sigmoid(), torch.tensor(0.01), rtol=0.01, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 3}, r"model\.stride=3"),
        ({"blocks": ()}, r"model\.blocks=\[\]"),
        ({"blocks": (2, 0)}, r"model\.blocks=\[2, 0\]"),
        ({"stride": 8, "blocks": (2,)}, r"model\.stride=8 is that of no map"),
    ],
)
def test_options_of_the_dense_grid_that_are_none(options, message):
    with pytest.raises(ConfigError, match=message):
        YoloDense(**SMALL | options)
