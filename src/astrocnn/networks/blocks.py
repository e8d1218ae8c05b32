"""What several networks share."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from astrocnn.errors import ConfigError

__all__ = [
    "check_images",
    "check_size",
    "convolutions",
    "middle_of",
    "padded_to_multiple",
    "same_conv2d",
    "sides",
    "sides_of_at_least",
    "whole_maps",
    "with_scalars",
]

AXES = {2: ("images", "H, W", "pixels"), 3: ("volumes", "D, H, W", "voxels")}
LAYERS = {2: (nn.Conv2d, nn.BatchNorm2d), 3: (nn.Conv3d, nn.BatchNorm3d)}

Maps = TypeVar("Maps", bound=Tensor | NDArray[Any])


def check_images(images: Tensor, *, network: str, in_channels: int, least: int, dimensions: int = 2) -> None:
    """Refuse images, or volumes, that ``network`` cannot take.

    Raises:
        ConfigError: not (B, C, H, W) or (B, C, D, H, W), not ``in_channels`` bands, or a side below ``least`` pixels.
    """
    shape = tuple(images.shape)
    kind, axes, unit = AXES[dimensions]
    if len(shape) != dimensions + 2 or shape[1] != in_channels:
        raise ConfigError(
            f"{network} takes {kind} of shape (B, {in_channels}, {axes}) and got {shape}; "
            f"set in_channels (data.bands) to the number of bands."
        )
    if min(shape[2:]) < least:
        enough, got = "×".join([str(least)] * dimensions), "×".join(map(str, shape[2:]))
        raise ConfigError(
            f"{network} needs {kind} of at least {enough} {unit} and got {got}; "
            f"use larger cutouts, or a network that reduces its {kind} less."
        )


def sides(image_size: int | Sequence[int]) -> tuple[int, int]:
    """(H, W) of an image size given as one number or as two.

    Raises:
        ConfigError: neither a positive whole number nor two of them.
    """
    pair = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise ConfigError(f"image_size={image_size!r} is not a size in pixels; give N or [height, width].")
    return pair


def sides_of_at_least(least: int, image_size: int | Sequence[int], *, network: str) -> tuple[int, int]:
    """(H, W) of the one image size that a network is built for.

    Raises:
        ConfigError: not a size, or a side below ``least`` pixels.
    """
    height, width = sides(image_size)
    if min(height, width) < least:
        raise ConfigError(
            f"{network} needs images of at least {least}×{least} pixels and "
            f"image_size is {height}×{width}; use larger cutouts."
        )
    return height, width


def check_size(images: Tensor, size: tuple[int, int], *, network: str) -> None:
    """Refuse images of another size than the network was built for.

    Raises:
        ConfigError: they are.
    """
    height, width = images.shape[2:]
    if (height, width) != size:
        raise ConfigError(
            f"this {network} was built for images of {size[0]}×{size[1]} pixels and got {height}×{width}; "
            f"crop the images, or build it with image_size=[{height},{width}] and train it anew."
        )


def with_scalars(features: Tensor, scalars: Tensor | None, n_scalars: int, *, network: str) -> Tensor:
    """Features (B, n) and further numbers of each object (B, S), side by side; without any given, these are 0, which
    is their mean.

    Raises:
        ConfigError: another number of them.
    """
    if not n_scalars:
        return features
    if scalars is None:
        scalars = features.new_zeros(len(features), n_scalars)
    if scalars.shape != (len(features), n_scalars):
        raise ConfigError(
            f"{network} takes scalars of shape ({len(features)}, {n_scalars}) and got {tuple(scalars.shape)}; give "
            f"{n_scalars} for each object (data.scalars)."
        )
    return torch.cat([features, scalars.to(features.dtype)], dim=1)


def convolutions(
    n_in: int, *widths: int, padding: int = 1, batch_norm: bool = True, dimensions: int = 2
) -> nn.Sequential:
    """Convolutions of 3×3 pixels (3×3×3 voxels) to these widths one after the other, each with ReLU.

    With ``batch_norm`` between the two, a convolution has no bias: the normalisation's shift takes its place.
    """
    convolution, normalise = LAYERS[dimensions]
    layers: list[nn.Module] = []
    for channels, width in pairwise((n_in, *widths)):
        layers.append(convolution(channels, width, 3, padding=padding, bias=not batch_norm))
        layers += [normalise(width)] if batch_norm else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def same_conv2d(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """A convolution that keeps height and width for even kernels too.

    The surplus row and column of an even kernel's padding go to the bottom and right, as in TensorFlow and
    Keras. Padding apart from the convolution avoids PyTorch's warning about even kernels with 'same'.
    """
    before, after = (kernel - 1) // 2, kernel // 2
    return nn.Sequential(
        nn.ZeroPad2d((before, after, before, after)),
        nn.Conv2d(in_channels, out_channels, kernel),
    )


def padded_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Images with zeros after their last rows and columns, so that every side is a multiple of ``multiple``."""
    lacking = [-side % multiple for side in images.shape[2:]]
    if not any(lacking):
        return images
    return nn.functional.pad(images, [n for side in reversed(lacking) for n in (0, side)])


def whole_maps(
    network: nn.Module, images: Tensor, *, run: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """What ``network`` gives for normalised images (B, C, H, W), its maps covering all of them.

    A network without padding, whose maps lose ``border`` pixels on each side, sees so many pixels without data (zeros)
    around the images, and behind them as many more as its sizes ask for.

    Args:
        network: with ``border``, where it loses pixels, and then ``least_size`` and ``multiple``.
        images: normalised.
        run: what calls the network, where it is not called itself (its compiled twin).
    """
    run, border = run or network, int(getattr(network, "border", 0))
    if not border:
        return run(images)
    of: Any = network
    around = []
    for side in reversed(images.shape[2:]):
        steps = -(-max(side + 2 * border - of.least_size, 0) // of.multiple)
        around += [border, of.least_size + steps * of.multiple - side - border]
    padded = nn.functional.pad(images, around)
    maps = run(padded)
    finer = maps.shape[-1] // (padded.shape[-1] - 2 * border)
    rows, columns = (finer * side for side in images.shape[2:])
    return maps[..., :rows, :columns]


def middle_of(maps: Maps, sides: Sequence[int]) -> Maps:
    """The middle of maps (..., H, W), tensors or arrays, of the given trailing sides."""
    window: list[Any] = [...]
    for have, want in zip(maps.shape[-len(sides) :], sides, strict=True):
        window.append(slice((have - want) // 2, (have - want) // 2 + want))
    return cast(Maps, maps[tuple(window)])
