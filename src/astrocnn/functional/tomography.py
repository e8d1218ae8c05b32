"""Redshift distributions n(z) of tomographic bins: stacked PDFs beside the true redshifts."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from astrocnn.functional.completeness import equal_parts
from astrocnn.functional.figures import estimates
from astrocnn.functional.pdf import PDF

__all__ = ["tomographic_bins"]

Floats = NDArray[np.float64]

N_BINS = 5
N_STEPS = 60
LEAST_OBJECTS = 20  # of a tomographic bin


class _MeanOffset:
    """Mean redshift of stacked PDFs less that of the true redshifts, over 1 + the latter; ``difference`` is (N,)."""

    names = ("bias",)

    def __init__(self, mean: Floats, true: Floats) -> None:
        self.columns = np.stack([mean - true, 1 + true], axis=1)

    def __call__(self, counts: Floats) -> Floats:
        sums = counts @ self.columns
        return sums[:, :1] / sums[:, 1:]


def tomographic_bins(
    pdf: PDF, point: ArrayLike, z: ArrayLike, *, n_bins: int = N_BINS, n_bootstrap: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """n(z) of bins of equal numbers in the point estimate.

    Args:
        pdf: of N objects.
        point: (N,) point estimates by which objects are put into bins.
        z: (N,) true redshifts.
        n_bins: at most; fewer where a bin would have less than 20 objects.
        n_bootstrap: number of resamples of the intervals; 0 gives none.
        seed: of the resamples.

    Returns:
        ``edges`` of the bins in the point estimate; ``grid`` (G + 1,) of redshifts; ``bins``: a list of {n, mean_pdf,
        mean_true, bias {value, low, high}, stacked: [G], true: [G]}: ``stacked`` is the fraction of the summed PDFs in
        each step of the grid, ``true`` that of the true redshifts, and ``bias`` (⟨z⟩_PDF − ⟨z⟩_true) / (1 + ⟨z⟩_true).
        An empty dict where there are too few objects for two bins.
    """
    found, true = np.asarray(point, np.float64), np.asarray(z, np.float64)
    n_bins = min(n_bins, len(true) // LEAST_OBJECTS)
    edges = equal_parts(found, n_bins) if n_bins >= 2 else np.zeros(0)
    if len(edges) < 3:
        return {}
    low, high = np.quantile(np.concatenate([found, true]), [0.002, 0.998])
    low, high = max(low - 0.05 * (high - low), min(0.0, low)), high + 0.05 * (high - low)
    grid = np.linspace(low, high, N_STEPS + 1)
    mean = pdf.mean().cpu().numpy()
    fractions = np.diff(pdf.cdf_on(torch.as_tensor(grid)).cpu().numpy(), axis=1)  # (N, G)
    place = np.clip(np.searchsorted(edges, found, side="right") - 1, 0, len(edges) - 2)
    bins = []
    for number in range(len(edges) - 1):
        rows = np.flatnonzero(place == number)
        if not len(rows):
            continue
        offset = _MeanOffset(mean[rows], true[rows])
        bins.append(
            {
                "n": len(rows),
                "mean_pdf": float(mean[rows].mean()),
                "mean_true": float(true[rows].mean()),
                **estimates(offset, np.zeros(len(rows), np.int64), n_resamples=n_bootstrap, seed=seed),
                "stacked": fractions[rows].mean(0).tolist(),
                "true": (np.histogram(true[rows], grid)[0] / len(rows)).tolist(),
            }
        )
    return {"edges": edges.tolist(), "grid": grid.tolist(), "bins": bins}
