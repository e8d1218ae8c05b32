"""What every network promises, for each file of configs/model: a new architecture needs no edit here."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from astrocnn.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "model").glob("*.yaml"))

# Trainable parameters that the literature gives: (options, number).
PARAMETERS = {
    "simple_cnn": [({"in_channels": 3, "n_outputs": 1, "image_size": 69}, 2_602_849)],
    "resnet": [
        ({"in_channels": 3, "n_outputs": 1000, "depth": 18}, 11_689_512),
        ({"in_channels": 3, "n_outputs": 1000, "depth": 34}, 21_797_672),
        ({"in_channels": 3, "n_outputs": 1000, "depth": 50}, 25_557_032),
        # for CIFAR-10; the paper's 0.27 million, of which projections as shortcuts are 2,752
        ({"in_channels": 3, "n_outputs": 10, "depth": 20}, 269_722 + 2_752),
    ],
    "unet": [
        (
            {"in_channels": 1, "n_outputs": 2, "width": 64, "padding": "valid", "batch_norm": False},
            31_030_658,
        ),
        # Boucaud et al. 2020
        (
            {
                "in_channels": 1,
                "n_outputs": 3,
                "depth": 5,
                "width": 64,
                "upsampling": "nearest",
                "batch_norm": False,
            },
            138_328_515,
        ),
    ],
    "morpheus": [({"in_channels": 4, "n_outputs": 5}, 75_421)],
    # VGG-16's convolutions and dense layers, scores and transposed convolutions, for 21 classes
    "fcn": [
        (
            {"in_channels": 3, "n_outputs": 21, "width": 64, "batch_norm": False, "stride": stride},
            14_714_688 + (49 * 512 + 1) * 4096 + 4097 * 4096 + 4097 * 21 + finer,
        )
        for stride, finer in (
            (32, 0),
            (16, 513 * 21 + 21 * 21 * 16),
            (8, (513 + 257) * 21 + 2 * 21 * 21 * 16),
        )
    ],
    "probabilistic_unet": [({"in_channels": 3, "n_outputs": 24, "depth": 6, "width": 32}, 17_954_736)],
    # the paper has one number for each of 2,336 maps: a bias; batch normalisation has two
    "unet3d": [
        ({"in_channels": 3, "n_outputs": 3, "width": 32, "batch_norm": False}, 19_069_955),
        ({"in_channels": 3, "n_outputs": 3, "width": 32}, 19_069_955 + 2_336),
    ],
    # segmentation_models.pytorch's Unet("resnet18") has 14,328,209, with a last convolution of 3×3
    "unet_timm": [({"in_channels": 3, "n_outputs": 1}, 14_328_209 - 16 * 9 + 16)],
    "pasquet": [({"in_channels": 5, "n_outputs": 180, "n_scalars": 1}, 27_596_372)],  # Pasquet et al. 2019
    "dcmdn": [
        ({"in_channels": 5, "n_outputs": 15, "image_size": 16}, 4_757_907)
    ],  # D'Isanto & Polsterer 2018
    # Redmon et al. 2016, figure 3
    "yolo": [
        (
            {"in_channels": 3, "n_outputs": 25, "image_size": 448, "batch_norm": norm},
            sum(
                kernel**2 * n_in * n_out + (2 if norm else 1) * n_out
                for kernel, n_in, n_out in (
                    (7, 3, 64),
                    (3, 64, 192),
                    (1, 192, 128),
                    (3, 128, 256),
                    (1, 256, 256),
                    (3, 256, 512),
                    *4 * ((1, 512, 256), (3, 256, 512)),
                    (1, 512, 512),
                    (3, 512, 1024),
                    *2 * ((1, 1024, 512), (3, 512, 1024)),
                    *4 * ((3, 1024, 1024),),
                )
            )
            + (7 * 7 * 1024 + 1) * 4096
            + 4097 * 7 * 7 * 30,
        )
        for norm in (False, True)
    ],
    "deeplens": [
        ({"in_channels": 1, "n_outputs": 1}, 3_508_545),
        ({"in_channels": 4, "n_outputs": 1}, 3_513_249),
    ],
}

# What is tested in place of a network of the size that its file describes.
SMALLER = {"yolo": ({"grid": 2}, (3, 128, 128))}

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


def target_of(path):
    if path.stem == "unet_timm":
        pytest.importorskip("timm", reason="pip install 'astrocnn[zoo]'")
    module, name = OmegaConf.load(path)["_target_"].rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def shape_of(path):
    """(C, H, W) of the images that a network is tested with."""
    return SMALLER[path.stem][1] if path.stem in SMALLER else target_of(path).input_shape


def build(path, *, size=None, n_outputs=2):
    """The network of a configuration file with its links filled in, and the shape of its images."""
    cls = target_of(path)
    channels, *own_size = shape_of(path)
    size = list(size or own_size)
    filled = {
        "model": OmegaConf.load(path),
        "data": {"n_bands": channels, "image_size": size},
        "task": {"n_outputs": n_outputs},
    }
    options = OmegaConf.to_container(OmegaConf.create(filled), resolve=True)["model"]
    del options["_target_"]
    return cls(**options | SMALLER.get(path.stem, ({},))[0]), (channels, *size)


def outputs_of(path, n, k, size):
    """The shape of n raw outputs of k each: a vector, maps of the image's size, or a grid of cells."""
    if path.stem == "yolo":
        return (n, k + 5, 2, 2)  # of two boxes
    if path.stem == "yolo_dense":
        return (n, k, *(-(-side // OmegaConf.load(path).stride) for side in size))
    return (n, k, *size) if getattr(target_of(path), "per_pixel", False) else (n, k)


TENSORS = [  # what torchvision's detectors give depends on the pixels
    path for path in CONFIGS if ".torchvision_detectors." not in OmegaConf.load(path)["_target_"]
]


@pytest.fixture(params=TENSORS, ids=lambda path: path.stem)
def config(request):
    torch.manual_seed(0)
    return request.param


def test_configs_found():
    assert {"simple_cnn", "resnet", "deeplens"} <= {path.stem for path in CONFIGS}


def test_options_are_keyword_only(config):
    parameters = list(inspect.signature(target_of(config)).parameters.values())
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters)
    assert {"in_channels", "n_outputs"} <= {p.name for p in parameters}


def test_forward_and_backward(config):
    network, shape = build(config, n_outputs=3)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter += 0.1  # opens branches that begin with a scale of zero
    expected = outputs_of(config, 4, 3, shape[1:])
    images = torch.randn(4, *shape)
    if getattr(network, "variational", False):
        found = network.training_outputs(images, torch.rand(expected))
        output, kl = found["outputs"], found["kl"]
        assert kl.shape == (4,)
    else:
        output, kl = network(images), torch.zeros(4)
    assert output.shape == expected
    (output.square().sum() + kl.sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if parameter.ndim > 1:
            assert parameter.grad.abs().sum() > 0, name


def test_outputs_are_raw(config):
    network, shape = build(config, n_outputs=16)
    network.eval()
    with torch.no_grad():
        [weights for weights in network.parameters() if weights.ndim > 1][-1].mul_(10)  # of the last layer
    outputs = network(20 * torch.randn(2, *shape))
    assert outputs.min() < 0  # neither a sigmoid nor a softmax nor a ReLU at the end
    assert outputs.max() > 1


def test_odd_sizes(config):
    _, *size = shape_of(config)
    odd = [(pixels - 11 + 2 * axis) | 1 for axis, pixels in enumerate(size)]
    network, shape = build(config, size=odd)
    assert network(torch.randn(2, *shape)).shape == outputs_of(config, 2, 2, odd)


def test_channels_last_is_the_same(config):
    network, shape = build(config)
    network.eval()
    images = torch.randn(2, *shape)
    if images.ndim == 2:
        pytest.skip("takes tables")
    expected = network(images)
    last = LAST[images.ndim - 2]
    result = network.to(memory_format=last)(images.to(memory_format=last))
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)


def test_state_dict_round_trip(config):
    network, shape = build(config)
    images = torch.randn(4, *shape)
    network(images)  # moves the running statistics away from their initial values
    other, _ = build(config)
    assert not torch.equal(other.eval()(images), network.eval()(images))
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(images), network(images))


def test_meta_device(config):
    with torch.device("meta"):
        network, shape = build(config)
        output = network(torch.empty(2, *shape))
    assert output.device.type == "meta"
    assert output.shape == outputs_of(config, 2, 2, shape[1:])


def test_eval_is_deterministic_and_independent_of_the_batch(config):
    network, shape = build(config)
    network.eval()
    images = torch.randn(3, *shape)
    together = network(images)
    assert torch.equal(together, network(images))
    torch.testing.assert_close(network(images[1:2]), together[1:2], rtol=1e-4, atol=1e-4)


def test_least_size_is_named_and_enough(config):
    channels, *size = shape_of(config)
    if not size:
        pytest.skip("takes tables")
    least = build(config)[0].least_size
    network, shape = build(config, size=[least] * len(size))
    assert network(torch.randn(2, *shape)).shape == outputs_of(config, 2, 2, shape[1:])
    with pytest.raises(ConfigError, match=f"at least {'×'.join([str(least)] * len(size))} (pixels|voxels)"):
        build(config, size=[least - 1] * len(size))[0](torch.randn(2, channels, *[least - 1] * len(size)))


def test_maps_of_a_window_depend_on_half_a_field_around_it(config):
    """A NaN spreads to all that depends on it, and beyond the field of a window it does not come in."""
    if not getattr(target_of(config), "per_pixel", False):
        pytest.skip("gives no maps")
    network, (channels, *size) = build(config)
    network.double().eval()  # sums stay local in double precision: no fast transforms
    if network.half_field is None:
        images = torch.zeros(1, channels, *size, dtype=torch.double)
        images[..., 0] = torch.nan
        assert network(images).isnan().all()
        return
    step = network.multiple
    first = (network.half_field // step + 1) * step  # of the window
    images = torch.zeros(1, channels, *[step] * (len(size) - 1), 2 * first + step, dtype=torch.double)
    images[..., : first - network.half_field] = torch.nan
    images[..., first + step + network.half_field :] = torch.nan
    assert network(images)[..., first : first + step].isfinite().all()
    images[..., first - network.half_field] = torch.nan
    inside = network(images)[..., first : first + step].isnan().any()
    assert inside or config.stem == "unet_timm"  # which may say more than is needed


def test_variational_networks_sample(config):
    if not getattr(target_of(config), "variational", False):
        pytest.skip("is not variational")
    network, shape = build(config, n_outputs=3)
    network.eval()
    images = torch.randn(2, *shape)
    samples = network.sample(images, 4)
    assert samples.shape == (4, *outputs_of(config, 2, 3, shape[1:]))
    assert (samples.std(dim=0) > 0).float().mean() > 0.5
    assert not torch.equal(samples[0], samples[1])
    kl = network.training_outputs(images, torch.rand(outputs_of(config, 2, 3, shape[1:])))["kl"]
    assert (kl > 0).all()


def test_wrong_number_of_bands(config):
    network, (channels, *size) = build(config)
    with pytest.raises(ConfigError, match="in_channels"):
        network(torch.randn(2, channels + 1, *size))


def test_init_options(config):
    cls = target_of(config)
    if "init" not in inspect.signature(cls).parameters:
        pytest.skip(f"{cls.__name__} has no option init")
    channels, *size = shape_of(config)
    options = {"image_size": size} if "image_size" in inspect.signature(cls).parameters else {}
    options |= SMALLER.get(config.stem, ({},))[0]
    for init in ("he", "glorot", "lecun", "truncated_normal", "default"):
        network = cls(in_channels=channels, n_outputs=1, init=init, **options)
        assert any(isinstance(layer, CONVOLUTIONS) for layer in network.modules())
    with pytest.raises(ConfigError, match="init='xavier' is not known"):
        cls(in_channels=channels, n_outputs=1, init="xavier", **options)


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        pytest.param(path, options, n, id=f"{path.stem}-{n}")
        for path in CONFIGS
        for options, n in PARAMETERS.get(path.stem, [])
    ],
)
def test_number_of_parameters(path, options, expected):
    with torch.device("meta"):
        network = target_of(path)(**options)
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == expected


def test_networks_import_neither_lightning_nor_hydra():
    modules = [OmegaConf.load(path)["_target_"].rsplit(".", 1)[0] for path in CONFIGS]
    code = (
        f"import sys, {', '.join(modules)}\n"
        "heavy = {'lightning', 'pytorch_lightning', 'hydra', 'omegaconf', 'torchvision'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
