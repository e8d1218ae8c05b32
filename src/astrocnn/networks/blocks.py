"""What several networks share."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from numpy.typing import NDArray
from torch import Tensor, nn

from astrocnn.errors import ConfigError

__all__ = ["check_images", "middle_of", "padded_to_multiple", "same_conv2d", "sides"]

Maps = TypeVar("Maps", bound=Tensor | NDArray[Any])


def check_images(images: Tensor, *, network: str, in_channels: int, least: int) -> None:
    """Refuse images that ``network`` cannot take.

    Raises:
        ConfigError: not (B, C, H, W), not ``in_channels`` bands, or a side below ``least`` pixels.
    """
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[1] != in_channels:
        raise ConfigError(
            f"{network} takes images of shape (B, {in_channels}, H, W) and got {shape}; "
            f"set in_channels (data.bands) to the number of bands."
        )
    if min(shape[2:]) < least:
        raise ConfigError(
            f"{network} needs images of at least {least}×{least} pixels and got {shape[2]}×{shape[3]}; "
            f"use larger cutouts, or a network that reduces its images less."
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


def middle_of(maps: Maps, sides: Sequence[int]) -> Maps:
    """The middle of maps (..., H, W), tensors or arrays, of the given trailing sides."""
    window: list[Any] = [...]
    for have, want in zip(maps.shape[-len(sides) :], sides, strict=True):
        window.append(slice((have - want) // 2, (have - want) // 2 + want))
    return cast(Maps, maps[tuple(window)])
