"""Weight initialisation by name, for any module made of convolutions and linear layers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from astrocnn.errors import choose

__all__ = ["INITIALISERS", "initialise"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# Standard deviation of a unit normal distribution cut at ±2: √(1 − 4 φ(2) / (2 Φ(2) − 1)).
_CUT_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def _fans(layer: nn.Module, weight: Tensor) -> tuple[float, float]:
    """Inputs of one output and outputs of one input of a layer.

    A weight tensor (out, in, *kernel) connects in·k and out·k; a transposed convolution (in, out, *kernel) of a stride
    gives each output k / stride positions only.
    """
    first, second = weight.shape[:2]
    kernel = math.prod(weight.shape[2:])
    if isinstance(layer, TRANSPOSED):
        return first * kernel / math.prod(layer.stride), second * kernel
    return second * kernel, first * kernel


def _he(weight: Tensor, n_in: float, n_out: float) -> None:
    nn.init.normal_(weight, std=math.sqrt(2 / n_in))


def _glorot(weight: Tensor, n_in: float, n_out: float) -> None:
    bound = math.sqrt(6 / (n_in + n_out))  # a uniform distribution on ±b has variance b²/3
    nn.init.uniform_(weight, -bound, bound)


def _lecun(weight: Tensor, n_in: float, n_out: float) -> None:
    nn.init.normal_(weight, std=math.sqrt(1 / n_in))


def _truncated_normal(weight: Tensor, n_in: float, n_out: float) -> None:
    std = math.sqrt(2 / n_in) / _CUT_STD
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def _default(weight: Tensor, n_in: float, n_out: float) -> None:
    """PyTorch's own, which the layer has been given when it was made."""


INITIALISERS: dict[str, Callable[[Tensor, float, float], None]] = {
    "he": _he,
    "glorot": _glorot,
    "lecun": _lecun,
    "truncated_normal": _truncated_normal,
    "default": _default,
}


@torch.no_grad()
def initialise(module: nn.Module, init: str) -> None:
    """Draw the weights of every convolution and linear layer in ``module`` anew, in place; zero their biases.

    ==================  ========================================  ==========================================
    ``init``            distribution, variance                    source
    ==================  ========================================  ==========================================
    he                  normal, 2 / n_in                          He+15, arXiv:1502.01852
    glorot              uniform, 2 / (n_in + n_out)               Glorot & Bengio 10, AISTATS 9, 249
    lecun               normal, 1 / n_in                          LeCun+98, Efficient BackProp
    truncated_normal    normal cut at ±2σ, 2 / n_in after cut     as He, without far outliers
    default             left as PyTorch made them, biases too     U(±1/√n_in), variance 1 / (3 n_in)
    ==================  ========================================  ==========================================

    n_in and n_out count the kernel: a 3×3 convolution of 16 channels has n_in = 144. Normalisation layers
    keep their unit scale and zero shift.

    Raises:
        ConfigError: ``init`` is none of these.
    """
    draw = choose("init", init, INITIALISERS)
    for layer in module.modules():
        if isinstance(layer, (*CONVOLUTIONS, *TRANSPOSED, nn.Linear)):
            draw(layer.weight, *_fans(layer, layer.weight))
            if layer.bias is not None and init != "default":
                nn.init.zeros_(layer.bias)
