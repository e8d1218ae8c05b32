"""Rates at one operating point: of the kinds of negatives, and of positives over two of their properties."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.errors import DataError
from astrocnn.functional.bootstrap import wilson_interval
from astrocnn.functional.figures import entry
from astrocnn.functional.ranking import fpr_limit, rank

__all__ = ["completeness_map", "equal_parts", "numbers", "operating_point", "rates_by_kind"]

Floats = NDArray[np.float64]

OBJECTS_PER_CELL = 12


def operating_point(p: Floats, labels: ArrayLike, *, fpr: float) -> tuple[float, float]:
    """The lowest threshold on p (N,) with a false-positive rate of at most ``fpr``, and the rate aimed at.

    Where the negatives are too few for ``fpr``, the rate is 1 / their number. The threshold is just above the
    largest p when the highest block of equal p already holds too many negatives.
    """
    ranking = rank(p)
    curve = ranking.curve(np.asarray(labels) == 1)
    fpr = max(fpr, 1 / float(curve.fp[-1]))
    block = int(np.searchsorted(curve.fp, fpr_limit(fpr, curve.fp[-1]), side="right")) - 1
    threshold = ranking.scores[block - 1] if block else np.nextafter(ranking.scores[0], np.inf)
    return float(threshold), fpr


def rates_by_kind(kinds: ArrayLike, called: NDArray[np.bool_]) -> dict[str, Any]:
    """{kind: {n, fpr}} with Wilson's intervals, of negatives (N,) and whether each was called positive."""
    names = np.asarray(kinds).astype(str)
    found = {}
    for name in np.unique(names):
        of_kind = names == name
        n, wrong = int(of_kind.sum()), int(called[of_kind].sum())
        found[str(name)] = {"n": n, "fpr": entry(wrong / n, *wilson_interval(wrong, n))}
    return found


def completeness_map(
    x: Floats, y: Floats, found: NDArray[np.bool_], *, names: Sequence[str]
) -> dict[str, Any]:
    """Fraction of positives that were found, in cells of two of their properties (Lanusse+18, figure 7).

    Cells end at quantiles, so that each column and row of the map holds about equal numbers.

    Args:
        x: (P,) first property; positives where either is not finite are left out.
        y: (P,) second property.
        found: (P,) whether each positive was called so.
        names: of the two properties.

    Returns:
        ``x``, ``y`` {name, edges}, ``value`` and ``n``, lists of one row per bin of x; None in empty cells.
    """
    known = np.isfinite(x) & np.isfinite(y)
    n_bins = int(np.clip(np.sqrt(known.sum() / OBJECTS_PER_CELL), 2, 10))
    edges = [equal_parts(values[known], n_bins) for values in (x, y)]
    n = np.histogram2d(x[known], y[known], bins=edges)[0]
    hits = np.histogram2d(x[known & found], y[known & found], bins=edges)[0]
    cells = np.where(n > 0, hits / np.maximum(n, 1), np.nan)
    return {
        "x": {"name": names[0], "edges": edges[0].tolist()},
        "y": {"name": names[1], "edges": edges[1].tolist()},
        "value": [[None if np.isnan(cell) else float(cell) for cell in row] for row in cells],
        "n": n.astype(int).tolist(),
    }


def numbers(name: str, column: ArrayLike) -> Floats:
    """A truth column as float64, NaN where masked.

    Raises:
        DataError: the column does not hold numbers.
    """
    try:
        return np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
    except (TypeError, ValueError):
        raise DataError(
            f"column {name} does not hold numbers ({np.asarray(column).dtype}); name another one in "
            f"data.selections or data.strata."
        ) from None


def equal_parts(values: Floats, n_bins: int) -> Floats:
    """Edges between which about equal numbers of values lie; the inner ones rounded to three digits."""
    if len(values) == 0:
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    quantiles = np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1])
    inner = [edge for edge in (float(f"{q:.3g}") for q in quantiles) if low < edge < high]
    return np.unique([low, *inner, high if high > low else low + 1.0])
