"""How often objects are found, in bins of one of their values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrocnn.functional.bootstrap import wilson_interval

__all__ = ["rates", "snr_edges"]

Floats = NDArray[np.float64]

STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)  # of the edges in a decade of S/N


def rates(values: Floats, hit: NDArray[np.bool_], edges: Floats) -> dict[str, Any]:
    """The fraction that is hit in each bin of the values.

    Args:
        values: (N,).
        hit: (N,).
        edges: (B + 1,) of the bins; what lies outside of them is left out.

    Returns:
        ``n``, ``value``, ``low`` and ``high`` (Wilson, 95 %) of each bin, None in empty ones.
    """
    n, hits = (np.histogram(of, edges)[0] for of in (values, values[hit]))
    low, high = wilson_interval(hits, n)
    return {"n": n.tolist()} | {
        name: [float(v) if k else None for v, k in zip(of, n, strict=True)]
        for name, of in (("value", hits / np.maximum(n, 1)), ("low", low), ("high", high))
    }


def snr_edges(snr: Floats) -> Floats:
    """Round edges of bins of S/N, six a decade, that hold these values (N,) but for the outermost 0.2 % on each side.

    No edge is below 1.
    """
    low, high = np.quantile(np.maximum(snr, 1), [0.002, 0.998])
    steps = np.array(STEPS)
    decades = np.arange(np.floor(np.log10(low)), np.floor(np.log10(high)) + 2)
    edges: Floats = (10 ** decades[:, None] * steps).ravel()
    first = max(int(np.searchsorted(edges, low, side="right")) - 1, 0)
    return edges[first : int(np.searchsorted(edges, high, side="right")) + 1]
