"""How far networks see, computed and measured, against the pixels that gradients reach."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from astrocnn.networks.fcn import FCN
from astrocnn.networks.field import CONV3, COPIES, POOL, Layer, bilinear, measured_half_field
from astrocnn.networks.morpheus import Morpheus
from astrocnn.networks.probabilistic_unet import ProbabilisticUNet
from astrocnn.networks.unet import UNet
from astrocnn.networks.unet3d import UNet3d
from astrocnn.networks.yolo_dense import YoloDense

ONE = {"in_channels": 1, "n_outputs": 1}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{
        f"unet-{depth}-{upsampling}": lambda d=depth, u=upsampling: UNet(
            **ONE, width=2, depth=d, upsampling=u
        )
        for depth in (1, 2, 3)
        for upsampling in ("transposed", "nearest", "bilinear")
    },
    **{f"fcn-{stride}": lambda s=stride: FCN(**ONE, width=1, stride=s) for stride in (32, 16, 8)},
    "morpheus": lambda: Morpheus(**ONE),
    **{f"unet3d-{depth}": lambda d=depth: UNet3d(**ONE, width=1, depth=d) for depth in (1, 2)},
    **{
        f"yolo_dense-{stride}-{blocks}": lambda s=stride, b=blocks: YoloDense(
            **ONE, width=2, features=1, stride=s, blocks=b
        )
        for stride, blocks in ((2, (1,)), (2, (1, 2)), (4, (1,)), (4, (2, 1, 1)), (8, (1, 2)))
    },
}


def average(
    images: Tensor, kernel: int, stride: int | None = None, padding: int = 0, *_: object, **__: object
):
    """In the place of the maximum: every pixel of it has a gradient."""
    pool = nn.functional.avg_pool2d if images.ndim == 4 else nn.functional.avg_pool3d
    return pool(images, kernel, stride, padding)


def opened(network: nn.Module) -> nn.Module:
    """With positive weights, so that nothing cancels and every path is open."""
    network = network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((torch.rand_like(parameter) + 0.1) / parameter[0].numel())
    return network


def reach_of_gradients(network: nn.Module, *, n_axes: int) -> tuple[int, int]:
    """Pixels before and after a window of ``multiple`` pixels that what comes out in it depends on."""
    step = network.multiple
    side = 2 * (-(-network.half_field // step) + 2) * step
    first = side // 2
    images = torch.ones(1, 1, *[step] * (n_axes - 1), side, dtype=torch.double, requires_grad=True)
    maps = network(images)
    pixels = side // maps.shape[-1]  # a cell, of a coarser grid
    window = maps[..., first // pixels : (first + step) // pixels]
    (window * torch.rand_like(window)).sum().backward()
    reached = images.grad[0, 0].flatten(0, -2).abs().sum(0).nonzero().flatten()
    return first - int(reached.min()), int(reached.max()) - (first + step - 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_field_is_what_gradients_reach(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    for pool in ("max_pool2d", "max_pool3d"):
        monkeypatch.setattr(nn.functional, pool, average)
    network = opened(NETWORKS[name]())
    before, after = reach_of_gradients(network, n_axes=3 if "3d" in name else 2)
    assert max(before, after) == network.half_field  # all that a window sees, and nothing more
    assert before == after or "yolo" in name  # convolutions of stride 2 look further back than ahead


@pytest.mark.parametrize("name", ["unet-2-bilinear", "fcn-8", "morpheus"])
def test_what_is_measured_is_what_is_computed(name: str) -> None:
    network = NETWORKS[name]()
    measured = measured_half_field(network, in_channels=1, multiple=network.multiple)
    assert network.half_field <= measured < network.half_field + network.multiple
    assert network.training  # untouched
    assert next(network.parameters()).dtype == torch.float32


class Ramp(nn.Module):
    """Each pixel knows where in the image it is."""

    def forward(self, images: Tensor) -> Tensor:
        return images + torch.linspace(0, 1, images.shape[3]).to(images)


@pytest.mark.parametrize(
    "network",
    [
        ProbabilisticUNet(**ONE, depth=1, width=1),
        Morpheus(**ONE, align_corners=True),
        nn.GroupNorm(1, 1),
        Ramp(),
    ],
    ids=["pooled over the image", "displaced by its size", "normalised over the image", "positions"],
)
def test_no_distance_is_enough(network: nn.Module) -> None:
    """For what sees the whole image, and for what depends on where the image begins."""
    assert measured_half_field(network, in_channels=1, multiple=getattr(network, "multiple", 2)) is None


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        (CONV3, nn.Conv1d(1, 1, 3, padding=1)),
        (Layer(7, 2, 3), nn.Conv1d(1, 1, 7, 2, 3)),
        (POOL, nn.AvgPool1d(2)),
        (COPIES, nn.ConvTranspose1d(1, 1, 2, 2)),
        (Layer(3, 2, 1, transposed=True), nn.ConvTranspose1d(1, 1, 3, 2, 1, 1)),
        (bilinear(2), nn.Upsample(scale_factor=2, mode="linear")),
        (bilinear(8), nn.Upsample(scale_factor=8, mode="linear")),
    ],
    ids=str,
)
def test_one_layer(layer: Layer, module: nn.Module) -> None:
    """The inputs that one output depends on, for each of a period."""
    images = torch.ones(1, 1, 16, dtype=torch.double, requires_grad=True)
    outputs = opened(module)(images)[0, 0]
    middle = len(outputs) // 2
    for pixel in range(middle, middle + layer.stride):
        (gradient,) = torch.autograd.grad(outputs[pixel], images, retain_graph=True)
        reached = gradient[0, 0].nonzero().flatten()
        assert layer.seen(pixel, pixel) == (int(reached.min()), int(reached.max()))
