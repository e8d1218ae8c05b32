"""Cross-entropy for two classes and for many, with one meaning of every option."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from astrocnn.errors import ConfigError, DataError

__all__ = ["CrossEntropy"]

IGNORED = -1


class CrossEntropy(nn.Module):
    """Mean cross-entropy of logits (B, K) with class numbers (B,), or of one logit (B, 1) with labels 0, 1.

    One logit x is the two-class softmax of (0, x), so class weights and label smoothing mean the same for
    two classes as for many, and as in :func:`torch.nn.functional.cross_entropy`:

    L = Σᵢ vᵢ ℓᵢ / Σᵢ vᵢ w[yᵢ],  ℓ = (1 − ε) w[y] (−log p[y]) + (ε/K) Σ_k w[k] (−log p[k])

    with sample weights v, class weights w and smoothing ε. Objects labelled −1 are left out.

    Args:
        class_weights: one weight per class (two for one logit), none, or 'balanced': N / (K n_k), which
            :meth:`balance` sets from the numbers of the training split before the first step.
        label_smoothing: ε, from 0 to below 1.

    Raises:
        ConfigError: options outside these ranges.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        *,
        class_weights: Sequence[float] | Literal["balanced"] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"label_smoothing={label_smoothing} must be at least 0 and below 1.")
        if isinstance(class_weights, str) and class_weights != "balanced":
            raise ConfigError(
                f"class_weights={class_weights!r} is not known; give a number per class, 'balanced' or null."
            )
        self.label_smoothing = label_smoothing
        # Not in the checkpoint: the options say the weights, or how to find them from the training split.
        # Empty until balance() fills it: a buffer follows the module to its device.
        weights = None if class_weights is None else torch.empty(0)
        self.register_buffer("class_weights", weights, persistent=False)
        if class_weights is not None and not isinstance(class_weights, str):
            self._set_weights(torch.tensor(class_weights, dtype=torch.float32))

    def balance(self, class_counts: Sequence[int] | Tensor) -> None:
        """Set the weights N / (K n_k) from the numbers n_k of the K classes in the training split.

        Raises:
            DataError: a class has no object.
        """
        counts = torch.as_tensor(class_counts, dtype=torch.float32)
        if counts.ndim != 1 or len(counts) < 2 or bool((counts <= 0).any()):
            raise DataError(
                f"balanced class weights need objects of every class, and the training split has "
                f"{counts.long().tolist()}; add the missing classes or set loss.class_weights=null."
            )
        self._set_weights(counts.sum() / (len(counts) * counts))

    def forward(self, logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean loss, a scalar float32; 0, with gradients of 0, where no object has a label.

        Args:
            logits: (B, 1) or (B, K), any floating dtype; computed in float32.
            label: (B,) int64, −1 where unknown.
            weight: (B,) sample weights, or None for equal ones.

        Raises:
            ConfigError: shapes or number of class weights that do not go together; labels beyond the
                classes (looked for on the CPU only, where it costs no synchronisation).
        """
        if logits.ndim != 2 or label.shape != logits.shape[:1]:
            raise ConfigError(
                f"cross-entropy takes logits (B, K) and labels (B,) and got {tuple(logits.shape)} and "
                f"{tuple(label.shape)}."
            )
        if self.class_weights is not None and not len(self.class_weights):
            raise ConfigError("class_weights='balanced' has not been set; call balance(class_counts) first.")
        logits = logits.float()
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)  # (B, 2)
        n_classes = logits.shape[1]
        if self.class_weights is not None and len(self.class_weights) != n_classes:
            raise ConfigError(
                f"class_weights has {len(self.class_weights)} numbers for {n_classes} classes; "
                f"give one per class (loss.class_weights=...)."
            )
        if label.device.type == "cpu" and label.numel() and not _within(label, n_classes):
            raise ConfigError(
                f"labels from {int(label.min())} to {int(label.max())} do not fit {n_classes} classes; "
                f"allowed are 0 to {n_classes - 1}, and −1 for unknown. Check data.classes and task.n_outputs."
            )
        losses = F.cross_entropy(
            logits,
            label,
            weight=self.class_weights,
            ignore_index=IGNORED,
            reduction="none",
            label_smoothing=self.label_smoothing,
        )  # (B,), 0 where ignored
        share = (label != IGNORED).float()
        if self.class_weights is not None:
            share = share * self.class_weights[label.clamp(min=0)]
        if weight is not None:
            losses, share = losses * weight, share * weight
        total = share.sum()
        return losses.sum() / torch.where(total > 0, total, 1.0)

    def _set_weights(self, weights: Tensor) -> None:
        if weights.ndim != 1 or not bool(torch.isfinite(weights).all()) or bool((weights < 0).any()):
            raise ConfigError(f"class_weights={weights.tolist()} must be one number ≥ 0 per class.")
        self.class_weights = weights if self.class_weights is None else weights.to(self.class_weights.device)


def _within(label: Tensor, n_classes: int) -> bool:
    return bool((label >= IGNORED).all()) and bool((label < n_classes).all())
