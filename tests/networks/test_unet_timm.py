"""Encoders of timm: which are taken, their weights from a file, and how far they see."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from astrocnn.errors import ConfigError
from astrocnn.networks.unet_timm import UNetTimm

timm = pytest.importorskip("timm", reason="pip install 'astrocnn[zoo]'")
SMALL = {"in_channels": 2, "n_outputs": 1, "width": 2}


@pytest.mark.parametrize(
    ("encoder", "multiple"),
    [
        ("resnet10t", 32),  # maps of 1/2 to 1/32
        ("convnext_atto", 32),  # of 1/4 to 1/32
        ("efficientvit_m0", 64),  # of 1/16 to 1/64
        ("vgg11", 32),  # of 1/1 to 1/32
        ("mambaout_femto", 32),  # with the channels last
        ("hrnet_w18_small", 32),
        ("resnet18.a1_in1k", 32),  # with the name of weights, which are not asked for
    ],
)
def test_encoders(encoder: str, multiple: int) -> None:
    with torch.device("meta"):
        network = UNetTimm(**SMALL, encoder=encoder)
        assert network(torch.empty(2, 2, 150, 97)).shape == (2, 1, 150, 97)
    assert network.multiple == network.least_size == multiple


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("resnet19", r"encoder='resnet19' is not a model of timm .*; near it are .*resnet18"),
        (
            "hf_hub:someone/else",
            "is not a model of timm .*; near it are resnet18, convnext_tiny, efficientnet_b0",
        ),
        (
            "vit_tiny_patch16_224",
            r"does not give maps of half the size .* \(its maps are reduced by 16, 16, 16\)",
        ),
        ("swin_tiny_patch4_window7_224", r"\(it refuses 64×96 pixels: Input height"),
        ("pnasnet5large", r"\(its maps of 64×96 pixels are"),
    ],
)
def test_encoders_that_are_none(encoder: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message), torch.device("meta"):
        UNetTimm(**SMALL, encoder=encoder)


def test_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"model=unet_timm needs timm .*pip install 'astrocnn\[zoo\]'"):
        UNetTimm(**SMALL)


@pytest.fixture(scope="module")
def classifier() -> nn.Module:
    """Somebody's trained network, of three colours."""
    torch.manual_seed(1)
    network = timm.create_model("resnet10t", pretrained=False)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
    return network.eval()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_of_a_file_are_those_of_the_model(tmp_path: Path, classifier: nn.Module, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save(classifier.state_dict(), path)
    else:
        sys.modules["safetensors.torch"].save_file(classifier.state_dict(), path)
    network = UNetTimm(in_channels=3, n_outputs=1, encoder="resnet10t", weights=str(path)).eval()
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(network.encoder(images)[-1], classifier.forward_features(images))


def test_the_first_convolution_is_adapted_to_the_bands(tmp_path: Path, classifier: nn.Module) -> None:
    torch.save({"state_dict": classifier.state_dict()}, tmp_path / "w.pth")
    options = {"n_outputs": 1, "encoder": "resnet10t", "weights": str(tmp_path / "w.pth")}
    one, five = UNetTimm(in_channels=1, **options).eval(), UNetTimm(in_channels=5, **options).eval()
    grey = torch.randn(1, 1, 64, 64)
    expected = classifier.forward_features(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(one.encoder(grey)[-1], expected, rtol=1e-3, atol=1e-3)
    first = next(p for p in classifier.parameters() if p.ndim == 4)
    adapted = next(p for p in five.encoder.parameters() if p.ndim == 4)
    torch.testing.assert_close(adapted, torch.cat([first, first[:, :2]], dim=1) * 3 / 5)


def test_weights_of_another_model(tmp_path: Path, classifier: nn.Module) -> None:
    torch.save(classifier.state_dict(), tmp_path / "w.pth")
    with pytest.raises(
        ConfigError, match=r"are not those of encoder=convnext_atto: .* set model.encoder to theirs"
    ):
        UNetTimm(**SMALL, encoder="convnext_atto", weights=str(tmp_path / "w.pth"))
    wider = dict(classifier.state_dict())
    wider["conv1.0.weight"] = torch.zeros(7, 3, 3, 3)
    torch.save(wider, tmp_path / "wide.pth")
    with pytest.raises(ConfigError, match=r"do not fit encoder=resnet10t: conv1.0.weight is \(7, 3"):
        UNetTimm(in_channels=3, n_outputs=1, encoder="resnet10t", weights=str(tmp_path / "wide.pth"))


def test_the_encoders_own_weights_are_kept() -> None:
    """Those that timm has drawn, while the decoder's are drawn by the name of ``init``."""
    network = UNetTimm(**SMALL, init="glorot")
    assert network.encoder.layer1[0].bn2.weight.abs().max() == 0  # timm's residual branches begin closed
    bound = (6 / (9 * (512 + 256 + 32))) ** 0.5
    assert network.up["16"][0].weight.abs().max() <= bound * 1.001


def test_squeeze_and_excitation_sees_the_whole_image() -> None:
    assert UNetTimm(**SMALL, encoder="mobilenetv3_small_050").half_field is None


def test_the_field_covers_what_gradients_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(
        nn.functional,
        "max_pool2d",
        lambda x, kernel, stride, padding, *_, **__: nn.functional.avg_pool2d(x, kernel, stride, padding),
    )
    network = UNetTimm(in_channels=1, n_outputs=1, width=1).double().eval()
    field = network.half_field
    with torch.no_grad():
        for parameter in network.parameters():  # positive, so that nothing cancels
            parameter.copy_((torch.rand_like(parameter) + 0.1) / parameter[0].numel())
    first = field + 64
    images = torch.ones(1, 1, 32, 2 * first + 32, dtype=torch.double, requires_grad=True)
    network(images)[..., first : first + 32].sum().backward()
    reached = images.grad[0, 0].sum(0).nonzero().flatten()
    before, after = first - int(reached.min()), int(reached.max()) - (first + 31)
    assert field - 32 < max(before, after) <= field
