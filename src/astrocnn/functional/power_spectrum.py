"""Power spectra of fields in two and three dimensions: on which scales a predicted field is like the true one."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Spectra", "frequencies", "spectra"]


@dataclass(frozen=True)
class Spectra:
    """Power in bins of frequency: of the prediction, of the target, and of both together, (B, K, n_bins) float64."""

    predicted: Tensor
    true: Tensor
    cross: Tensor


def frequencies(sides: tuple[int, ...]) -> Tensor:
    """Centres (n_bins,) of the bins in cycles a pixel: the multiples of 1/L up to one half, L the longest side."""
    longest = max(sides)
    return torch.arange(1, longest // 2 + 1, dtype=torch.float64) / longest


def spectra(prediction: Tensor, target: Tensor) -> Spectra:
    """Spectra of fields without missing pixels: mean |F|² of the modes of a bin, and mean Re(F_p F_t*).

    F is the unitary Fourier transform of a field less its mean, over the square root of
    the target's variance, so that bright and faint images have one voice. A mode belongs to the bin whose multiple of
    1/L its frequency |k| is nearest to; those beyond one half, in the corners, to none.

    Args:
        prediction: (B, K, H, W) or (B, K, D, H, W).
        target: of that shape.
    """
    axes = tuple(range(2, target.ndim))
    true = target.double()
    true = true - true.mean(axes, keepdim=True)
    said = prediction.double()
    said = said - said.mean(axes, keepdim=True)
    variance = true.square().mean(axes)  # (B, K)
    modes = [torch.fft.rfftn(field, dim=axes, norm="ortho").flatten(2) for field in (said, true)]
    bins, weight = _bins(tuple(target.shape[2:]), true.device)
    n_bins = len(frequencies(tuple(target.shape[2:])))
    n_modes = true.new_zeros(n_bins + 1).index_add_(0, bins, weight)

    def binned(power: Tensor) -> Tensor:
        sums = power.new_zeros(*power.shape[:2], n_bins + 1).index_add_(2, bins, power * weight)
        return (sums / n_modes.clamp(min=1) / variance[..., None])[..., :n_bins]

    p, t = modes
    return Spectra(binned(p.abs().square()), binned(t.abs().square()), binned((p * t.conj()).real))


def _bins(sides: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Of each mode that ``rfftn`` gives, flat: the number of its bin (the last stands for none), and how many modes of
    the whole transform it stands for.
    """
    along = [torch.fft.fftfreq(side, dtype=torch.float64, device=device) for side in sides[:-1]]
    along.append(torch.fft.rfftfreq(sides[-1], dtype=torch.float64, device=device))
    squares = torch.zeros((), dtype=torch.float64, device=device)
    for axis, values in enumerate(along):
        squares = squares + values.square().view(*[-1 if i == axis else 1 for i in range(len(sides))])
    longest = max(sides)
    number = (squares.sqrt() * longest).round().long() - 1  # −1 for the mean, which is 0
    n_bins = longest // 2
    bins = torch.where((number >= 0) & (number < n_bins), number, n_bins)
    # A mode of the half plane stands for its conjugate too, but for those on its edges.
    last = torch.full((len(along[-1]),), 2.0, dtype=torch.float64, device=device)
    last[0] = 1.0
    if sides[-1] % 2 == 0:
        last[-1] = 1.0
    return bins.flatten(), last.expand(squares.shape).flatten()
