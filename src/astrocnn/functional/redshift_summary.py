"""Everything that is said of redshift PDFs and their point estimates against true redshifts, as a JSON-able dict."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astrocnn.functional.completeness import equal_parts
from astrocnn.functional.figures import Statistic, estimates, turned_entry
from astrocnn.functional.pit import DISTANCES, of_perfect_pdfs
from astrocnn.functional.redshift_pdfs import PdfFigures, PdfScores, covered
from astrocnn.functional.redshift_points import PointFigures

__all__ = ["INTERVALS", "POINT", "figures_of", "pit_counts", "summarise_redshifts"]

Floats = NDArray[np.float64]
Summary = dict[str, Any]

INTERVALS = "95 %, bootstrap over objects"
POINT = "median"  # the point estimate of figures in bins and of plots
PIT_BINS = 20
PIT_BINS_EACH = 10  # of the objects of one bin of a property
OBJECTS_PER_BIN = 100
MOST_BINS = 10
SEVERAL = 3  # objects from which on the figures of a bin mean something


def figures_of(statistic: Statistic, n: int, *, n_bootstrap: int, seed: int) -> dict[str, dict[str, Any]]:
    """Every figure of n objects with its 95 % interval, those of distances turned about the value.

    Noise enlarges a distance and resampling adds noise; see :func:`astrocnn.functional.figures.turned_entry`.
    """
    found = estimates(statistic, np.zeros(n, np.int64), n_resamples=n_bootstrap, seed=seed)
    for name in found.keys() & DISTANCES.keys():
        if found[name]["low"] is not None:
            found[name] = turned_entry(*(found[name][part] for part in ("value", "low", "high")))
    return found


def summarise_redshifts(
    scores: PdfScores,
    points: Mapping[str, ArrayLike],
    z: ArrayLike,
    *,
    against: Mapping[str, ArrayLike] | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Summary:
    """Figures of point estimates and of PDFs, over all objects and in bins.

    Intervals are 95 % percentiles of the bootstrap over objects; those of the distances of PITs are turned about
    their value.

    Args:
        scores: what the PDFs say of the N true redshifts.
        points: (N,) point estimates by name; ``median`` is that of the bins.
        z: (N,) true redshifts.
        against: (N,) properties in whose bins the figures are wanted as well, such as a magnitude and a colour; they
            may be NaN. True and estimated redshift are always among them.
        n_bootstrap: number of resamples; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        ``n``, ``intervals``, ``point``; ``points`` {name: figures} (:class:`PointFigures`); ``figures`` of the PDFs
        (:class:`PdfFigures`); ``perfect``: the distances that true PDFs would have at this number of objects; ``pit``
        {edges, counts}; ``coverage`` {level, value}; ``bins`` {property: {edges, median, n, n_unknown, figures: [...],
        pit: [counts], perfect: [...]}}. In bins of the true redshift there are no figures of PIT and coverage: picked
        by the truth, the objects' PITs are not uniform even where the PDFs are true.

    Raises:
        DataError: nothing to measure, or redshifts that are not finite.
    """
    true = np.asarray(z, np.float64)
    how = {"n_bootstrap": n_bootstrap, "seed": seed}
    n, levels = len(true), np.linspace(0.05, 0.95, 19)
    summary: Summary = {
        "n": n,
        "intervals": INTERVALS if n_bootstrap else "",
        "point": POINT,
        "points": {name: figures_of(PointFigures(of, true), n, **how) for name, of in points.items()},
        "figures": figures_of(PdfFigures(scores), n, **how),
        "perfect": of_perfect_pdfs(n),
        "pit": {"edges": np.linspace(0, 1, PIT_BINS + 1).tolist(), "counts": pit_counts(scores.pit)},
        "coverage": {
            "level": levels.tolist(),
            "value": [float(covered(scores.pit, level).mean()) for level in levels],
        },
        "bins": {},
    }
    point = np.asarray(points[POINT], np.float64)
    properties = {"z_spec": true, "z_phot": point, **(against or {})}
    for name, values in properties.items():
        found = _binned(scores, point, true, np.asarray(values, np.float64), of_truth=name == "z_spec", **how)
        if found is not None:
            summary["bins"][name] = found
    return summary


def pit_counts(pit: Floats, n_bins: int = PIT_BINS) -> list[int]:
    """Numbers of objects in equal bins of the PIT (N,) from 0 to 1."""
    counts: list[int] = np.histogram(pit, np.linspace(0, 1, n_bins + 1))[0].tolist()
    return counts


def _binned(
    scores: PdfScores,
    point: Floats,
    true: Floats,
    values: Floats,
    *,
    of_truth: bool,
    n_bootstrap: int,
    seed: int,
) -> Summary | None:
    """Figures in bins of about equal numbers of objects; None where fewer than two bins can be made."""
    known = np.isfinite(values)
    n_bins = int(np.clip(known.sum() // OBJECTS_PER_BIN, 2, MOST_BINS))
    edges = equal_parts(values[known], n_bins)
    if len(edges) < 3:
        return None
    place = np.where(known, np.searchsorted(edges, values, side="right") - 1, -1)
    place = np.where(known & (values == edges[-1]), len(edges) - 2, place)
    bins: Summary = {
        "edges": edges.tolist(),
        "median": [],
        "n": [],
        "n_unknown": int((~known).sum()),
        "figures": [],
    }
    bins |= {} if of_truth else {"pit": [], "perfect": []}
    for number in range(len(edges) - 1):
        rows = np.flatnonzero(place == number)
        bins["n"].append(len(rows))
        bins["median"].append(float(np.median(values[rows])) if len(rows) else None)
        enough = len(rows) >= SEVERAL
        figures: Summary = {}
        if enough:
            for statistic in (PointFigures(point[rows], true[rows]), PdfFigures(scores[rows])):
                figures |= figures_of(statistic, len(rows), n_bootstrap=n_bootstrap, seed=seed)
        if of_truth:
            figures = {key: of for key, of in figures.items() if not key.startswith(("pit_", "coverage_"))}
        else:
            bins["pit"].append(pit_counts(scores.pit[rows], PIT_BINS_EACH))
            bins["perfect"].append(of_perfect_pdfs(len(rows)) if enough else {})
        bins["figures"].append(figures)
    return bins
