"""Sums of losses."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from astrocnn.errors import ConfigError, listed

__all__ = ["WeightedSum"]


class WeightedSum(nn.Module):
    """Σ c_k L_k of several losses of the same outputs and truth.

    Args:
        losses: the losses by name.
        factors: c_k by the same names; a name that is not among them has 1, None gives all of them 1.

    Raises:
        ConfigError: no loss, a factor below 0, or one of a name that no loss has.
    """

    def __init__(
        self, losses: Mapping[str, nn.Module], *, factors: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        factors = dict(factors or {})
        if unknown := sorted(set(factors) - set(losses)):
            raise ConfigError(
                f"loss.factors names {listed(unknown)}, and the losses are {listed(list(losses), most=9)}."
            )
        if not losses or not all(factor >= 0 for factor in factors.values()):
            raise ConfigError(f"a sum needs a loss and factors of at least 0; loss.factors is {factors}.")
        self.losses = nn.ModuleDict(losses)
        self.factors = {name: float(factors.get(name, 1.0)) for name in losses}

    def forward(self, *of: Any, **named: Any) -> Tensor:
        """The sum, a scalar float32; arguments as each loss takes them."""
        parts: Sequence[Tensor] = [
            self.factors[name] * loss(*of, **named) for name, loss in self.losses.items()
        ]
        return sum(parts[1:], start=parts[0])
