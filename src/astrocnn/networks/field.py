"""How far a network of maps sees: what a window must have around it, so that its maps are those of the whole image."""

from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = [
    "BICUBIC",
    "BILINEAR",
    "CONV3",
    "COPIES",
    "POOL",
    "Layer",
    "bilinear",
    "half_field",
    "measured_half_field",
]

LONGEST = 8192  # pixels; what does not end within half of them is taken for endless


class Layer(NamedTuple):
    """A convolution or pooling, or its transpose, along one axis."""

    kernel: int
    stride: int = 1
    padding: int = 0
    transposed: bool = False

    def seen(self, first: int, last: int) -> tuple[int, int]:
        """First and last pixel of the input that the output's pixels ``first`` to ``last`` depend on."""
        if self.transposed:  # input i is spread over the outputs i·stride − padding and kernel − 1 after it
            surplus = self.kernel - 1 - self.padding
            return -((surplus - first) // self.stride), (last + self.padding) // self.stride
        return first * self.stride - self.padding, last * self.stride - self.padding + self.kernel - 1


def bilinear(factor: int) -> Layer:
    """Bilinear interpolation by an even factor with ``align_corners=False``, as a transposed convolution."""
    return Layer(2 * factor, factor, factor // 2, transposed=True)


CONV3 = Layer(3, padding=1)
POOL = Layer(2, stride=2)
COPIES = Layer(2, stride=2, transposed=True)  # and a transposed convolution of 2×2
BILINEAR = bilinear(2)
BICUBIC = Layer(8, 2, 3, transposed=True)  # by 2, with align_corners=False


def half_field(path: Sequence[Layer], multiple: int) -> int:
    """How far beyond a window an input can change what comes out in it, in pixels.

    Args:
        path: layers from the image to the maps, the way that sees most (through the deepest map).
        multiple: pixels of an image that are one of the deepest map; windows begin and end at multiples of it.
    """
    first, last = 0, multiple - 1
    for layer in reversed(path):
        first, last = layer.seen(first, last)
    return max(-first, last - (multiple - 1))


@torch.no_grad()
def measured_half_field(network: nn.Module, *, in_channels: int, multiple: int) -> int | None:
    """The half field of a network that is known by its behaviour only, up to ``multiple`` − 1 pixels too large.

    A NaN at the ends of a long strip spreads to all that can depend on it, whatever the weights. What it leaves clean
    must then not depend on where the strip begins: None where it does (embedded positions, blocks of attention), and
    where nothing is left clean (global pooling, normalisation over the image).
    """
    # in double precision convolutions are sums over their own pixels, never transforms that mix others in
    network = deepcopy(network).to("cpu", torch.double).eval()
    length = 8 * multiple
    fields = []
    for axis in (2, 3):
        while (field := _spread(network, axis, length, in_channels, multiple)) is None:
            length *= 4
            if length > LONGEST:
                return None
        if not _steady(network, axis, field, in_channels, multiple):
            return None
        fields.append(field)
    return max(fields)


def _strip(axis: int, length: int, in_channels: int, multiple: int) -> Tensor:
    sides = (length, multiple) if axis == 2 else (multiple, length)
    return torch.randn(1, in_channels, *sides, dtype=torch.double, generator=torch.Generator().manual_seed(0))


def _spread(network: nn.Module, axis: int, length: int, in_channels: int, multiple: int) -> int | None:
    """Pixels that a NaN spreads over, rounded up to a multiple; None where two from the ends of a strip meet."""
    strip = _strip(axis, length, in_channels, multiple)
    for end in (0, length - multiple):
        strip.narrow(axis, end, multiple).fill_(torch.nan)
    reached = network(strip).sum(dim=(0, 1, 5 - axis)).isnan()
    half = length // 2
    if reached[half - 1 : half + 1].any():
        return None
    left = int(reached[:half].nonzero().max()) + 1 - multiple
    right = half - int(reached[half:].nonzero().min()) - multiple
    return -(-max(left, right) // multiple) * multiple


def _steady(network: nn.Module, axis: int, field: int, in_channels: int, multiple: int) -> bool:
    """Whether the maps stay the same where a strip begins later."""
    strip = _strip(axis, 2 * field + 4 * multiple, in_channels, multiple)
    whole = network(strip).narrow(axis, field + multiple, 2 * multiple)
    later = network(strip.narrow(axis, multiple, 2 * field + 3 * multiple)).narrow(axis, field, 2 * multiple)
    return torch.allclose(whole, later, rtol=1e-9, atol=1e-9 * float(whole.abs().max()))
