"""What is kept of each predicted image, so that the figures of a set need no image in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from astrocnn.functional.power_spectrum import frequencies, spectra
from astrocnn.functional.ssim import ssim

__all__ = ["ImageSums", "image_sums", "joined", "typical_and_worst"]

Floats = NDArray[np.float64]

LEAST_SIDE = 8  # pixels from which on a power spectrum has more than a handful of scales


@dataclass(frozen=True)
class ImageSums:
    """Sums over the valid pixels of N images with K planes, (N, K) float64 each where nothing else is said.

    Attributes:
        n: valid pixels.
        squares: Σ (p − t)² of prediction p and target t.
        absolutes: Σ |p − t|.
        predicted: Σ p.
        true: Σ t.
        true_absolutes: Σ |t|.
        true_squares: Σ t².
        data_range: greatest less least value of the target; NaN without a valid pixel.
        ssim: structural similarity, see :func:`astrocnn.functional.ssim.ssim`.
        whole: whether every pixel is valid and the target is not constant: those images have spectra.
        power_predicted, power_true, power_cross: (N, K, n_bins) spectra, see
            :func:`astrocnn.functional.power_spectrum.spectra`; 0 of images that are not whole.
        k: (n_bins,) frequencies of the spectra, cycles a pixel.
        density: (K, m, m) number of valid pixels by true (first) and predicted value; of no bins where no edges came.
    """

    n: Floats
    squares: Floats
    absolutes: Floats
    predicted: Floats
    true: Floats
    true_absolutes: Floats
    true_squares: Floats
    data_range: Floats
    ssim: Floats
    whole: NDArray[np.bool_]
    power_predicted: Floats
    power_true: Floats
    power_cross: Floats
    k: Floats
    density: NDArray[np.int64]


def image_sums(
    prediction: Tensor, target: Tensor, valid: Tensor, *, edges: Tensor | None = None
) -> ImageSums:
    """The sums of a batch, in float64 on the tensors' device, then brought to the processor.

    Args:
        prediction: (B, K, H, W) or (B, K, D, H, W), in the target's units.
        target: of that shape.
        valid: bool, of that shape: where the target is known.
        edges: (K, m + 1) edges of ``density``; values beyond them count in the outermost bins.
    """
    axes = tuple(range(2, target.ndim))
    t, p = (torch.where(valid, maps.double(), 0) for maps in (target, prediction))
    error = p - t
    n = valid.sum(axes)
    least, greatest = (
        torch.where(valid, t, torch.inf).amin(axes),
        torch.where(valid, t, -torch.inf).amax(axes),
    )
    data_range = torch.where(n > 0, greatest - least, torch.nan)
    whole = valid.flatten(2).all(2) & (data_range > 0)
    k = frequencies(tuple(target.shape[2:])) if min(target.shape[2:]) >= LEAST_SIDE else torch.empty(0)
    power = [t.new_zeros(*n.shape, len(k))] * 3
    if len(k) and bool(whole.any()):
        found = spectra(p, t)
        power = [
            torch.where(whole[..., None], part, 0) for part in (found.predicted, found.true, found.cross)
        ]
    tensors = {
        "n": n.double(),
        "squares": error.square().sum(axes),
        "absolutes": error.abs().sum(axes),
        "predicted": p.sum(axes),
        "true": t.sum(axes),
        "true_absolutes": t.abs().sum(axes),
        "true_squares": t.square().sum(axes),
        "data_range": data_range,
        "ssim": ssim(p, t, valid, data_range),
        "whole": whole,
        "power_predicted": power[0],
        "power_true": power[1],
        "power_cross": power[2],
        "k": k,
        "density": _density(p, t, valid, edges),
    }
    return ImageSums(**{name: tensor.cpu().numpy() for name, tensor in tensors.items()})


def joined(parts: Sequence[ImageSums]) -> ImageSums:
    """The sums of all batches, in their order."""
    columns = {}
    for field in fields(ImageSums):
        values = [getattr(part, field.name) for part in parts]
        if field.name == "k":
            columns[field.name] = values[0]
        elif field.name == "density":
            columns[field.name] = np.sum(values, axis=0)
        else:
            columns[field.name] = np.concatenate(values)
    return ImageSums(**columns)


def _density(p: Tensor, t: Tensor, valid: Tensor, edges: Tensor | None) -> Tensor:
    """(K, m, m) counts of valid pixels by true and predicted value."""
    n_planes = t.shape[1]
    if edges is None:
        return torch.zeros(n_planes, 0, 0, dtype=torch.int64)
    m = edges.shape[1] - 1
    tables = []
    for k in range(n_planes):
        known, inner = valid[:, k], edges[k, 1:-1].double().contiguous()
        row, column = (torch.bucketize(maps[:, k][known], inner, right=True) for maps in (t, p))
        tables.append(torch.bincount(row * m + column, minlength=m * m).view(m, m))
    return torch.stack(tables)


def typical_and_worst(sums: ImageSums, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Up to ``n`` images of ordinary error, from the middle of their order, and ``n`` of the greatest, worst first.

    The error of an image is the mean over its planes of its mean square over that of all images. Images without a
    valid pixel are in neither; none is in both.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (sums.squares / sums.n) / (sums.squares.sum(0) / sums.n.sum(0))  # (N, K)
    known = np.isfinite(ratio)
    error = np.where(known, ratio, 0).sum(1) / np.maximum(known.sum(1), 1)
    rows = np.flatnonzero(known.any(1))
    order = rows[np.argsort(error[rows], kind="stable")]
    n_worst = min(n, len(order) // 2)
    rest = order[: len(order) - n_worst]
    middle = max(0, (len(rest) - n) // 2)
    return rest[middle : middle + n].astype(np.int64), order[::-1][:n_worst].astype(np.int64)
