"""How well the samples of a network spread: as the truths do, or as what is not known does."""

import torch
from torch import Tensor

from astrocnn.errors import DataError

__all__ = ["generalised_energy_distance", "map_distances"]


def generalised_energy_distance(samples: Tensor, truths: Tensor, *, n_classes: int) -> Tensor:
    """Squared generalised energy distance of sampled class maps and true ones (Kohl+18, arXiv:1806.05034).

    D² = 2 E[d(S, Y)] − E[d(S, S′)] − E[d(Y, Y′)] with the distance d of :func:`map_distances`. Each mean is over
    all pairs, that of a map with itself among them, so D² ≥ 0 is that of the two sets, and 0 for equal sets. With
    one truth an image the last term is 0.

    Args:
        samples: (S, B, H, W) int64 class numbers.
        truths: (Y, B, H, W) int64 class numbers; a pixel that is −1 in any truth of an image is left out.
        n_classes: K, the background, class 0, among them.

    Returns:
        (B,) float32.

    Raises:
        DataError: shapes that do not go together.
    """
    if samples.ndim < 3 or samples.shape[1:] != truths.shape[1:]:
        raise DataError(
            f"samples are (S, B, H, W) and truths (Y, B, H, W); these are {tuple(samples.shape)} and "
            f"{tuple(truths.shape)}."
        )
    known = (truths >= 0).all(0)  # (B, H, W)
    samples, truths = (torch.where(known, maps, -1) for maps in (samples, truths))
    between, within, among = (
        map_distances(a, b, n_classes=n_classes).mean((1, 2))
        for a, b in ((samples, truths), (samples, samples), (truths, truths))
    )
    return 2 * between - within - among


def map_distances(a: Tensor, b: Tensor, *, n_classes: int) -> Tensor:
    """1 − IoU of all pairs of class maps, the IoU being the mean over classes that either map of the pair holds.

    The background, class 0, is no such class; two maps of nothing else have the distance 0.

    Args:
        a: (N, B, ...) int64 class numbers, −1 where no class counts.
        b: (M, B, ...) likewise.
        n_classes: K with the background.

    Returns:
        (B, N, M) float32 in [0, 1].
    """
    a, b = (maps.flatten(2).transpose(0, 1) for maps in (a, b))  # (B, N, P)
    total = torch.zeros(a.shape[0], a.shape[1], b.shape[1], device=a.device)
    held = torch.zeros_like(total)
    for k in range(1, n_classes):
        ours, theirs = (a == k).float(), (b == k).float()
        shared = ours @ theirs.transpose(1, 2)  # (B, N, M)
        union = ours.sum(2)[:, :, None] + theirs.sum(2)[:, None] - shared
        total += shared / union.clamp(min=1)
        held += union > 0
    return torch.where(held > 0, 1 - total / held.clamp(min=1), 0)
