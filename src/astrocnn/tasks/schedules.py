"""Learning-rate schedules, all made by the same call: an optimiser, its learning rate, and the run's length."""

from collections.abc import Sequence
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

__all__ = ["cosine", "one_cycle", "plateau", "step"]


def one_cycle(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_fraction: float = 0.3,
    start_divisor: float = 25.0,
) -> dict[str, Any]:
    """Rise to the optimiser's learning rate, then anneal to almost nothing (Smith & Topin 2018, arXiv:1708.07120)."""
    peak = [group["lr"] for group in optimizer.param_groups]
    scheduler = OneCycleLR(
        optimizer, max_lr=peak, total_steps=total_steps, pct_start=warmup_fraction, div_factor=start_divisor
    )
    return {"scheduler": scheduler, "interval": "step"}


def cosine(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: float = 0.0,
    final_fraction: float = 0.0,
) -> dict[str, Any]:
    """Half a cosine down to ``final_fraction`` of the learning rate after a linear warm-up.

    Loshchilov & Hutter 2017, arXiv:1608.03983.
    """
    lr = max(group["lr"] for group in optimizer.param_groups)
    warmup = min(round(warmup_epochs * steps_per_epoch), total_steps - 1)
    annealing = CosineAnnealingLR(optimizer, T_max=total_steps - warmup, eta_min=lr * final_fraction)
    if warmup == 0:
        return {"scheduler": annealing, "interval": "step"}
    rise = LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup)
    return {"scheduler": SequentialLR(optimizer, [rise, annealing], milestones=[warmup]), "interval": "step"}


def step(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    epochs: Sequence[int] = (8, 12),
    factor: float = 0.1,
) -> dict[str, Any]:
    """Multiply the learning rate by ``factor`` when each of ``epochs`` begins."""
    milestones = [epoch * steps_per_epoch for epoch in epochs]
    return {"scheduler": MultiStepLR(optimizer, milestones=milestones, gamma=factor), "interval": "step"}


def plateau(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    monitor: str,
    mode: Literal["min", "max"],
    patience: int = 3,
    factor: float = 0.1,
) -> dict[str, Any]:
    """Multiply the learning rate by ``factor`` after ``patience`` epochs without a better ``monitor``.

    Stepped once an epoch by the count of steps, so that a run resumed inside an epoch loses no step.
    """
    scheduler = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience)
    return {"scheduler": scheduler, "interval": "step", "frequency": steps_per_epoch, "monitor": monitor}
