"""From a target's own units to what a loss likes, and back: the scale of the maps that a network shall give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError, DataError, choose

__all__ = ["TargetScale"]


@dataclass(frozen=True)
class _Stretch:
    """A monotonic function, its inverse, and the largest argument whose inverse float32 can still scale."""

    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    largest: float
    positive: bool = False  # whether it is defined for positive values only


STRETCHES = {
    "linear": _Stretch(lambda x: x, lambda y: y, 3e38),
    "asinh": _Stretch(torch.asinh, torch.sinh, 80.0),
    "log10": _Stretch(torch.log10, lambda y: 10**y, 38.0, positive=True),
}


class TargetScale(nn.Module):
    """Scale of target images, plane by plane, fitted once on the training split and stored in the checkpoint.

    y = (stretch(x / unit) − mean) / deviation, with mean and deviation of the stretched training pixels. The unit is
    1, but for 'asinh': there it is ``softening`` times the noise that is given, or else times the median of the
    absolute values that are not 0. With 'log10', pixels of 0 and below have no value and count as not valid. No
    absolute constant is added, so that images in units of 1e-11 keep their contrast.

    Args:
        n_planes: planes of the target, K.
        stretch: 'linear', 'asinh' or 'log10', for all planes or one for each.
        softening: where asinh turns from linear to logarithmic, see above.
        bounded: bring the training pixels to 0..1 instead of to mean 0 and deviation 1; values outside become 0 or 1,
            and the network's outputs are logits of such values, as in :class:`~astrocnn.losses.image_losses.ImageBCE`.

    Attributes:
        average: (K,) mean of the valid training pixels in the target's units.

    Raises:
        ConfigError: a stretch is not known or there is not one a plane, or the softening is not above 0.
    """

    unit: Tensor
    mean: Tensor
    deviation: Tensor
    low: Tensor
    high: Tensor
    average: Tensor
    positive: Tensor

    def __init__(
        self,
        *,
        n_planes: int,
        stretch: str | Sequence[str] = "linear",
        softening: float = 1.0,
        bounded: bool = False,
    ) -> None:
        super().__init__()
        names = [stretch] * n_planes if isinstance(stretch, str) else list(stretch)
        if len(names) != n_planes or softening <= 0:
            raise ConfigError(
                f"task.target_scale.stretch={names} and task.target_scale.softening={softening}: one name, or one for "
                f"each of the target's {n_planes} planes, and a number above 0."
            )
        self.stretches = [choose("task.target_scale.stretch", name, STRETCHES) for name in names]
        self.soft = ["asinh" in name for name in names]
        self.softening, self.bounded = softening, bounded
        for name, value in (("unit", 1.0), ("mean", 0.0), ("deviation", 1.0), ("low", 0.0), ("high", 1.0)):
            self.register_buffer(name, torch.full((n_planes,), value))
        self.register_buffer("average", torch.zeros(n_planes))
        positive = torch.tensor([stretch.positive for stretch in self.stretches])
        self.register_buffer("positive", positive, persistent=False)

    @torch.no_grad()
    def fit(
        self, target: Tensor, valid: Tensor, *, planes: Sequence[str] = (), noise: Tensor | None = None
    ) -> None:
        """Measure unit, mean, deviation, least and greatest value of every plane.

        Args:
            target: (N, K, ...) training images in their own units.
            valid: bool, of that shape.
            planes: names, for messages.
            noise: (K,) deviation of the noise in which the planes are seen; None where they are not what is observed.

        Raises:
            DataError: a plane has no valid pixel, or all its valid pixels have one value.
        """
        for k, stretch in enumerate(self.stretches):
            name = planes[k] if k < len(planes) else str(k)
            known = valid[:, k] & (target[:, k] > 0) if stretch.positive else valid[:, k]
            pixels = target[:, k][known].double()
            if pixels.numel() == 0:
                what = "positive" if stretch.positive else "valid"
                raise DataError(
                    f"plane {name} of the target has no {what} pixel in the training images; look at the target "
                    "files, or choose another task.target_scale.stretch."
                )
            self.average[k] = pixels.mean()
            if self.soft[k]:
                size = pixels[pixels != 0].abs()
                typical = noise[k].double() if noise is not None else size.median() if len(size) else 1.0
                self.unit[k] = self.softening * typical
            stretched = stretch.forward(pixels / self.unit[k].double())
            self.mean[k], self.deviation[k] = stretched.mean(), stretched.std(correction=0)
            self.low[k], self.high[k] = stretched.min(), stretched.max()
            if self.low[k] == self.high[k]:
                raise DataError(f"plane {name} of the target is constant in the training images; drop it.")

    def forward(self, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled target (B, K, ...) float32, 0 where it is not valid, and its validity."""
        valid = valid & ((target > 0) | ~_by_plane(self.positive, target))
        x = torch.where(valid, target.float(), 1.0) / _by_plane(self.unit, target)
        y = torch.stack([s.forward(x[:, k]) for k, s in enumerate(self.stretches)], 1)  # (B, K, ...)
        zero, one = (_by_plane(values, target) for values in self._ends())
        y = (y - zero) / (one - zero)
        return torch.where(valid, y.clamp(0, 1) if self.bounded else y, 0), valid

    def inverse(self, outputs: Tensor) -> Tensor:
        """The target in its own units, (B, K, ...) float32, of what a network gives (of logits, if bounded)."""
        y = outputs.float().sigmoid() if self.bounded else outputs.float()
        zero, one = (_by_plane(values, y) for values in self._ends())
        y = zero + y * (one - zero)
        parts = [s.inverse(y[:, k].clamp(-s.largest, s.largest)) for k, s in enumerate(self.stretches)]
        return torch.stack(parts, 1) * _by_plane(self.unit, y)

    def edges(self, n_bins: int) -> Tensor:
        """(K, n_bins + 1) edges in the target's units, evenly spaced in the stretch, from its least to its greatest
        training value: bins for a picture of what is predicted against what is true.
        """
        steps = torch.linspace(0, 1, n_bins + 1, device=self.low.device)
        y = self.low[:, None] + steps * (self.high - self.low)[:, None]
        return torch.stack([s.inverse(y[k]) * self.unit[k] for k, s in enumerate(self.stretches)])

    def _ends(self) -> tuple[Tensor, Tensor]:
        """The stretched values (K,) that become 0 and 1."""
        return (self.low, self.high) if self.bounded else (self.mean, self.mean + self.deviation)


def _by_plane(values: Tensor, maps: Tensor) -> Tensor:
    return values.view(-1, *[1] * (maps.ndim - 2))  # (K, 1, 1) or (K, 1, 1, 1)
