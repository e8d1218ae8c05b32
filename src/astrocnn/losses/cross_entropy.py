"""Cross-entropy for two classes and for many, with one meaning of every option."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from astrocnn.errors import ConfigError

__all__ = ["IGNORED", "CrossEntropy", "check_labels", "checked_weights", "shares", "weighted_mean"]

IGNORED = -1


class CrossEntropy(nn.Module):
    """Mean cross-entropy of logits (B, K) with class numbers (B,), or of one logit (B, 1) with labels 0, 1.

    One logit x is the two-class softmax of (0, x), so class weights and label smoothing mean the same for
    two classes as for many, and as in :func:`torch.nn.functional.cross_entropy`:

    L = Σᵢ vᵢ ℓᵢ / Σᵢ vᵢ w[yᵢ],  ℓ = (1 − ε) w[y] (−log p[y]) + (ε/K) Σ_k w[k] (−log p[k])

    with sample weights v, class weights w and smoothing ε. Objects labelled −1 are left out.

    Args:
        class_weights: one weight per class (two for one logit), or None for equal ones. 'balanced' in the
            configuration becomes N / (K n_k) of the training split before this class is made.
        label_smoothing: ε, from 0 to below 1.

    Raises:
        ConfigError: options outside these ranges.
    """

    reads = "label"
    class_weights: Tensor | None

    def __init__(
        self,
        *,
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"label_smoothing={label_smoothing} must be at least 0 and below 1.")
        self.label_smoothing = label_smoothing
        # The options say the weights, so that the checkpoint need not.
        self.register_buffer("class_weights", checked_weights(class_weights), persistent=False)

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
        logits = logits.float()
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)  # (B, 2)
        check_labels(label, logits.shape[1], self.class_weights)
        return self.mean(logits, label, weight)

    def mean(self, logits: Tensor, label: Tensor, weight: Tensor | None) -> Tensor:
        """The formula above, of logits (B, K, ...) float32 and labels (B, ...); ``weight`` (B,) or None."""
        losses = F.cross_entropy(
            logits,
            label,
            weight=self.class_weights,
            ignore_index=IGNORED,
            reduction="none",
            label_smoothing=self.label_smoothing,
        )  # (B, ...), 0 where ignored
        return weighted_mean(losses, shares(label, self.class_weights), weight)


def checked_weights(class_weights: Sequence[float] | None) -> Tensor | None:
    """Class weights as a tensor (K,) float32.

    Raises:
        ConfigError: a word in their place, or numbers that are no weights.
    """
    if isinstance(class_weights, str):
        raise ConfigError(
            f"class_weights={class_weights!r} must be one number per class here; "
            f"N / (K n_k) of the training split gives balanced ones."
        )
    if class_weights is None:
        return None
    weights = torch.as_tensor(class_weights, dtype=torch.float32)
    if weights.ndim != 1 or not bool(((weights >= 0) & weights.isfinite()).all()):
        raise ConfigError(f"class_weights={class_weights} must be one number ≥ 0 per class.")
    return weights


def check_labels(label: Tensor, n_classes: int, class_weights: Tensor | None) -> None:
    """Class weights and labels must fit the classes; labels are looked at on the CPU only.

    Raises:
        ConfigError: they do not.
    """
    if class_weights is not None and len(class_weights) != n_classes:
        raise ConfigError(
            f"class_weights has {len(class_weights)} numbers for {n_classes} classes; "
            f"give one per class (loss.class_weights=...)."
        )
    within = label.device.type != "cpu" or bool(((label >= IGNORED) & (label < n_classes)).all())
    if not within:
        raise ConfigError(
            f"labels from {int(label.min())} to {int(label.max())} do not fit {n_classes} classes; "
            f"allowed are 0 to {n_classes - 1}, and −1 for unknown. Check data.classes and task.n_outputs."
        )


def shares(label: Tensor, class_weights: Tensor | None) -> Tensor:
    """(B, ...) what each label counts: the weight of its class, 0 where it is unknown."""
    known = (label != IGNORED).float()
    return known if class_weights is None else known * class_weights[label.clamp(min=0)]


def weighted_mean(losses: Tensor, share: Tensor, weight: Tensor | None) -> Tensor:
    """Σ v ℓ / Σ v w of losses (B, ...) that hold their shares w (B, ...), with sample weights v (B,).

    0, with gradients of 0, where nothing counts.
    """
    if weight is not None:
        weight = weight.reshape(-1, *[1] * (losses.ndim - 1))
        losses, share = losses * weight, share * weight
    total = share.sum()
    return losses.sum() / torch.where(total > 0, total, 1.0)
