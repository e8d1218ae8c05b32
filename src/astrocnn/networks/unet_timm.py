"""A U-Net on an encoder of the library timm that gives maps of several sizes: ResNets, ConvNeXts, EfficientNets, ..."""

from difflib import get_close_matches
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError, listed, reason
from astrocnn.functional.initialise import initialise
from astrocnn.io.weights import read_weights
from astrocnn.networks.blocks import check_images, convolutions, padded_to_multiple
from astrocnn.networks.field import measured_half_field

__all__ = ["UNetTimm"]


class UNetTimm(nn.Module):
    """The encoder's maps, joined from the coarsest to the finest and enlarged to the image's size.

    At each level on the way up the map is doubled in size by copies, joined to the encoder's of that size where it has
    one, and goes through two 3×3 convolutions with batch normalisation and ReLU. The encoder begins with timm's own
    random weights, or with those of a file; nothing is downloaded. With ResNet-18, 3 bands and 1 output 14,328,081
    parameters: 11,176,512 of the encoder, 3,151,552 of the decoder, 17 of the last convolution.

    Args:
        in_channels: number of bands.
        n_outputs: number of maps of raw outputs (logits, fluxes), of the image's size.
        encoder: name of a timm model (``timm.list_models()``).
        width: channels of the decoder at the image's size, doubled wherever its maps are halved.
        weights: path of a file with the weights of that timm model (``*.safetensors``, or a state_dict saved by
            PyTorch). A first convolution for another number of bands is adapted: its bands are repeated and scaled.
        init: name of the decoder's initialisation (:func:`~astrocnn.functional.initialise.initialise`).

    Attributes:
        multiple: pixels of an image that are one of the deepest map.
        half_field: how far beyond a window an input can change what comes out in it, in pixels, when the window begins
            and ends at multiples of ``multiple``; up to ``multiple`` − 1 larger, for it is measured. None where that is
            the whole image (squeeze-and-excitation, attention, normalisation over an image) or depends on where the
            window begins: then windows cannot be joined exactly.

    Raises:
        ConfigError: timm is not installed; it has no such model, or one without maps of several sizes for images of any
            size; ``weights`` are another model's; images of another number of bands, or too small.
        DataError: ``weights`` cannot be read.
    """

    input_shape = (4, 64, 64)
    per_pixel = True

    def __init__(
        self,
        *,
        in_channels: int,
        n_outputs: int,
        encoder: str = "resnet18",
        width: int = 16,
        weights: str | None = None,
        init: str = "he",
    ) -> None:
        super().__init__()
        if width < 1:
            raise ConfigError(f"width={width}: the decoder has at least 1 channel (model.width=16).")
        self.in_channels = in_channels
        channels, self.channels_last = _pyramid(encoder, in_channels)  # by reduction: 2, 4, ..., 32
        self.encoder = _encoder(encoder, in_channels)
        self.reductions = tuple(channels)
        self.multiple = self.least_size = max(channels)
        sizes = [2**level for level in reversed(range(self.multiple.bit_length() - 1))]  # 16, 8, 4, 2, 1
        below = channels[self.multiple]
        self.up = nn.ModuleDict()
        for size in sizes:
            self.up[str(size)] = convolutions(below + channels.get(size, 0), width * size, width * size)
            below = width * size
        self.head = nn.Conv2d(width, n_outputs, 1)
        initialise(self.up, init)
        initialise(self.head, init)
        if weights is not None and not self.head.weight.is_meta:
            _load(self.encoder, encoder, weights)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, n_outputs, H, W) of images (B, C, H, W); sides are padded with zeros to a multiple of ``multiple``.

        Raises:
            ConfigError: images of another number of bands, or too small.
        """
        check_images(images, network="UNetTimm", in_channels=self.in_channels, least=self.least_size)
        height, width = images.shape[2:]
        finer = self._encoded(padded_to_multiple(images, self.multiple))
        x = finer[self.multiple]
        for size, join in self.up.items():
            x = nn.functional.interpolate(x, scale_factor=2)  # (B, width·size, H/size, W/size)
            x = join(torch.cat([x, finer[int(size)]], dim=1) if int(size) in finer else x)
        maps: Tensor = self.head(x)
        return maps[..., :height, :width]

    @cached_property
    def half_field(self) -> int | None:
        """Measured when it is first asked for, in a second for a ResNet-18."""
        return measured_half_field(self, in_channels=self.in_channels, multiple=self.multiple)

    def _encoded(self, images: Tensor) -> dict[int, Tensor]:
        """Maps (B, c, H/r, W/r) by r."""
        maps = self.encoder(images)
        if self.channels_last:
            maps = [each.movedim(-1, 1) for each in maps]
        return dict(zip(self.reductions, maps, strict=True))


def _timm() -> Any:
    try:
        import timm  # takes seconds, and is not needed by other networks
    except ImportError as error:
        raise ConfigError(
            f"model=unet_timm needs timm ({error}); run: pip install 'astrocnn[zoo]'"
        ) from error
    return timm


def _encoder(name: str, in_channels: int) -> nn.Module:
    """A timm model that gives its maps, with random weights."""
    timm = _timm()
    known = timm.list_models()
    if name.partition(".")[0] not in known:  # what follows names a set of weights
        near = listed(get_close_matches(name, known)) or "resnet18, convnext_tiny, efficientnet_b0"
        raise ConfigError(
            f"encoder={name!r} is not a model of timm {timm.__version__}; near it are {near} "
            f"(timm.list_models() gives all)."
        )
    try:
        encoder: nn.Module = timm.create_model(
            name, pretrained=False, features_only=True, in_chans=in_channels
        )
    except Exception as error:  # a model's own, of any kind
        raise _no_pyramid(name, reason(error)) from error
    return encoder


def _pyramid(name: str, in_channels: int) -> tuple[dict[int, int], bool]:
    """Channels of an encoder's maps by their reduction, finest first, and whether the channels are the last axis.

    The model runs once without memory or arithmetic, on an image of a size that it was not made for.
    """
    with torch.device("meta"):
        encoder = _encoder(name, in_channels).eval()
        info: Any = encoder.feature_info
        channels = dict(zip(info.reduction(), info.channels(), strict=True))
        if len(channels) < len(info.reduction()) or any(r.bit_count() != 1 for r in channels):
            raise _no_pyramid(name, f"its maps are reduced by {listed(info.reduction())}")
        height, width = 2 * max(channels), 3 * max(channels)
        try:
            found = [tuple(each.shape[1:]) for each in encoder(torch.empty(1, in_channels, height, width))]
        except Exception as error:  # a model's own, of any kind
            raise _no_pyramid(name, f"it refuses {height}×{width} pixels: {reason(error)}") from error
    first = [(n, height // r, width // r) for r, n in channels.items()]
    last = [(*sides, n) for n, *sides in first]
    if found not in (first, last):
        raise _no_pyramid(name, f"its maps of {height}×{width} pixels are {listed(found)}")
    return channels, found == last


def _no_pyramid(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"encoder={name!r} does not give maps of half the size again and again for images of any size ({why}); "
        f"choose a convolutional one, such as resnet18, convnext_tiny or efficientnet_b0."
    )


def _load(encoder: nn.Module, name: str, weights: str) -> None:
    """Fill an encoder with the weights of its model.

    A model that gives its maps has other names for some modules: ``stages_0`` for ``stages.0``.
    """
    given = {_plain(key): value for key, value in read_weights(weights).items()}
    own = encoder.state_dict()
    missing = [key for key in own if _plain(key) not in given]
    if missing:
        raise ConfigError(
            f"weights={weights} are not those of encoder={name}: {len(missing)} of its {len(own)} tensors are missing, "
            f"such as {missing[0]}; give that model's, or set model.encoder to theirs."
        )
    for key, tensor in own.items():
        value = given[_plain(key)]
        if (
            value.ndim == 4 and value.shape[1] == 3 != tensor.shape[1]
        ):  # a first convolution, made for colours
            value = _timm().models.adapt_input_conv(tensor.shape[1], value)
        if value.shape != tensor.shape:
            raise ConfigError(
                f"weights={weights} do not fit encoder={name}: {key} is {tuple(value.shape)} there and "
                f"{tuple(tensor.shape)} here."
            )
        own[key] = value
    encoder.load_state_dict(own)


def _plain(key: str) -> str:
    return key.removeprefix("model.").replace(".", "_")
