"""Cross-entropy of the classes of whole objects, from the probabilities of their pixels."""

import torch
from torch import Tensor, nn

from astrocnn.errors import ConfigError

__all__ = ["ObjectClassLoss"]


class ObjectClassLoss(nn.Module):
    """Mean over objects of −log p̄, where p̄ is the mean probability of the object's class over its pixels.

    Among pixels a large galaxy outweighs a thousand stars; here each object counts as one, by the probabilities by
    which a catalogue says its class (:func:`~astrocnn.functional.objects.measure_objects`).

    Args:
        weight: of this term beside that of the pixels.

    Raises:
        ConfigError: a negative weight.
    """

    def __init__(self, *, weight: float = 0.2) -> None:
        super().__init__()
        if weight < 0:
            raise ConfigError(f"weight={weight} is negative; give 0 to leave the term out.")
        self.weight = weight

    def forward(self, logits: Tensor, class_map: Tensor, instances: Tensor) -> Tensor:
        """The term.

        Args:
            logits: (B, K, H, W).
            class_map: (B, H, W) int64, −1 ignored; an object is of the class of most of its pixels.
            instances: (B, H, W) int64, 0 background, −1 ignored.
        """
        n_classes = logits.shape[1]
        inside = (instances > 0) & (class_map >= 0)
        if not bool(inside.any()):
            return logits.sum() * 0.0
        image = torch.arange(len(instances), device=instances.device)[:, None, None].expand_as(instances)
        _, number = torch.unique(
            image[inside] * (int(instances.max()) + 1) + instances[inside], return_inverse=True
        )
        n_objects = int(number.max()) + 1
        p = logits.float().movedim(1, -1)[inside].softmax(-1)  # (P, K)
        area = p.new_zeros(n_objects).index_add_(0, number, torch.ones_like(number, dtype=p.dtype))
        mean = p.new_zeros(n_objects, n_classes).index_add(0, number, p) / area[:, None]
        votes = torch.bincount(number * n_classes + class_map[inside], minlength=n_objects * n_classes)
        label = votes.view(n_objects, n_classes).argmax(1)
        of_class = mean.gather(1, label[:, None])[:, 0]
        return -self.weight * of_class.clamp_min(torch.finfo(of_class.dtype).tiny).log().mean()
