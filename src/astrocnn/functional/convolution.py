"""Arithmetic of convolutions: output sizes and numbers of parameters."""

import math

from astrocnn.errors import ConfigError

__all__ = ["n_parameters", "output_size", "transposed_output_size"]


def output_size(size: int, kernel: int, *, stride: int = 1, padding: int | str = 0, dilation: int = 1) -> int:
    """Pixels along one axis after a convolution or pooling: ⌊(W + 2P − D(F − 1) − 1) / S⌋ + 1.

    ``padding='same'`` gives ⌈W / S⌉, whatever the kernel.

    Raises:
        ConfigError: the kernel is larger than the padded input, or ``padding`` is another word.
    """
    if padding == "same":
        return math.ceil(size / stride)
    if isinstance(padding, str):
        raise ConfigError(f"padding={padding!r} is not known; give a number of pixels or 'same'.")
    reach = dilation * (kernel - 1) + 1
    if size + 2 * padding < reach:
        raise ConfigError(
            f"a kernel that spans {reach} pixels does not fit into {size} pixels padded by {padding}; "
            f"the least size is {max(reach - 2 * padding, 1)}."
        )
    return (size + 2 * padding - reach) // stride + 1


def transposed_output_size(
    size: int, kernel: int, *, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> int:
    """Pixels along one axis after a transposed convolution: (W − 1) S − 2P + F + output padding."""
    return (size - 1) * stride - 2 * padding + kernel + output_padding


def n_parameters(kernel: tuple[int, ...], in_channels: int, out_channels: int, *, bias: bool = True) -> int:
    """Weights and biases of a convolution: (∏F · C_in + 1) · C_out."""
    return (math.prod(kernel) * in_channels + bias) * out_channels
