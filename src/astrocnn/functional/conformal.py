"""Split-conformal redshift intervals: whatever the PDFs are worth, their coverage is that of the validation set."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from astrocnn.functional.pdf import PDF
from astrocnn.functional.pit import check_pit

__all__ = ["conformal_intervals", "conformal_reach"]


def conformal_reach(pit: ArrayLike, levels: Sequence[float]) -> NDArray[np.float64]:
    """How far from ½ the probabilities of an interval's ends must lie, one number a level.

    The score of an object is |PIT − ½| (distributional conformal prediction; Chernozhukov, Wüthrich & Zhu 2021, PNAS
    118, e2107794118, eq. 4). Of n held-out scores the ⌈(n + 1) level⌉-th smallest gives intervals that hold a new
    object of the same population with at least that probability, and at most 1/(n + 1) more (Vovk+05). Where that
    would be more than the largest, the reach is ½: the whole line.

    Args:
        pit: (n,) of held-out objects.
        levels: probabilities of the intervals.

    Raises:
        DataError: as :func:`astrocnn.functional.pit.check_pit`.
    """
    scores = np.sort(np.abs(check_pit(pit) - 0.5))
    ranks = [math.ceil((len(scores) + 1) * level - 1e-9) for level in levels]
    return np.array([scores[rank - 1] if rank <= len(scores) else 0.5 for rank in ranks])


def conformal_intervals(pdf: PDF, reach: Tensor) -> Tensor:
    """(N, L, 2) lower and upper ends of the intervals from F⁻¹(½ − reach) to F⁻¹(½ + reach), for (L,) reaches.

    A reach of ½ gives the ends of the support, infinite ones where it has none.
    """
    reach = reach.to(pdf.device, pdf.dtype)
    p = torch.stack([0.5 - reach, 0.5 + reach], dim=1).flatten()  # (2L,)
    inside = (p > 0) & (p < 1)
    ends = torch.where(p <= 0, pdf.support[0], pdf.support[1]).to(pdf.dtype).expand(len(pdf), -1).clone()
    ends[:, inside] = pdf.quantile(p[inside])
    return ends.view(len(pdf), -1, 2)
