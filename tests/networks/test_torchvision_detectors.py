"""torchvision's detectors, on other bands and smaller objects."""

import pytest
import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError
from astrocnn.networks.torchvision_detectors import FCOS, FasterRCNN, RetinaNet

KINDS = (FasterRCNN, RetinaNet, FCOS)


def scene(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Bright squares of two sizes on noise: images (n, 4, 64, 64), boxes and labels."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.randn(n, 4, 64, 64, generator=generator)
    boxes, labels = torch.full((n, 4, 4), torch.nan), torch.full((n, 4), -1)
    for image in range(n):
        for k, (y, x) in enumerate(((8, 8), (8, 40), (40, 8), (40, 40))):
            if torch.rand((), generator=generator) < 0.3:
                continue
            kind = int(torch.randint(2, (), generator=generator))
            side = (6, 12)[kind]
            images[image, :, y : y + side, x : x + side] += 3.0
            boxes[image, k] = torch.tensor([x - 0.5, y - 0.5, x + side - 0.5, y + side - 0.5])
            labels[image, k] = kind
    return images, boxes, labels


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_squares_are_found_where_they_are(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind(in_channels=4, n_outputs=7, most=20)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for step in range(60):
        terms = network.losses(*scene(4, step))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    images, boxes, labels = scene(4, 1000)
    with torch.no_grad():
        found = network.eval()(images)
    for image in range(4):
        true = boxes[image, labels[image] >= 0]
        best = found[image, : len(true)]
        order = [int((best[:, :4] - box).abs().sum(1).nan_to_num(1e9).argmin()) for box in true]
        assert (best[order, :4] - true).abs().max() < 2.0
        assert (best[order, 5:].argmax(1) == labels[image, labels[image] >= 0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_images_without_objects_have_a_loss(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind(in_channels=2, n_outputs=6, most=20)
    boxes, labels = torch.full((2, 0, 4), torch.nan), torch.full((2, 0), -1)
    terms = network.losses(torch.randn(2, 2, 64, 48), boxes, labels)
    assert torch.stack(list(terms.values())).sum().isfinite()
    assert network.eval()(torch.randn(1, 2, 64, 48)).shape[2] == 6


def test_bad_options() -> None:
    with pytest.raises(ConfigError, match="five sides above 0"):
        FCOS(in_channels=1, n_outputs=6, anchors=(4.0,))
    with pytest.raises(ConfigError, match="in_channels"):
        FCOS(in_channels=1, n_outputs=6)(torch.zeros(1, 2, 64, 64))
